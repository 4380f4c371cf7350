//! To a provider.

use std::sync::Arc;

use actix::Message;
use mosaic_types::{ErrorClass, Failure};
use tokio::sync::OwnedSemaphorePermit;

/// Asks for leave to call a model. Waits in the provider's fair queue while too many calls are under way.
#[derive(Debug, Message)]
#[rtype(result = "Result<Permit, Failure>")]
pub struct AcquirePermit {
    pub model: Arc<str>,
    /// Who asks: those who wait are served in turn, by asker.
    pub asker: Arc<str>,
    /// What the call may use, as far as that can be foreseen.
    pub tokens: u64,
}

/// Leave for one call; dropping it makes room for the next.
#[derive(Debug)]
pub struct Permit {
    /// Held, never read.
    pub place: OwnedSemaphorePermit,
}

/// Tells a provider how a call went, for its cooldown, its breaker and its rate.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CallEnded {
    pub model: Arc<str>,
    pub result: CallResult,
    /// As in [`AcquirePermit::tokens`].
    pub foreseen: u64,
    /// What it used.
    pub used: u64,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallResult {
    Answered,
    /// The asker went away before the end.
    Abandoned,
    Failed(ErrorClass),
}
