//! What a supervisor remembers of a child, and what it decides to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::Window;
use crate::spec::Restart;
use crate::tether::ChildId;
use crate::tree::ChildState;

/// One child as the supervisor remembers it.
#[derive(Debug)]
pub(crate) struct Kin {
    pub(crate) name: Arc<str>,
    pub(crate) restart: Restart,
    pub(crate) state: ChildState,
    /// Lives so far; the first is 1.
    pub(crate) incarnation: u64,
    /// Its own charged restarts. The budget where each child has one; only shown where they share one.
    pub(crate) window: Window,
    pub(crate) last_error: Option<Arc<str>>,
    pub(crate) since: Instant,
}

impl Kin {
    pub(crate) fn enter(&mut self, state: ChildState, now: Instant) {
        self.state = state;
        self.since = now;
    }

    /// Whether there is a life that has not ended.
    pub(crate) fn lives(&self) -> bool {
        matches!(self.state, ChildState::Up | ChildState::Stopping)
    }
}

/// What the shell is to do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Begin this life.
    Start { child: ChildId, incarnation: u64 },
    /// Tell it to stop, and come back with `State::overdue` when its time is over.
    Stop { child: ChildId, incarnation: u64 },
    /// Tell its link that it will be back.
    Away { child: ChildId },
    /// Tell its link that it rests.
    Down { child: ChildId, why: Arc<str> },
    /// It is not coming back under this supervisor.
    Forget { child: ChildId },
    /// It did not stop in time.
    Abandon { child: ChildId },
    /// Come back with `State::woken` after this long.
    Wake { after: Duration, wake: Wake },
    /// The shared budget is spent: the supervisor stops its children and ends as failed.
    Escalate { why: Arc<str> },
    /// No child is left: the supervisor ends.
    End,
}

/// What a timer was set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// One child, after its delay or, where `rested`, with a full budget.
    Child { child: ChildId, incarnation: u64, rested: bool },
    /// The regroup of that number.
    Regroup(u64),
}
