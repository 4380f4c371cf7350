//! Answers that are given again to whoever asks exactly the same. Off unless an agent asks for it.
//!
//! Exactly the same is: the same user, provider and model, and the same request in every part: the agent's prompt, all
//! messages with their pictures, every parameter. Kept are whole answers only, in memory, in bounds of number, size and
//! age; a restart forgets them. Who asks for chance (a temperature above 0) or for tools gets an answer of their own, and
//! so does a session that asks again what it was answered: it was not content.

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mosaic_types::settings::Section;
use mosaic_types::{ChatRequest, ModelRef, SessionId, UserId};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Of the form of keys: another one fits no entry of before.
const FORM: &str = "reuse 1";

/// Sessions that are remembered to have had an answer; the oldest is forgotten.
const SESSIONS: usize = 16;

/// The table `[reuse]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReuseConfig {
    /// Answers that are kept, at the most.
    pub entries: usize,
    /// Megabytes of their text, at the most.
    pub megabytes: usize,
    /// For so long an answer is given again.
    pub age: Duration,
}

impl Default for ReuseConfig {
    fn default() -> Self {
        Self { entries: 1_000, megabytes: 16, age: Duration::from_secs(3_600) }
    }
}

impl ReuseConfig {
    /// Reads the table.
    pub fn read(section: &Section<'_>) -> Self {
        let usual = Self::default();
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            entries: size(section.whole("entries", 1_000, 1..=1_000_000)),
            megabytes: size(section.whole("megabytes", 16, 1..=4_096)),
            age: section.span("age", usual.age, Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3_600)),
        }
    }
}

/// What names a request, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReuseKey([u8; 32]);

/// An answer that was given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub text: Arc<str>,
    /// How long ago.
    pub age: Duration,
}

#[derive(Debug)]
struct Entry {
    text: Arc<str>,
    at: Instant,
    /// Who has had it.
    sessions: VecDeque<SessionId>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<ReuseKey, Entry>,
    /// Oldest first; each key once.
    order: VecDeque<ReuseKey>,
    bytes: usize,
}

/// The answers that are kept; clones share them.
#[derive(Debug, Clone)]
pub struct Reuse {
    config: ReuseConfig,
    state: Arc<Mutex<State>>,
}

impl PartialEq for Reuse {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }
}

/// Writes text into a hash.
struct Hashing(Sha256);

impl fmt::Write for Hashing {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

impl Reuse {
    /// Keeps nothing yet.
    pub fn new(config: ReuseConfig) -> Self {
        Self { config, state: Arc::default() }
    }

    /// The key of a request; `None` where its answer is not to be given again.
    pub fn key(user: UserId, model: &ModelRef, request: &ChatRequest) -> Option<ReuseKey> {
        let chance = request.sampling.temperature.is_some_and(|temperature| temperature > 0.0);
        if chance || !request.tools.is_empty() {
            return None;
        }
        // Every field is in it, also one that is added later: text in quotes cannot pass for another field's. How the
        // answer comes does not change it.
        let request = ChatRequest { stream: false, ..request.clone() };
        let mut hash = Hashing(Sha256::new());
        write!(hash, "{FORM}\n{user}\n{model}\n{request:?}").ok()?;
        Some(ReuseKey(hash.0.finalize().into()))
    }

    /// The answer that was given to the same before. A session that had it already gets none.
    pub fn find(&self, key: ReuseKey, session: Option<&SessionId>, now: Instant) -> Option<Kept> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = state.entries.get_mut(&key)?;
        let age = now.duration_since(entry.at);
        if age > self.config.age || session.is_some_and(|session| entry.sessions.contains(session)) {
            return None;
        }
        entry.had_by(session);
        Some(Kept { text: entry.text.clone(), age })
    }

    /// Keeps a whole answer, in place of one to the same.
    pub fn keep(&self, key: ReuseKey, text: &str, session: Option<&SessionId>, now: Instant) {
        let most = self.config.megabytes << 20;
        if text.is_empty() || text.len() > most {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.remove(key);
        let mut entry = Entry { text: text.into(), at: now, sessions: VecDeque::new() };
        entry.had_by(session);
        state.bytes += text.len();
        state.entries.insert(key, entry);
        state.order.push_back(key);
        while let Some(oldest) = state.order.front().copied() {
            let stale = state.entries.get(&oldest).is_none_or(|entry| now.duration_since(entry.at) > self.config.age);
            if !stale && state.entries.len() <= self.config.entries && state.bytes <= most {
                break;
            }
            state.order.pop_front();
            if let Some(gone) = state.entries.remove(&oldest) {
                state.bytes -= gone.text.len();
            }
        }
    }
}

impl Entry {
    fn had_by(&mut self, session: Option<&SessionId>) {
        if let Some(session) = session {
            if self.sessions.len() >= SESSIONS {
                self.sessions.pop_front();
            }
            self.sessions.push_back(session.clone());
        }
    }
}

impl State {
    fn remove(&mut self, key: ReuseKey) {
        if let Some(entry) = self.entries.remove(&key) {
            self.bytes -= entry.text.len();
            self.order.retain(|other| *other != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use mosaic_types::chat::{Image, Sampling};
    use mosaic_types::{ChatMessage, Role};
    use uuid::Uuid;

    use super::*;

    fn request(text: &str) -> ChatRequest {
        let messages = [ChatMessage::new(Role::System, "be brief"), ChatMessage::new(Role::User, text)];
        let (tools, sampling) = (Arc::default(), Sampling::default());
        ChatRequest { model: "m".into(), messages: messages.into(), tools, sampling, stream: true }
    }

    fn key(user: u128, model: &str, request: &ChatRequest) -> Option<ReuseKey> {
        Reuse::key(UserId(Uuid::from_u128(user)), &model.parse().expect("valid"), request)
    }

    #[test]
    fn only_what_is_the_same_in_every_part_is_the_same() {
        let plain = request("hi");
        let one = key(1, "a/m", &plain).expect("it may be given again");
        assert_eq!(key(1, "a/m", &ChatRequest { stream: false, ..plain.clone() }), Some(one), "however it comes");
        let said = |change: fn(&mut ChatMessage)| {
            let mut messages = plain.messages.to_vec();
            change(&mut messages[1]);
            ChatRequest { messages: messages.into(), ..plain.clone() }
        };
        let picture = |data: &str| Image { media_type: "image/png".into(), data: data.into() };
        let mut shown = said(|message| message.images.clear()).messages.to_vec();
        shown[1].images.push(picture("AAAA"));
        let one_picture = ChatRequest { messages: shown.clone().into(), ..plain.clone() };
        shown[1].images[0] = picture("AAAB");
        let another = ChatRequest { messages: shown.into(), ..plain.clone() };
        let sampled = |sampling| ChatRequest { sampling, ..plain.clone() };
        let others = [
            key(2, "a/m", &plain),
            key(1, "b/m", &plain),
            key(1, "a/n", &plain),
            key(1, "a/m", &request("hi ")),
            key(1, "a/m", &said(|message| message.role = Role::Assistant)),
            key(1, "a/m", &one_picture),
            key(1, "a/m", &another),
            key(1, "a/m", &sampled(Sampling { max_tokens: Some(5), ..Sampling::default() })),
            key(1, "a/m", &sampled(Sampling { temperature: Some(0.0), ..Sampling::default() })),
            key(1, "a/m", &sampled(Sampling { seed: Some(1), ..Sampling::default() })),
        ];
        let mut all: Vec<_> = others.into_iter().map(|other| other.expect("it may be given again")).collect();
        all.push(one);
        let count = all.len();
        let different: std::collections::HashSet<_> = all.into_iter().collect();
        assert_eq!(different.len(), count);
        assert_eq!(key(1, "a/m", &sampled(Sampling { temperature: Some(0.1), ..Sampling::default() })), None, "chance");
    }

    #[test]
    fn what_is_kept_is_bounded_and_given_to_no_session_twice() {
        let second = Duration::from_secs(1);
        let reuse = Reuse::new(ReuseConfig { entries: 2, megabytes: 1, age: 10 * second });
        let (now, session) = (Instant::now(), |name: &str| name.parse::<SessionId>().expect("valid"));
        let keys: Vec<_> = ["a", "b", "c"].map(|text| key(1, "a/m", &request(text)).expect("a key")).to_vec();
        let (first, second_one) = (session("s1"), session("s2"));
        reuse.keep(keys[0], "one", Some(&first), now);
        assert_eq!(reuse.find(keys[0], Some(&first), now), None, "it asks again");
        let kept = reuse.find(keys[0], Some(&second_one), now + second).expect("another session");
        assert_eq!((&*kept.text, kept.age), ("one", second));
        assert_eq!(reuse.find(keys[0], Some(&second_one), now + second), None);
        assert!(reuse.find(keys[0], None, now + 10 * second).is_some());
        assert_eq!(reuse.find(keys[0], None, now + 11 * second), None, "it is too old");
        reuse.keep(keys[1], "two", None, now);
        reuse.keep(keys[2], "three", None, now);
        assert_eq!(reuse.find(keys[0], None, now), None, "the oldest made room");
        reuse.keep(keys[0], &"x".repeat(1 << 20), None, now);
        assert_eq!((reuse.find(keys[1], None, now), reuse.find(keys[2], None, now)), (None, None), "so much is kept");
        reuse.keep(keys[1], &"x".repeat((1 << 20) + 1), None, now);
        assert!(reuse.find(keys[1], None, now).is_none() && reuse.find(keys[0], None, now).is_some());
    }
}
