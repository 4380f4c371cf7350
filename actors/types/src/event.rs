//! What happens in a session, as every reader of it sees it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::attachment::AttachmentRow;
use crate::failure::Code;
use crate::ids::{AgentName, ModelRef, ProviderName, Seq, SessionId, TurnId};
use crate::outbox::ItemState;
use crate::routing::Route;
use crate::tool::ToolStep;
use crate::usage::{Spent, Usage};

/// The good end of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FinishedTurn {
    /// The final answer, without what was said before tool calls.
    pub text: String,
    /// The model that answered, as its provider names it.
    pub model: String,
    pub provider: ProviderName,
    /// Why this model answered, in words.
    pub route_reason: String,
    /// Why the model stopped: `stop`, `length`, `tool_calls` or `content_filter`.
    pub stop_reason: String,
    pub usage: Usage,
    /// US dollars; null where the model has no price in the config.
    #[schema(required)]
    pub cost_usd: Option<f64>,
}

impl FinishedTurn {
    /// The sentence of a [`route_reason`](Self::route_reason) where another model had failed: what `failed` says of those,
    /// and who answered.
    pub fn instead(failed: &[String], model: &ModelRef) -> String {
        format!("{}; {model} answered", failed.join(" and "))
    }

    /// Whether this model answered because another one did not.
    pub fn fell_back(&self) -> bool {
        self.route_reason.ends_with(&Self::instead(&[String::new()], &self.named()))
    }

    /// The model that answered.
    pub fn named(&self) -> ModelRef {
        ModelRef { provider: self.provider.clone(), model: self.model.as_str().into() }
    }

    /// The event of the step that said this.
    pub fn step(&self) -> EventBody {
        let name = format!("{}/{}", self.provider, self.model);
        EventBody::StepFinished { kind: StepKind::Model, name, ok: true, part: None, tool: None }
    }
}

/// What one of several calls of a step came to: of models that raced, were compared or sat on a panel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// 1 for the first of the step's models, in the order of the config.
    pub number: u32,
    /// Milliseconds from the question to the end.
    pub ms: u64,
    pub usage: Usage,
    /// US dollars; null where the model has no price in the config.
    #[schema(required)]
    pub cost_usd: Option<f64>,
    /// The provider did not say what was used, since the call was cut off: it is reckoned by what was sent and heard.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// What it said, where the step goes on to use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why there is no answer of it: `cancelled` where another one was faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Seq of the newest message that it answers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub saw: Seq,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_zero(seq: &Seq) -> bool {
    *seq == 0
}

impl Part {
    /// What it used and cost.
    pub fn spent(&self) -> Spent {
        Spent { usage: self.usage, cost_usd: self.cost_usd }
    }
}

/// What happened. Tagged by `type` on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum EventBody {
    /// An input was stored; a turn may have several. Journaled.
    #[serde(rename = "turn.accepted")]
    TurnAccepted {
        text: String,
        /// The files that came with it; what is in them is asked for by their ids.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<AttachmentRow>,
    },
    /// The turn began, and with it its first model call. Journaled.
    #[serde(rename = "turn.started")]
    TurnStarted {
        agent: AgentName,
        /// What a rule decided for it; not there where the agent's own models answer, or one that was named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<Box<Route>>,
    },
    /// The turn was cut off or interrupted and begins again after its finished steps; text shown since then is void.
    /// Journaled.
    #[serde(rename = "turn.restarted")]
    TurnRestarted { attempt: u32 },
    /// A piece of the answer; `offset` in characters (Unicode scalar values) within its step and attempt. Not journaled.
    #[serde(rename = "turn.delta")]
    TurnDelta { attempt: u32, step: u32, offset: usize, text: String },
    /// A piece of the model's thinking. Not journaled.
    #[serde(rename = "turn.thinking")]
    TurnThinking { text: String },
    /// A model or tool call began. Not journaled: its intent is in the event before it.
    #[serde(rename = "step.started")]
    StepStarted {
        kind: StepKind,
        name: String,
        /// Its number, where it is one of several calls of a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<u32>,
        /// What is asked of a tool.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<Box<ToolStep>>,
    },
    /// A model or tool call ended. Journaled when it was answered: as part of the turn's end, or with the intent of the
    /// turn's next step. So are a part of a step that has several and what a tool said, as soon as it is known. A model's
    /// call that failed is live only.
    #[serde(rename = "step.finished")]
    StepFinished {
        kind: StepKind,
        name: String,
        ok: bool,
        /// What it came to, where it is one of several calls of a step; the step goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<Box<Part>>,
        /// What was asked of a tool, and what became of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<Box<ToolStep>>,
    },
    /// The turn was answered. Journaled.
    #[serde(rename = "turn.finished")]
    TurnFinished(FinishedTurn),
    /// The turn ended without a whole answer. Journaled.
    #[serde(rename = "turn.failed")]
    TurnFailed {
        code: Code,
        message: String,
        /// What its last step had said until then, as the deltas told it; not there where it had said nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The turn was cancelled. Journaled.
    #[serde(rename = "turn.cancelled")]
    TurnCancelled {
        /// What its last step had said until then, as the deltas told it; not there where it had said nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The input that was accepted under `from` leaves the dialogue, and all that came after it: the rest of its turn
    /// and every turn accepted later. The input that follows stands in its place. What was journaled stays; whoever
    /// shows the transcript reads it anew. Journaled.
    #[serde(rename = "messages.superseded")]
    MessagesSuperseded { from: Seq },
    /// The session itself changed. Journaled.
    #[serde(rename = "session.changed")]
    SessionChanged {
        agent: AgentName,
        title: String,
        #[serde(default)]
        archived: bool,
        /// Answers in place of the agent's models; null: those.
        #[serde(default)]
        #[schema(required)]
        model: Option<ModelRef>,
    },
    /// Something that whoever asked should know, and that changes nothing: a budget that runs low. Not journaled.
    #[serde(rename = "notice")]
    Notice { text: String },
    /// What the turn said did not reach a platform, or may not have. Not journaled: the outbox keeps it.
    #[serde(rename = "delivery.failed")]
    DeliveryFailed {
        /// The channel's name.
        channel: String,
        /// `dead`: it was not delivered and never will be; `unknown`: nobody can say whether it was.
        state: ItemState,
        message: String,
    },
}

/// What kind of step ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    Model,
    Tool,
}

impl EventBody {
    /// Whether this is one of the three ends of a turn.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::TurnFinished(_) | Self::TurnFailed { .. } | Self::TurnCancelled { .. })
    }

    /// Whether a model's step of a turn ended with this, and not only a part of one: what it said is over.
    pub fn ends_step(&self) -> bool {
        matches!(self, Self::StepFinished { kind: StepKind::Model, part: None, .. })
    }
}

/// An event with its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionEvent {
    #[serde(flatten)]
    pub body: EventBody,
    pub session: SessionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// Set when journaled: 1, 2, 3 … per session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answered_in_the_place_of_another_is_said_in_one_line() {
        let model: ModelRef = "b/n".parse().expect("valid");
        let turn = |route_reason: String| FinishedTurn {
            text: String::new(),
            model: "n".into(),
            provider: "b".parse().expect("valid"),
            route_reason,
            stop_reason: "stop".into(),
            usage: Usage::default(),
            cost_usd: None,
        };
        let instead = FinishedTurn::instead(&["a/m was rate-limited".into(), "a/k fell silent".into()], &model);
        assert_eq!(instead, "a/m was rate-limited and a/k fell silent; b/n answered");
        assert!(turn(instead).fell_back());
        assert!(!turn("first choice".into()).fell_back() && !turn("compared: 2 of 2 answered".into()).fell_back());
    }

    #[test]
    fn an_end_from_before_ends_told_what_was_said_still_reads() {
        let read = |json| serde_json::from_str::<EventBody>(json).expect("parses");
        let (cancelled, failed) =
            (r#"{"type":"turn.cancelled"}"#, r#"{"type":"turn.failed","code":"crashed","message":"It broke."}"#);
        assert_eq!(read(cancelled), EventBody::TurnCancelled { text: None });
        let end = EventBody::TurnFailed { code: Code::Crashed, message: "It broke.".into(), text: None };
        assert_eq!(read(failed), end);
        for json in [cancelled, failed] {
            assert_eq!(serde_json::to_string(&read(json)).expect("serialises"), json, "nothing was said: no field");
        }
    }

    #[test]
    fn events_read_back_as_they_were_written() {
        let event = SessionEvent {
            body: EventBody::TurnDelta { attempt: 1, step: 1, offset: 3, text: "hi".into() },
            session: "s1".parse().expect("valid"),
            turn: None,
            seq: Some(7),
        };
        let json = serde_json::to_string(&event).expect("serialises");
        assert_eq!(json, r#"{"type":"turn.delta","attempt":1,"step":1,"offset":3,"text":"hi","session":"s1","seq":7}"#);
        assert_eq!(serde_json::from_str::<SessionEvent>(&json).expect("parses"), event);
    }
}
