//! What becomes of a write that the store refuses: it is kept and tried again, and where the store will never take it,
//! the turn is given up; where not even that can be stored, the session is.

use actix::prelude::*;
use mosaic_supervise::Label;
use mosaic_types::journal::{EndTurn, TurnEnd, Write};
use mosaic_types::{Code, EventBody, Failure, Timestamp, TurnId};

use super::actor::SessionActor;
use super::job::{Job, Then};
use super::parts::{Active, Phase};
use super::state::SessionState;
use super::wake::LOAD_AGAIN;

/// Times that the store refuses a write for good before it is believed.
pub(super) const REFUSALS: u32 = 3;

impl SessionActor {
    /// The store refused, and nothing was changed: what a turn has come to stays so, and is written when the store can
    /// again. Read anew, the turn would begin again, and what its model has said would be asked and paid for twice.
    pub(super) fn refused(&mut self, mut job: Job, failure: Failure, ctx: &mut Context<Self>) {
        job.refusals += u32::from(failure.code == Code::StorageDefect);
        if job.refusals < REFUSALS {
            self.write_later(job, failure, ctx);
        } else {
            self.refused_for_good(&job.write, &failure, ctx);
        }
    }

    fn write_later(&mut self, mut job: Job, failure: Failure, ctx: &mut Context<Self>) {
        if self.refused.is_none() {
            tracing::warn!(session.id = %self.id, %failure, "what became of a turn could not be stored; it is tried again");
        }
        // Who wants it cancelled need not wait for that; it is cancelled all the same.
        let ending = match &mut job.then {
            Then::Ended { cancelled, .. } => std::mem::take(cancelled),
            _ => Vec::new(),
        };
        let cancelling = self.cancelling.drain(..).chain(ending);
        cancelling.for_each(|reply| drop(reply.send(Err(failure.clone()))));
        self.refused = Some(ctx.run_later(LOAD_AGAIN, |actor, ctx| {
            actor.unwritten.push_back(job);
            actor.write_next(ctx);
        }));
    }

    fn refused_for_good(&mut self, write: &Write, failure: &Failure, ctx: &mut Context<Self>) {
        self.refused = None;
        let at = self.doors.outside.now();
        let Some(state) = &mut self.state else { return };
        let turn = state.active.as_ref().map(|active| active.turn.id);
        if let Some(dues) = self.dues.take() {
            dues.refused();
        }
        match state.give_up_for(write, at) {
            Some(end) => {
                tracing::error!(session.id = %self.id, %failure, "what became of a turn cannot be stored; it is given up");
                self.write_end(end, ctx);
            }
            None => {
                tracing::error!(session.id = %self.id, %failure, "the end of a turn cannot be stored; the session ends");
                self.tether.fail("the store refuses the end of its turn");
                self.tether.handling(turn.map(|turn| Label::Id(turn.0.as_u128())));
                ctx.stop();
            }
        }
    }
}

impl SessionState {
    /// Ends the active turn, since the store refuses `write` for good. `None`: that end is what it refuses.
    pub(super) fn give_up_for(&mut self, write: &Write, at: Timestamp) -> Option<Box<EndTurn>> {
        let told = |end: &TurnEnd| matches!(end, TurnEnd::Failed { code: Code::StorageDefect, .. });
        match write {
            Write::End(end) if told(&end.end) => None,
            _ => self.unstorable(at),
        }
    }

    /// Ends the active turn as one that cannot be stored.
    fn unstorable(&mut self, at: Timestamp) -> Option<Box<EndTurn>> {
        let message = format!(
            "The database refused {REFUSALS} times to store what became of this message, so it is given up. That is a \
             mistake of Mosaic's, or the database is damaged: run `mosaic doctor`; the log has the cause. The session \
             goes on."
        );
        let end = TurnEnd::Failed { code: Code::StorageDefect, message };
        // What is refused may be the start of the next, or an entry of the ledger.
        self.end(end, Vec::new(), at).map(|end| Box::new(EndTurn { next: None, beside: Vec::new(), ..*end }))
    }

    /// The life before could not store the end of `turn`: nothing is asked anew for it, only its end is tried again.
    pub(super) fn resume_refused(&mut self, turn: TurnId, at: Timestamp) -> Option<Write> {
        let first = self.queue.front().is_some_and(|waiting| waiting.id == turn);
        if self.active.is_none() && first {
            let agent = self.row.agent.clone();
            self.active = self.queue.pop_front().map(|turn| Active::new(turn, agent));
        }
        self.active.as_ref().filter(|active| active.turn.id == turn)?;
        self.unstorable(at).map(Write::End)
    }

    /// A part of the running step was refused: it is journaled with the end of the step.
    pub(super) fn part_refused(&mut self, turn: TurnId, event: EventBody) {
        let active = self.active.as_mut().filter(|active| active.turn.id == turn && active.phase != Phase::Ending);
        if let Some(active) = active {
            active.late.push(event);
        }
    }
}
