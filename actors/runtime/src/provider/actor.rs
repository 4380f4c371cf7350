//! The shell: hands out permits and hears how calls went.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// The places of a provider, seen from every thread.
///
/// While no model rests and a place is free there is nothing to decide, and a run takes its place itself: a question
/// to the actor would wake its thread and then the run's, which costs more than all the rest of a short call.
pub struct Places {
    free: Arc<Semaphore>,
    /// Some model may have to rest: ask the actor.
    resting: AtomicBool,
}

impl Places {
    /// As many places as calls may be under way.
    pub fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), resting: AtomicBool::new(false) }
    }

    /// A place, where there is nothing to decide. Never goes before one who waits: a place that becomes free is
    /// handed to the first of them.
    pub fn take(&self) -> Option<Permit> {
        if self.is_resting() {
            return None;
        }
        self.free.clone().try_acquire_owned().ok().map(|place| Permit { place })
    }

    /// Places that are not taken.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Whether some model may have to rest.
    pub fn is_resting(&self) -> bool {
        self.resting.load(Ordering::Acquire)
    }
}

/// Answers for one provider.
pub struct ProviderActor {
    name: ProviderName,
    state: ProviderState,
    places: Arc<Places>,
    _tether: Tether,
}

impl ProviderActor {
    /// Calls that may wait for a place; the next is refused as busy.
    pub const MAILBOX: Mailbox = Mailbox { capacity: 10_000, patience: Duration::from_secs(5) };

    /// A provider that hands out `places`.
    pub fn new(name: ProviderName, places: Arc<Places>, tether: Tether) -> Self {
        // What rested in the life before is forgotten; it is asked once more.
        places.resting.store(false, Ordering::Release);
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
        self.places.resting.store(self.state.any_rests(Instant::now()), Ordering::Release);
        if let Ok(place) = self.places.free.clone().try_acquire_owned() {
            return Box::pin(std::future::ready(Ok(Permit { place })));
        }
        let places = self.places.free.clone();
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
        self.places.resting.store(self.state.any_rests(Instant::now()), Ordering::Release);
    }
}
