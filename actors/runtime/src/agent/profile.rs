//! Who an agent is, as its runs see it.

use std::sync::Arc;

use mosaic_types::routing::Route;
use mosaic_types::{AgentName, ModelRef, QueueMode};

use super::config::{Fanout, ToolUse};
use crate::reuse::Reuse;

/// A configured persona. Runs hold the one that was published when they began.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentProfile {
    pub name: AgentName,
    /// The system prompt; empty: none is sent.
    pub system: Arc<str>,
    /// In order of preference.
    pub models: Vec<ModelRef>,
    /// How they are used.
    pub fanout: Fanout,
    /// What becomes of a message that comes while a turn runs, where the message does not say.
    pub queue: QueueMode,
    /// Tokens of a call's input, at the most.
    pub context_tokens: usize,
    pub max_output_tokens: Option<u64>,
    pub temperature: Option<f64>,
    /// Answers that are given again; `None`: each is asked for.
    pub reuse: Option<Reuse>,
    /// What it may have done.
    pub tools: ToolUse,
}

impl AgentProfile {
    /// As a run sees it for which a rule decided: with the models and the strategy of that.
    pub(crate) fn routed(self: &Arc<Self>, route: Option<&Route>) -> Arc<Self> {
        let Some(Route { models, strategy, .. }) = route else { return self.clone() };
        let fanout = Fanout { strategy: *strategy, ..self.fanout.clone() };
        Arc::new(Self { models: models.clone(), fanout, ..Self::clone(self) })
    }
}
