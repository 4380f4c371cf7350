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
}

/// Leave for one call; dropping it makes room for the next.
#[derive(Debug)]
pub struct Permit {
    /// Held, never read.
    pub place: OwnedSemaphorePermit,
}

/// Tells a provider how a call went, for its cooldown and health.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CallEnded {
    pub model: Arc<str>,
    pub result: CallResult,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallResult {
    Answered,
    /// The asker went away before the end.
    Abandoned,
    Failed(ErrorClass),
}
