//! What becomes of a write that the store refuses: it is kept and tried again, and where the store will never take it,
//! the turn is given up; where not even that can be stored, the session is.

use actix::prelude::*;
use mosaic_messages::Dues;
use mosaic_supervise::Label;
use mosaic_types::journal::{EndTurn, TurnEnd, Write};
use mosaic_types::ledger::Beside;
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
        let mut spent = self.dues.as_mut().map(Dues::refused).unwrap_or_default();
        for entry in entries(write) {
            if spent.iter().all(|due| due.id != entry.id) {
                spent.push(entry.clone());
            }
        }
        match state.give_up_for(write, spent, at) {
            GivenUp::Turn(end) => {
                tracing::error!(session.id = %self.id, %failure, "what became of a turn cannot be stored; it is given up");
                self.write_end(end, ctx);
            }
            GivenUp::Spent(end, spent) => {
                tracing::error!(session.id = %self.id, %failure, "what a turn has spent cannot be stored with its end");
                spent.into_iter().for_each(|entry| self.doors.till.owe(entry));
                self.dues = None;
                self.write_end(end, ctx);
            }
            GivenUp::Session => {
                tracing::error!(session.id = %self.id, %failure, "the end of a turn cannot be stored; the session ends");
                self.tether.fail("the store refuses the end of its turn");
                self.tether.handling(turn.map(|turn| Label::Id(turn.0.as_u128())));
                ctx.stop();
            }
        }
    }
}

/// What a write that the store refuses would have entered into the ledger.
fn entries(write: &Write) -> &[Beside] {
    match write {
        Write::Restart(restart) => &restart.lost,
        Write::Step(step) => &step.beside,
        Write::End(end) => &end.beside,
        _ => &[],
    }
}

/// What is given up where the store refuses a write for good.
#[derive(Debug)]
pub(super) enum GivenUp {
    /// What the turn came to: this is its end instead.
    Turn(Box<EndTurn>),
    /// That what was spent goes into the ledger with that end: it is tried without, and these by themselves.
    Spent(Box<EndTurn>, Vec<Beside>),
    /// All: not even that end can be stored.
    Session,
}

impl SessionState {
    /// Ends the active turn, since the store refuses `write` for good; `spent` is what is in no ledger yet.
    pub(super) fn give_up_for(&mut self, write: &Write, spent: Vec<Beside>, at: Timestamp) -> GivenUp {
        let told = |end: &TurnEnd| matches!(end, TurnEnd::Failed { code: Code::StorageDefect, .. });
        match write {
            // What is refused may be an entry of the ledger.
            Write::End(end) if told(&end.end) && !end.beside.is_empty() => {
                let end = EndTurn { beside: Vec::new(), at, ..EndTurn::clone(end) };
                GivenUp::Spent(Box::new(end), spent)
            }
            Write::End(end) if told(&end.end) => GivenUp::Session,
            _ => self.unstorable(spent, at).map_or(GivenUp::Session, GivenUp::Turn),
        }
    }

    /// Ends the active turn as one that cannot be stored.
    fn unstorable(&mut self, spent: Vec<Beside>, at: Timestamp) -> Option<Box<EndTurn>> {
        let message = format!(
            "The database refused {REFUSALS} times to store what became of this message, so it is given up. That is a \
             mistake of Mosaic's, or the database is damaged: run `mosaic doctor`; the log has the cause. The session \
             goes on."
        );
        let end = TurnEnd::failed(Code::StorageDefect, message);
        // What is refused may be the start of the next.
        self.end(end, Vec::new(), at).map(|end| Box::new(EndTurn { next: None, beside: spent, ..*end }))
    }

    /// The life before could not store the end of `turn`: nothing is asked anew for it, only its end is tried again.
    pub(super) fn resume_refused(&mut self, turn: TurnId, at: Timestamp) -> Option<Write> {
        let first = self.queue.front().is_some_and(|waiting| waiting.id == turn);
        match &mut self.active {
            // What it has spent may be stored nowhere.
            Some(active) => active.cut = true,
            None if first => {
                let agent = self.row.agent.clone();
                self.active = self.queue.pop_front().map(|turn| Active::new(turn, agent));
            }
            None => {}
        }
        self.active.as_ref().filter(|active| active.turn.id == turn)?;
        self.unstorable(Vec::new(), at).map(Write::End)
    }

    /// A part of the running step was refused: it is journaled with the end of the step.
    pub(super) fn part_refused(&mut self, turn: TurnId, event: EventBody) {
        let active = self.active.as_mut().filter(|active| active.turn.id == turn && active.phase != Phase::Ending);
        if let Some(active) = active {
            active.late.push(event);
        }
    }
}
