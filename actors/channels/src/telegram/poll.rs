//! The way in: long polling, one batch at a time. Telegram forgets an update only when it is done with.

use futures_util::future::join_all;
use mosaic_types::command::COMMANDS;
use teloxide_core::payloads::{GetMe, GetUpdates, GetUpdatesSetters, SetMyCommands};
use teloxide_core::types::{AllowedUpdate, BotCommand, Update, UpdateKind};
use tokio::time::sleep;

use super::ask::ask_by;
use super::inbound::{Me, News, read};
use super::press::Press;
use super::trouble::Trouble;
use super::{Inner, KNOWN};
use crate::channel::{Cut, Heard, Hearing};
use crate::talk::Talk;

/// Updates at once: the most that Telegram tells, and what it does tell where more wait.
const BATCH: u8 = 100;

/// What of all that happens there it tells us.
pub(super) const ALLOWED: [AllowedUpdate; 3] =
    [AllowedUpdate::Message, AllowedUpdate::EditedMessage, AllowedUpdate::CallbackQuery];

/// What of a conversation a batch brings, in order.
pub(super) type Said = Vec<(u32, Heard, Option<Press>)>;

impl Inner {
    /// Connects, and hears until it is cut off.
    pub(super) async fn listen(&self, talk: &Talk) -> Cut {
        match self.listen_on(talk).await {
            Ok(never) => match never {},
            Err(trouble) => {
                let me = talk.status().identity().unwrap_or_else(|| "this bot".to_owned());
                trouble.cut(&me, &self.origin())
            }
        }
    }

    async fn listen_on(&self, talk: &Talk) -> Result<std::convert::Infallible, Trouble> {
        let user = self.ask(GetMe::new()).await?.user;
        let me = Me { id: user.id.0, name: user.username.clone().unwrap_or_default() };
        talk.status().met(format!("@{}", me.name));
        *self.me.borrow_mut() = Some(me.clone());
        self.publish().await;
        if let Some((url, secret)) = &self.hook {
            return self.be_called(url, secret, talk).await;
        }
        let mut offset = None;
        loop {
            let mut poll = GetUpdates::new()
                .limit(BATCH)
                .timeout(u32::try_from(self.poll.as_secs()).unwrap_or(u32::MAX))
                .allowed_updates(ALLOWED);
            if let Some(offset) = offset {
                poll = poll.offset(offset);
            }
            let updates = match ask_by(&self.poller, &poll).await.map_err(Trouble::from) {
                // The channel was called until now.
                Err(Trouble::Conflict { webhook: true }) if self.take_back().await? => continue,
                updates => updates?,
            };
            talk.proven();
            let more = updates.len() >= BATCH.into();
            offset = self.take_in(updates, &me, talk).await.or(offset);
            if !more {
                talk.caught_up().await;
            }
        }
    }

    /// Publishes the commands, once a life. A bot that may not is none the worse.
    async fn publish(&self) {
        if self.published.get() {
            return;
        }
        let commands = COMMANDS.iter().map(|command| BotCommand::new(command.name, command.help));
        match self.ask(SetMyCommands::new(commands)).await {
            Ok(_) => self.published.set(true),
            Err(_) => tracing::debug!("the commands could not be published"),
        }
    }

    /// Takes a batch in: conversations side by side, each in its order. Answers the offset to go on from, which is the
    /// lowest update that is not done with.
    async fn take_in(&self, updates: Vec<Update>, me: &Me, talk: &Talk) -> Option<i32> {
        let next = updates.iter().map(|update| update.id.0.saturating_add(1)).max();
        let places = self.sort(updates, me);
        let left = join_all(places.into_iter().map(|(_, said)| self.hear_all(said, talk))).await;
        let first = left.into_iter().flatten().min();
        if let Some((_, wait)) = first {
            sleep(wait).await;
        }
        first.map(|(id, _)| id).or(next).and_then(|offset| i32::try_from(offset).ok())
    }

    /// What was said, by place, each in its order; without what is known already.
    pub(super) fn sort(&self, updates: Vec<Update>, me: &Me) -> Vec<(std::sync::Arc<str>, Said)> {
        let mut places = Vec::<(std::sync::Arc<str>, Said)>::new();
        for update in updates {
            let id = update.id.0;
            if self.known.borrow().contains(&id) {
                continue;
            }
            if matches!(update.kind, UpdateKind::Error(_)) {
                tracing::warn!(update.id = id, "an update of Telegram's cannot be read and is passed over");
            }
            let (heard, press) = match read(update, me) {
                News::Heard(heard) => (heard, None),
                News::Pressed { heard, press } => (heard, Some(press)),
                News::Nothing => continue,
            };
            match places.iter_mut().find(|(place, _)| *place == heard.conversation) {
                Some((_, said)) => said.push((id, heard, press)),
                None => places.push((heard.conversation.clone(), vec![(id, heard, press)])),
            }
        }
        places
    }

    /// Hears what was said in one place, up to what cannot be taken in now: its number, and how long to wait.
    pub(super) async fn hear_all(&self, said: Said, talk: &Talk) -> Option<(u32, std::time::Duration)> {
        for (id, heard, press) in said {
            let hearing = match press {
                Some(press) => self.hear_press(press, heard, talk).await,
                None => talk.hear(heard).await,
            };
            if let Hearing::Again(wait) = hearing {
                return Some((id, wait));
            }
            self.know(id);
        }
        None
    }

    fn know(&self, id: u32) {
        let mut known = self.known.borrow_mut();
        if known.len() >= KNOWN {
            known.pop_front();
        }
        known.push_back(id);
    }
}
