//! The shell: hands out permits and hears how calls went.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use mosaic_messages::{AcquirePermit, CallEnded, Permit};
use mosaic_supervise::{Mailbox, Tether, supervised};
use mosaic_types::{Code, Failure, ProviderName};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::state::ProviderState;

/// For so long a call may wait for a place.
const PATIENCE: Duration = Duration::from_secs(120);

/// Answers for one provider.
pub struct ProviderActor {
    name: ProviderName,
    state: ProviderState,
    places: Arc<Semaphore>,
    _tether: Tether,
}

impl ProviderActor {
    /// Calls that may wait for a place; the next is refused as busy.
    pub const MAILBOX: Mailbox = Mailbox { capacity: 10_000, patience: Duration::from_secs(5) };

    /// A provider with as many places as `places` has permits.
    pub fn new(name: ProviderName, places: Arc<Semaphore>, tether: Tether) -> Self {
        Self { name, state: ProviderState::default(), places, _tether: tether }
    }
}

impl Actor for ProviderActor {
    type Context = Context<Self>;
}
supervised!(ProviderActor);

impl Handler<AcquirePermit> for ProviderActor {
    type Result = ResponseFuture<Result<Permit, Failure>>;
    fn handle(&mut self, ask: AcquirePermit, _: &mut Self::Context) -> Self::Result {
        let name = self.name.clone();
        if let Some(rest) = self.state.rest(&ask.model, Instant::now()) {
            let sentence = format!("{name} asked for a pause for {}; it ends in {} s.", ask.model, rest.as_secs() + 1);
            let failure = Failure::new(Code::ProviderRateLimited, sentence).after(rest);
            return Box::pin(std::future::ready(Err(failure)));
        }
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Box::pin(std::future::ready(Ok(Permit { place })));
        }
        let places = self.places.clone();
        Box::pin(async move {
            match tokio::time::timeout(PATIENCE, places.acquire_owned()).await {
                Ok(Ok(place)) => Ok(Permit { place }),
                _ => {
                    let sentence = format!("{name} has been at its limit of calls for {} s.", PATIENCE.as_secs());
                    Err(Failure::new(Code::ProviderOverloaded, sentence))
                }
            }
        })
    }
}

impl Handler<CallEnded> for ProviderActor {
    type Result = ();
    fn handle(&mut self, end: CallEnded, _: &mut Self::Context) {
        self.state.ended(&end.model, end.result, Instant::now());
    }
}
