//! Finds, wakes or makes the session a message is for. Keeps nothing itself, so its death costs nothing.

use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use mosaic_messages::{Accepted, CancelTurn, Change, SubmitTurn};
use mosaic_supervise::{Link, LinkError, Mailbox, Tether, supervised};
use mosaic_types::journal::{NewSession, Outcome, SessionRow, Write};
use mosaic_types::{AgentName, Code, Failure, Principal, SessionId, TurnId};
use tracing::Instrument;

use crate::doors::{Doors, unreached};
use crate::session::{SessionActor, Sessions};

/// Tries of a message whose session died before it answered. Repeating is safe: the inbox knows what it has.
const TRIES: u32 = 4;

/// Routes messages to sessions.
pub struct RouterActor {
    doors: Arc<Doors>,
    sessions: Sessions,
    _tether: Tether,
}

impl RouterActor {
    /// Requests under way through the router at once.
    pub const MAILBOX: Mailbox = Mailbox { capacity: 8_192, patience: Duration::from_secs(5) };

    /// A router over `sessions`.
    pub fn new(doors: Arc<Doors>, sessions: Sessions, tether: Tether) -> Self {
        Self { doors, sessions, _tether: tether }
    }
}

impl Actor for RouterActor {
    type Context = Context<Self>;
}
supervised!(RouterActor);

/// The way to one session, beyond the life of the router.
#[derive(Clone)]
struct Way {
    doors: Arc<Doors>,
    sessions: Sessions,
}

impl Way {
    /// The session, awake; it is made where `create` names an agent for it.
    async fn find(
        &self,
        id: &SessionId,
        from: Principal,
        create: Option<&AgentName>,
    ) -> Result<Link<SessionActor>, Failure> {
        if let Some(link) = self.sessions.find(id) {
            return Ok(link);
        }
        match self.doors.store.session(id).await? {
            Some(row) if from.may_see(row.user, &row.channel) => {}
            Some(_) => return Err(Failure::not_found("session")),
            None => {
                let Some(agent) = create else { return Err(Failure::not_found("session")) };
                let new = NewSession {
                    id: id.clone(),
                    user: from.user,
                    channel: mosaic_types::journal::API_CHANNEL.into(),
                    agent: agent.clone(),
                    title: String::new(),
                    at: self.doors.outside.now(),
                };
                match self.doors.commit(Write::CreateSession(new)).await? {
                    // Made by somebody else in this very moment: the session itself checks whose it is.
                    Outcome::Written(_) | Outcome::Exists => {}
                    other => {
                        tracing::error!(?other, "a session could not be made");
                        return Err(Failure::new(
                            Code::Internal,
                            "The session could not be made. The log has the cause.",
                        ));
                    }
                }
            }
        }
        Ok(self.sessions.open(id))
    }

    /// Asks the session, again where it died or left on the way. What is urgent goes past its bound.
    async fn ask<M, T>(
        &self,
        id: &SessionId,
        from: Principal,
        create: Option<&AgentName>,
        urgent: bool,
        ask: M,
    ) -> Result<T, Failure>
    where
        M: Message<Result = Result<T, Failure>> + Clone + Send + 'static,
        T: Send + 'static,
        SessionActor: Handler<M>,
        Context<SessionActor>: ToEnvelope<SessionActor, M>,
    {
        let mut tried = 0;
        loop {
            let link = self.find(id, from, create).await?;
            tried += 1;
            let answered = if urgent { link.urge(ask.clone()).await } else { link.ask(ask.clone()).await };
            match answered {
                Ok(result) => return result,
                Err(LinkError::Gone | LinkError::Died) if tried < TRIES => {}
                Err(error) => return Err(unreached("The session", &error)),
            }
        }
    }
}

impl RouterActor {
    fn way(&self) -> Way {
        Way { doors: self.doors.clone(), sessions: self.sessions.clone() }
    }
}

impl Handler<SubmitTurn> for RouterActor {
    type Result = ResponseFuture<Result<Accepted, Failure>>;
    fn handle(&mut self, ask: SubmitTurn, _: &mut Self::Context) -> Self::Result {
        if let Err(failure) = self.doors.work.refuse_new() {
            return Box::pin(std::future::ready(Err(failure)));
        }
        let (way, span) = (self.way(), ask.span.clone());
        let work = async move {
            let (id, from, create) = (ask.session.clone(), ask.from, ask.create.clone());
            way.ask(&id, from, create.as_ref(), false, ask).await
        };
        Box::pin(work.instrument(span))
    }
}

impl Handler<CancelTurn> for RouterActor {
    type Result = ResponseFuture<Result<Option<TurnId>, Failure>>;
    fn handle(&mut self, ask: CancelTurn, _: &mut Self::Context) -> Self::Result {
        let way = self.way();
        // A flood of inputs must not keep anyone from stopping what it started.
        Box::pin(async move { way.ask(&ask.session.clone(), ask.from, None, true, ask).await })
    }
}

impl Handler<Change> for RouterActor {
    type Result = ResponseFuture<Result<SessionRow, Failure>>;
    fn handle(&mut self, ask: Change, _: &mut Self::Context) -> Self::Result {
        let way = self.way();
        Box::pin(async move { way.ask(&ask.session.clone(), ask.from, None, false, ask).await })
    }
}
