//! How a session comes to life: read from the store, with what its life before left behind.

use std::time::Duration;

use actix::prelude::*;
use mosaic_messages::{Accepted, CancelTurn, Change, SubmitTurn};
use mosaic_supervise::{Birth, Exit, Label};
use mosaic_types::journal::{SessionRow, Snapshot, TurnState};
use mosaic_types::{Code, Failure, TurnId};
use tracing::Instrument;
use uuid::Uuid;

use super::actor::{Reply, SessionActor};
use super::load::{Asked, load};
use super::refused::REFUSALS;
use super::state::SessionState;
use crate::budget::Payer;

/// After a load that failed, the next one waits this long.
pub(super) const LOAD_AGAIN: Duration = Duration::from_secs(1);

/// A request that came while the session was being loaded.
pub(super) enum Held {
    Submit(SubmitTurn, Reply<Accepted>),
    Cancel(CancelTurn, Reply<Option<TurnId>>),
    Change(Change, Reply<SessionRow>),
}

/// How the life before ended, as far as its turns are concerned.
#[derive(Debug, Default)]
pub(super) enum Before {
    #[default]
    Well,
    /// It crashed; on which turn, where it was known.
    Crashed(Option<Label>),
    /// It ended because the store refused the end of this turn for good.
    Refused(Option<Label>),
}

impl Before {
    pub(super) fn of(birth: &Birth) -> Self {
        let handled = || birth.last_handling.clone();
        match birth.last_exit {
            Some(Exit::Panicked) => Self::Crashed(handled()),
            Some(Exit::Failed(_)) => Self::Refused(handled()),
            _ => Self::Well,
        }
    }

    /// Whether it is charged to the turn that was running: not where it is known to have come from another one.
    fn charges(&self, snapshot: &Snapshot) -> bool {
        let running = snapshot.open.iter().find(|open| open.state == TurnState::Running);
        match (self, running) {
            (Self::Crashed(None), Some(_)) => true,
            (Self::Crashed(Some(handled)), Some(running)) => *handled == Label::Id(running.id.0.as_u128()),
            _ => false,
        }
    }

    /// The turn whose end could not be stored.
    fn refused(&self) -> Option<TurnId> {
        match self {
            Self::Refused(Some(Label::Id(id))) => Some(TurnId(Uuid::from_u128(*id))),
            _ => None,
        }
    }
}

impl SessionActor {
    /// Drops what is remembered and reads it back from the store.
    pub(super) fn reload(&mut self, ctx: &mut Context<Self>) {
        self.state = None;
        self.forget_unwritten();
        if let Some(refused) = self.refused.take() {
            ctx.cancel_future(refused);
        }
        self.held.extend(self.after_writing.drain(..).map(|(ask, reply)| Held::Submit(ask, reply)));
        self.running = None;
        self.dues = None;
        self.busy = None;
        self.cancelling.clear();
        self.watched.clear();
        self.doors.hub.hush(&self.id);
        self.asked = Asked::default();
        if !self.held.is_empty() {
            self.asked.set();
        }
        let (doors, id, asked) = (self.doors.clone(), self.id.clone(), self.asked.clone());
        // A trace of its own: it serves whoever comes, not the turn that came first.
        let span = tracing::debug_span!(parent: None, "session.load", session.id = %self.id);
        let loading = async move {
            let loaded = load(&doors, &id, &asked).await;
            if let Ok(Some((Snapshot { row, .. }, ..))) = &loaded {
                let payer = Payer { user: row.user, agent: row.agent.clone(), session: Some(id) };
                doors.routing.look(&*doors.store, &payer).await;
            }
            loaded
        };
        let loading = loading.instrument(span);
        ctx.spawn(loading.into_actor(self).map(|loaded, actor, ctx| match loaded {
            Ok(Some((snapshot, epoch, keep_bytes))) => {
                // What the writer carried out and could not answer is in what was loaded; nothing is carried out from
                // here on.
                actor.doors.hub.resync(&actor.id);
                // An end among it may have left something to deliver.
                actor.doors.outbox.ring();
                actor.unreadable = 0;
                let before = std::mem::take(&mut actor.before);
                let charge = before.charges(&snapshot);
                let debounced = !actor.debounce.is_zero();
                let state = SessionState::new(snapshot, epoch, keep_bytes, charge, debounced);
                let mut state = state.routed(actor.doors.routing.clone()).equipped(actor.doors.tools.clone());
                let resumed = state.resume(before.refused(), actor.doors.outside.now());
                actor.state = Some(state);
                actor.follow(resumed, ctx);
                for held in std::mem::take(&mut actor.held) {
                    match held {
                        Held::Submit(ask, reply) => actor.submit(ask, reply, ctx),
                        Held::Cancel(ask, reply) => actor.cancel(ask, reply, ctx),
                        Held::Change(ask, reply) => actor.change(ask, reply, ctx),
                    }
                }
            }
            Ok(None) => {
                actor.doors.hub.close(&actor.id);
                actor.refuse_held(&Failure::not_found("session"));
                ctx.stop();
            }
            Err(failure) => {
                // That many wait is no fault of this one's.
                if failure.code != Code::Busy {
                    tracing::warn!(session.id = %actor.id, %failure, "a session could not be loaded");
                }
                actor.refuse_held(&failure);
                actor.unreadable += u32::from(failure.code == Code::StorageDefect);
                if actor.unreadable >= REFUSALS {
                    actor.tether.fail("what is stored of it cannot be read");
                    return ctx.stop();
                }
                ctx.run_later(LOAD_AGAIN, |actor, ctx| actor.reload(ctx));
            }
        }));
    }

    pub(super) fn hold(&mut self, held: Held) {
        self.asked.set();
        self.held.push(held);
    }

    fn refuse_held(&mut self, failure: &Failure) {
        for held in self.held.drain(..) {
            let failure = failure.clone();
            match held {
                Held::Submit(_, reply) => drop(reply.send(Err(failure))),
                Held::Cancel(_, reply) => drop(reply.send(Err(failure))),
                Held::Change(_, reply) => drop(reply.send(Err(failure))),
            }
        }
    }
}
