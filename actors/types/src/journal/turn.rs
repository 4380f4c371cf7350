//! What is written of a turn: its inputs, its steps, its end.

use std::sync::Arc;

use super::TurnState;
use crate::attachment::Attachment;
use crate::chat::ToolCall;
use crate::event::{EventBody, FinishedTurn};
use crate::failure::Code;
use crate::ids::{AgentName, Epoch, ModelRef, Seq, SessionId, TurnId};
use crate::ledger::Beside;
use crate::outside::Timestamp;
use crate::routing::Route;
use crate::tool::ToolResult;
use crate::usage::Spent;

/// What names an input for good: a second one with the same four is the same input.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InboxKey {
    pub channel: Arc<str>,
    pub account: Arc<str>,
    pub conversation: Arc<str>,
    /// The platform's event id, or the client's idempotency key.
    pub event: Arc<str>,
}

/// Where an input goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A turn of its own. Nothing runs, so it is written as running, with `turn.started`.
    Starts,
    /// A turn of its own that waits. `collects`: later inputs may join it while it waits.
    Waits { collects: bool },
    /// A turn that is open already.
    Joins,
}

/// Stores an input: inbox row, user message, events, unless it joins one a turn row, and, where that starts at once,
/// the intent of its first model call.
#[derive(Debug, Clone, PartialEq)]
pub struct AcceptTurn {
    pub session: SessionId,
    pub epoch: Epoch,
    /// The turn that it makes or joins.
    pub turn: TurnId,
    pub inbox: InboxKey,
    /// SHA-256 of the request's meaning; a repeat of the key with another hash is a conflict.
    pub body_hash: [u8; 32],
    pub text: Arc<str>,
    /// Files that come with it, stored once.
    pub attachments: Arc<[Attachment]>,
    /// Seq of the input in whose place it stands: that one leaves the dialogue with all that came after it.
    pub replaces: Option<Seq>,
    pub agent: AgentName,
    /// In place of the agent's own models, for this turn.
    pub model: Option<ModelRef>,
    pub entry: Entry,
    /// What a rule decided for a turn that starts at once; it is journaled with `turn.started`.
    pub route: Option<Box<Route>>,
    /// Written where the session has no title yet.
    pub title: Option<String>,
    /// The platform's id of the message, where an answer may refer to it.
    pub reply_to: Option<Arc<str>>,
    pub at: Timestamp,
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TurnEnd {
    Finished(FinishedTurn),
    /// `text`: what its last step had said until then, if it had said anything; here as in `Cancelled`.
    Failed {
        code: Code,
        message: String,
        text: Option<String>,
    },
    Cancelled {
        text: Option<String>,
    },
}

impl TurnEnd {
    /// The state this end leaves the turn in.
    pub fn state(&self) -> TurnState {
        match self {
            Self::Finished(_) => TurnState::Finished,
            Self::Failed { .. } => TurnState::Failed,
            Self::Cancelled { .. } => TurnState::Cancelled,
        }
    }

    /// A cancel of what has said nothing, as far as is known.
    pub fn cancelled() -> Self {
        Self::Cancelled { text: None }
    }

    /// A failure of what has said nothing, as far as is known.
    pub fn failed(code: Code, message: impl Into<String>) -> Self {
        Self::Failed { code, message: message.into(), text: None }
    }

    /// What the turn said last: its answer, or what there is of one that was cut short.
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Finished(finished) => Some(&finished.text),
            Self::Failed { text, .. } | Self::Cancelled { text } => text.as_deref(),
        }
    }

    /// Keeps what was said until then; a text of blanks says nothing. A turn that finished has its answer.
    pub fn keep(&mut self, said: Option<String>) {
        match self {
            Self::Finished(_) => {}
            Self::Failed { text, .. } | Self::Cancelled { text } => *text = said.filter(|said| !said.trim().is_empty()),
        }
    }

    /// The event this end is announced by.
    pub fn into_event(self) -> EventBody {
        match self {
            Self::Finished(finished) => EventBody::TurnFinished(finished),
            Self::Failed { code, message, text } => EventBody::TurnFailed { code, message, text },
            Self::Cancelled { text } => EventBody::TurnCancelled { text },
        }
    }
}

/// Ends a turn and, in the same transaction, starts the next one that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct EndTurn {
    pub session: SessionId,
    pub epoch: Epoch,
    pub turn: TurnId,
    pub agent: AgentName,
    pub end: TurnEnd,
    /// Number of the step that ended it: 1 where there was no other.
    pub step: u32,
    /// Seq of the newest input which that step saw. An answer is refused where the turn holds a newer one.
    pub saw: Seq,
    /// Journaled before the end.
    pub steps: Vec<EventBody>,
    /// Some of its inputs came from platforms: an item is written for each conversation that they came from.
    pub delivers: bool,
    /// By the calls whose answers the turn is made of: its own entry in the ledger. What was spent beside them has
    /// entries of its own.
    pub own: Spent,
    /// How many calls those are.
    pub calls: u32,
    /// It ends while tools of it are asked for that have no result: none is known any more. Their events are in `steps`.
    pub cuts_tools: bool,
    /// What else its last step spent, and what may have been spent by calls that were cut off.
    pub beside: Vec<Beside>,
    pub next: Option<StartTurn>,
    pub at: Timestamp,
}

/// Stores what a step of a turn said, and with it the intent of what comes next: the tools that it asked for, or another
/// step, since the turn holds input that this one has not seen.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTurn {
    pub session: SessionId,
    pub epoch: Epoch,
    pub turn: TurnId,
    pub agent: AgentName,
    /// 1 for the first of the turn.
    pub step: u32,
    /// Seq of the newest input that it saw.
    pub saw: Seq,
    /// Its own text and model; usage and cost of all calls so far.
    pub said: FinishedTurn,
    /// Tools that it asked for: each is known by an id of its own in the turn.
    pub asked: Vec<ToolCall>,
    /// Journaled before it.
    pub parts: Vec<EventBody>,
    /// As in [`EndTurn::own`], so far.
    pub own: Spent,
    /// As in [`EndTurn::calls`], so far.
    pub calls: u32,
    /// What else this step spent.
    pub beside: Vec<Beside>,
    pub at: Timestamp,
}

/// Stores a part of the step that runs, so that it is not asked for again, and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct PartTurn {
    pub session: SessionId,
    pub epoch: Epoch,
    pub turn: TurnId,
    /// A `step.finished` with its part.
    pub event: EventBody,
    pub beside: Beside,
    pub at: Timestamp,
}

/// Stores what tools said. The one that completes the results of a step is the intent of the model call that follows.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolsTurn {
    pub session: SessionId,
    pub epoch: Epoch,
    pub turn: TurnId,
    pub agent: AgentName,
    pub results: Vec<ToolResult>,
    pub at: Timestamp,
}

/// A waiting turn that begins.
#[derive(Debug, Clone, PartialEq)]
pub struct StartTurn {
    pub turn: TurnId,
    pub agent: AgentName,
    /// What a rule decided for it; it is journaled with `turn.started`.
    pub route: Option<Box<Route>>,
}

/// Begins a turn again that was cut off.
#[derive(Debug, Clone, PartialEq)]
pub struct RestartTurn {
    pub session: SessionId,
    pub epoch: Epoch,
    pub turn: TurnId,
    /// The attempt that begins now; the first was 1.
    pub attempt: u32,
    /// Deaths charged to the turn itself so far.
    pub charged: u32,
    /// What may have been spent by the attempt that was cut off.
    pub lost: Vec<Beside>,
    pub agent: AgentName,
    /// Of tools that were cut off and must not run again.
    pub unknown: Vec<ToolResult>,
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_keeps_what_was_said_unless_that_is_blank_or_there_is_an_answer() {
        for mut end in [TurnEnd::cancelled(), TurnEnd::failed(Code::Crashed, "It broke.")] {
            for (said, kept) in [(None, None), (Some(" \n"), None), (Some("half "), Some("half "))] {
                end.keep(said.map(Into::into));
                assert_eq!(end.said(), kept);
            }
        }
    }
}
