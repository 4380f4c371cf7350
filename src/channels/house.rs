//! What channels may ask of the house, answered by the router, the hub and the store.

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use mosaic_channels::{House, Look, Reader, Typed, Work};
use mosaic_messages::{ExecuteCommand, KeepPreview, Kept, OpenConversation, Receive, Received, SetSession};
use mosaic_runtime::doors::unreached;
use mosaic_runtime::{Doors, Interest, RouterActor};
use mosaic_supervise::Link;
use mosaic_types::command::Line;
use mosaic_types::journal::{InboxKey, Outcome, Write};
use mosaic_types::outbox::Conversation;
use mosaic_types::page::Limit;
use mosaic_types::pairing::NewPairing;
use mosaic_types::{
    AgentName, Attachment, Failure, Outside, Point, Principal, Role, Seq, SessionEvent, SessionId, TurnId, UserRole,
    limits,
};

use crate::gateway::attachments;
use crate::owner::HomeOwner;

/// The floor below, as channels see it.
pub(super) struct Floor {
    doors: Arc<Doors>,
    router: Link<RouterActor>,
    owner: HomeOwner,
}

impl Floor {
    /// People on channels speak as members of the owner's house: its owner sees their sessions, and they command nobody's
    /// but the one that they are in.
    pub(super) fn new(doors: Arc<Doors>, router: Link<RouterActor>, owner: HomeOwner) -> Self {
        Self { doors, router, owner }
    }
}

/// Asks the router; one that cannot be reached is a failure like any other.
async fn ask<M, T>(router: Link<RouterActor>, ask: M) -> Result<T, Failure>
where
    M: actix::Message<Result = Result<T, Failure>> + Send + 'static,
    T: Send + 'static,
    RouterActor: actix::Handler<M>,
{
    router.ask(ask).await.unwrap_or_else(|error| Err(unreached("The router", &error)))
}

impl House for Floor {
    fn outside(&self) -> &Outside {
        &self.doors.outside
    }

    fn guest(&self) -> Principal {
        Principal { role: UserRole::Member, ..self.owner.principal() }
    }

    fn receive(&self, said: Receive) -> Work<Received> {
        Box::pin(ask(self.router.clone(), said))
    }

    fn command(&self, typed: Typed, agent: Option<AgentName>, line: Line) -> Work<String> {
        let router = self.router.clone();
        Box::pin(async move {
            let Typed { at, event, from, alone } = typed;
            let open = OpenConversation { conversation: at.clone(), from, alone, agent };
            let opened = ask(router.clone(), open).await?;
            let from = Principal { user: opened.user, role: from.role };
            let typed = Some((at.clone(), event));
            let execute = ExecuteCommand { session: opened.session.clone(), from, line, typed };
            let done = if execute.overtakes() {
                router.urge(execute).await.unwrap_or_else(|error| Err(unreached("The router", &error)))?
            } else {
                ask(router.clone(), execute).await?
            };
            if done.session != opened.session {
                ask(router, SetSession { conversation: at, session: done.session }).await?;
            }
            Ok(done.text)
        })
    }

    fn look(&self, at: Conversation, event: Arc<str>) -> Work<Look> {
        let doors = self.doors.clone();
        Box::pin(async move {
            let Conversation { channel, account, name } = at.clone();
            let key = InboxKey { channel, account, conversation: name, event };
            let knows = doors.store.known(&key).await?.is_some();
            let Some((session, _)) = doors.store.binding(&at).await? else {
                return Ok(Look { knows, ..Look::default() });
            };
            let most = Limit::new(Some(limits::PAGE.1)).expect("it is the most");
            let said = doors.store.latest(&session, Seq::MAX, most).await?;
            let inputs = said.iter().filter(|message| message.role == Role::User).count();
            Ok(Look { bound: true, inputs, knows })
        })
    }

    fn move_on(&self, from: Conversation, to: Conversation, event: Arc<str>) -> Work<()> {
        let (router, doors, guest) = (self.router.clone(), self.doors.clone(), self.guest());
        Box::pin(async move {
            let Some((session, user)) = doors.store.binding(&from).await? else { return Ok(()) };
            match doors.store.binding(&to).await? {
                Some((other, _)) if other != session => return Ok(()),
                // It died between the two.
                Some(_) => {}
                None => ask(router.clone(), SetSession { conversation: to, session: session.clone() }).await?,
            }
            Point::BranchBound.pass();
            let line = "/new".parse().expect("it is a command");
            let by = Principal { user, role: guest.role };
            let anew = ExecuteCommand { session, from: by, line, typed: Some((from.clone(), event)) };
            let session = ask(router.clone(), anew).await?.session;
            ask(router, SetSession { conversation: from, session }).await
        })
    }

    fn keep_preview(&self, turn: TurnId, conversation: Conversation, platform_id: Arc<str>) -> Work<Kept> {
        Box::pin(ask(self.router.clone(), KeepPreview { turn, conversation, platform_id }))
    }

    fn owes(&self, conversation: Conversation) -> Work<bool> {
        let doors = self.doors.clone();
        Box::pin(async move { Ok(doors.store.owes(&conversation).await?) })
    }

    fn file(&self, name: String, media_type: String, data: Vec<u8>) -> Result<Attachment, Failure> {
        attachments::checked(name, &media_type, data, &self.doors.outside)
    }

    fn offer(&self, pairing: NewPairing) -> Work<bool> {
        let doors = self.doors.clone();
        Box::pin(async move { Ok(matches!(doors.commit(Write::OfferPairing(pairing)).await?, Outcome::Written(_))) })
    }

    fn cursors(&self, channel: Arc<str>) -> Work<Vec<(String, String)>> {
        let (doors, kept) = (self.doors.clone(), Limit::new(Some(limits::PAGE.1)).expect("it is the most"));
        Box::pin(async move { Ok(doors.store.cursors(&channel, kept).await?) })
    }

    fn keep_cursor(&self, channel: Arc<str>, scope: Arc<str>, value: Arc<str>) -> Work<()> {
        let (doors, at) = (self.doors.clone(), self.doors.outside.now());
        let keep = Write::KeepCursor { channel, scope, value, at };
        Box::pin(async move { doors.commit(keep).await.map(drop) })
    }

    fn read(&self, session: SessionId, turn: TurnId) -> LocalBoxFuture<'static, Option<Box<dyn Reader>>> {
        let doors = self.doors.clone();
        Box::pin(async move {
            // Read along first and look after that: an end is seen in one of the two.
            let reader = doors.hub.subscribe(&session, Interest::All);
            let ended = matches!(doors.store.turn(turn).await, Ok(Some(row)) if row.state.is_end());
            if ended {
                return None;
            }
            // A turn that began already does not say so again.
            let row = doors.store.session(&session).await.ok().flatten();
            Some(Box::new(Reading { reader, agent: row.map(|row| row.agent) }) as Box<dyn Reader>)
        })
    }
}

struct Reading {
    reader: mosaic_runtime::Reader,
    agent: Option<AgentName>,
}

impl Reader for Reading {
    fn agent(&self) -> Option<AgentName> {
        self.agent.clone()
    }

    fn next(&mut self) -> LocalBoxFuture<'_, Option<Arc<SessionEvent>>> {
        // Whoever lags behind needs no preview of what was said long ago.
        Box::pin(async { self.reader.next().await.ok() })
    }
}
