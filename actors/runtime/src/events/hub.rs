//! Passes events to readers. It outlives session actors, so a reader stays on when its session is reborn.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mosaic_types::{EventBody, SessionEvent, SessionId, TurnId};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::meters::meters;

/// Events that may wait for a reader; one that is slower is cut, never waited for.
const READER_BUFFER: usize = 1_024;
const SHARDS: usize = 16;

/// What a reader wants to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Everything, deltas too.
    All,
    /// What is journaled.
    Journaled,
}

/// Why a reader must look into the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missed {
    /// It was too slow, or its session was removed: nothing more comes.
    #[error("the reader was too slow and was cut off")]
    Lagged,
    /// The session was read anew: something may have been journaled and not announced. What comes next follows it.
    #[error("the session was read anew")]
    Unannounced,
}

/// What a reader is told: an event, or that the session was read anew.
type Told = Option<Arc<SessionEvent>>;

struct Ear {
    interest: Interest,
    events: mpsc::Sender<Told>,
}

/// The step that runs now, with its text so far.
struct Live {
    turn: TurnId,
    attempt: u32,
    step: u32,
    text: String,
    chars: usize,
}

#[derive(Default)]
struct Entry {
    ears: Vec<Ear>,
    live: Option<Live>,
}

/// Sessions' events for whoever reads along. Clones share one hub; each call is short and never waits.
#[derive(Clone, Default)]
pub struct Hub {
    shards: Arc<[Mutex<HashMap<SessionId, Entry>>; SHARDS]>,
    /// Readers that are not dropped yet.
    readers: Arc<AtomicUsize>,
    /// Sessions that ended with a write under way: it may be carried out, and nobody announces it.
    doubted: Arc<Mutex<BTreeSet<SessionId>>>,
}

/// One who reads along. Dropping it is leaving: the hub forgets it at once.
pub struct Reader {
    hub: Hub,
    session: SessionId,
    events: mpsc::Receiver<Told>,
}

impl Hub {
    /// Begins to read along. Where a step is running, the first event is its text so far, as one delta at offset 0;
    /// what comes after follows it without gap or repeat.
    pub fn subscribe(&self, session: &SessionId, interest: Interest) -> Reader {
        let (events, reader) = mpsc::channel(READER_BUFFER);
        let mut shard = self.shard(session);
        let entry = shard.entry(session.clone()).or_default();
        if interest == Interest::All
            && let Some(live) = entry.live.as_ref().filter(|live| !live.text.is_empty())
        {
            let body =
                EventBody::TurnDelta { attempt: live.attempt, step: live.step, offset: 0, text: live.text.clone() };
            let so_far = SessionEvent { body, session: session.clone(), turn: Some(live.turn), seq: None };
            let _ = events.try_send(Some(Arc::new(so_far)));
        }
        entry.ears.push(Ear { interest, events });
        drop(shard);
        self.readers.fetch_add(1, Ordering::Relaxed);
        Reader { hub: self.clone(), session: session.clone(), events: reader }
    }

    /// How many read along now.
    pub fn readers(&self) -> usize {
        self.readers.load(Ordering::Relaxed)
    }

    /// Announces what was journaled, in order.
    pub fn publish(&self, session: &SessionId, events: impl IntoIterator<Item = SessionEvent>) {
        let mut shard = self.shard(session);
        let Some(entry) = shard.get_mut(session) else { return };
        for event in events {
            // What a step said is in the journal with its end.
            if event.body.is_end() || matches!(event.body, EventBody::StepFinished { .. }) {
                entry.live = None;
            }
            entry.tell(&Some(Arc::new(event)), true);
        }
        forget_idle(&mut shard, session);
    }

    /// A step of a turn begins to speak; text of an earlier attempt or step is void.
    pub fn begin_step(&self, session: &SessionId, turn: TurnId, attempt: u32, step: u32) {
        let mut shard = self.shard(session);
        let entry = shard.entry(session.clone()).or_default();
        entry.live = Some(Live { turn, attempt, step, text: String::new(), chars: 0 });
    }

    /// A piece of the running step's text. Dropped where another attempt or step runs by now.
    pub fn delta(&self, session: &SessionId, turn: TurnId, attempt: u32, step: u32, text: String) {
        let mut shard = self.shard(session);
        let Some(entry) = shard.get_mut(session) else { return };
        let Some(live) = entry.live.as_mut() else { return };
        if (live.turn, live.attempt, live.step) != (turn, attempt, step) {
            return;
        }
        let offset = live.chars;
        live.text.push_str(&text);
        live.chars += text.chars().count();
        if entry.ears.iter().any(|ear| ear.interest == Interest::All) {
            let body = EventBody::TurnDelta { attempt, step, offset, text };
            let event = SessionEvent { body, session: session.clone(), turn: Some(turn), seq: None };
            entry.tell(&Some(Arc::new(event)), false);
        }
    }

    /// Announces something that is not journaled.
    pub fn live(&self, session: &SessionId, turn: TurnId, body: EventBody) {
        let mut shard = self.shard(session);
        let Some(entry) = shard.get_mut(session) else { return };
        if entry.ears.iter().any(|ear| ear.interest == Interest::All) {
            let event = SessionEvent { body, session: session.clone(), turn: Some(turn), seq: None };
            entry.tell(&Some(Arc::new(event)), false);
        }
    }

    /// The running step falls silent: its turn was cancelled or its run died.
    pub fn hush(&self, session: &SessionId) {
        let mut shard = self.shard(session);
        if let Some(entry) = shard.get_mut(session) {
            entry.live = None;
        }
        forget_idle(&mut shard, session);
    }

    /// It is not known what became of a write: the session must be read anew before its readers can be told.
    pub fn doubt(&self, session: &SessionId) {
        self.doubts().insert(session.clone());
    }

    /// Sessions that must be read anew.
    pub fn doubted(&self) -> Vec<SessionId> {
        self.doubts().iter().cloned().collect()
    }

    fn doubts(&self) -> MutexGuard<'_, BTreeSet<SessionId>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session was read anew: where it was in doubt, its readers are told to look into the journal once.
    pub fn resync(&self, session: &SessionId) {
        if !self.doubts().remove(session) {
            return;
        }
        if let Some(entry) = self.shard(session).get_mut(session) {
            entry.tell(&None, true);
        }
    }

    /// The session is no more: its readers come to an end after what was buffered for them.
    pub fn close(&self, session: &SessionId) {
        self.doubts().remove(session);
        self.shard(session).remove(session);
    }

    /// No session speaks any more: all readers come to an end after what was buffered for them.
    pub fn close_all(&self) {
        for shard in self.shards.iter() {
            shard.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Sessions that someone reads or that are speaking.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Whether nobody reads and nothing speaks.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, session: &SessionId) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        let mut hasher = DefaultHasher::new();
        session.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0);
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing is kept of a session that nobody reads and that does not speak.
fn forget_idle(shard: &mut HashMap<SessionId, Entry>, session: &SessionId) {
    if shard.get_mut(session).is_some_and(Entry::is_idle) {
        shard.remove(session);
    }
}

impl Entry {
    fn tell(&mut self, told: &Told, journaled: bool) {
        self.ears.retain(|ear| {
            if !journaled && ear.interest == Interest::Journaled {
                return !ear.events.is_closed();
            }
            // Full or closed: the ear is dropped, and its reader sees the end after what was buffered.
            match ear.events.try_send(told.clone()) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    meters().readers_cut.increment(1);
                    false
                }
                Err(TrySendError::Closed(_)) => false,
            }
        });
    }

    fn is_idle(&mut self) -> bool {
        self.ears.retain(|ear| !ear.events.is_closed());
        self.ears.is_empty() && self.live.is_none()
    }
}

impl Reader {
    /// The next event, in order.
    ///
    /// # Errors
    /// What came before it may have been missed, see [`Missed`].
    pub async fn next(&mut self) -> Result<Arc<SessionEvent>, Missed> {
        match self.events.recv().await {
            Some(told) => told.ok_or(Missed::Unannounced),
            // The hub drops a reader's end only when it cuts the reader off.
            None => Err(Missed::Lagged),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.hub.readers.fetch_sub(1, Ordering::Relaxed);
        self.events.close();
        forget_idle(&mut self.hub.shard(&self.session), &self.session);
    }
}
