//! The shell: a session's life, and what it is asked.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use mosaic_messages::{Accepted, CancelTurn, Change, Dues, PartEnded, RunEnded, SubmitTurn, ToolEnded};
use mosaic_supervise::{Birth, ChildExited, Exit, Mailbox, Tether, on_duty, supervised};
use mosaic_types::journal::{SessionRow, Write};
use mosaic_types::{ChatMessage, Code, Failure, Point, SessionId, TurnId};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Span;

use super::carry::Running;
use super::config::SessionConfig;
use super::job::{Job, Then};
use super::load::Asked;
use super::parts::{Cancel, Follow, Ran, Submission};
use super::sight;
use super::state::SessionState;
use super::wake::{Before, Held, LOAD_AGAIN};
use crate::doors::Doors;
use crate::drain::Busy;

pub(super) type Reply<T> = oneshot::Sender<Result<T, Failure>>;

/// What is remembered of a turn only to show it.
pub(super) struct Watched {
    /// The turn's own: its run and its writes hang under it.
    pub(super) span: Span,
    /// When it was accepted; not known of a turn that was resumed.
    pub(super) since: Option<Instant>,
    /// No run has begun yet.
    pub(super) waits: bool,
}

/// A live session.
pub struct SessionActor {
    pub(super) id: SessionId,
    pub(super) doors: Arc<Doors>,
    idle: Duration,
    pub(super) debounce: Duration,
    /// `None` while it is being loaded.
    pub(super) state: Option<SessionState>,
    /// What came while loading.
    pub(super) held: Vec<Held>,
    /// Whether something did: then it is loaded before those that nobody waits for.
    pub(super) asked: Asked,
    /// What is to be written after what is being written.
    pub(super) unwritten: VecDeque<Job>,
    pub(super) writing: bool,
    /// When the store is asked again for what it has refused.
    pub(super) refused: Option<SpawnHandle>,
    /// Decided on when nothing is being written any more.
    pub(super) after_writing: Vec<(SubmitTurn, Reply<Accepted>)>,
    pub(super) running: Option<Running>,
    /// What the run that ended has spent, until it is written.
    pub(super) dues: Option<Dues>,
    /// Who waits for the end of the turn that was cancelled.
    pub(super) cancelling: Vec<Reply<Option<TurnId>>>,
    /// Held from a turn's begin until its end is stored.
    pub(super) busy: Option<Busy>,
    /// How the turns that wait or run are watched.
    pub(super) watched: HashMap<TurnId, Watched>,
    pub(super) before: Before,
    /// Times in a row that what is stored of it could not be read, for good.
    pub(super) unreadable: u32,
    used: Instant,
    pub(super) tether: Tether,
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
            debounce: config.debounce,
            state: None,
            held: Vec::new(),
            asked: Asked::default(),
            unwritten: VecDeque::new(),
            writing: false,
            refused: None,
            after_writing: Vec::new(),
            running: None,
            dues: None,
            cancelling: Vec::new(),
            busy: None,
            watched: HashMap::new(),
            before: Before::of(&birth),
            unreadable: 0,
            used: Instant::now(),
            tether: birth.tether,
        }
    }

    pub(super) fn submit(&mut self, ask: SubmitTurn, reply: Reply<Accepted>, ctx: &mut Context<Self>) {
        Point::AcceptReceived.pass();
        self.used = Instant::now();
        match (ask.replaces, &self.state) {
            (_, None) => self.hold(Held::Submit(ask, reply)),
            (None, Some(_)) => self.decide(ask, None, reply, ctx),
            (Some(input), Some(state)) => {
                // What came before the input may be more than is remembered, so it is asked of the store. It stays so
                // until the input is stored: whatever changed it would take the input out of the dialogue too.
                let (doors, id, bytes) = (self.doors.clone(), self.id.clone(), state.keep_bytes());
                let work = async move { (doors.store.context_before(&id, input, bytes).await, ask) };
                ctx.spawn(work.into_actor(self).map(|(before, ask), actor, ctx| match before {
                    Ok(before) => actor.decide(ask, Some(before), reply, ctx),
                    Err(error) => drop(reply.send(Err(error.into()))),
                }));
            }
        }
    }

    /// Decides on an input; `before`: all that stays of the dialogue where it takes the place of another.
    fn decide(
        &mut self,
        ask: SubmitTurn,
        before: Option<Vec<ChatMessage>>,
        reply: Reply<Accepted>,
        ctx: &mut Context<Self>,
    ) {
        let Some(state) = &self.state else {
            self.hold(Held::Submit(ask, reply));
            return;
        };
        if let Err(blind) = sight::check(&self.doors, &state.row, &ask) {
            return self.attach_or(blind, ask, reply, ctx);
        }
        let agents = || self.doors.agents.profile(&state.row.agent).map(|agent| agent.queue);
        let mode = ask.mode.or_else(agents).unwrap_or_default();
        let Some(state) = &mut self.state else { return };
        match state.submit(&ask, mode, self.doors.outside.now()) {
            // It may be what is being written.
            Err(failure) if failure.code == Code::Running && self.writing => self.after_writing.push((ask, reply)),
            Err(failure) if matches!(failure.code, Code::Busy | Code::Running) => {
                self.attach_or(failure, ask, reply, ctx);
            }
            Err(failure) => drop(reply.send(Err(failure))),
            Ok(Submission::Attach(accepted)) => drop(reply.send(Ok(accepted))),
            Ok(Submission::Write(accept)) => {
                let span = tracing::debug_span!(parent: &ask.span, "session.accept", session.id = %self.id);
                if accept.turn == ask.turn {
                    let watched = Watched { span: ask.span.clone(), since: Some(Instant::now()), waits: true };
                    self.watched.insert(accept.turn, watched);
                }
                let then = Then::Accepted { title: accept.title.clone(), ask: Box::new(ask), before, reply };
                self.write(Write::Accept(accept), then, span, ctx);
            }
        }
    }

    /// There is no room for a new input, but a repeat of one that is stored needs none.
    fn attach_or(&self, refusal: Failure, ask: SubmitTurn, reply: Reply<Accepted>, ctx: &mut Context<Self>) {
        let doors = self.doors.clone();
        let work = async move { (doors.store.known(&ask.inbox).await, ask) };
        ctx.spawn(work.into_actor(self).map(|(known, ask), actor, _| {
            let answer = match (known, &actor.state) {
                (Ok(Some((turn, hash))), Some(state)) => state.repeat(turn, hash == ask.body_hash),
                (Err(error), _) => Err(error.into()),
                _ => Err(refusal),
            };
            let _ = reply.send(answer);
        }));
    }

    pub(super) fn cancel(&mut self, ask: CancelTurn, reply: Reply<Option<TurnId>>, ctx: &mut Context<Self>) {
        let Some(state) = &mut self.state else {
            self.hold(Held::Cancel(ask, reply));
            return;
        };
        if let Err(failure) = state.admit(ask.from) {
            return drop(reply.send(Err(failure)));
        }
        if ask.last {
            state.leave();
        }
        match state.cancel(ask.turn, self.doors.outside.now()) {
            Cancel::Now(end) => {
                self.cancelling.push(reply);
                self.write_end(end, ctx);
            }
            Cancel::Soon => self.cancelling.push(reply),
            Cancel::Nothing => drop(reply.send(Ok(None))),
        }
    }

    pub(super) fn change(&mut self, ask: Change, reply: Reply<SessionRow>, ctx: &mut Context<Self>) {
        let Some(state) = &self.state else {
            self.hold(Held::Change(ask, reply));
            return;
        };
        if let Err(failure) = state.admit(ask.from) {
            return drop(reply.send(Err(failure)));
        }
        let change = state.change(ask, self.doors.outside.now());
        self.write(Write::Change(change.clone()), Then::Changed { change, reply }, Span::none(), ctx);
    }

    pub(super) fn run_ended(
        &mut self,
        turn: TurnId,
        attempt: u32,
        ran: Ran,
        dues: Option<Dues>,
        ctx: &mut Context<Self>,
    ) {
        self.used = Instant::now();
        let at = self.doors.outside.now();
        let write = self.state.as_mut().and_then(|state| state.run_ended(turn, attempt, ran, at));
        // Where nobody wants it any more it is paid for all the same: what is dropped enters itself.
        self.dues = dues.filter(|_| write.is_some());
        if let Some(dues) = &mut self.dues {
            dues.taken();
        }
        self.follow(Follow::write(write), ctx);
    }

    fn part_ended(&mut self, end: PartEnded, ctx: &mut Context<Self>) {
        let at = self.doors.outside.now();
        let PartEnded { turn, attempt, event, beside } = end;
        let write = self.state.as_mut().and_then(|state| state.part_ended(turn, attempt, event, beside.clone(), at));
        match write {
            Some(write) => {
                let event = write.event.clone();
                let parent = self.watched.get(&turn).map_or_else(Span::none, |watched| watched.span.clone());
                let span = tracing::debug_span!(parent: &parent, "session.part", session.id = %self.id);
                self.write(Write::Part(write), Then::Noted { turn, event, beside }, span, ctx);
            }
            None => self.doors.till.owe(beside),
        }
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

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.reload(ctx);
        self.watch_idle(self.idle, ctx);
    }
}
supervised!(SessionActor);

impl Drop for SessionActor {
    fn drop(&mut self) {
        // Its run ends with it and may have begun to speak after the session was removed, so that nobody else would
        // have the hub forget it.
        self.running = None;
        self.doors.hub.hush(&self.id);
        if self.writing {
            self.doors.hub.doubt(&self.id);
        }
    }
}

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
        self.tether.handling(Some(ask.turn.0.as_u128().into()));
        self.submit(ask, reply, ctx);
        self.tether.handling(None);
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
        self.tether.handling(Some(end.turn.0.as_u128().into()));
        let RunEnded { turn, attempt, result, asked, parts, beside, dues } = end;
        let ran = Ran { result, asked, parts, beside, dues: dues.entries().to_vec(), called: dues.has_answer() };
        self.run_ended(turn, attempt, ran, Some(dues), ctx);
        self.tether.handling(None);
    }
}

impl Handler<ToolEnded> for SessionActor {
    type Result = ();
    fn handle(&mut self, end: ToolEnded, ctx: &mut Self::Context) {
        let _duty = on_duty::<Self, ToolEnded>();
        self.tether.handling(Some(end.turn.0.as_u128().into()));
        self.tool_ended(end, ctx);
        self.tether.handling(None);
    }
}

impl Handler<PartEnded> for SessionActor {
    type Result = ();
    fn handle(&mut self, end: PartEnded, ctx: &mut Self::Context) {
        let _duty = on_duty::<Self, PartEnded>();
        self.tether.handling(Some(end.turn.0.as_u128().into()));
        self.part_ended(end, ctx);
        self.tether.handling(None);
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
        let write = self.state.as_mut().and_then(|state| state.run_died(turn, attempt, at));
        self.follow(Follow::write(write), ctx);
        // After that: where its turn is given up, what it had said is part of the end.
        self.doors.hub.hush(&self.id);
    }
}
