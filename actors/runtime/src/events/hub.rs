//! Passes events to readers. It outlives session actors, so a reader stays on when its session is reborn.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use mosaic_types::{EventBody, SessionEvent, SessionId, TurnId};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::speech::{Rest, Speech};
use crate::meters::meters;

/// Events that may wait for a reader; one that is slower is cut, never waited for.
const READER_BUFFER: usize = 1_024;

/// While more than these wait, a reader gets the pieces of a text as one, and none of a thought: however much a model
/// says before its thread runs, a reader is cut only for events that it must not miss.
const PIECES: usize = 256;
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
    /// It was too slow, or its session was removed or given to somebody else: nothing more comes.
    #[error("the reader was too slow and was cut off")]
    Lagged,
    /// The session was read anew: something may have been journaled and not announced. What comes next follows it.
    #[error("the session was read anew")]
    Unannounced,
}

/// What a reader is told.
#[derive(Clone)]
enum Told {
    Event(Arc<SessionEvent>),
    /// What a step says from here on, up to when the reader comes to it.
    Rest(Arc<Rest>),
    /// The session was read anew.
    Anew,
}

struct Ear {
    interest: Interest,
    events: mpsc::Sender<Told>,
    /// Waits in `events` while the reader is late with a text.
    rest: Weak<Rest>,
}

#[derive(Default)]
struct Entry {
    ears: Vec<Ear>,
    /// The step that runs now.
    live: Option<Arc<Speech>>,
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
            && let Some(so_far) = entry.live.as_ref().and_then(|live| live.so_far(session))
        {
            let _ = events.try_send(Told::Event(Arc::new(so_far)));
        }
        entry.ears.push(Ear { interest, events, rest: Weak::new() });
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
            if event.body.is_end() || event.body.ends_step() {
                entry.live = None;
            }
            entry.tell(&Told::Event(Arc::new(event)));
        }
        forget_idle(&mut shard, session);
    }

    /// A step of a turn begins to speak; text of an earlier attempt or step is void.
    pub fn begin_step(&self, session: &SessionId, turn: TurnId, attempt: u32, step: u32) {
        let mut shard = self.shard(session);
        let entry = shard.entry(session.clone()).or_default();
        entry.live = Some(Arc::new(Speech::new(turn, attempt, step)));
    }

    /// A piece of the running step's text. Dropped where another attempt or step runs by now.
    pub fn delta(&self, session: &SessionId, turn: TurnId, attempt: u32, step: u32, text: String) {
        let mut shard = self.shard(session);
        let Some(entry) = shard.get_mut(session) else { return };
        let Some(live) = entry.live.as_ref().filter(|live| live.is(turn, attempt, step)) else { return };
        let mut said = live.said();
        let rest = said.rest_of(live);
        said.push(&text);
        if entry.ears.iter().any(Ear::hears_all) {
            let event = Told::Event(Arc::new(live.delta(session, rest.offset(), text)));
            entry.ears.retain_mut(|ear| match ear.interest {
                Interest::Journaled => !ear.events.is_closed(),
                Interest::All if ear.rest.upgrade().is_some_and(|rest| rest.is_of(live)) => !ear.events.is_closed(),
                Interest::All if ear.is_late() => {
                    let rest = Arc::new(rest.clone());
                    ear.rest = Arc::downgrade(&rest);
                    ear.tell(Told::Rest(rest))
                }
                Interest::All => ear.tell(event.clone()),
            });
        }
    }

    /// Announces something that is not journaled. Thoughts are kept from readers that are late.
    pub fn live(&self, session: &SessionId, turn: TurnId, body: EventBody) {
        let mut shard = self.shard(session);
        let Some(entry) = shard.get_mut(session) else { return };
        if entry.ears.iter().any(Ear::hears_all) {
            let thought = matches!(body, EventBody::TurnThinking { .. });
            let event = SessionEvent { body, session: session.clone(), turn: Some(turn), seq: None };
            let told = Told::Event(Arc::new(event));
            entry.ears.retain(|ear| {
                let wants = ear.hears_all() && !(thought && ear.is_late());
                if wants { ear.tell(told.clone()) } else { !ear.events.is_closed() }
            });
        }
    }

    /// The running step falls silent, and nothing is added any more to what its readers were told: all of that, where it
    /// is one of `turn` and had said anything.
    pub fn last_words(&self, session: &SessionId, turn: TurnId) -> Option<String> {
        let mut shard = self.shard(session);
        let live = shard.get_mut(session).and_then(|entry| entry.live.take());
        forget_idle(&mut shard, session);
        drop(shard);
        live.filter(|live| live.is_of(turn)).and_then(|live| live.all())
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
            entry.tell(&Told::Anew);
        }
    }

    /// The session is somebody else's: its readers come to an end after what was buffered for them, and may ask again.
    pub fn cut(&self, session: &SessionId) {
        let mut shard = self.shard(session);
        if let Some(entry) = shard.get_mut(session) {
            entry.ears.clear();
        }
        forget_idle(&mut shard, session);
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
    /// Tells everyone.
    fn tell(&mut self, told: &Told) {
        self.ears.retain(|ear| ear.tell(told.clone()));
    }

    fn is_idle(&mut self) -> bool {
        self.ears.retain(|ear| !ear.events.is_closed());
        self.ears.is_empty() && self.live.is_none()
    }
}

impl Ear {
    fn hears_all(&self) -> bool {
        self.interest == Interest::All
    }

    fn is_late(&self) -> bool {
        READER_BUFFER - self.events.capacity() >= PIECES
    }

    /// Full or closed (`false`): the ear is to be dropped, and its reader sees the end after what was buffered.
    fn tell(&self, told: Told) -> bool {
        match self.events.try_send(told) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                meters().readers_cut.increment(1);
                false
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

impl Reader {
    /// The next event, in order.
    ///
    /// # Errors
    /// What came before it may have been missed, see [`Missed`].
    pub async fn next(&mut self) -> Result<Arc<SessionEvent>, Missed> {
        match self.events.recv().await {
            Some(Told::Event(event)) => Ok(event),
            Some(Told::Rest(rest)) => Ok(Arc::new(rest.take(&self.session))),
            Some(Told::Anew) => Err(Missed::Unannounced),
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
