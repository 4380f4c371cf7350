//! To the router.

use actix::Message;
use mosaic_types::command::Line;
use mosaic_types::{Failure, Principal, SessionId};

/// Carries out a slash command for whoever typed it in a conversation of `session`. Sent by channels and the gateway.
///
/// Roles are checked, and whether the session may be seen. To be sent past the bound where it
/// [overtakes](Self::overtakes).
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<CommandDone, Failure>")]
pub struct ExecuteCommand {
    pub session: SessionId,
    pub from: Principal,
    pub line: Line,
}

impl ExecuteCommand {
    /// Whether no flood may hold it up: a stop must be felt at once.
    pub fn overtakes(&self) -> bool {
        self.line.request == mosaic_types::command::Request::Stop
    }
}

/// A command that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandDone {
    /// Where the conversation goes on: the session of the command, but for `/new` the one that it made.
    pub session: SessionId,
    /// What to show: plain text, in lines. It holds what people and models wrote, and so obeys nothing.
    pub text: String,
}
