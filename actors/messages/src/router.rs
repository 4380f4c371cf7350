//! To the router.

use std::sync::Arc;

use actix::Message;
use mosaic_types::command::Line;
use mosaic_types::outbox::Conversation;
use mosaic_types::{AgentName, Attachment, Failure, ModelRef, Principal, QueueMode, SessionId, TurnId, UserId};
use tracing::Span;

use crate::session::Accepted;

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
    /// Where it was typed on a platform, and what names that message: what it makes a turn of is answered there, and its
    /// repeat makes no second one.
    pub typed: Option<(Conversation, Arc<str>)>,
}

impl ExecuteCommand {
    /// Whether no flood may hold it up: a stop must be felt at once.
    pub fn overtakes(&self) -> bool {
        matches!(self.line.request, mosaic_types::command::Request::Stop(_))
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

/// What somebody said in a conversation of a platform. Sent by channels, which know who may speak there; its session is
/// found, or made at the first message.
///
/// May be sent again as it is, like [`SubmitTurn`](crate::SubmitTurn). What comes of it goes out through the outbox.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Received, Failure>")]
pub struct Receive {
    pub conversation: Conversation,
    /// Who said it; whose the session is, where it is made.
    pub from: Principal,
    /// Nobody else speaks there: the session of such a conversation is always its person's.
    pub alone: bool,
    /// The id that a turn of its own gets.
    pub turn: TurnId,
    /// What the platform calls this message: its repeat is the same input.
    pub event: Arc<str>,
    /// The event of the message of which this is a later wording. Where that was said last, this takes its place; where it
    /// was never taken in, this is new.
    pub edits: Option<Arc<str>>,
    /// The platform's id of the message, where an answer may refer to it.
    pub reply_to: Option<Arc<str>>,
    /// SHA-256 of what was said.
    pub body_hash: [u8; 32],
    pub text: Arc<str>,
    /// The files that came with it, checked.
    pub attachments: Arc<[Attachment]>,
    pub model: Option<ModelRef>,
    pub mode: Option<QueueMode>,
    /// Who answers in a session that is made; `None`: the default agent.
    pub agent: Option<AgentName>,
    pub span: Span,
}

/// An input that was taken in, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub session: SessionId,
    pub accepted: Accepted,
}

/// Asks for the session of a conversation, which is made where there is none: a command is carried out in it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Opened, Failure>")]
pub struct OpenConversation {
    pub conversation: Conversation,
    /// Whose the session is, where it is made.
    pub from: Principal,
    /// Nobody else speaks there: the session of such a conversation is always its person's.
    pub alone: bool,
    /// Who answers in a session that is made; `None`: the default agent.
    pub agent: Option<AgentName>,
}

/// The session of a conversation, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub session: SessionId,
    pub user: UserId,
}

/// From now on what is said in a conversation goes to another session, as after `/new`.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), Failure>")]
pub struct SetSession {
    pub conversation: Conversation,
    pub session: SessionId,
}

/// Says that sessions are somebody else's in the store, since whoever they were of is gone: those in memory are read anew,
/// and what runs or waits in them is cancelled. Sent by the gateway; answered when that is done.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct HandedOver {
    pub sessions: Vec<SessionId>,
    pub to: Principal,
}

/// Keeps the platform's id of the message that a turn is streamed into. To be sent as soon as the platform told it: the
/// turn's end becomes an edit of that message.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Kept, Failure>")]
pub struct KeepPreview {
    pub turn: TurnId,
    pub conversation: Conversation,
    pub platform_id: Arc<str>,
}

/// What became of a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The turn's end will be an edit of it.
    Kept,
    /// This one is kept since before: remove the new one.
    Other(Arc<str>),
    /// The turn's end goes out without it, or the turn is not there: remove it.
    Unwanted,
}

/// Asks for the message that a turn is streamed into, to go on in it after a crash.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<Arc<str>>, Failure>")]
pub struct FindPreview {
    pub turn: TurnId,
    pub conversation: Conversation,
}
