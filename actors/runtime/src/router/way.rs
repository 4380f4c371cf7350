//! The way to one session: found, woken or made, and asked again where it died.

use std::sync::Arc;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use mosaic_messages::CancelTurn;
use mosaic_supervise::{Control, Link, LinkError};
use mosaic_types::journal::{API_CHANNEL, NewSession, Outcome, SessionRow, Write};
use mosaic_types::{AgentName, Code, Failure, Principal, SessionId, limits};

use crate::doors::{Doors, unreached};
use crate::session::{SessionActor, Sessions};

/// Tries of a message whose session died before it answered. Repeating is safe: the inbox knows what it has.
const TRIES: u32 = 4;

/// The way to one session, beyond the life of the router.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) doors: Arc<Doors>,
    pub(crate) sessions: Sessions,
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
        match (self.doors.store.session(id).await?, create) {
            (Some(row), _) if from.may_see(row.user, &row.channel) => {}
            (None, Some(agent)) => {
                // Where it was made by somebody else in this very moment, the session itself checks whose it is.
                self.make(id, from, agent, API_CHANNEL).await?;
            }
            _ => return Err(Failure::not_found("session")),
        }
        Ok(self.sessions.open(id))
    }

    /// Makes a session where its id is free.
    pub(crate) async fn make(
        &self,
        id: &SessionId,
        from: Principal,
        agent: &AgentName,
        channel: &str,
    ) -> Result<(), Failure> {
        let new = NewSession {
            id: id.clone(),
            user: from.user,
            channel: channel.into(),
            agent: agent.clone(),
            title: String::new(),
            at: self.doors.outside.now(),
        };
        match self.doors.commit(Write::CreateSession(new)).await? {
            Outcome::Written(_) | Outcome::Exists => Ok(()),
            other => {
                tracing::error!(?other, "a session could not be made");
                Err(Failure::new(Code::Internal, "The session could not be made. The log has the cause."))
            }
        }
    }

    /// A session as lists show it, if there is one and `from` may see it.
    pub(crate) async fn visible(&self, id: &SessionId, from: Principal) -> Result<SessionRow, Failure> {
        match self.doors.store.session(id).await? {
            Some(row) if from.may_see(row.user, &row.channel) => Ok(row),
            _ => Err(Failure::not_found("session")),
        }
    }

    /// Removes the session, if `from` may see it.
    pub(crate) async fn remove(&self, id: &SessionId, from: Principal) -> Result<(), Failure> {
        self.visible(id, from).await?;
        // From here on the session begins nothing any more: whatever becomes of its removal, it is read anew.
        let unheard = Unheard { way: self, id };
        if self.sessions.find(id).is_some() {
            // What runs is to end before its journal does, and what waits must not begin in between. A session that cannot
            // be asked is removed all the same: one that is down would otherwise be there for ever.
            let ask = CancelTurn { last: true, ..CancelTurn::now(id.clone(), from) };
            let _ = self.ask(id, from, None, true, ask).await;
        }
        let outcome = self.doors.commit(Write::Delete { session: id.clone() }).await;
        if outcome.is_ok() {
            std::mem::forget(unheard);
            self.stop(id);
            // Whoever waits for a turn that was queued would wait in vain.
            self.doors.hub.close(id);
        }
        match outcome? {
            Outcome::Missing => Err(Failure::not_found("session")),
            _ => Ok(()),
        }
    }

    /// Has sessions that are somebody else's now read anew, and what runs or waits in them cancelled.
    pub(crate) async fn handed_over(&self, sessions: Vec<SessionId>, to: Principal) {
        let open = self.doors.store.unfinished().await.unwrap_or_default();
        for id in sessions {
            let awake = self.sessions.find(&id).is_some();
            if awake {
                drop(Unheard { way: self, id: &id });
            } else if !open.contains(&id) {
                continue;
            }
            // One at a time: with the end of what runs, the next one begins.
            for _ in 0..=limits::WAITING_INPUTS {
                let ask = CancelTurn::now(id.clone(), to);
                if !matches!(self.ask(&id, to, None, true, ask).await, Ok(Some(_))) {
                    break;
                }
            }
        }
    }

    fn stop(&self, id: &SessionId) {
        if let Some(live) = self.sessions.find(id) {
            let _ = live.control(Control::Stop);
        }
    }

    /// Asks the session, again where it died or left on the way. What is urgent goes past its bound.
    pub(crate) async fn ask<M, T>(
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

/// A removal that was not carried out, or of which that is not known, also because the router died meanwhile. Dropped, it
/// has the session read anew: whoever follows it learns of its next life, or that there is none.
struct Unheard<'a> {
    way: &'a Way,
    id: &'a SessionId,
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        self.way.doors.hub.doubt(self.id);
        self.way.stop(self.id);
    }
}
