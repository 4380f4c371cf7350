//! What is wanted of a run.

use std::sync::Arc;

use mosaic_messages::RunId;
use mosaic_types::chat::{Sampling, ToolOffer};
use mosaic_types::routing::Route;
use mosaic_types::{ChatMessage, EventBody, ModelRef, Outside, UserId};
use tracing::Span;

use super::actor::Keeper;
use super::shelf::Shelf;
use super::sink::Sink;
use super::tools::ToolWork;
use crate::budget::Budgets;
use crate::lease::Lease;
use crate::till::Till;

/// The dialogue to answer.
#[derive(Debug, Clone)]
pub enum RunInput {
    /// A session's: the agent's system prompt goes before it, and it is cut to what fits.
    Dialogue(Vec<ChatMessage>),
    /// A client's own: sent as it is.
    Verbatim(Arc<[ChatMessage]>),
}

/// A model in place of an agent's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub model: ModelRef,
    /// Whose choice it was, in words.
    pub why: &'static str,
}

impl Chosen {
    /// Named by the input itself.
    pub fn by_input(model: ModelRef) -> Self {
        Self { model, why: "asked for by name" }
    }

    /// Set for the session until it is taken back.
    pub fn by_session(model: ModelRef) -> Self {
        Self { model, why: "chosen for this session" }
    }
}

/// What is wanted of a run.
pub struct RunOrder {
    pub run: RunId,
    pub input: RunInput,
    /// Where the files lie that go with messages of a session.
    pub shelf: Option<Shelf>,
    /// Instead of the agent's own models.
    pub model: Option<Chosen>,
    /// What a rule decided, where no model is named.
    pub route: Option<Box<Route>>,
    pub tools: Arc<[ToolOffer]>,
    /// This call is to answer: it may ask for no tool any more.
    pub last: bool,
    /// Tools to be run, in place of a model.
    pub work: Option<ToolWork>,
    pub sampling: Sampling,
    pub stream: bool,
    pub sink: Sink,
    pub outside: Outside,
    /// Whose money it is.
    pub payer: UserId,
    pub till: Till,
    pub budgets: Budgets,
    /// What is known of the step's parts, each as the `step.finished` that told of it.
    pub parts: Vec<EventBody>,
    /// Who is told of the end, and what ends the run early.
    pub keeper: Option<Keeper>,
    /// The run's hold of its session, kept for as long as it lives.
    pub lease: Option<Lease>,
    pub span: Span,
}
