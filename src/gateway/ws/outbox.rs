//! What goes out on a socket, held by credit.
//!
//! Whatever is written to a socket that is not read is kept by the library without a bound. So no more is written than
//! [`CREDIT`] beyond what the other side has confirmed: every [`PING_EVERY`] bytes a ping goes along, and its pong says
//! that all before it was read. Without credit events wait here, pieces of one text merged into one, up to a bound;
//! who is slower than that is cut. Nobody is waited for.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use mosaic_types::{EventBody, Seq, SessionEvent, SessionId};
use tokio::time::Instant;

use super::frames::Position;

/// Bytes that may be under way to a reader. With it, 100 ms of distance still let 2.5 MB through in a second.
pub(super) const CREDIT: u64 = 256 << 10;

/// Bytes between two pings, while there is something to send.
const PING_EVERY: u64 = 64 << 10;

/// A frame that is longer goes out in fragments of this size, so that no text, however long, exceeds the credit.
const FRAGMENT: usize = 32 << 10;

/// Bytes that may wait for credit.
pub(super) const WAITING: usize = 1 << 20;

/// Events and answers that may wait for credit.
const ITEMS: usize = 4_096;

/// Below this what waits leaves room for more of a replay, which is read from the journal no faster than it is taken.
const ROOM: usize = 64 << 10;

/// Pings that wait for their pong; the oldest is forgotten first, since a later pong speaks for it too.
const PINGS: usize = 16;

/// Bytes of an event beside its texts, about.
const AROUND: usize = 200;

/// Sessions whose positions are told to one who was cut.
const POSITIONS: usize = 64;

/// Something to be written now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// The first, a middle, the last part of a text.
    First(Bytes),
    More(Bytes),
    Last(Bytes),
    Ping(Bytes),
    Pong(Bytes),
}

impl Piece {
    fn bytes(&self) -> usize {
        let body = match self {
            Self::Text(text) => text.len(),
            Self::First(part) | Self::More(part) | Self::Last(part) | Self::Ping(part) | Self::Pong(part) => part.len(),
        };
        body + if body < 126 { 2 } else { 10 }
    }
}

/// More waits than may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

enum What {
    Frame(String),
    /// `end`: characters of its step up to its end, where it is a piece of a text.
    Event {
        event: Arc<SessionEvent>,
        end: Option<usize>,
    },
}

struct Item {
    what: What,
    /// About as much memory as it takes.
    bytes: usize,
}

/// A socket's way out.
pub(super) struct Outbox {
    /// What pings carry cannot be guessed, so that a pong proves that its ping was read.
    seed: u64,
    pings: u64,
    sent: u64,
    confirmed: u64,
    pinged: u64,
    asked: VecDeque<(u64, u64)>,
    waiting: VecDeque<Item>,
    /// Number of the first that waits.
    first: u64,
    waiting_bytes: usize,
    /// The last of each session that waits.
    last_of: HashMap<SessionId, u64>,
    /// The rest of a text whose first part is out.
    rest: Option<(Bytes, Option<(SessionId, Seq)>)>,
    pong: Option<Bytes>,
    positions: HashMap<SessionId, Seq>,
    /// Since when something waits and nothing was confirmed.
    stuck: Option<Instant>,
}

impl Outbox {
    /// `seed`: drawn at random.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            pings: 0,
            sent: 0,
            confirmed: 0,
            pinged: 0,
            asked: VecDeque::new(),
            waiting: VecDeque::new(),
            first: 0,
            waiting_bytes: 0,
            last_of: HashMap::new(),
            rest: None,
            pong: None,
            positions: HashMap::new(),
            stuck: None,
        }
    }

    /// From now on events of `session` go out, from after this position on.
    pub(super) fn follow(&mut self, session: SessionId, after: Seq) {
        self.positions.insert(session, after);
    }

    pub(super) fn unfollow(&mut self, session: &SessionId) {
        self.positions.remove(session);
    }

    /// The last journaled events that went out.
    pub(super) fn positions(&self) -> Vec<Position> {
        let positions = self.positions.iter().take(POSITIONS);
        positions.map(|(session, after)| Position { session: session.clone(), after: *after }).collect()
    }

    /// Puts a frame at the end.
    pub(super) fn frame(&mut self, text: String) -> Result<(), Full> {
        let bytes = text.len() + AROUND;
        self.put(What::Frame(text), bytes)
    }

    /// Puts an event at the end; a piece of a text joins the one before it.
    pub(super) fn event(&mut self, event: Arc<SessionEvent>) -> Result<(), Full> {
        if self.join(&event) {
            return self.check();
        }
        let (texts, end) = match &event.body {
            EventBody::TurnDelta { offset, text, .. } => (text.len(), Some(offset + text.chars().count())),
            EventBody::TurnAccepted { text, attachments } => {
                (text.len() + attachments.iter().map(|file| file.name.len() + AROUND).sum::<usize>(), None)
            }
            EventBody::TurnThinking { text } => (text.len(), None),
            EventBody::TurnFinished(finished) => (finished.text.len(), None),
            EventBody::TurnFailed { message, text, .. } => (message.len() + text.as_ref().map_or(0, String::len), None),
            EventBody::TurnCancelled { text } => (text.as_ref().map_or(0, String::len), None),
            _ => (0, None),
        };
        self.last_of.insert(event.session.clone(), self.first + self.waiting.len() as u64);
        self.put(What::Event { event, end }, texts + AROUND)
    }

    fn join(&mut self, next: &SessionEvent) -> bool {
        let Some(index) = self.last_of.get(&next.session).and_then(|number| number.checked_sub(self.first)) else {
            return false;
        };
        let last = usize::try_from(index).ok().and_then(|index| self.waiting.get_mut(index));
        let Some(Item { what: What::Event { event, end }, bytes }) = last else { return false };
        if event.turn != next.turn {
            return false;
        }
        let added = match (&event.body, &next.body) {
            (
                EventBody::TurnDelta { attempt, step, .. },
                EventBody::TurnDelta { attempt: next_attempt, step: next_step, offset, text },
            ) if (attempt, step) == (next_attempt, next_step) && *end == Some(*offset) => {
                *end = Some(offset + text.chars().count());
                text
            }
            (EventBody::TurnThinking { .. }, EventBody::TurnThinking { text }) => text,
            _ => return false,
        };
        if let EventBody::TurnDelta { text, .. } | EventBody::TurnThinking { text } = &mut Arc::make_mut(event).body {
            text.push_str(added);
        }
        *bytes += added.len();
        self.waiting_bytes += added.len();
        true
    }

    fn put(&mut self, what: What, bytes: usize) -> Result<(), Full> {
        self.waiting.push_back(Item { what, bytes });
        self.waiting_bytes += bytes;
        self.check()
    }

    /// What can go out at once does not count: one event may be larger than all that may wait.
    fn check(&self) -> Result<(), Full> {
        let over = self.waiting_bytes > WAITING || self.waiting.len() > ITEMS;
        if over && self.unconfirmed() >= CREDIT { Err(Full) } else { Ok(()) }
    }

    /// Answers a ping; of several only the last, where there is no credit.
    pub(super) fn pong(&mut self, payload: Bytes) {
        self.pong = Some(payload);
    }

    /// Takes what may go out now.
    pub(super) fn flush(&mut self, now: Instant, mut write: impl FnMut(Piece)) {
        while self.unconfirmed() < CREDIT {
            let Some(piece) = self.next() else { break };
            self.sent += piece.bytes() as u64;
            write(piece);
            if self.sent - self.pinged >= PING_EVERY {
                write(self.ping());
            }
        }
        if self.is_empty() {
            self.stuck = None;
        } else {
            self.stuck.get_or_insert(now);
        }
    }

    fn next(&mut self) -> Option<Piece> {
        if let Some(payload) = self.pong.take() {
            return Some(Piece::Pong(payload));
        }
        if let Some((mut rest, told)) = self.rest.take() {
            if rest.len() <= FRAGMENT {
                self.told(told);
                return Some(Piece::Last(rest));
            }
            let part = rest.split_to(FRAGMENT);
            self.rest = Some((rest, told));
            return Some(Piece::More(part));
        }
        let Item { what, bytes } = self.waiting.pop_front()?;
        self.first += 1;
        self.waiting_bytes -= bytes;
        let (text, told) = match what {
            What::Frame(text) => (text, None),
            What::Event { event, .. } => {
                if self.last_of.get(&event.session).is_some_and(|number| *number < self.first) {
                    self.last_of.remove(&event.session);
                }
                let text = serde_json::to_string(&event).unwrap_or_default();
                (text, event.seq.map(|seq| (event.session.clone(), seq)))
            }
        };
        if text.len() <= 2 * FRAGMENT {
            self.told(told);
            return Some(Piece::Text(text));
        }
        let mut rest = Bytes::from(text);
        let part = rest.split_to(FRAGMENT);
        self.rest = Some((rest, told));
        Some(Piece::First(part))
    }

    fn told(&mut self, told: Option<(SessionId, Seq)>) {
        if let Some((session, seq)) = told
            && let Some(position) = self.positions.get_mut(&session)
        {
            *position = seq;
        }
    }

    /// A ping that asks how far the other side has read.
    pub(super) fn ping(&mut self) -> Piece {
        self.pings += 1;
        let mut hasher = DefaultHasher::new();
        (self.seed, self.pings).hash(&mut hasher);
        let nonce = hasher.finish();
        if self.asked.len() == PINGS {
            self.asked.pop_front();
        }
        let piece = Piece::Ping(Bytes::from(format!("{}.{nonce:016x}", self.sent)));
        self.sent += piece.bytes() as u64;
        self.pinged = self.sent;
        self.asked.push_back((nonce, self.sent));
        piece
    }

    /// A pong came: what was sent before its ping was read. One that answers no ping of ours gives nothing.
    pub(super) fn confirm(&mut self, payload: &[u8]) {
        let nonce = std::str::from_utf8(payload).ok().and_then(|text| text.split_once('.'));
        let nonce = nonce.and_then(|(_, nonce)| u64::from_str_radix(nonce, 16).ok());
        let Some(index) = self.asked.iter().position(|(asked, _)| Some(*asked) == nonce) else { return };
        if let Some((_, sent)) = self.asked.drain(..=index).next_back() {
            self.confirmed = sent;
            self.stuck = None;
        }
    }

    /// Bytes that the other side has not confirmed.
    pub(super) fn unconfirmed(&self) -> u64 {
        self.sent - self.confirmed
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.rest.is_none() && self.pong.is_none()
    }

    /// Whether more of a replay may come.
    pub(super) fn has_room(&self) -> bool {
        self.waiting_bytes < ROOM && self.rest.is_none()
    }

    /// Since when something waits and nothing was confirmed.
    pub(super) fn stuck(&self) -> Option<Instant> {
        self.stuck
    }

    /// Forgets all that waits. Whether a whole frame may still be written: not in the middle of another.
    pub(super) fn clear(&mut self) -> bool {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.last_of.clear();
        self.pong = None;
        self.stuck = None;
        self.rest.is_none()
    }
}
