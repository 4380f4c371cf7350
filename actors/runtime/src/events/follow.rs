//! Follows a session from a position in its journal: what was journaled after it, then what happens.
//!
//! The reader of a socket and the one of an event stream are both made of this. Each journaled event is told once and in
//! order, and the text of the step that runs is whole, wherever the reader was cut off before.

use std::collections::VecDeque;
use std::sync::Arc;

use mosaic_store::Store;
use mosaic_types::page::Limit;
use mosaic_types::{Code, EventBody, Failure, Seq, SessionEvent, SessionId, TurnId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{Hub, Interest, Missed, Reader};

/// Events that are read from the journal at once. An event may hold a text of [`mosaic_types::limits::TEXT_CHARS`], so
/// a page is some megabytes at the worst.
const PAGE: u32 = 32;

/// Why nothing more is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The reader was too slow, or the house stops. Following again from the last position misses nothing.
    #[error("the reader was too slow and was cut off")]
    Lagged,
    /// The session is no more.
    #[error("the session was removed")]
    Removed,
    /// The journal could not be read.
    #[error("{0}")]
    Failed(Failure),
}

/// What a follower is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Event(Arc<SessionEvent>),
    /// All that was journaled up to here was told; what comes now happens now. Told once.
    CaughtUp(Seq),
}

/// How fast a reader of many sessions takes what is replayed. Clones are one reader: one page is held for all its
/// sessions, and nothing is replayed while there is no room.
#[derive(Debug, Clone)]
pub struct Pace {
    page: Arc<Semaphore>,
    room: watch::Receiver<bool>,
}

impl Pace {
    /// A pace, and what says whether there is room.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (room, seen) = watch::channel(true);
        (room, Self { page: Arc::new(Semaphore::new(1)), room: seen })
    }

    async fn room(&mut self) {
        // Who held the other end is gone, and its reader with it.
        let _ = self.room.wait_for(|room| *room).await;
    }

    async fn page(&self) -> Option<OwnedSemaphorePermit> {
        self.page.clone().acquire_owned().await.ok()
    }
}

/// What is known of the turn that runs, as of the last journaled event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    Unknown,
    Nothing,
    /// `steps`: those of it that are finished, as far as they were told.
    Turn {
        turn: TurnId,
        attempt: u32,
        steps: u32,
    },
}

impl Running {
    /// What is known after a journaled event.
    fn then(self, event: &SessionEvent) -> Self {
        let steps = match self {
            Self::Turn { turn, steps, .. } if event.turn == Some(turn) => steps,
            _ => 0,
        };
        match (&event.body, event.turn, self) {
            (EventBody::TurnStarted { .. }, Some(turn), _) => Self::Turn { turn, attempt: 1, steps: 0 },
            (EventBody::TurnRestarted { attempt }, Some(turn), _) => Self::Turn { turn, attempt: *attempt, steps },
            (body, _, Self::Turn { turn, attempt, .. }) if body.ends_step() => {
                Self::Turn { turn, attempt, steps: steps + 1 }
            }
            (body, _, _) if body.is_end() => Self::Nothing,
            _ => self,
        }
    }
}

/// One who follows a session.
pub struct Follow {
    store: Arc<dyn Store>,
    hub: Hub,
    session: SessionId,
    /// The last journaled event that was told, or the position to begin after.
    last: Seq,
    running: Running,
    page: VecDeque<SessionEvent>,
    pace: Option<Pace>,
    /// Held while a page is.
    permit: Option<OwnedSemaphorePermit>,
    /// `None` until the journal was read to its end once: a long replay would fill the reader's buffer.
    reader: Option<Reader>,
    /// The journal is to be read before the reader is heard.
    behind: bool,
    caught_up: bool,
}

impl Follow {
    /// Follows `session` after position `after`; 0 is its beginning.
    ///
    /// # Errors
    /// `bad_cursor` where the journal ends before `after`; the store's own.
    pub async fn after(
        store: Arc<dyn Store>,
        hub: Hub,
        session: SessionId,
        after: Seq,
        pace: Option<Pace>,
    ) -> Result<Self, Failure> {
        if after < 0 {
            return Err(Failure::new(Code::BadCursor, "after is the seq of an event: a whole number from 0."));
        }
        let mut running = Running::Nothing;
        if after > 0 {
            let known = store.events(&session, after - 1, limit(1)).await?;
            let Some(event) = known.first().filter(|event| event.seq == Some(after)) else {
                let sentence = "This session's journal does not reach that position. Read it from 0.";
                return Err(Failure::new(Code::BadCursor, sentence));
            };
            // An end that is stored and not announced yet: what its turn said may still be in the hub.
            running = Running::Unknown.then(event);
        }
        Ok(Self {
            store,
            hub,
            session,
            last: after,
            running,
            page: VecDeque::new(),
            pace,
            permit: None,
            reader: None,
            behind: true,
            caught_up: false,
        })
    }

    /// The position of the last journaled event that was told.
    pub fn position(&self) -> Seq {
        self.last
    }

    /// What comes next. May be dropped while it waits; nothing is lost by that.
    ///
    /// # Errors
    /// Nothing more will come, see [`Ended`].
    pub async fn next(&mut self) -> Result<Told, Ended> {
        loop {
            if !self.page.is_empty() {
                if let Some(pace) = &mut self.pace {
                    pace.room().await;
                }
                if let Some(event) = self.page.pop_front() {
                    return Ok(Told::Event(self.tell(Arc::new(event))));
                }
            }
            if self.behind {
                self.read().await?;
                continue;
            }
            self.permit = None;
            if !self.caught_up {
                self.caught_up = true;
                return Ok(Told::CaughtUp(self.last));
            }
            if let Some(event) = self.hear().await? {
                return Ok(Told::Event(self.tell(event)));
            }
        }
    }

    /// Reads the next page of the journal. The hub is heard from the first short page on, and the journal read once
    /// more after that, so that nothing falls between.
    async fn read(&mut self) -> Result<(), Ended> {
        if let (None, Some(pace)) = (&self.permit, &self.pace) {
            self.permit = pace.page().await;
        }
        let read = self.store.events(&self.session, self.last, limit(PAGE)).await;
        let page = read.map_err(|error| Ended::Failed(error.into()))?;
        if page.len() < limit(PAGE).rows() {
            self.behind = self.reader.is_none();
            self.reader.get_or_insert_with(|| self.hub.subscribe(&self.session, Interest::All));
        }
        self.page = page.into();
        Ok(())
    }

    /// What the hub says next; `None`: nothing to be told of.
    async fn hear(&mut self) -> Result<Option<Arc<SessionEvent>>, Ended> {
        let Some(reader) = &mut self.reader else {
            self.behind = true;
            return Ok(None);
        };
        match reader.next().await {
            Ok(event) => match event.seq {
                Some(seq) if seq <= self.last => Ok(None),
                Some(seq) if seq == self.last + 1 => Ok(Some(event)),
                // What came between is in the journal, and this one too.
                Some(_) => {
                    self.behind = true;
                    Ok(None)
                }
                None => Ok(self.is_current(&event).then_some(event)),
            },
            Err(Missed::Unannounced) => {
                self.behind = true;
                Ok(None)
            }
            Err(Missed::Lagged) => match self.store.session(&self.session).await {
                Ok(None) => Err(Ended::Removed),
                _ => Err(Ended::Lagged),
            },
        }
    }

    /// Whether an event that is not journaled belongs to what runs now: what was replayed may have ended its turn, or
    /// begun it again.
    fn is_current(&self, event: &SessionEvent) -> bool {
        match self.running {
            Running::Unknown => true,
            Running::Nothing => false,
            Running::Turn { turn, attempt, steps } => {
                let void = |of, step| of != attempt || step <= steps;
                let void = matches!(event.body, EventBody::TurnDelta { attempt: of, step, .. } if void(of, step));
                event.turn == Some(turn) && !void
            }
        }
    }

    fn tell(&mut self, event: Arc<SessionEvent>) -> Arc<SessionEvent> {
        if let Some(seq) = event.seq {
            self.last = seq;
            self.running = self.running.then(&event);
        }
        event
    }
}

fn limit(rows: u32) -> Limit {
    Limit::new(Some(rows)).expect("a page is within the bounds of a list")
}
