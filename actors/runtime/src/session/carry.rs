//! Carries out what the state decides: sends writes, hears their answers, starts runs.

use actix::prelude::*;
use mosaic_messages::RunId;
use mosaic_supervise::ChildExited;
use mosaic_types::chat::Sampling;
use mosaic_types::journal::{EndTurn, Outcome, TurnEnd, Write};
use mosaic_types::ledger::{Beside, Known};
use mosaic_types::{Code, EventBody, Failure, Point, SessionEvent, Timestamp, TurnId};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{Instrument, Span, field};

use super::actor::{SessionActor, Watched};
use super::job::{Job, Then, tell};
use super::parts::{Begin, Follow};
use super::state::SessionState;
use super::wake::LOAD_AGAIN;
use crate::agent::run::{Keeper, RunInput, RunOrder, Shelf, Sink, ToolWork, may_have_cost};
use crate::meters::meters;

/// The run of the active turn; dropping it, by will or by death, ends the run.
pub(super) struct Running {
    pub(super) run: RunId,
    pub(super) turn: TurnId,
    pub(super) attempt: u32,
    _wanted: DropGuard,
}

/// What a write says that an attempt may have cost which was cut off.
fn foreseen(write: &Write) -> Vec<Beside> {
    let entries = match write {
        Write::Restart(restart) => &restart.lost,
        Write::End(end) => &end.beside,
        _ => return Vec::new(),
    };
    entries.iter().filter(|entry| entry.known == Known::Foreseen).cloned().collect()
}

impl SessionActor {
    /// Has `write` carried out after those before it. One at a time: actix polls the futures of an actor in no order
    /// that holds, so two that are under way may be sent, and heard of, the wrong way round.
    pub(super) fn write(&mut self, write: Write, then: Then, span: Span, ctx: &mut Context<Self>) {
        self.unwritten.push_back(Job { write, then, span, refusals: 0 });
        self.write_next(ctx);
    }

    pub(super) fn write_next(&mut self, ctx: &mut Context<Self>) {
        if self.writing {
            return;
        }
        let Some(Job { write, then, span, refusals }) = self.unwritten.pop_front() else {
            for (ask, reply) in std::mem::take(&mut self.after_writing) {
                self.submit(ask, reply, ctx);
            }
            return;
        };
        self.writing = true;
        let doors = self.doors.clone();
        let kept = then.is_settled().then(|| write.clone());
        let lost = foreseen(&write);
        let work = async move {
            doors.budgets.lost(&lost).await;
            doors.commit(write).await
        };
        let work = work.instrument(span.clone());
        ctx.spawn(work.into_actor(self).map(move |outcome, actor, ctx| {
            actor.writing = false;
            match (outcome, kept) {
                (Err(failure), Some(write)) if failure.changed_nothing() && actor.state.is_some() => {
                    actor.refused(Job { write, then, span, refusals }, failure, ctx);
                }
                (outcome, _) => {
                    actor.written(outcome, then, ctx);
                }
            }
            actor.write_next(ctx);
        }));
    }

    /// What was not sent is not written any more: it was decided on what is no longer so.
    pub(super) fn forget_unwritten(&mut self) {
        for Job { then, .. } in self.unwritten.drain(..) {
            let sentence = "The session had to be read anew before this was stored. Send the same request again.";
            then.refuse(&Err(Failure::new(Code::Unavailable, sentence).after(LOAD_AGAIN)), &self.doors.till);
        }
    }

    fn written(&mut self, outcome: Result<Outcome, Failure>, then: Then, ctx: &mut Context<Self>) {
        let at = self.doors.outside.now();
        if then.is_settled() {
            self.refused = None;
        }
        // A write that was sent before a reload is answered after it: its outcome is in what was loaded.
        let Some(state) = &mut self.state else { return then.refuse(&outcome, &self.doors.till) };
        match (outcome, then) {
            (Ok(Outcome::Written(events)), then) => {
                let accepted = |event: &&SessionEvent| matches!(event.body, EventBody::TurnAccepted { .. });
                let accepted = events.iter().find(accepted).and_then(|event| event.seq).unwrap_or_default();
                match then {
                    Then::Accepted { .. } => Point::AcceptAfterCommit.pass(),
                    Then::Ended { .. } => Point::FinishAfterCommit.pass(),
                    _ => {}
                }
                Point::PublishBefore.pass();
                self.doors.hub.publish(&self.id, events);
                if then.is_settled()
                    && let Some(dues) = self.dues.take()
                {
                    dues.entered();
                }
                let follow = match then {
                    Then::Accepted { ask, title, before, reply } => {
                        before.into_iter().for_each(|before| state.rewind(before));
                        ask.span.in_scope(|| {
                            tracing::debug!(model = ask.model.as_ref().map(field::display), "a message is accepted");
                        });
                        let (accepted, follow) = state.accepted(ask.turn, accepted, title, at);
                        meters().accepted(at);
                        Point::AcceptBeforeAck.pass();
                        let _ = reply.send(Ok(accepted));
                        follow
                    }
                    Then::Started { turn } => state.started(turn, at),
                    Then::Answered { turn, calls } => state.tools_stored(turn, &calls, at),
                    Then::Noted { .. } => Follow::default(),
                    Then::Ended { end, next, turn, cancelled, since } => {
                        meters().ended(&end, at);
                        self.doors.budgets.ended(turn);
                        if let Some(since) = since {
                            meters().turn.record(since.elapsed());
                        }
                        let told = matches!(end, TurnEnd::Cancelled { .. }).then_some(turn);
                        cancelled.into_iter().for_each(|reply| drop(reply.send(Ok(told))));
                        if let Some(watched) = self.watched.remove(&turn) {
                            watched.span.in_scope(|| tell(&end, since));
                        }
                        state.ended(&end, next, at)
                    }
                    Then::Changed { change, reply } => {
                        let handed_over = state.row.user != change.user;
                        let row = state.changed(&change);
                        if handed_over {
                            self.doors.hub.cut(&self.id);
                        }
                        let _ = reply.send(Ok(row));
                        Follow::default()
                    }
                };
                self.follow(follow, ctx);
            }
            (Ok(Outcome::Duplicate { turn: first, same_body }), Then::Accepted { ask, reply, .. }) => {
                let _ = reply.send(state.repeat(first, same_body));
                self.not_accepted(ask.turn, ctx);
            }
            // The store refused, or the writer was too busy to take it: nothing was changed.
            (Err(failure), Then::Accepted { ask, reply, .. }) if failure.changed_nothing() => {
                let _ = reply.send(Err(failure));
                self.not_accepted(ask.turn, ctx);
            }
            (Err(failure), Then::Changed { reply, .. }) if failure.changed_nothing() => {
                let _ = reply.send(Err(failure));
            }
            (Err(failure), Then::Noted { turn, event, beside }) if failure.changed_nothing() => {
                state.part_refused(turn, event);
                self.doors.till.owe(beside);
            }
            (Ok(Outcome::Missing), Then::Accepted { ask, reply, .. }) => {
                let _ = reply.send(Err(Failure::not_found("message of yours to replace")));
                self.not_accepted(ask.turn, ctx);
            }
            // The turn that it was to join was not made, after all: it is decided on anew.
            (Ok(Outcome::Closed), Then::Accepted { ask, reply, .. }) => {
                self.not_accepted(ask.turn, ctx);
                self.submit(*ask, reply, ctx);
            }
            (outcome, then) => {
                if let (Ok(Outcome::Unseen), Then::Ended { end, cancelled, .. }) = (&outcome, &then)
                    && let Some(write) = state.unseen(end.clone(), at)
                {
                    debug_assert!(cancelled.is_empty(), "an answer is not a cancel");
                    return self.follow(Follow::write(Some(write)), ctx);
                }
                // Somebody else took the session over, it was deleted, or it is not known what was written: start
                // afresh.
                tracing::warn!(session.id = %self.id, ?outcome, "a write was not carried out; the session is read anew");
                then.refuse(&outcome, &self.doors.till);
                self.doors.hub.doubt(&self.id);
                self.reload(ctx);
            }
        }
    }

    /// An input was not stored: whatever it held up goes on.
    fn not_accepted(&mut self, input: TurnId, ctx: &mut Context<Self>) {
        let at = self.doors.outside.now();
        self.watched.remove(&input);
        let Some(state) = &mut self.state else { return };
        let active = |state: &SessionState| state.active.as_ref().map(|active| active.turn.id);
        let was = active(state);
        let follow = state.not_accepted(input, at);
        if was.is_some() && was != active(state) {
            // Who wanted it cancelled is told that there was nothing.
            self.cancelling.drain(..).for_each(|reply| drop(reply.send(Ok(None))));
        }
        self.follow(follow, ctx);
    }

    pub(super) fn follow(&mut self, follow: Follow, ctx: &mut Context<Self>) {
        if let Some(begin) = follow.begin {
            self.begin(begin, ctx);
        }
        if let Some(settle) = follow.settle {
            ctx.run_later(self.debounce, move |actor, ctx| {
                let at = actor.doors.outside.now();
                let follow = actor.state.as_mut().map(|state| state.settled(settle, at)).unwrap_or_default();
                actor.follow(follow, ctx);
            });
        }
        match follow.write {
            Some(Write::End(end)) => self.write_end(end, ctx),
            Some(write) => self.write_intent(write, ctx),
            None => {}
        }
        if self.state.as_ref().is_some_and(SessionState::is_idle) {
            self.busy = None;
            self.cancelling.drain(..).for_each(|reply| drop(reply.send(Ok(None))));
        }
    }

    /// Writes that the active turn begins, begins again, or goes on to another step.
    fn write_intent(&mut self, mut write: Write, ctx: &mut Context<Self>) {
        let id = self.id.clone();
        let (turn, span) = match &mut write {
            Write::Start { next, .. } => {
                let parent = self.span_of(next.turn);
                (next.turn, tracing::debug_span!(parent: &parent, "session.start", session.id = %id))
            }
            Write::Restart(restart) => {
                // Where it was interrupted, its run still speaks.
                self.running = None;
                self.doors.hub.hush(&id);
                restart.lost = self.cut_off(restart.attempt - 1, restart.at);
                let parent = self.span_of(restart.turn);
                (restart.turn, tracing::debug_span!(parent: &parent, "session.restart", session.id = %id))
            }
            Write::Step(step) => {
                let parent = self.span_of(step.turn);
                (step.turn, tracing::debug_span!(parent: &parent, "session.step", session.id = %id))
            }
            _ => return,
        };
        self.write(write, Then::Started { turn }, span, ctx);
    }

    /// What the active turn may have spent by an attempt that was cut off. The run that ends puts it right where it can;
    /// one that died with its process cannot.
    fn cut_off(&mut self, attempt: u32, at: Timestamp) -> Vec<Beside> {
        let Some(state) = &mut self.state else { return Vec::new() };
        let lost = state.cut_off(attempt).and_then(|cut| {
            let profile = self.doors.agents.profile(&cut.agent)?.routed(cut.route.as_deref());
            Some(may_have_cost(&profile, &self.doors.providers, &cut, at))
        });
        let lost = lost.unwrap_or_default();
        state.may_have_spent(&lost);
        lost
    }

    pub(super) fn write_end(&mut self, mut end: Box<EndTurn>, ctx: &mut Context<Self>) {
        if let Some(attempt) = self.state.as_mut().and_then(SessionState::take_cut_attempt) {
            let lost = self.cut_off(attempt, end.at);
            end.beside.extend(lost);
        }
        self.running = None;
        match &mut end.end {
            // What the store refuses may be just that text.
            TurnEnd::Finished(_) | TurnEnd::Failed { code: Code::StorageDefect, .. } => self.doors.hub.hush(&self.id),
            cut => cut.keep(self.doors.hub.last_words(&self.id, end.turn)),
        }
        let span = self.span_of(end.turn);
        let span = tracing::debug_span!(
            parent: &span,
            "session.finish",
            session.id = %self.id,
            turn.state = end.end.state().as_str(),
            otel.status_code = field::Empty,
            error.type = field::Empty,
        );
        if let TurnEnd::Failed { code, .. } = &end.end {
            span.record("otel.status_code", "ERROR").record("error.type", code.as_str());
        }
        let since = self.watched.get(&end.turn).and_then(|watched| watched.since);
        let then = Then::Ended {
            end: end.end.clone(),
            next: end.next.clone(),
            turn: end.turn,
            cancelled: std::mem::take(&mut self.cancelling),
            since,
        };
        self.write(Write::End(end), then, span, ctx);
    }

    /// The span of a turn that waits or runs. One that was resumed has none that could be gone on with: the process
    /// that held it is gone, and it begins a trace of its own.
    fn span_of(&mut self, turn: TurnId) -> Span {
        let resumed = || {
            let span = tracing::info_span!(
                parent: None, "turn", session.id = %self.id, turn.id = %turn, turn.resumed = true
            );
            Watched { span, since: None, waits: false }
        };
        self.watched.entry(turn).or_insert_with(resumed).span.clone()
    }

    fn begin(&mut self, begin: Begin, ctx: &mut Context<Self>) {
        let Some(payer) = self.state.as_ref().map(|state| state.row.user) else { return };
        let Begin { turn, attempt, deaths, step, agent, model, route, tools: calls, rounds, dialogue, parts } = begin;
        if let Some(watched) = self.watched.get_mut(&turn)
            && std::mem::take(&mut watched.waits)
            && let Some(since) = watched.since
        {
            meters().queue_wait.record(since.elapsed());
        }
        let (run, wanted) = (self.doors.agents.next_run(), CancellationToken::new());
        let keeper = Keeper {
            turn,
            attempt,
            told: ctx.address().recipient(),
            parts: ctx.address().recipient(),
            tools: ctx.address().recipient(),
            doors: self.doors.clone(),
            watcher: ctx.address().recipient::<ChildExited>(),
            wanted: wanted.clone(),
        };
        let profile = self.doors.agents.profile(&agent);
        let tools = &self.doors.tools;
        let work = (!calls.is_empty()).then(|| ToolWork { tools: tools.clone(), calls });
        let mut order = RunOrder {
            run,
            input: RunInput::Dialogue(dialogue),
            shelf: Some(Shelf::new(self.doors.store.clone(), self.id.clone())),
            model,
            route,
            tools: profile.as_ref().map(|profile| tools.offers(&profile.tools.allowed)).unwrap_or_default(),
            last: profile.as_ref().is_some_and(|profile| rounds + 1 >= profile.tools.max_steps),
            work,
            sampling: Sampling {
                temperature: profile.as_ref().and_then(|profile| profile.temperature),
                max_tokens: profile.as_ref().and_then(|profile| profile.max_output_tokens),
                ..Sampling::default()
            },
            stream: true,
            sink: Sink::Session { hub: self.doors.hub.clone(), session: self.id.clone(), turn, attempt, step },
            outside: self.doors.outside.clone(),
            payer,
            till: self.doors.till.clone(),
            budgets: self.doors.budgets.clone(),
            parts,
            keeper: Some(keeper),
            lease: None,
            span: self.span_of(turn),
        };
        let unwanted = wanted.clone();
        self.running = Some(Running { run, turn, attempt, _wanted: wanted.drop_guard() });
        self.busy.get_or_insert_with(|| self.doors.work.begin());
        self.doors.budgets.begins(turn);
        let (doors, id) = (self.doors.clone(), self.id.clone());
        let work = async move {
            tokio::select! {
                biased;
                // Its end is being written already.
                () = unwanted.cancelled() => return Ok(()),
                () = doors.alone.place(&id, deaths, &doors.outside) => {}
            }
            // The run before this one was told to end; until it has, it may still speak to its provider.
            doors.leases.vacant(&id).await;
            order.lease = Some(doors.leases.take(&id));
            doors.agents.run(&agent, doors.providers.clone(), order).await
        };
        ctx.spawn(work.into_actor(self).map(move |started, actor, ctx| {
            if let Err(failure) = started {
                actor.run_ended(turn, attempt, Err(failure).into(), None, ctx);
            }
        }));
    }
}
