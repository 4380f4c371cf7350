//! The shell of a socket, and all that this house knows of actix-web-actors.
//!
//! The library is deprecated in favour of actix-ws, and is used here because it was asked for. What it leaves open is
//! done around it: it reads without a bound, joins no fragments and writes without a bound, so messages come from
//! [`Incoming`] and go out by the credit of the state; and the body is on a leash, since a server waits for one who
//! reads nothing for as long as they like.

#![allow(deprecated)] // see above: asked for by name, and held in this one file

use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix::prelude::*;
use actix_web::HttpRequest;
use actix_web::error::ErrorInternalServerError;
use actix_web::web::{self, Bytes, Data, Payload};
use actix_web_actors::ws::{self, CloseCode, CloseReason, WebsocketContext};
use futures_util::stream::{AbortHandle, Abortable, LocalBoxStream, SelectAll};
use futures_util::{Stream, StreamExt, stream};
use mosaic_messages::ExecuteCommand;
use mosaic_runtime::events::{Follow, Pace};
use mosaic_types::{Code, Failure, Principal, SessionId, UserRole};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::Instrument;

use super::close::Close;
use super::config::SocketConfig;
use super::doorstep::{Doorstep, Place};
use super::effect::{Effect, Effects, Heard};
use super::frames::{Unread, read};
use super::incoming::{Came, Incoming, MESSAGE_BYTES, READER_BYTES, STRANGER_BYTES};
use super::outbox::Piece;
use super::state::State;
use super::work::{cancel, execute, input_span, submit};
use crate::gateway::border::{Border, Class};
use crate::gateway::error::{Answer, ApiError};
use crate::gateway::principals::Credential;
use crate::gateway::server::Gate;
use crate::gateway::sessions::visible;

/// Events that are taken in one go; then others have their turn.
const AT_ONCE: usize = 64;

/// Answers an upgrade, and starts the socket's actor in the body of the answer.
pub(super) fn start(
    gate: Data<Gate>,
    doorstep: &Doorstep,
    known: Option<Credential>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let mut answer = ws::handshake(&request).map_err(|error| {
        let sentence = format!("This is a WebSocket, to be opened by an upgrade of version 13: {error}.");
        ApiError(Failure::new(Code::BadRequest, sentence))
    })?;
    // Who is known already does not stand among strangers.
    let place = known.is_none().then(|| doorstep.stand()).transpose()?;
    let (limit, cut) = (Rc::new(Cell::new(STRANGER_BYTES)), Rc::new(Cell::new(false)));
    let incoming = Incoming::new(payload, limit.clone());
    let actor = SocketActor::new(gate, doorstep.config, known, (request, place), incoming, limit, cut.clone());
    // What the library would read by itself, it finds nothing of.
    let body = WebsocketContext::create(actor, stream::pending());
    Ok(answer.streaming(leashed(body, cut)))
}

/// A body that can be cut: its connection ends where it stands, with whatever was not taken of it.
fn leashed<E>(
    body: impl Stream<Item = Result<Bytes, E>> + 'static,
    cut: Rc<Cell<bool>>,
) -> impl Stream<Item = Result<Bytes, actix_web::Error>>
where
    actix_web::Error: From<E>,
{
    let mut body = Box::pin(body);
    stream::poll_fn(move |cx| {
        let polled = body.as_mut().poll_next(cx);
        match cut.get() {
            true => Poll::Ready(Some(Err(ErrorInternalServerError("a socket was cut: its reader took nothing")))),
            false => polled.map(|piece| piece.map(|piece| piece.map_err(Into::into))),
        }
    })
}

/// Sessions that are followed, and what they say.
type Follows = SelectAll<LocalBoxStream<'static, (SessionId, Heard)>>;

/// One socket.
struct SocketActor {
    gate: Data<Gate>,
    state: State,
    /// What it is, or may be, known by.
    known: Option<Credential>,
    /// Set when it is known.
    who: Option<Principal>,
    /// What it came by, and its place on the doorstep; held until it is known.
    stranger: Option<(HttpRequest, Option<Place>)>,
    incoming: Option<Incoming<Payload>>,
    limit: Rc<Cell<usize>>,
    cut: Rc<Cell<bool>>,
    follows: Follows,
    aborts: HashMap<SessionId, AbortHandle>,
    room: watch::Sender<bool>,
    pace: Pace,
    /// Wakes [`Life`], which looks at everything that is waited for.
    waker: Option<Waker>,
}

type Ctx = WebsocketContext<SocketActor>;

impl SocketActor {
    fn new(
        gate: Data<Gate>,
        config: SocketConfig,
        known: Option<Credential>,
        stranger: (HttpRequest, Option<Place>),
        incoming: Incoming<Payload>,
        limit: Rc<Cell<usize>>,
        cut: Rc<Cell<bool>>,
    ) -> Self {
        let seed = u64::from_le_bytes(gate.doors.outside.bytes());
        let (room, pace) = Pace::new();
        Self {
            state: State::new(config, known.as_ref().map(|known| known.principal), seed, Instant::now()),
            gate,
            known,
            who: None,
            stranger: Some(stranger),
            incoming: Some(incoming),
            limit,
            cut,
            follows: Follows::new(),
            aborts: HashMap::new(),
            room,
            pace,
            waker: None,
        }
    }

    /// Asks the state, and does what it says.
    fn run(&mut self, ctx: &mut Ctx, ask: impl FnOnce(&mut State, Instant, &mut Effects)) {
        let (now, mut effects) = (Instant::now(), Vec::new());
        ask(&mut self.state, now, &mut effects);
        while !effects.is_empty() {
            for effect in std::mem::take(&mut effects) {
                self.perform(effect, now, &mut effects, ctx);
            }
        }
        let room = self.state.has_room();
        self.room.send_if_modified(|before| std::mem::replace(before, room) != room);
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    fn perform(&mut self, effect: Effect, now: Instant, more: &mut Effects, ctx: &mut Ctx) {
        match effect {
            Effect::Identify(token) => {
                let known = self.gate.principals.bearer(token.expose()).map_err(|why| match &self.stranger {
                    Some((request, _)) => Border::of(request).failed(request, Class::Bearer, why.into()),
                    None => why.into(),
                });
                self.known = known.as_ref().ok().cloned();
                self.state.identified(known.map(|known| known.principal), now, more);
            }
            Effect::Enter(who) => {
                self.who = Some(who);
                self.stranger = None;
                self.limit.set(if who.role >= UserRole::Member { MESSAGE_BYTES } else { READER_BYTES });
                if let Some(Credential { ending, .. }) = self.known.take() {
                    let ended = async move { ending.wait().await }.into_actor(self);
                    let close = |end, actor: &mut Self, ctx: &mut Ctx| {
                        actor.run(ctx, |state, now, out| state.revoked(end, now, out));
                    };
                    ctx.spawn(ended.map(close));
                }
            }
            Effect::Follow { id, session, after } => self.follow(id, session, after),
            Effect::Unfollow(session) => drop(self.aborts.remove(&session).map(|abort| abort.abort())),
            Effect::Submit { id, session, agent, input, caller } => {
                let Some(who) = self.who else { return };
                let work = submit(self.gate.clone(), who, id.clone(), session, agent, *input);
                let work = work.instrument(input_span(caller.as_ref()));
                let done = work.into_actor(self).map(move |result, actor, ctx| {
                    actor.run(ctx, |state, now, out| state.submitted(&id, result, now, out));
                });
                ctx.spawn(done);
            }
            Effect::Execute { id, session, line } => {
                let Some(from) = self.who else { return };
                let work = execute(self.gate.clone(), ExecuteCommand { session, from, line, typed: None });
                let done = work.into_actor(self).map(move |result, actor, ctx| {
                    actor.run(ctx, |state, now, out| state.executed(id.as_deref(), result, now, out));
                });
                ctx.spawn(done);
            }
            Effect::Cancel { id, session, turn } => {
                let Some(who) = self.who else { return };
                let work = cancel(self.gate.clone(), who, session.clone(), turn);
                let done = work.into_actor(self).map(move |result, actor, ctx| {
                    actor.run(ctx, |state, now, out| state.cancelled(id.as_deref(), &session, result, now, out));
                });
                ctx.spawn(done);
            }
            Effect::Write(piece) => write(piece, ctx),
            Effect::Close(Close { code, reason }) => {
                self.follows = Follows::new();
                self.aborts.clear();
                self.stranger = None;
                let description = (!reason.is_empty()).then(|| reason.into_owned());
                ctx.close(Some(CloseReason { code: CloseCode::from(code), description }));
            }
            Effect::End => ctx.stop(),
            Effect::Cut => {
                self.cut.set(true);
                ctx.stop();
            }
        }
    }

    fn follow(&mut self, id: Option<String>, session: SessionId, after: i64) {
        let Some(who) = self.who else { return };
        let (gate, pace, of) = (self.gate.clone(), self.pace.clone(), session.clone());
        let begin = async move {
            let row = visible(&gate, &of, who).await.map_err(|error| error.0)?;
            Follow::after(gate.doors.store.clone(), gate.doors.hub.clone(), row.id, after, Some(pace)).await
        };
        let named = session.clone();
        let said = stream::once(begin).flat_map(move |begun| match begun {
            Ok(follow) => listen(follow).left_stream(),
            Err(failure) => stream::iter([Heard::Refused { id: id.clone(), failure }]).right_stream(),
        });
        let (abort, registration) = AbortHandle::new_pair();
        if let Some(before) = self.aborts.insert(session, abort) {
            before.abort();
        }
        let said = Abortable::new(said.map(move |heard| (named.clone(), heard)), registration);
        self.follows.push(said.boxed_local());
    }

    /// Takes what the followed sessions say. Whether there may be more at once.
    fn listen(&mut self, ctx: &mut Ctx, task: &mut Context<'_>) -> bool {
        for taken in 0..AT_ONCE {
            match self.follows.poll_next_unpin(task) {
                Poll::Ready(Some((session, heard))) => {
                    self.run(ctx, |state, now, out| state.heard(&session, heard, now, out));
                }
                Poll::Ready(None) | Poll::Pending => {
                    if taken > 0 {
                        self.run(ctx, State::flush);
                    }
                    return false;
                }
            }
        }
        self.run(ctx, State::flush);
        true
    }
}

/// What a follower says, to its end.
fn listen(follow: Follow) -> impl Stream<Item = Heard> {
    stream::unfold(Some(follow), |follow| async {
        let mut follow = follow?;
        Some(match follow.next().await {
            Ok(told) => (Heard::Told(told), Some(follow)),
            Err(ended) => (Heard::Ended(ended), None),
        })
    })
}

fn write(piece: Piece, ctx: &mut Ctx) {
    use actix_http::ws::Item;
    match piece {
        Piece::Text(text) => ctx.text(text),
        Piece::First(part) => ctx.write_raw(ws::Message::Continuation(Item::FirstText(part))),
        Piece::More(part) => ctx.write_raw(ws::Message::Continuation(Item::Continue(part))),
        Piece::Last(part) => ctx.write_raw(ws::Message::Continuation(Item::Last(part))),
        Piece::Ping(payload) => ctx.ping(&payload),
        Piece::Pong(payload) => ctx.pong(&payload),
    }
}

impl Actor for SocketActor {
    type Context = Ctx;

    fn started(&mut self, ctx: &mut Ctx) {
        let incoming = self.incoming.take().expect("an actor starts once");
        ctx.add_stream(incoming);
        let work = &self.gate.doors.work;
        ctx.spawn(Life {
            draining: Some(Box::pin(work.draining().clone().cancelled_owned())),
            drained: Some(Box::pin(work.drained().clone().cancelled_owned())),
            timer: Box::pin(sleep_until(Instant::now())),
        });
    }
}

impl StreamHandler<Result<Came, Close>> for SocketActor {
    fn handle(&mut self, came: Result<Came, Close>, ctx: &mut Ctx) {
        let came = match came {
            // Others are served by this thread, and what is long takes it a while. What comes next waits its turn.
            Ok(Came::Text(text)) if text.len() > READER_BYTES => {
                let lost = |_| {
                    let failure = Failure::new(Code::Internal, "The frame could not be read.");
                    Err(Box::new(Unread { id: None, failure }))
                };
                let read = async move { web::block(move || read(&text)).await.unwrap_or_else(lost) };
                let done = read.into_actor(self).map(|read, actor, ctx| {
                    actor.run(ctx, |state, now, out| state.read(read, now, out));
                });
                return ctx.wait(done);
            }
            came => came,
        };
        self.run(ctx, |state, now, out| match came {
            Ok(Came::Part) => state.part(now),
            Ok(Came::Text(text)) => state.text(&text, now, out),
            Ok(Came::Ping(payload)) => state.ping(payload, now, out),
            Ok(Came::Pong(payload)) => state.pong(&payload, now, out),
            Ok(Came::Close(code)) => state.goodbye(code, out),
            Ok(Came::Rubbish) => state.rubbish(now),
            Err(close) => state.broken(close, now, out),
        });
    }

    fn finished(&mut self, ctx: &mut Ctx) {
        ctx.stop();
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for SocketActor {
    // The library wants one; nothing ever comes by it.
    fn handle(&mut self, _: Result<ws::Message, ws::ProtocolError>, _: &mut Ctx) {}
}

/// Everything that a socket waits for beside what its client says.
struct Life {
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    drained: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    timer: Pin<Box<Sleep>>,
}

/// Whether a signal came; it comes once.
fn came(signal: &mut Option<Pin<Box<WaitForCancellationFutureOwned>>>, task: &mut Context<'_>) -> bool {
    let came = signal.as_mut().is_some_and(|signal| signal.as_mut().poll(task).is_ready());
    if came {
        *signal = None;
    }
    came
}

impl ActorFuture<SocketActor> for Life {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, actor: &mut SocketActor, ctx: &mut Ctx, task: &mut Context<'_>) -> Poll<()> {
        // What is done below need not wake what looks at it next.
        actor.waker = None;
        if came(&mut self.draining, task) {
            actor.run(ctx, State::draining);
        }
        if actor.listen(ctx, task) {
            task.waker().wake_by_ref();
        } else if came(&mut self.drained, task) {
            // After all that was said before.
            actor.run(ctx, State::drained);
        }
        while let Some(deadline) = actor.state.deadline() {
            if self.timer.deadline() != deadline {
                self.timer.as_mut().reset(deadline);
            }
            if self.timer.as_mut().poll(task).is_pending() {
                break;
            }
            actor.run(ctx, State::tick);
        }
        actor.waker = Some(task.waker().clone());
        Poll::Pending
    }
}
