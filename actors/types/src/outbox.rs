//! What must go out to people on platforms, and what became of it.
//!
//! A turn whose input came from a platform leaves one [`Item`] for each conversation that it came from, written in the
//! transaction of the turn's end. An item goes out in one or several parts: where a text is cut is up to its channel.
//!
//! ```text
//! pending ─► sending ─► sent
//!    ▲          ├─────► unknown   cut off in the platform's call, and the platform cannot be asked
//!    └──────────┴─────► dead      refused for good, or tried for too long
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Code;
use crate::ids::{AgentName, SessionId, TurnId};
use crate::journal::{API_CHANNEL, InboxKey, TurnEnd};
use crate::outside::Timestamp;

/// An item's number; within a conversation, items go out in the order of their numbers.
pub type ItemId = i64;

/// A place to talk on a platform: a direct chat, a room, a thread.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Conversation {
    /// The channel's name in the config.
    pub channel: Arc<str>,
    /// The account of ours that it is reached by.
    pub account: Arc<str>,
    /// What the platform calls it.
    pub name: Arc<str>,
}

impl Conversation {
    /// Where an input came from; `None` where its sender reads the journal instead: HTTP, WebSocket, terminals.
    pub fn of(inbox: &InboxKey) -> Option<Self> {
        let InboxKey { channel, account, conversation, .. } = inbox;
        let platform = &**channel != API_CHANNEL;
        platform.then(|| Self { channel: channel.clone(), account: account.clone(), name: conversation.clone() })
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.channel, self.account, self.name)
    }
}

/// What an item tells people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Content {
    /// The final answer.
    Answer { text: String, agent: AgentName },
    /// The turn failed; `message` is a sentence for people.
    Failed { code: Code, message: String },
    /// The turn was cancelled.
    Cancelled {},
}

impl Content {
    /// What there is to tell of a turn's end.
    pub fn of(end: &TurnEnd, agent: &AgentName) -> Self {
        match end {
            TurnEnd::Finished(finished) => Self::Answer { text: finished.text.clone(), agent: agent.clone() },
            TurnEnd::Failed { code, message, .. } => Self::Failed { code: *code, message: message.clone() },
            TurnEnd::Cancelled { .. } => Self::Cancelled {},
        }
    }

    /// The text to show.
    pub fn text(&self) -> &str {
        match self {
            Self::Answer { text, .. } => text,
            Self::Failed { message, .. } => message,
            Self::Cancelled {} => "Cancelled.",
        }
    }
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ItemState {
    Pending,
    Sending,
    Sent,
    Unknown,
    Dead,
}

impl ItemState {
    /// All of them, in the order of an item's life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Sending, Self::Sent, Self::Unknown, Self::Dead];

    /// The state's name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Dead => "dead",
        }
    }

    /// The state by its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Something that must go out.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: ItemId,
    pub session: SessionId,
    pub turn: TurnId,
    pub to: Conversation,
    /// The platform's id of the message that it answers.
    pub reply_to: Option<Arc<str>>,
    pub content: Content,
    /// The platform's id of the streaming preview: part 0 is an edit of it.
    pub preview: Option<Arc<str>>,
    /// The part that is next, from 0: all before it were delivered.
    pub part: u32,
    /// Bytes of the text that the parts before this one showed.
    pub shown: usize,
    /// How often this part was taken up.
    pub attempt: u32,
    /// The process that took it up last, see [`TakeItems::holder`].
    pub holder: Option<Uuid>,
    /// Its channel has noted that it was about to call the platform, see [`Settled::Calling`].
    pub called: bool,
    pub created_at: Timestamp,
}

impl Item {
    /// Names this part for good, also after a crash: at most 25 characters of `A-Z a-z 0-9`, which is what Discord
    /// takes as a message's nonce (its API reference, "Create Message").
    pub fn nonce(&self) -> String {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        /// 62^22 is above 2^128.
        const TURN: usize = 22;
        let mut nonce = [b'0'; TURN];
        let mut left = self.turn.0.as_u128();
        for place in nonce.iter_mut().rev() {
            *place = DIGITS[usize::try_from(left % 62).unwrap_or(0)];
            left /= 62;
        }
        let mut nonce = String::from_utf8_lossy(&nonce).into_owned();
        let mut left = self.part;
        while left > 0 {
            nonce.push(char::from(DIGITS[(left % 62) as usize]));
            left /= 62;
        }
        nonce
    }

    /// What the parts from this one on show.
    pub fn rest(&self) -> &str {
        self.content.text().get(self.shown..).unwrap_or_default()
    }
}

/// What a channel says of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// People can see it.
    Done(Shown),
    /// It was not delivered; the same may go well later. `after`: as long as the platform asks for, and as long as we
    /// think fit where it does not say. `all`: this holds for the whole channel, not for the conversation alone.
    Later { after: Option<Duration>, all: bool },
    /// It never will be: the conversation is gone, the platform does not want us there.
    Refused { why: String },
    /// It was cut off in the platform's call.
    NotKnown,
}

/// A part that people can see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// The platform's id of the message.
    pub platform_id: Option<String>,
    /// Bytes of the whole text shown by now, where more is to follow; `None`: this was the last part.
    pub up_to: Option<usize>,
}

/// What a platform says when it is asked for a delivery that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It was delivered.
    Done(Shown),
    /// It was not, or it may be repeated without being seen twice, as an edit may.
    Repeat,
    /// It does not answer now.
    Later { after: Option<Duration> },
    /// It has no way to tell.
    CannotSay,
}

/// Takes up items of a channel that are due, the one that was due first before the others, one of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct TakeItems {
    pub channel: Arc<str>,
    /// Names the process: what it took up and did not begin with, it may put back.
    pub holder: Uuid,
    pub limit: u32,
    pub at: Timestamp,
}

/// What became of an item that was taken up.
#[derive(Debug, Clone, PartialEq)]
pub struct SettleItem {
    pub id: ItemId,
    pub session: SessionId,
    /// As the item had them: with others it was settled, and perhaps taken up again, since.
    pub holder: Option<Uuid>,
    pub part: u32,
    pub attempt: u32,
    pub settled: Settled,
    pub at: Timestamp,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// Nothing yet: it is still held, and its platform is about to be called. Noted by channels whose platform cannot be
    /// asked: what is cut off without it was never sent.
    Calling,
    /// A part was delivered; pending again where there is more.
    Shown(Shown),
    /// Pending again, from then on.
    Later {
        due: Timestamp,
    },
    Unknown {
        why: String,
    },
    Dead {
        why: String,
    },
}

/// How many items of a channel are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemCount {
    pub channel: String,
    pub state: ItemState,
    pub items: u64,
    /// When the oldest of them was written.
    pub oldest: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(turn: u128, part: u32) -> Item {
        Item {
            id: 1,
            session: "s".parse().expect("valid"),
            turn: TurnId(Uuid::from_u128(turn)),
            to: Conversation { channel: "c".into(), account: "a".into(), name: "n".into() },
            reply_to: None,
            content: Content::Answer { text: "äb".into(), agent: "poet".parse().expect("valid") },
            preview: None,
            part,
            shown: 0,
            attempt: 1,
            holder: None,
            called: false,
            created_at: Timestamp(0),
        }
    }

    #[test]
    fn every_part_of_every_turn_has_a_nonce_of_its_own_that_a_platform_takes() {
        let mut seen = std::collections::HashSet::new();
        for turn in [0, 1, 61, 62, u128::MAX - 1, u128::MAX] {
            for part in [0, 1, 61, 62, 63, 3_843, 3_844, 100_000] {
                let nonce = item(turn, part).nonce();
                assert!(nonce.len() <= 25 && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{nonce}");
                assert!(seen.insert(nonce.clone()), "{nonce}");
            }
        }
    }

    #[test]
    fn the_rest_of_a_text_begins_where_the_last_part_ended_and_nonsense_shows_nothing() {
        let rest = |shown| Item { shown, ..item(1, 1) }.rest().to_owned();
        assert_eq!([rest(0), rest(2), rest(3)], ["äb", "b", ""]);
        assert_eq!([rest(1), rest(9)], ["", ""], "within a character, beyond the end");
    }

    #[test]
    fn a_content_reads_back_as_it_was_written() {
        let all = [
            Content::Answer { text: "hi".into(), agent: "poet".parse().expect("valid") },
            Content::Failed { code: Code::Crashed, message: "It crashed.".into() },
            Content::Cancelled {},
        ];
        for content in all {
            let json = serde_json::to_string(&content).expect("serialises");
            assert_eq!(serde_json::from_str::<Content>(&json).expect("parses"), content, "{json}");
        }
    }
}
