//! Discord: heard by its gateway, answered by REST, on serenity's types and builders.
//!
//! ```text
//! gateway ─► link (the protocol, pure) ─► inbound (what was said) ─► lanes (one for each place) ─► Talk ─► stored
//! ```
//!
//! serenity's own client counts an event as received before anybody has stored it, hands events to tasks that run in no
//! order, and identifies anew without end. So the house holds the connection by itself: a session is resumed from the last
//! event that is done with, and what Discord tells twice the inbox removes.

mod check;
mod commands;
mod gateway;
mod inbound;
mod interaction;
mod lanes;
mod link;
mod missed;
mod outbound;
mod place;
mod rest;
mod search;
mod trouble;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures_util::future::LocalBoxFuture;
use mosaic_messages::channel::Calling;
use mosaic_types::AgentName;
use mosaic_types::outbox::{Conversation, Delivery, Finding, Item};

use crate::allow::Mark;
use crate::channel::{Channel, Cut, Note, Preview, Unfetched, Unopened, Unshown};
use crate::config::ChannelConfig;
use crate::pace::{Limit, Pace};
use crate::page::Style;
use crate::registry::Kind;
use crate::talk::Talk;

/// How Discord is entered in the registry.
pub const ENTRY: Kind = Kind {
    name: "discord",
    api_url: "https://discord.com",
    account,
    token: "one has three parts with points between them, as the Bot page of Discord's developer portal shows it",
    hook_header: None,
    threads: true,
    build: |config| Rc::new(Discord::new(config)),
};

/// Characters of a message (API reference, "Create Message"), counted as if each beyond the basic plane were two.
const UNITS: usize = 2_000;

/// What Discord takes of a bot: 50 calls a second in all (API reference, "Global rate limit"), of which some are left to
/// what is not paced; and what it takes in one room, which it tells only in its answers and which was five messages in
/// five seconds for years.
const ALL: Limit = Limit { most: 40, per: Duration::from_secs(1) };
const ROOM: [Limit; 2] =
    [Limit { most: 2, per: Duration::from_secs(1) }, Limit { most: 5, per: Duration::from_secs(5) }];

/// Events that are known to be in hand or done with, and told again.
const KNOWN: usize = 1_000;

/// One bot.
pub struct Discord(Rc<Inner>);

struct Inner {
    account: Arc<str>,
    rest: rest::Rest,
    style: Style,
    pace: RefCell<Pace<u64>>,
    /// Who we are, once Discord has said it.
    me: RefCell<Option<inbound::Me>>,
    /// What it takes to resume.
    session: RefCell<Option<link::Known>>,
    /// The last connection went on with its session, which can go on again.
    stood: Cell<bool>,
    lanes: RefCell<lanes::Lanes>,
    published: Cell<bool>,
    known: RefCell<VecDeque<Arc<str>>>,
    /// What was asked by a command or a button, and waits for its answer.
    asked: RefCell<HashMap<Arc<str>, Rc<interaction::Asked>>>,
    missed: missed::Missed,
    /// Those on the list of people who may talk.
    users: Vec<String>,
    /// Roles are on that list.
    by_role: bool,
    /// Rooms are on that list, so it matters to which room a thread belongs.
    by_room: bool,
    /// Long talks go on in threads.
    threads: bool,
    places: RefCell<place::Places>,
}

impl Discord {
    /// The bot of a channel's table.
    pub fn new(config: &ChannelConfig) -> Self {
        Self(Rc::new(Inner {
            account: config.account().into(),
            rest: rest::Rest::new(&config.api_url, config.token.clone()),
            style: Style::new(config, UNITS, "\n"),
            pace: RefCell::new(Pace::new(ALL)),
            me: RefCell::default(),
            session: RefCell::default(),
            stood: Cell::new(false),
            lanes: RefCell::default(),
            published: Cell::new(false),
            known: RefCell::default(),
            asked: RefCell::default(),
            missed: missed::Missed::default(),
            users: config.allow.iter().filter_map(user).collect(),
            by_role: config.allow.iter().any(|mark| matches!(mark, Mark::Role(_))),
            by_room: config.allow.iter().any(|mark| matches!(mark, Mark::Chat(_))),
            threads: config.thread_after > 0,
            places: RefCell::default(),
        }))
    }
}

impl Channel for Discord {
    fn account(&self) -> Arc<str> {
        self.0.account.clone()
    }

    fn room(&self, agent: Option<&AgentName>) -> usize {
        self.0.style.room(agent)
    }

    fn hear(&self, talk: Rc<Talk>) -> LocalBoxFuture<'static, Cut> {
        let inner = self.0.clone();
        Box::pin(async move { inner.listen(talk).await })
    }

    fn deliver(&self, item: Arc<Item>, _: Arc<dyn Calling>) -> LocalBoxFuture<'static, Delivery> {
        let inner = self.0.clone();
        Box::pin(async move { inner.show(&item).await })
    }

    fn reconcile(&self, item: Arc<Item>, before: Vec<String>) -> LocalBoxFuture<'static, Finding> {
        let inner = self.0.clone();
        Box::pin(async move { inner.look_for(&item, &before).await })
    }

    fn typing(&self, to: Conversation) -> LocalBoxFuture<'static, ()> {
        let inner = self.0.clone();
        Box::pin(async move { inner.type_in(&to).await })
    }

    fn preview(&self, preview: Preview) -> LocalBoxFuture<'static, Result<Arc<str>, Unshown>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.draft(preview).await })
    }

    fn remove(&self, to: Conversation, platform_id: Arc<str>) -> LocalBoxFuture<'static, ()> {
        let inner = self.0.clone();
        Box::pin(async move { inner.take_away(&to, &platform_id).await })
    }

    fn open(
        &self,
        at: Conversation,
        message: Arc<str>,
        title: String,
    ) -> LocalBoxFuture<'static, Result<(), Unopened>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.open_thread(&at.name, &message, &title).await })
    }

    fn fetch(&self, file: Arc<str>, limit: usize) -> LocalBoxFuture<'static, Result<Vec<u8>, Unfetched>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.rest.download(&file, limit).await })
    }

    fn check(&self, allow: Vec<Mark>, mention: bool) -> LocalBoxFuture<'static, Vec<Note>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.look_at(&allow, mention).await })
    }

    fn say(&self, to: Conversation, reply_to: Option<Arc<str>>, text: String) -> LocalBoxFuture<'static, ()> {
        let inner = self.0.clone();
        Box::pin(async move { inner.mention(&to, reply_to.as_deref(), &text).await })
    }
}

fn user(mark: &Mark) -> Option<String> {
    match mark {
        Mark::User(id) => Some(id.clone()),
        Mark::Role(_) | Mark::Guild(_) | Mark::Chat(_) => None,
    }
}

/// The bot's number: the first part of its token, in base64.
fn account(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    let good = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let number = STANDARD_NO_PAD.decode(first.trim_end_matches('=')).ok()?;
    let number = String::from_utf8(number).ok()?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse::<u64>().is_ok_and(|id| id > 0);
    (is_number && good(second) && good(third) && parts.next().is_none()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_the_number_that_a_token_holds() {
        assert_eq!(account("NDI0Mg.G_stand.in-token").as_deref(), Some("4242"));
        assert_eq!(account("MTIzNDU2Nzg5MDEyMzQ1Njc4OQ.GabcDE.x").as_deref(), Some("1234567890123456789"));
        for bad in
            ["", "NDI0Mg", "NDI0Mg.a", "NDI0Mg.a.", "NDI0Mg.a.b.c", "bm90.a.b", "NDI0Mg.a.b b", "!.a.b", "MA.a.b"]
        {
            assert_eq!(account(bad), None, "{bad}");
        }
    }
}
