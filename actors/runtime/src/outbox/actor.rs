//! The shell: hears the bell and starts what is to be done.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use mosaic_supervise::{Mailbox, Tether, supervised};
use mosaic_types::journal::{Outcome, Write};
use tokio::time::{Instant, sleep_until};

use super::carry::take;
use super::look::look;
use super::state::{Effect, OutboxState};
use crate::doors::Doors;

/// What was sent is kept this long, for whoever wonders what was said; what was lost is kept longer.
const SENT_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
const LOST_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often what is older is removed, how many rows of it in one write, and the pause between two such writes: a
/// write of so many rows takes a few milliseconds.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
const PRUNED: u32 = 500;
const PRUNE_MORE: Duration = Duration::from_secs(1);

/// Delivers what the journal says must go out.
pub struct OutboxActor {
    doors: Arc<Doors>,
    state: OutboxState,
    alarm: Option<SpawnHandle>,
    _tether: Tether,
}

impl OutboxActor {
    /// It is told nothing but to stop: what it does is told by the store.
    pub const MAILBOX: Mailbox = Mailbox { capacity: 1, patience: Duration::ZERO };

    /// Delivers the items of this store, of which this process is the only one to do so.
    pub fn new(doors: Arc<Doors>, tether: Tether) -> Self {
        Self { doors, state: OutboxState::new(Instant::now()), alarm: None, _tether: tether }
    }

    fn go_on(&mut self, ctx: &mut Context<Self>) {
        let (outbox, now) = (self.doors.outbox.clone(), Instant::now());
        for report in outbox.reports() {
            self.state.hear(report, now);
        }
        if let Some(alarm) = self.alarm.take() {
            ctx.cancel_future(alarm);
        }
        if self.doors.work.is_draining() {
            // What is under way goes on to its end; what waits goes out after the next start.
            return;
        }
        let (effects, alarm) = self.state.plan(&outbox.load(), now);
        for effect in effects {
            match effect {
                Effect::Look => drop(actix::spawn(look(self.doors.clone(), outbox.looking()))),
                Effect::Take { channel, limit } => {
                    let places = outbox.taking(&channel, limit);
                    drop(actix::spawn(take(self.doors.clone(), channel, limit, places)));
                }
            }
        }
        self.alarm = alarm.map(|at| ctx.spawn(sleep_until(at).into_actor(self).map(|(), actor, ctx| actor.go_on(ctx))));
    }

    fn listen(&self, ctx: &mut Context<Self>) {
        let outbox = self.doors.outbox.clone();
        let bell = async move { outbox.bell().notified().await };
        ctx.spawn(bell.into_actor(self).map(|(), actor, ctx| {
            actor.go_on(ctx);
            actor.listen(ctx);
        }));
    }

    fn prune_later(wait: Duration, ctx: &mut Context<Self>) {
        ctx.run_later(wait, |actor, ctx| {
            let (doors, now) = (actor.doors.clone(), actor.doors.outbox.now());
            let before = |kept: Duration| mosaic_types::Timestamp(now.0 - i64::try_from(kept.as_micros()).unwrap_or(0));
            let (sent_before, lost_before) = (before(SENT_KEPT), before(LOST_KEPT));
            let prune =
                async move { doors.commit(Write::PruneItems { sent_before, lost_before, limit: PRUNED }).await };
            ctx.spawn(prune.into_actor(actor).map(|removed, _, ctx| {
                let wait = match removed {
                    Ok(Outcome::Removed(count)) if count == PRUNED as usize => PRUNE_MORE,
                    Ok(_) => PRUNE_EVERY,
                    Err(failure) => {
                        tracing::warn!(%failure, "what was sent long ago could not be removed");
                        PRUNE_EVERY
                    }
                };
                Self::prune_later(wait, ctx);
            }));
        });
    }
}

impl Actor for OutboxActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.go_on(ctx);
        self.listen(ctx);
        Self::prune_later(PRUNE_EVERY, ctx);
    }
}
supervised!(OutboxActor);
