//! What a socket's state is told of sessions, and what it wants done.

use mosaic_runtime::events::{Ended, Told};
use mosaic_types::command::Line;
use mosaic_types::{AgentName, Failure, Principal, Secret, Seq, SessionId, TurnId};

use super::close::Close;
use super::outbox::Piece;
use crate::gateway::input::Input;
use crate::telemetry::context::Caller;

/// What the shell is to do.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    /// Find out whose token this is, and call [`State::identified`].
    Identify(Secret),
    /// The client is known: it leaves the doorstep, and its frames may be long.
    Enter(Principal),
    Follow {
        id: Option<String>,
        session: SessionId,
        after: Seq,
    },
    Unfollow(SessionId),
    Submit {
        id: String,
        session: Option<SessionId>,
        agent: Option<AgentName>,
        input: Box<Input>,
        /// The sender's span.
        caller: Option<Caller>,
    },
    Execute {
        id: Option<String>,
        session: SessionId,
        line: Line,
    },
    Cancel {
        id: Option<String>,
        session: SessionId,
        /// The one that is meant.
        turn: Option<TurnId>,
    },
    Write(Piece),
    /// Write a close frame and let go of everything but the connection.
    Close(Close),
    /// End the connection: both sides said goodbye.
    End,
    /// End the connection, whatever is still to be written.
    Cut,
}

/// What a follower of a session has to say.
#[derive(Debug)]
pub(super) enum Heard {
    Told(Told),
    Ended(Ended),
    /// It did not come to following.
    Refused {
        id: Option<String>,
        failure: Failure,
    },
}

/// What is to be done, in order.
pub(super) type Effects = Vec<Effect>;
