//! To a session, and through the router on the way to it.

use std::sync::Arc;

use actix::Message;
use mosaic_types::command::ModelWish;
use mosaic_types::event::FinishedTurn;
use mosaic_types::journal::{InboxKey, SessionRow, TurnState};
use mosaic_types::ledger::Beside;
use mosaic_types::{
    AgentName, Attachment, EventBody, Failure, ModelRef, Principal, QueueMode, Seq, SessionId, Spent, ToolCall,
    ToolResult, TurnId, UserId,
};
use tracing::Span;

use crate::dues::Dues;

/// Asks a session to take one input, as a turn of its own or as a part of one that is open. Sent by channels and the gateway; handled by the router, which finds the session,
/// and by the session.
///
/// The answer says accepted (stored) or refused; progress is published to the event hub after each commit. May be sent
/// again as it is: the inbox key makes the second one attach to the first.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Accepted, Failure>")]
pub struct SubmitTurn {
    pub session: SessionId,
    pub from: Principal,
    /// The id that a turn of its own gets.
    pub turn: TurnId,
    pub inbox: InboxKey,
    /// The platform's id of the message, where an answer may refer to it.
    pub reply_to: Option<Arc<str>>,
    /// SHA-256 of what was asked; a repeat of the key with another hash is refused.
    pub body_hash: [u8; 32],
    pub text: Arc<str>,
    /// Files that come with it, checked.
    pub attachments: Arc<[Attachment]>,
    /// Seq of the input in whose place it stands. Refused as `running` unless the session is idle.
    pub replaces: Option<Seq>,
    /// In place of the agent's own models, for this turn.
    pub model: Option<ModelRef>,
    /// What becomes of it while a turn runs; `None`: what its agent does.
    pub mode: Option<QueueMode>,
    /// Makes the session, for this agent, where its id is free; `None`: an unknown session is refused.
    pub create: Option<AgentName>,
    /// The sender says it repeats the last input (it has no key to show): attach if that is so.
    pub repeats_last: bool,
    /// Span of the turn; handlers open children of it.
    pub span: Span,
}

/// The stored turn that an input is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub turn: TurnId,
    pub state: TurnState,
    /// It was there before: this is the answer to a repeat.
    pub attached: bool,
}

/// Cancels the running turn. Answers which it was, once its end is stored; `None` where nothing ran, or another than the
/// one that is meant.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<TurnId>, Failure>")]
pub struct CancelTurn {
    pub session: SessionId,
    pub from: Principal,
    /// The one that is meant; `None`: whichever runs.
    pub turn: Option<TurnId>,
    /// Nothing begins after it, since the session is about to be removed. Where it is not after all, it must be read anew.
    pub last: bool,
}

impl CancelTurn {
    /// Cancels what runs; what waits begins after it.
    pub fn now(session: SessionId, from: Principal) -> Self {
        Self { session, from, turn: None, last: false }
    }

    /// Cancels this turn where it runs, and no other.
    #[must_use]
    pub fn only(self, turn: Option<TurnId>) -> Self {
        Self { turn, ..self }
    }
}

/// Changes the session: whose it is, who answers (from its next turn on), its title, whether it is put away. What is
/// `None` stays. Where it is somebody else's then, whoever reads along is to ask anew.
/// Answers the session as it is then.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<SessionRow, Failure>")]
pub struct Change {
    pub session: SessionId,
    pub from: Principal,
    pub owner: Option<UserId>,
    pub agent: Option<AgentName>,
    pub title: Option<String>,
    pub archived: Option<bool>,
    pub model: Option<ModelWish>,
}

impl Change {
    /// A change of nothing, to begin with.
    pub fn nothing(session: SessionId, from: Principal) -> Self {
        Self { session, from, owner: None, agent: None, title: None, archived: None, model: None }
    }
}

/// Removes the session with all that hangs on it; a running turn is cancelled. Handled by the router, to its end, also
/// where whoever asked is gone.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), Failure>")]
pub struct RemoveSession {
    pub session: SessionId,
    pub from: Principal,
}

/// Tells a session how its run ended. Sent by the run.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct RunEnded {
    pub turn: TurnId,
    pub attempt: u32,
    /// Usage and cost are those of the call that answered.
    pub result: Result<FinishedTurn, Failure>,
    /// Tools that the answer asks for: it is a step then, and not the turn's last.
    pub asked: Vec<ToolCall>,
    /// Parts of its step that were not told before, each a `step.finished`.
    pub parts: Vec<EventBody>,
    /// Spent beside the answer, but for parts that were told before.
    pub beside: Spent,
    /// The entries that this takes in the ledger.
    pub dues: Dues,
}

/// Tells a session what a tool said that its turn had asked for. Sent by the run.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ToolEnded {
    pub turn: TurnId,
    pub attempt: u32,
    pub result: ToolResult,
}

/// Tells a session that a part of the running step is known, so that it is stored and never asked for again. Sent by
/// the run.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct PartEnded {
    pub turn: TurnId,
    pub attempt: u32,
    /// A `step.finished` with its part.
    pub event: EventBody,
    /// What it cost, to be entered with it.
    pub beside: Beside,
}
