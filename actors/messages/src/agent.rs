//! To an agent.

use actix::Message;

/// A run of an agent, unique in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// Tells an agent that a run of its began. Its end is told by the run's tether.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct RunBegan {
    pub run: RunId,
}
