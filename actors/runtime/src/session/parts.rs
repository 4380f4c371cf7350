//! What a session's state is made of, and what it answers.

use std::sync::Arc;

use mosaic_messages::Accepted;
use mosaic_types::journal::{AcceptTurn, EndTurn, Write};
use mosaic_types::{AgentName, ChatMessage, ModelRef, TurnId};

/// A stored input that waits or runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Input {
    pub(super) turn: TurnId,
    pub(super) model: Option<ModelRef>,
    pub(super) text: Arc<str>,
    pub(super) hash: [u8; 32],
}

/// Where the active turn stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its start is being written; no run yet.
    Starting,
    Running,
    /// Its end is being written; no run any more.
    Ending,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Active {
    pub(super) input: Input,
    pub(super) attempt: u32,
    pub(super) charged: u32,
    pub(super) phase: Phase,
    /// A person wants it to end, and its start is still being written.
    pub(super) unwanted: bool,
}

impl Active {
    pub(super) fn new(input: Input) -> Self {
        Self { input, attempt: 1, charged: 0, phase: Phase::Starting, unwanted: false }
    }
}

/// A run to be started.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Begin {
    pub(super) turn: TurnId,
    pub(super) attempt: u32,
    pub(super) agent: AgentName,
    /// In place of the agent's own models.
    pub(super) model: Option<ModelRef>,
    /// Ends in the input to answer.
    pub(super) dialogue: Vec<ChatMessage>,
}

/// What follows from a submission.
#[derive(Debug, PartialEq)]
pub(super) enum Submission {
    /// It is here already.
    Attach(Accepted),
    Write(Box<AcceptTurn>),
}

/// What follows from a wish to cancel.
#[derive(Debug, PartialEq)]
pub(super) enum Cancel {
    /// Its end is to be written.
    Now(Box<EndTurn>),
    /// Its start is being written; its end follows as soon as that is done.
    Soon,
    /// Nothing runs.
    Nothing,
}

/// What follows when something was written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Follow {
    pub(super) begin: Option<Begin>,
    pub(super) write: Option<Write>,
}
