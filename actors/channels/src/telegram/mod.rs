//! Telegram, by the Bot API: polled, or calling us, on teloxide's types and requests.
//!
//! ```text
//! getUpdates ─► inbound (what was said) ─► Talk ─► stored ─► the offset of the next getUpdates
//! a call     ─► ...                                stored ─► its answer
//! ```
//!
//! Telegram keeps what it has not been told to forget, for a day; so the offset is all there is to remember, and Telegram
//! remembers it.

mod ask;
mod check;
mod files;
mod hook;
mod html;
mod inbound;
mod outbound;
mod place;
mod poll;
mod press;
mod trouble;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use mosaic_messages::channel::Calling;
use mosaic_types::AgentName;
use mosaic_types::outbox::{Conversation, Delivery, Finding, Item};
use teloxide_core::Bot;
use teloxide_core::net::default_reqwest_settings;

use crate::allow::Mark;
use crate::channel::{Channel, Cut, Hearing, Note, Preview, Unfetched, Unshown};
use crate::config::ChannelConfig;
use crate::pace::{Limit, Pace};
use crate::page::Style;
use crate::registry::Kind;
use crate::talk::Talk;

/// How Telegram is entered in the registry.
pub const ENTRY: Kind = Kind {
    name: "telegram",
    api_url: "https://api.telegram.org",
    account: |token| account(token).map(str::to_owned),
    token: "one looks like 123456789:AAE…, as BotFather shows it",
    hook_header: Some("x-telegram-bot-api-secret-token"),
    threads: false,
    build: |config| Rc::new(Telegram::new(config)),
};

/// Units of UTF-16 in a message (Bot API, `sendMessage`).
const UNITS: usize = 4_096;

/// What Telegram takes of a bot (Bots FAQ, "My bot is hitting limits"): 30 messages a second over all chats, one a
/// second in one chat, 20 a minute in one group.
const ALL: Limit = Limit { most: 30, per: Duration::from_secs(1) };
const CHAT: Limit = Limit { most: 1, per: Duration::from_secs(1) };
const GROUP: Limit = Limit { most: 20, per: Duration::from_secs(60) };

/// A call is given up after so long: below the outbox's own patience.
const CALL: Duration = Duration::from_secs(30);

/// A poll is given up so long after Telegram should have answered it. With the longest poll a half-open connection is
/// noticed within 60 seconds.
const POLL_SLACK: Duration = Duration::from_secs(10);

/// Updates that are known to be done with, beyond the offset or told again.
const KNOWN: usize = 1_000;

/// One bot.
pub struct Telegram(Rc<Inner>);

struct Inner {
    account: Arc<str>,
    /// For calls that are answered at once.
    bot: Bot,
    /// For the one that is held open.
    poller: Bot,
    poll: Duration,
    style: Style,
    /// The channel's name.
    name: String,
    /// Where Telegram is to call us, and by which secret we know it.
    hook: Option<(String, String)>,
    pace: RefCell<Pace<i64>>,
    /// Who we are, once Telegram has said it.
    me: RefCell<Option<inbound::Me>>,
    published: Cell<bool>,
    known: RefCell<VecDeque<u32>>,
    presses: RefCell<press::Presses>,
}

impl Telegram {
    /// The bot of a channel's table.
    pub fn new(config: &ChannelConfig) -> Self {
        let url = config.api_url.parse().expect("it was looked at when the settings were read");
        let client = |timeout| {
            default_reqwest_settings().timeout(timeout).build().expect("the settings of a client are always the same")
        };
        let bot = |timeout| Bot::with_client(config.token.expose(), client(timeout));
        let url = |bot: Bot| bot.set_api_url(Clone::clone(&url));
        Self(Rc::new(Inner {
            account: config.account().into(),
            bot: url(bot(CALL)),
            poller: url(bot(config.poll + POLL_SLACK)),
            poll: config.poll,
            style: Style::new(config, UNITS, "\n\n"),
            name: config.name.to_string(),
            hook: config.hook_url().zip(config.hook_secret()),
            pace: RefCell::new(Pace::new(ALL)),
            me: RefCell::default(),
            published: Cell::new(false),
            known: RefCell::default(),
            presses: RefCell::default(),
        }))
    }
}

impl Channel for Telegram {
    fn account(&self) -> Arc<str> {
        self.0.account.clone()
    }

    fn room(&self, agent: Option<&AgentName>) -> usize {
        self.0.style.room(agent)
    }

    fn hear(&self, talk: Rc<Talk>) -> LocalBoxFuture<'static, Cut> {
        let inner = self.0.clone();
        Box::pin(async move { inner.listen(&talk).await })
    }

    fn called(&self, talk: Rc<Talk>, body: Vec<u8>) -> LocalBoxFuture<'static, Hearing> {
        let inner = self.0.clone();
        Box::pin(async move { inner.take_call(&body, &talk).await })
    }

    fn deliver(&self, item: Arc<Item>, calling: Arc<dyn Calling>) -> LocalBoxFuture<'static, Delivery> {
        let inner = self.0.clone();
        Box::pin(async move { inner.show(&item, calling).await })
    }

    fn reconcile(&self, item: Arc<Item>, _: Vec<String>) -> LocalBoxFuture<'static, Finding> {
        // A bot cannot ask what it has sent. An edit may be repeated, and what was never sent too.
        let edit = item.part == 0 && item.preview.is_some();
        Box::pin(std::future::ready(if edit || !item.called { Finding::Repeat } else { Finding::CannotSay }))
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

    fn fetch(&self, file: Arc<str>, limit: usize) -> LocalBoxFuture<'static, Result<Vec<u8>, Unfetched>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.download(&file, limit).await })
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

/// The bot's number, with which each token begins.
fn account(token: &str) -> Option<&str> {
    let (account, secret) = token.split_once(':')?;
    let good = account.parse::<u64>().is_ok()
        && !secret.is_empty()
        && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    good.then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_the_number_that_a_token_begins_with() {
        assert_eq!(account("123456:AAE-x_9"), Some("123456"));
        for bad in ["", "123456", "123456:", "bot:AAE", "123456:AA E", "123456:AA/E"] {
            assert_eq!(account(bad), None, "{bad}");
        }
    }
}
