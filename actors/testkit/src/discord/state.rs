//! What the stand-in remembers.

use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::people::Saying;
use super::session::{Push, Session};
use crate::platform::{Calls, Memory};

pub(super) const BOT_ID: u64 = 4242;
pub(super) const BOT_NAME: &str = "mosaic_bot";

/// Discord counts time from the start of 2015 (API reference, "Snowflakes").
const EPOCH_MS: u64 = 1_420_070_400_000;

/// In which way a call fails.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// 429, with the seconds to wait.
    Flood(f64),
    /// 429 for all that the bot does.
    FloodAll(f64),
    /// An error with this status, Discord's code, and a sentence.
    Refuse(u16, u64, String),
    /// The connection ends before anything was taken.
    CutBefore,
    /// It is taken, and the connection ends before the answer.
    CutAfter,
    /// Nothing is taken and nothing answered, as on a half-open connection.
    Mute,
    /// Something that is no answer, with status 502.
    Garbage,
}

/// A message of the bot as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub id: u64,
    pub text: String,
    pub reply_to: Option<u64>,
    /// Label and data.
    pub buttons: Vec<(String, String)>,
    pub nonce: Option<String>,
    /// It may call nobody by `@`.
    pub closed: bool,
    /// Only whoever asked sees it.
    pub private: bool,
    /// How often it was changed.
    pub edits: usize,
    /// The name and the text of a file that came with it.
    pub file: Option<(String, String)>,
}

/// A place to talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) guild: Option<u64>,
    pub(super) parent: Option<u64>,
    /// Who opened it, where it is a thread.
    pub(super) owner: Option<u64>,
    /// It holds posts, and nothing is said in it itself.
    pub(super) forum: bool,
}

impl Room {
    pub(super) fn of(guild: Option<u64>) -> Self {
        Self { guild, parent: None, owner: None, forum: false }
    }
}

/// What was said in a room, by people and the bot.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) id: u64,
    pub(super) message: Value,
}

/// What an interaction waits for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) token: String,
    pub(super) room: u64,
    /// The message with the button.
    pub(super) on: Option<u64>,
    pub(super) answered: bool,
    /// The message that the answer became.
    pub(super) answer: Option<u64>,
}

#[derive(Debug)]
pub(super) struct State {
    last: u64,
    pub(super) rooms: HashMap<u64, Room>,
    pub(super) history: HashMap<u64, Vec<Said>>,
    pub(super) shown: HashMap<u64, Vec<Shown>>,
    pub(super) calls: Calls<Fault>,
    pub(super) commands: Vec<Value>,
    pub(super) closed: HashSet<u64>,
    pub(super) files: HashMap<String, Vec<u8>>,
    pub(super) asked: Vec<Asked>,
    pub(super) typed: usize,
    /// By user.
    pub(super) roles: HashMap<u64, Vec<u64>>,
    /// What is said once the bot listens.
    pub(super) unsaid: Vec<Saying>,
    pub(super) sends: Vec<(Instant, u64)>,
    /// Of the gateway.
    pub(super) sessions: HashMap<String, Session>,
    pub(super) live: Option<mpsc::UnboundedSender<Push>>,
    pub(super) identifies: usize,
    pub(super) resumes: usize,
    pub(super) connections: usize,
    /// Bots that listen at this moment, and the most that ever did.
    pub(super) listeners: (usize, usize),
    /// Connections on which a session began or went on.
    pub(super) welcomes: usize,
    pub(super) remaining: u64,
    pub(super) content: bool,
    pub(super) deaf: bool,
    pub(super) lapses: bool,
    /// Nonces are not known any more.
    pub(super) forgets: bool,
    /// So far its clock is ahead, in milliseconds.
    pub(super) ahead_ms: i64,
    pub(super) beat_ms: u64,
    pub(super) intents: u64,
    /// Where files are, and the gateway.
    pub(super) origin: String,
    pub(super) gateway: String,
}

impl State {
    pub(super) fn at(origin: String, gateway: String) -> Self {
        Self {
            last: 0,
            rooms: HashMap::new(),
            history: HashMap::new(),
            shown: HashMap::new(),
            calls: Calls::default(),
            commands: Vec::new(),
            closed: HashSet::new(),
            files: HashMap::new(),
            asked: Vec::new(),
            typed: 0,
            roles: HashMap::new(),
            unsaid: Vec::new(),
            sends: Vec::new(),
            sessions: HashMap::new(),
            live: None,
            identifies: 0,
            resumes: 0,
            connections: 0,
            listeners: (0, 0),
            welcomes: 0,
            remaining: 1_000,
            content: true,
            deaf: false,
            lapses: false,
            forgets: false,
            ahead_ms: 0,
            beat_ms: 41_250,
            intents: 0,
            origin,
            gateway,
        }
    }

    /// A new id; later ones are greater.
    pub(super) fn id(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let now = u64::try_from(now).expect("milliseconds fit").saturating_add_signed(self.ahead_ms);
        let now = now.saturating_sub(EPOCH_MS) << 22;
        self.last = now.max(self.last + 1);
        self.last
    }

    /// Something happens: whoever listens, or may listen again, is told.
    pub(super) fn happen(&mut self, kind: &str, data: &Value) {
        let intents = self.intents;
        for session in self.sessions.values_mut() {
            session.keep(kind, for_intents(kind, data, intents));
        }
        if let Some(live) = &self.live {
            let _ = live.send(Push::News);
        }
    }

    /// How the next call of that kind fails, if it does.
    pub(super) fn fault(&mut self, kind: &str) -> Option<Fault> {
        self.calls.fault(kind, |dice| {
            matches!(kind, "send" | "edit").then(|| match dice.u8(..6) {
                0 => Fault::Refuse(500, 0, "500: Internal Server Error".to_owned()),
                1 => Fault::Flood(0.4),
                2 => Fault::CutBefore,
                3 => Fault::CutAfter,
                4 => Fault::Garbage,
                _ => Fault::Flood(0.2),
            })
        })
    }
}

/// What the bot is told of something: of messages that are not for it no words, unless it may read them all.
fn for_intents(kind: &str, data: &Value, intents: u64) -> Value {
    const MESSAGE_CONTENT: u64 = 1 << 15;
    let mut data = data.clone();
    let bot = BOT_ID.to_string();
    let named = data["mentions"].as_array().is_some_and(|all| all.iter().any(|user| user["id"] == bot.as_str()));
    let readable = intents & MESSAGE_CONTENT != 0 || data["guild_id"].is_null() || named;
    if kind.starts_with("MESSAGE_") && !readable {
        data["content"] = json!("");
        data["attachments"] = json!([]);
    }
    data
}

/// The bot as a sender.
pub(super) fn bot() -> Value {
    user(BOT_ID, BOT_NAME, true)
}

/// Somebody as a sender.
pub(super) fn user(id: u64, name: &str, bot: bool) -> Value {
    json!({"id": id.to_string(), "username": name, "global_name": null, "discriminator": "0", "avatar": null, "bot": bot})
}

/// When an id was made, as Discord writes it.
pub(super) fn timestamp(id: u64) -> String {
    let seconds = ((id >> 22) + EPOCH_MS) / 1_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil from days (H. Hinnant), for times after 1970.
    let era = (days + 719_468) / 146_097;
    let day_of_era = (days + 719_468) % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) =
        (day_of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest % 3_600 / 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000000+00:00")
}

/// The memory.
pub(super) type Shared = Memory<State>;
