//! Finds, wakes or makes the session a message is for. Keeps nothing itself, so its death costs nothing.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use mosaic_messages::{
    Accepted, CancelTurn, Change, CommandDone, ExecuteCommand, FindPreview, HandedOver, KeepPreview, Kept,
    OpenConversation, Opened, Receive, Received, RemoveSession, SetSession, SubmitTurn,
};
use mosaic_supervise::{Mailbox, Tether, supervised};
use mosaic_types::journal::SessionRow;
use mosaic_types::{Failure, TurnId};
use tracing::Instrument;

use super::way::Way;
use crate::command;
use crate::doors::Doors;
use crate::session::Sessions;

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

impl Handler<RemoveSession> for RouterActor {
    type Result = ResponseFuture<Result<(), Failure>>;
    fn handle(&mut self, ask: RemoveSession, _: &mut Self::Context) -> Self::Result {
        let way = self.way();
        Box::pin(async move { way.remove(&ask.session, ask.from).await })
    }
}

impl Handler<ExecuteCommand> for RouterActor {
    type Result = ResponseFuture<Result<CommandDone, Failure>>;
    fn handle(&mut self, ask: ExecuteCommand, _: &mut Self::Context) -> Self::Result {
        Box::pin(command::execute(self.way(), ask))
    }
}

impl Handler<Receive> for RouterActor {
    type Result = ResponseFuture<Result<Received, Failure>>;
    fn handle(&mut self, said: Receive, _: &mut Self::Context) -> Self::Result {
        if let Err(failure) = self.doors.work.refuse_new() {
            return Box::pin(std::future::ready(Err(failure)));
        }
        let (way, span) = (self.way(), said.span.clone());
        Box::pin(async move { way.receive(said).await }.instrument(span))
    }
}

impl Handler<OpenConversation> for RouterActor {
    type Result = ResponseFuture<Result<Opened, Failure>>;
    fn handle(&mut self, ask: OpenConversation, _: &mut Self::Context) -> Self::Result {
        let way = self.way();
        Box::pin(async move { way.open(ask).await })
    }
}

impl Handler<SetSession> for RouterActor {
    type Result = ResponseFuture<Result<(), Failure>>;
    fn handle(&mut self, ask: SetSession, _: &mut Self::Context) -> Self::Result {
        let way = self.way();
        Box::pin(async move { way.set_session(ask).await })
    }
}

impl Handler<HandedOver> for RouterActor {
    type Result = ResponseFuture<()>;
    fn handle(&mut self, ask: HandedOver, _: &mut Self::Context) -> Self::Result {
        let way = self.way();
        Box::pin(async move { way.handed_over(ask.sessions, ask.to).await })
    }
}

impl Handler<KeepPreview> for RouterActor {
    type Result = ResponseFuture<Result<Kept, Failure>>;
    fn handle(&mut self, ask: KeepPreview, _: &mut Self::Context) -> Self::Result {
        let way = self.way();
        Box::pin(async move { way.keep_preview(ask).await })
    }
}

impl Handler<FindPreview> for RouterActor {
    type Result = ResponseFuture<Result<Option<Arc<str>>, Failure>>;
    fn handle(&mut self, ask: FindPreview, _: &mut Self::Context) -> Self::Result {
        let way = self.way();
        Box::pin(async move { way.find_preview(ask).await })
    }
}
