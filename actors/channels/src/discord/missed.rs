//! What was said while nobody listened, or on a session that is lost: asked for by REST, room by room.
//!
//! Numbers of Discord's messages grow over all rooms, so one number says how far all was taken in: the position. It is kept
//! in the store once a second. After a new session each room in which somebody spoke since is read from there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mosaic_types::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use serenity::model::channel::Message as Said;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Inner;
use super::inbound::{Me, read};
use super::lanes::{Event, Lanes};
use super::outbound::{made_at, number};
use super::trouble::{Left, Trouble};
use crate::allow::Mark;
use crate::channel::Heard;
use crate::talk::Talk;

/// Rooms that are asked for at once.
const AT_ONCE: usize = 4;

/// Messages of a page, at the most (API reference, "Get Channel Messages").
const PAGE: usize = 100;

/// Pages of a room that are read; what lies beyond is told to nobody.
const PAGES: usize = 10;

/// Rooms of one person that are opened because they may talk and never did, at the most.
const OPENED: usize = 10;

/// Direct rooms that are kept in mind.
const DIRECT: usize = 1_000;

/// Discord is asked so often where it cannot answer: for some minutes, since what nobody asks for again is lost.
const TRIES: usize = 10;

/// The first pause between such tries, and the longest; each is twice as long as the one before.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// So far apart may messages of different rooms come that were written at the same moment: two seconds, in numbers.
const APART: u64 = 2_000 << 22;

/// A store that does not answer is not waited for longer: the next second will do.
const KEEPING: Duration = Duration::from_secs(2);

/// How far all was taken in.
pub(super) struct Missed {
    /// The last message that is done with, and all before it; 0: not known yet.
    position: Cell<u64>,
    kept: Cell<u64>,
    /// From where a session that begins now has to be caught up.
    since: Cell<u64>,
    /// Rooms of one person, and who that is.
    direct: RefCell<HashMap<u64, String>>,
    asking: Semaphore,
    /// Rooms that are being read.
    open: Cell<usize>,
}

impl Default for Missed {
    fn default() -> Self {
        Self {
            position: Cell::new(0),
            kept: Cell::new(0),
            since: Cell::new(0),
            direct: RefCell::default(),
            asking: Semaphore::new(AT_ONCE),
            open: Cell::new(0),
        }
    }
}

/// A guild, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Guild {
    id: String,
    #[serde(default)]
    channels: Vec<Room>,
    #[serde(default)]
    threads: Vec<Room>,
}

#[derive(Debug, Deserialize)]
struct Room {
    id: String,
    last_message_id: Option<String>,
}

impl Inner {
    /// Finds out how far all was taken in, once a life. On a new bot nothing was missed.
    pub(super) async fn find_position(&self, talk: &Talk) -> Result<(), Left> {
        let missed = &self.missed;
        if missed.position.get() == 0 {
            let kept = talk.kept().await.map_err(|_| Left::Unknown)?;
            let direct = format!("{}/", self.account);
            let room = |scope: &str| scope.strip_prefix(&*direct).and_then(number);
            let rooms = kept.iter().filter_map(|(scope, user)| Some((room(scope)?, user.clone())));
            missed.direct.borrow_mut().extend(rooms.take(DIRECT));
            let position = kept.iter().find(|(scope, _)| **scope == *self.account).and_then(|(_, value)| number(value));
            missed.kept.set(position.unwrap_or(0));
            // Of two rooms the one may be told a little after the other.
            let position = position.map(|position| position.saturating_sub(APART));
            missed.position.set(position.unwrap_or_else(|| made_by(talk.now())));
            self.keep_position(talk).await;
        }
        Ok(())
    }

    /// Takes over how far the lanes are, and keeps it.
    pub(super) async fn advance(&self, lanes: &Lanes, talk: &Talk) {
        let missed = &self.missed;
        missed.position.set(lanes.position(missed.position.get()));
        self.keep_position(talk).await;
    }

    async fn keep_position(&self, talk: &Talk) {
        let position = self.missed.position.get();
        if position > self.missed.kept.get() {
            let keeping = talk.keep(self.account.clone(), position.to_string().into());
            if matches!(timeout(KEEPING, keeping).await, Ok(Ok(()))) {
                self.missed.kept.set(position);
            }
        }
    }

    /// A session begins: rooms of one person are read from the position on, and those of guilds when they are told.
    pub(super) fn begin_to_catch_up(self: &Rc<Self>, event: Event, me: &Me, talk: &Rc<Talk>, lanes: &mut Lanes) {
        let since = lanes.position(self.missed.position.get());
        self.missed.since.set(since);
        let direct = self.missed.direct.borrow().clone();
        for (room, user) in &direct {
            self.catch_up(event, (*room, alone_with(user)), None, me, talk, lanes);
        }
        let users = self.users.iter().filter(|user| !direct.values().any(|known| known == *user)).take(OPENED).cloned();
        for user in users {
            let (inner, me, talk) = (self.clone(), me.clone(), talk.clone());
            let place = alone_with(&user);
            self.missed.open.set(self.missed.open.get() + 1);
            let work = async move {
                if let Some(room) = inner.patiently(async || inner.open(&user).await).await {
                    inner.missed.direct.borrow_mut().insert(room, user);
                    inner.read_room(room, None, since, &me, &talk).await;
                }
                inner.caught_up(&talk).await;
            };
            lanes.push(place, event, since, Box::pin(work));
        }
    }

    /// A guild is told: rooms in which somebody spoke since are read.
    pub(super) fn catch_up_guild(
        self: &Rc<Self>,
        event: Event,
        data: &str,
        me: &Me,
        talk: &Rc<Talk>,
        lanes: &mut Lanes,
    ) {
        let Ok(guild) = serde_json::from_str::<Guild>(data) else { return };
        let since = self.missed.since.get();
        let spoke = |room: &Room| room.last_message_id.as_deref().and_then(number).is_some_and(|last| last > since);
        for room in guild.channels.iter().chain(&guild.threads).filter(|room| spoke(room)) {
            if let Some(room) = number(&room.id) {
                let place = room.to_string().into();
                self.catch_up(event, (room, place), Some(guild.id.clone()), me, talk, lanes);
            }
        }
    }

    fn catch_up(
        self: &Rc<Self>,
        event: Event,
        (room, place): (u64, Arc<str>),
        guild: Option<String>,
        me: &Me,
        talk: &Rc<Talk>,
        lanes: &mut Lanes,
    ) {
        let (inner, me, talk, since) = (self.clone(), me.clone(), talk.clone(), self.missed.since.get());
        self.missed.open.set(self.missed.open.get() + 1);
        let work = async move {
            inner.read_room(room, guild.as_deref(), since, &me, &talk).await;
            inner.caught_up(&talk).await;
        };
        lanes.push(place, event, since, Box::pin(work));
    }

    /// One room less is being read; after the last what was too old is summed up.
    async fn caught_up(&self, talk: &Talk) {
        let open = self.missed.open.get().saturating_sub(1);
        self.missed.open.set(open);
        if open == 0 {
            talk.caught_up().await;
        }
    }

    /// Has all that was said in a room since be taken in, in order.
    async fn read_room(self: &Rc<Self>, room: u64, guild: Option<&str>, since: u64, me: &Me, talk: &Rc<Talk>) {
        let (mut after, mut known) = (since, HashMap::new());
        for _ in 0..PAGES {
            let Some(page) = self.page(room, after).await else { return };
            // The newest comes first.
            for mut message in page.iter().rev().cloned() {
                after = after.max(message["id"].as_str().and_then(number).unwrap_or(0));
                message["guild_id"] = json!(guild);
                let Ok(said) = serde_json::from_value::<Said>(message) else { continue };
                let Some(heard) = read(&said, me) else { continue };
                // As it is worded now; that it was worded otherwise before matters to nobody who did not hear it.
                let (id, at) = (said.id.get().to_string().into(), Timestamp(made_at(said.id.get())));
                let mut heard = self.placed(Heard { event: id, edits: None, at, ..heard }).await;
                if let Some(guild) = guild.filter(|_| self.by_role && heard.addressed && !talk.admits(&heard)) {
                    if !known.contains_key(&heard.from.id) {
                        known.insert(heard.from.id.clone(), self.roles(guild, &heard.from.id).await);
                    }
                    heard.marks.extend(known[&heard.from.id].iter().cloned());
                }
                self.clone().take_in(heard, talk.clone()).await;
            }
            if page.len() < PAGE {
                return;
            }
        }
        tracing::warn!(room, "so much was said there meanwhile that a part of it is passed over");
    }

    /// A page of what was said after a message; `None` where there is none to be had.
    async fn page(&self, room: u64, after: u64) -> Option<Vec<Value>> {
        let _asking = self.missed.asking.acquire().await.ok()?;
        match self.ask_patiently(&format!("channels/{room}/messages?after={after}&limit={PAGE}")).await? {
            Value::Array(page) => Some(page),
            _ => None,
        }
    }

    /// Asks until Discord answers, for some minutes at the most; `None` where it refuses or never does.
    pub(super) async fn ask_patiently(&self, path: &str) -> Option<Value> {
        self.patiently(async || self.rest.get(path).await).await
    }

    async fn patiently<T>(&self, ask: impl AsyncFn() -> Result<T, Trouble>) -> Option<T> {
        let [mut pause, longest] = PAUSES;
        for _ in 0..TRIES {
            match ask().await {
                Ok(told) => return Some(told),
                Err(Trouble::Never { .. } | Trouble::Lost | Trouble::Token) => return None,
                Err(Trouble::Flood { wait, .. }) => sleep(wait).await,
                Err(_) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(longest);
                }
            }
        }
        tracing::warn!("Discord did not answer for minutes; something that was said there may be passed over");
        None
    }

    /// What is asked for by REST does not tell the roles of whoever said it.
    async fn roles(&self, guild: &str, user: &str) -> Vec<Mark> {
        let member = self.ask_patiently(&format!("guilds/{guild}/members/{user}")).await.unwrap_or_default();
        let roles = member["roles"].as_array().into_iter().flatten();
        roles.filter_map(Value::as_str).map(|role| Mark::Role(role.to_owned())).collect()
    }

    /// Keeps in mind in which room we are alone with somebody who may talk.
    pub(super) async fn meet(&self, heard: &Heard, talk: &Talk) {
        let Some(room) = number(&heard.conversation) else { return };
        let known = |direct: &HashMap<u64, String>| direct.len() >= DIRECT || direct.contains_key(&room);
        if !heard.direct || known(&self.missed.direct.borrow()) || !talk.admits(heard) {
            return;
        }
        self.missed.direct.borrow_mut().insert(room, heard.from.id.to_string());
        let scope = format!("{}/{room}", self.account).into();
        let _ = timeout(KEEPING, talk.keep(scope, heard.from.id.clone())).await;
    }
}

/// The lane of what somebody and we say to each other alone: it is the same whether or not their room is known yet, so
/// nothing that is told overtakes what was missed.
pub(super) fn alone_with(user: &str) -> Arc<str> {
    format!("user:{user}").into()
}

/// The first number that Discord would give out at a moment.
pub(super) fn made_by(at: Timestamp) -> u64 {
    let since = at.0.saturating_sub(made_at(0)) / 1_000;
    u64::try_from(since).unwrap_or(0) << 22
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_a_number_below_all_that_are_given_out_after_it() {
        let number = 175_928_847_299_117_063;
        let at = made_at(number);
        assert!(made_by(Timestamp(at)) <= number && made_by(Timestamp(at + 1_000)) > number);
        assert_eq!(made_by(Timestamp(0)), 0, "before there was Discord");
    }
}
