//! What the stand-in remembers.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::platform::{Calls, Memory};

pub(super) const BOT_ID: i64 = 4242;
pub(super) const BOT_NAME: &str = "mosaic_bot";

/// In which way a call fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 429, with the seconds to wait.
    Flood(u64),
    /// An error with this number and sentence.
    Refuse(u16, String),
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
    pub id: i64,
    pub topic: Option<i64>,
    /// Without its markup.
    pub text: String,
    /// As it was sent.
    pub sent: String,
    pub reply_to: Option<i64>,
    /// Label and data.
    pub buttons: Vec<(String, String)>,
    /// How often it was changed.
    pub edits: usize,
    /// The name and the text of a file that came with it.
    pub file: Option<(String, String)>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) token: String,
    next_update: u64,
    next_message: i64,
    pub(super) updates: VecDeque<(u64, Value)>,
    confirmed: Vec<(u64, Value)>,
    pub(super) chats: HashMap<i64, Vec<Shown>>,
    pub(super) calls: Calls<Fault>,
    pub(super) commands: Vec<String>,
    pub(super) closed: HashSet<i64>,
    /// What those were shown who pressed a button.
    pub(super) answers: Vec<String>,
    /// What is in each file that was sent.
    pub(super) files: HashMap<String, Vec<u8>>,
    /// Which poll is the newest.
    pub(super) poll: u64,
    pub(super) sends: Vec<(Instant, i64)>,
    /// Where it calls, with which secret, and why the last call failed.
    pub(super) webhook: Option<(String, String)>,
    pub(super) call_failed: Option<String>,
}

impl State {
    pub(super) fn of(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            next_update: 1_000,
            next_message: 1,
            updates: VecDeque::new(),
            confirmed: Vec::new(),
            chats: HashMap::new(),
            calls: Calls::default(),
            commands: Vec::new(),
            closed: HashSet::new(),
            answers: Vec::new(),
            files: HashMap::new(),
            poll: 0,
            sends: Vec::new(),
            webhook: None,
            call_failed: None,
        }
    }

    /// A number for a message to come.
    pub(super) fn number(&mut self) -> i64 {
        self.next_message += 1;
        self.next_message
    }

    /// Has an update wait for the bot.
    pub(super) fn tell(&mut self, mut update: Value) {
        self.next_update += 1;
        update["update_id"] = json!(self.next_update);
        self.updates.push_back((self.next_update, update));
    }

    /// Forgets what lies before `offset`.
    pub(super) fn confirm(&mut self, offset: u64) {
        while self.updates.front().is_some_and(|(id, _)| *id < offset) {
            self.confirmed.extend(self.updates.pop_front());
        }
    }

    pub(super) fn replay(&mut self, count: usize) {
        let from = self.confirmed.len().saturating_sub(count);
        for told in self.confirmed.split_off(from).into_iter().rev() {
            self.updates.push_front(told);
        }
    }

    pub(super) fn repeat(&mut self) {
        let last = self.updates.back().or(self.confirmed.last());
        let (_, update) = last.expect("something was told").clone();
        self.tell(update);
    }

    pub(super) fn shown(&self, chat: i64, message: i64) -> Option<&Shown> {
        self.chats.get(&chat)?.iter().find(|shown| shown.id == message)
    }

    pub(super) fn delete(&mut self, chat: i64, message: i64) {
        self.chats.entry(chat).or_default().retain(|shown| shown.id != message);
    }

    /// How the next call of `method` fails, if it does.
    pub(super) fn fault(&mut self, method: &str) -> Option<Fault> {
        self.calls.fault(method, |dice| {
            matches!(method, "sendmessage" | "editmessagetext").then(|| match (dice.u8(..8), method) {
                (0, _) => Fault::Refuse(500, "Internal Server Error".to_owned()),
                (1, _) => Fault::Flood(1),
                // Of a new message that was cut off after it was taken nobody can tell: only edits meet that by chance.
                (2, "editmessagetext") => Fault::CutAfter,
                _ => Fault::Refuse(429, "Too Many Requests: retry later".to_owned()),
            })
        })
    }

    pub(super) fn busiest(&self, span: Duration) -> (usize, usize) {
        let most = |of: &dyn Fn(i64) -> bool| {
            let at: Vec<_> = self.sends.iter().filter(|(_, chat)| of(*chat)).map(|(at, _)| *at).collect();
            let within = |from: &Instant| at.iter().filter(|at| *at >= from && **at < *from + span).count();
            at.iter().map(within).max().unwrap_or(0)
        };
        let chats: HashSet<_> = self.sends.iter().map(|(_, chat)| *chat).collect();
        (chats.into_iter().map(|chat| most(&|of| of == chat)).max().unwrap_or(0), most(&|_| true))
    }
}

/// The bot as a sender.
pub(super) fn bot() -> Value {
    json!({"id": BOT_ID, "is_bot": true, "first_name": "Mosaic", "username": BOT_NAME})
}

/// A chat by its number.
pub(super) fn chat(id: i64) -> Value {
    if id < 0 {
        json!({"id": id, "type": "supergroup", "title": format!("Group{id}")})
    } else {
        json!({"id": id, "type": "private", "first_name": format!("User{id}")})
    }
}

/// The memory.
pub(super) type Shared = Memory<State>;
