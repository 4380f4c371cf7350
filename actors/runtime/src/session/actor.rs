//! The shell: carries out what the state decides.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use mosaic_messages::{Accepted, CancelTurn, Change, RunEnded, RunId, SubmitTurn};
use mosaic_supervise::{Birth, ChildExited, Exit, Mailbox, Tether, on_duty, supervised};
use mosaic_types::chat::Sampling;
use mosaic_types::journal::{ChangeSession, EndTurn, Outcome, SessionRow, TurnEnd, Write};
use mosaic_types::{Code, Failure, SessionId, TurnId};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Span;

use super::config::SessionConfig;
use super::load::load;
use super::state::{Begin, Follow, SessionState, Submission};
use crate::agent::run::{Keeper, RunInput, RunOrder, Sink};
use crate::doors::Doors;
use crate::drain::Busy;

type Reply<T> = oneshot::Sender<Result<T, Failure>>;

/// After a load that failed, the next one waits this long.
const LOAD_AGAIN: Duration = Duration::from_secs(1);

/// What to do when a write is answered.
enum Then {
    Accepted { turn: TurnId, title: Option<String>, reply: Reply<Accepted> },
    Started { turn: TurnId },
    Ended { end: TurnEnd, next: Option<TurnId>, cancelled: Option<(TurnId, Reply<Option<TurnId>>)> },
    Changed { change: ChangeSession, reply: Reply<SessionRow> },
}

/// A request that came while the session was being loaded.
enum Held {
    Submit(SubmitTurn, Reply<Accepted>),
    Cancel(CancelTurn, Reply<Option<TurnId>>),
    Change(Change, Reply<SessionRow>),
}

/// The run of the active turn; dropping it, by will or by death, ends the run.
struct Running {
    run: RunId,
    turn: TurnId,
    attempt: u32,
    _lease: DropGuard,
}

/// A live session.
pub struct SessionActor {
    id: SessionId,
    doors: Arc<Doors>,
    idle: Duration,
    /// `None` while it is being loaded.
    state: Option<SessionState>,
    /// What came while loading.
    held: Vec<Held>,
    running: Option<Running>,
    /// Held from a turn's begin until its end is stored.
    busy: Option<Busy>,
    /// Spans of the turns that wait or run: the run of a turn hangs under its own. A resumed turn has none.
    spans: HashMap<TurnId, Span>,
    crashed: bool,
    /// It was loaded before, in this life or an earlier one.
    loaded: bool,
    used: Instant,
    _tether: Tether,
}

impl SessionActor {
    /// Requests that may be unanswered at one session: its queue, and as many again that only ask or cancel.
    pub const MAILBOX: Mailbox = Mailbox { capacity: 64, patience: Duration::from_secs(5) };

    /// A session that is loaded when it starts.
    pub fn new(id: SessionId, doors: Arc<Doors>, config: &SessionConfig, birth: Birth) -> Self {
        Self {
            id,
            doors,
            idle: config.idle,
            state: None,
            held: Vec::new(),
            running: None,
            busy: None,
            spans: HashMap::new(),
            crashed: birth.last_exit == Some(Exit::Panicked),
            loaded: birth.incarnation > 1,
            used: Instant::now(),
            _tether: birth.tether,
        }
    }

    /// Drops what is remembered and reads it back from the store.
    fn reload(&mut self, ctx: &mut Context<Self>) {
        self.state = None;
        self.running = None;
        self.busy = None;
        self.spans.clear();
        self.doors.hub.hush(&self.id);
        let (doors, id) = (self.doors.clone(), self.id.clone());
        ctx.spawn(async move { load(&doors, &id).await }.into_actor(self).map(|loaded, actor, ctx| match loaded {
            Ok(Some((snapshot, epoch, keep_bytes))) => {
                if std::mem::replace(&mut actor.loaded, true) {
                    // The writer may have carried out what it could not answer, and never will from here on.
                    actor.doors.hub.resync(&actor.id);
                }
                let crashed = std::mem::take(&mut actor.crashed);
                let mut state = SessionState::new(snapshot, epoch, keep_bytes, crashed);
                let resumed = state.resume(actor.doors.outside.now());
                actor.state = Some(state);
                actor.follow(Follow { begin: None, write: resumed }, ctx);
                for held in std::mem::take(&mut actor.held) {
                    match held {
                        Held::Submit(ask, reply) => actor.submit(ask, reply, ctx),
                        Held::Cancel(ask, reply) => actor.cancel(ask, reply, ctx),
                        Held::Change(ask, reply) => actor.change(ask, reply, ctx),
                    }
                }
            }
            Ok(None) => {
                actor.refuse_held(&Failure::not_found("session"));
                ctx.stop();
            }
            Err(failure) => {
                tracing::warn!(session.id = %actor.id, %failure, "a session could not be loaded");
                actor.refuse_held(&failure);
                ctx.run_later(LOAD_AGAIN, |actor, ctx| actor.reload(ctx));
            }
        }));
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

    fn submit(&mut self, ask: SubmitTurn, reply: Reply<Accepted>, ctx: &mut Context<Self>) {
        self.used = Instant::now();
        let Some(state) = &mut self.state else {
            self.held.push(Held::Submit(ask, reply));
            return;
        };
        match state.submit(&ask, self.doors.outside.now()) {
            Err(failure) => drop(reply.send(Err(failure))),
            Ok(Submission::Attach(accepted)) => drop(reply.send(Ok(accepted))),
            Ok(Submission::Write(accept)) => {
                self.spans.insert(accept.turn, ask.span);
                let then = Then::Accepted { turn: accept.turn, title: accept.title.clone(), reply };
                self.write(Write::Accept(accept), then, ctx);
            }
        }
    }

    fn cancel(&mut self, ask: CancelTurn, reply: Reply<Option<TurnId>>, ctx: &mut Context<Self>) {
        let Some(state) = &mut self.state else {
            self.held.push(Held::Cancel(ask, reply));
            return;
        };
        if let Err(failure) = state.admit(ask.from) {
            return drop(reply.send(Err(failure)));
        }
        match state.cancel(self.doors.outside.now()) {
            Some((turn, Write::End(end))) => self.write_end(end, Some((turn, reply)), ctx),
            _ => drop(reply.send(Ok(None))),
        }
    }

    fn change(&mut self, ask: Change, reply: Reply<SessionRow>, ctx: &mut Context<Self>) {
        let Some(state) = &self.state else {
            self.held.push(Held::Change(ask, reply));
            return;
        };
        if let Err(failure) = state.admit(ask.from) {
            return drop(reply.send(Err(failure)));
        }
        let change = state.change(ask.agent, ask.title, self.doors.outside.now());
        self.write(Write::Change(change.clone()), Then::Changed { change, reply }, ctx);
    }

    fn write(&mut self, write: Write, then: Then, ctx: &mut Context<Self>) {
        let doors = self.doors.clone();
        let work = async move { doors.commit(write).await };
        ctx.spawn(work.into_actor(self).map(move |outcome, actor, ctx| actor.written(outcome, then, ctx)));
    }

    fn written(&mut self, outcome: Result<Outcome, Failure>, then: Then, ctx: &mut Context<Self>) {
        let at = self.doors.outside.now();
        // A write that was sent before a reload is answered after it: its outcome is in what was loaded.
        let Some(state) = &mut self.state else { return then.refuse(&outcome) };
        match (outcome, then) {
            (Ok(Outcome::Written(events)), then) => {
                self.doors.hub.publish(&self.id, events);
                let follow = match then {
                    Then::Accepted { turn, title, reply } => {
                        let (accepted, follow) = state.accepted(turn, title, at);
                        let _ = reply.send(Ok(accepted));
                        follow
                    }
                    Then::Started { turn } => state.started(turn),
                    Then::Ended { end, next, cancelled } => {
                        if let Some((turn, reply)) = cancelled {
                            let _ = reply.send(Ok(Some(turn)));
                        }
                        state.ended(&end, next, at)
                    }
                    Then::Changed { change, reply } => {
                        let _ = reply.send(Ok(state.changed(&change)));
                        Follow::default()
                    }
                };
                self.follow(follow, ctx);
                if self.state.as_ref().is_some_and(SessionState::is_idle) {
                    self.busy = None;
                }
            }
            (Ok(Outcome::Duplicate { turn: first, same_body }), Then::Accepted { turn, reply, .. }) => {
                let answer = if same_body {
                    Ok(Accepted { turn: first, state: state.state_of(first), attached: true })
                } else {
                    let sentence =
                        "This idempotency key was used for another message. Use a new key for a new message.";
                    Err(Failure::new(Code::IdempotencyConflict, sentence))
                };
                let _ = reply.send(answer);
                let follow = state.not_accepted(turn, at);
                self.spans.remove(&turn);
                self.follow(follow, ctx);
            }
            // The store refused, or the writer was too busy to take it: nothing was changed.
            (Err(failure), Then::Accepted { turn, reply, .. })
                if matches!(failure.code, Code::Storage | Code::Busy) =>
            {
                let _ = reply.send(Err(failure));
                let follow = state.not_accepted(turn, at);
                self.spans.remove(&turn);
                self.follow(follow, ctx);
            }
            // Somebody else took the session over, it was deleted, or it is not known what was written: start afresh.
            (outcome, then) => {
                tracing::warn!(session.id = %self.id, ?outcome, "a write was not carried out; the session is read anew");
                then.refuse(&outcome);
                self.reload(ctx);
            }
        }
    }

    fn follow(&mut self, follow: Follow, ctx: &mut Context<Self>) {
        if let Some(begin) = follow.begin {
            self.begin(begin, ctx);
        }
        match follow.write {
            Some(Write::Start { session, epoch, next, at }) => {
                let then = Then::Started { turn: next.turn };
                self.write(Write::Start { session, epoch, next, at }, then, ctx);
            }
            Some(Write::Restart(restart)) => {
                let then = Then::Started { turn: restart.turn };
                self.write(Write::Restart(restart), then, ctx);
            }
            Some(Write::End(end)) => self.write_end(end, None, ctx),
            Some(_) | None => {}
        }
    }

    fn write_end(
        &mut self,
        end: Box<EndTurn>,
        cancelled: Option<(TurnId, Reply<Option<TurnId>>)>,
        ctx: &mut Context<Self>,
    ) {
        self.running = None;
        self.doors.hub.hush(&self.id);
        self.spans.remove(&end.turn);
        let then = Then::Ended { end: end.end.clone(), next: end.next.as_ref().map(|next| next.turn), cancelled };
        self.write(Write::End(end), then, ctx);
    }

    fn begin(&mut self, begin: Begin, ctx: &mut Context<Self>) {
        let Begin { turn, attempt, agent, dialogue } = begin;
        let (run, lease) = (self.doors.agents.next_run(), CancellationToken::new());
        let keeper = Keeper {
            turn,
            attempt,
            told: ctx.address().recipient(),
            watcher: ctx.address().recipient::<ChildExited>(),
            lease: lease.clone(),
        };
        let profile = self.doors.agents.profile(&agent);
        let order = RunOrder {
            run,
            input: RunInput::Dialogue(dialogue),
            model: None,
            tools: Arc::default(),
            sampling: Sampling {
                temperature: profile.as_ref().and_then(|profile| profile.temperature),
                max_tokens: profile.as_ref().and_then(|profile| profile.max_output_tokens),
                ..Sampling::default()
            },
            stream: true,
            sink: Sink::Session { hub: self.doors.hub.clone(), session: self.id.clone(), turn, attempt },
            outside: self.doors.outside.clone(),
            keeper: Some(keeper),
            span: self.spans.get(&turn).cloned().unwrap_or_else(Span::none),
        };
        self.running = Some(Running { run, turn, attempt, _lease: lease.drop_guard() });
        self.busy.get_or_insert_with(|| self.doors.work.begin());
        let (agents, providers) = (self.doors.agents.clone(), self.doors.providers.clone());
        let work = async move { agents.run(&agent, providers, order).await };
        ctx.spawn(work.into_actor(self).map(move |started, actor, ctx| {
            if let Err(failure) = started {
                actor.run_ended(turn, attempt, Err(failure), ctx);
            }
        }));
    }

    fn run_ended(
        &mut self,
        turn: TurnId,
        attempt: u32,
        result: Result<mosaic_types::FinishedTurn, Failure>,
        ctx: &mut Context<Self>,
    ) {
        self.used = Instant::now();
        let at = self.doors.outside.now();
        let write = self.state.as_mut().and_then(|state| state.run_ended(turn, attempt, result, at));
        self.follow(Follow { begin: None, write }, ctx);
    }

    /// Leaves when it has been idle for long enough; one timer for all of its life.
    fn watch_idle(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        ctx.run_later(wait, |actor, ctx| {
            let unused = actor.used.elapsed();
            let idle = actor.state.as_ref().is_some_and(SessionState::is_idle);
            match (idle, actor.idle.checked_sub(unused)) {
                (true, None) => ctx.stop(),
                (_, left) => actor.watch_idle(left.unwrap_or(actor.idle).max(Duration::from_millis(1)), ctx),
            }
        });
    }
}

impl Then {
    /// Tells whoever waits that it is not known, or not so.
    fn refuse(self, outcome: &Result<Outcome, Failure>) {
        let failure = match outcome {
            Err(failure) => failure.clone(),
            Ok(_) => {
                let sentence = "The session was taken over or deleted meanwhile. Send the same request again.";
                Failure::new(Code::Unavailable, sentence).after(LOAD_AGAIN)
            }
        };
        match self {
            Self::Accepted { reply, .. } => drop(reply.send(Err(failure))),
            Self::Ended { cancelled: Some((_, reply)), .. } => drop(reply.send(Err(failure))),
            Self::Changed { reply, .. } => drop(reply.send(Err(failure))),
            Self::Started { .. } | Self::Ended { cancelled: None, .. } => {}
        }
    }
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.reload(ctx);
        self.watch_idle(self.idle, ctx);
    }
}
supervised!(SessionActor);

/// Waits for an answer that comes later; a session that ended first is restarting.
async fn answer<T>(answered: oneshot::Receiver<Result<T, Failure>>) -> Result<T, Failure> {
    answered.await.unwrap_or_else(|_| {
        let sentence = "The session ended before it answered. Send the same request again; nothing is done twice.";
        Err(Failure::new(Code::Unavailable, sentence).after(LOAD_AGAIN))
    })
}

impl Handler<SubmitTurn> for SessionActor {
    type Result = ResponseFuture<Result<Accepted, Failure>>;
    fn handle(&mut self, ask: SubmitTurn, ctx: &mut Self::Context) -> Self::Result {
        let (reply, answered) = oneshot::channel();
        self.submit(ask, reply, ctx);
        Box::pin(answer(answered))
    }
}

impl Handler<CancelTurn> for SessionActor {
    type Result = ResponseFuture<Result<Option<TurnId>, Failure>>;
    fn handle(&mut self, ask: CancelTurn, ctx: &mut Self::Context) -> Self::Result {
        let (reply, answered) = oneshot::channel();
        self.cancel(ask, reply, ctx);
        Box::pin(answer(answered))
    }
}

impl Handler<Change> for SessionActor {
    type Result = ResponseFuture<Result<SessionRow, Failure>>;
    fn handle(&mut self, ask: Change, ctx: &mut Self::Context) -> Self::Result {
        let (reply, answered) = oneshot::channel();
        self.change(ask, reply, ctx);
        Box::pin(answer(answered))
    }
}

impl Handler<RunEnded> for SessionActor {
    type Result = ();
    fn handle(&mut self, end: RunEnded, ctx: &mut Self::Context) {
        let _duty = on_duty::<Self, RunEnded>();
        self.run_ended(end.turn, end.attempt, end.result, ctx);
    }
}

impl Handler<ChildExited> for SessionActor {
    type Result = ();
    fn handle(&mut self, end: ChildExited, ctx: &mut Self::Context) {
        let _duty = on_duty::<Self, ChildExited>();
        if end.exit != Exit::Panicked {
            return;
        }
        let ours = self.running.as_ref().filter(|running| running.run.0 == end.child.0);
        let Some((turn, attempt)) = ours.map(|running| (running.turn, running.attempt)) else { return };
        let at = self.doors.outside.now();
        self.doors.hub.hush(&self.id);
        let write = self.state.as_mut().and_then(|state| state.run_died(turn, attempt, at));
        self.follow(Follow { begin: None, write }, ctx);
    }
}
