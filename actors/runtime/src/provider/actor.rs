//! The shell: hands out permits and hears how calls went.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use mosaic_messages::{AcquirePermit, CallEnded, Permit};
use mosaic_supervise::{Mailbox, Tether, supervised};
use mosaic_types::{Code, Failure, ProviderName};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout};

use super::health::{Change, Health, Verdict};
use super::queue::FairQueue;
use super::rate::{Limits, Rate};
use crate::meters::{Decision, Decisions};

/// For so long a call may wait for a place.
const PATIENCE: Duration = Duration::from_secs(120);

/// Calls that may wait for a place; the next is refused as busy.
const QUEUE: usize = 10_000;

/// The places of a provider, seen from every thread.
///
/// While all is well with its models, no rate is limited and a place is free, there is nothing to decide, and a run
/// takes its place itself: a question to the actor would wake its thread and then the run's, which costs more than all
/// the rest of a short call.
pub struct Places {
    free: Arc<Semaphore>,
    /// A model is not well, or was not lately: ask the actor.
    troubled: AtomicBool,
    /// There is a rate to be kept: always ask the actor.
    limited: bool,
}

impl Places {
    /// As many places as calls may be under way.
    pub fn new(count: usize, limits: Limits) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), troubled: AtomicBool::new(false), limited: limits.any() }
    }

    /// A place, where there is nothing to decide. Never goes before one who waits: a place that becomes free is
    /// handed to the first of them.
    pub fn take(&self) -> Option<Permit> {
        if self.is_watched() {
            return None;
        }
        self.free.clone().try_acquire_owned().ok().map(|place| Permit { place })
    }

    /// Places that are not taken.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Whether the actor wants to know of each call.
    pub fn is_watched(&self) -> bool {
        self.limited || self.troubled.load(Ordering::Acquire)
    }
}

/// One who waits for a place.
struct Waiting {
    model: Arc<str>,
    tokens: u64,
    /// What comes of it shows whether the model is well again.
    probe: bool,
    reply: oneshot::Sender<Result<Permit, Failure>>,
}

/// Answers for one provider.
pub struct ProviderActor {
    name: ProviderName,
    health: Health,
    rate: Rate,
    queue: FairQueue<Waiting>,
    /// A place is being waited for, on behalf of whoever is next.
    waits: bool,
    places: Arc<Places>,
    decisions: Decisions,
    _tether: Tether,
}

impl ProviderActor {
    /// Questions that may be unanswered: those of all who wait.
    pub const MAILBOX: Mailbox = Mailbox { capacity: QUEUE, patience: Duration::from_secs(5) };

    /// A provider that hands out `places`.
    pub fn new(name: ProviderName, places: Arc<Places>, limits: Limits, tether: Tether) -> Self {
        // What was remembered in the life before is forgotten; whoever was not well is asked once more.
        places.troubled.store(false, Ordering::Release);
        let (health, rate, decisions) = (Health::default(), Rate::new(limits, Instant::now()), Decisions::new(&name));
        Self { name, health, rate, queue: FairQueue::default(), waits: false, places, decisions, _tether: tether }
    }

    /// Whether the model may be called; `Ok(true)`: the call is a probe.
    fn admit(&mut self, model: &str) -> Result<bool, Failure> {
        let verdict = self.health.ask(model, Instant::now());
        let name = &self.name;
        match verdict {
            Verdict::Go => Ok(false),
            Verdict::Probe => {
                self.decisions.made(Decision::Probe);
                tracing::info!(provider.name = %name, model, "a call shows whether the model is well again");
                Ok(true)
            }
            Verdict::Rests(rest) => {
                self.decisions.made(Decision::RefusedResting);
                let sentence = format!("{name} asked for a pause for {model}; it ends in {} s.", rest.as_secs() + 1);
                Err(Failure::new(Code::ProviderRateLimited, sentence).after(rest))
            }
            Verdict::Broken(rest) => {
                self.decisions.made(Decision::RefusedBroken);
                let sentence =
                    format!("{model} of {name} failed too often and is left alone for {} s.", rest.as_secs() + 1);
                Err(Failure::new(Code::ProviderOverloaded, sentence).after(rest))
            }
        }
    }

    fn watch(&mut self) {
        let troubled = self.health.is_troubled(Instant::now());
        self.places.troubled.store(troubled, Ordering::Release);
    }

    /// Waits for a place, and for the rate to allow it, where anybody waits.
    fn serve(&mut self, ctx: &mut Context<Self>) {
        if self.waits {
            return;
        }
        self.forget_gone();
        let Some(next) = self.queue.peek() else { return };
        let rate = self.rate.wait(next.tokens, Instant::now());
        let free = self.places.free.clone();
        self.waits = true;
        let place = async move {
            if !rate.is_zero() {
                tokio::time::sleep(rate).await;
            }
            free.acquire_owned().await
        };
        ctx.spawn(place.into_actor(self).map(|place, actor, ctx| {
            actor.waits = false;
            // Nobody closes the places.
            if let Ok(place) = place {
                actor.hand_out(place);
            }
            actor.serve(ctx);
        }));
    }

    /// Gives a place to the next who still wants it and may have it.
    fn hand_out(&mut self, place: OwnedSemaphorePermit) {
        loop {
            self.forget_gone();
            let Some(next) = self.queue.peek() else { return };
            // Somebody else's turn came meanwhile, whose call is a larger one.
            if !self.rate.wait(next.tokens, Instant::now()).is_zero() {
                return;
            }
            let Some(next) = self.queue.pop() else { return };
            let admitted = if next.probe { Ok(true) } else { self.admit(&next.model) };
            match admitted {
                Ok(_) => {
                    self.rate.take(next.tokens);
                    let _ = next.reply.send(Ok(Permit { place }));
                    return;
                }
                Err(failure) => drop(next.reply.send(Err(failure))),
            }
        }
    }

    /// Those at the head of the queue who do not wait any more.
    fn forget_gone(&mut self) {
        while self.queue.peek().is_some_and(|next| next.reply.is_closed()) {
            let Some(gone) = self.queue.pop() else { return };
            if gone.probe {
                self.health.ended(&gone.model, mosaic_messages::CallResult::Abandoned, Instant::now());
            }
        }
    }
}

impl Actor for ProviderActor {
    type Context = Context<Self>;
}
supervised!(ProviderActor);

impl Handler<AcquirePermit> for ProviderActor {
    type Result = ResponseFuture<Result<Permit, Failure>>;
    fn handle(&mut self, ask: AcquirePermit, ctx: &mut Self::Context) -> Self::Result {
        let now = |answer| Box::pin(std::future::ready(answer));
        let admitted = self.admit(&ask.model);
        self.watch();
        let probe = match admitted {
            Ok(probe) => probe,
            Err(failure) => return now(Err(failure)),
        };
        if self.queue.is_empty()
            && self.rate.wait(ask.tokens, Instant::now()).is_zero()
            && let Ok(place) = self.places.free.clone().try_acquire_owned()
        {
            self.rate.take(ask.tokens);
            return now(Ok(Permit { place }));
        }
        let name = self.name.clone();
        if self.queue.len() >= QUEUE {
            self.decisions.made(Decision::RefusedFull);
            let sentence = format!("{QUEUE} calls wait for {name} already. Try again in a minute.");
            return now(Err(Failure::new(Code::ProviderOverloaded, sentence)));
        }
        self.decisions.made(Decision::Queued);
        let (reply, answered) = oneshot::channel();
        let (model, tokens) = (ask.model, ask.tokens);
        self.queue.push(&ask.asker, Waiting { model, tokens, probe, reply });
        self.serve(ctx);
        let expired = self.decisions.clone();
        Box::pin(async move {
            match timeout(PATIENCE, answered).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) | Err(_) => {
                    expired.made(Decision::Expired);
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
        self.rate.settle(end.foreseen, end.used);
        let change = self.health.ended(&end.model, end.result, Instant::now());
        let (name, model) = (&self.name, &end.model);
        match change {
            None => {}
            Some(Change::Rests(rest)) => {
                self.decisions.made(Decision::Rests);
                tracing::info!(provider.name = %name, model = %model, rest = ?rest, "a model asked for a pause");
            }
            Some(Change::Opened(lasts)) => {
                self.decisions.made(Decision::Opened);
                tracing::warn!(provider.name = %name, model = %model, rest = ?lasts, "a model failed too often and is left alone");
            }
            Some(Change::Closed) => {
                self.decisions.made(Decision::Closed);
                tracing::info!(provider.name = %name, model = %model, "a model is well again");
            }
        }
        self.watch();
    }
}
