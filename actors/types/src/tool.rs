//! Calls of tools: what becomes of them, and what is told of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chat::{ChatMessage, Role, ToolCall};
use crate::event::{EventBody, StepKind};
use crate::limits;
use crate::usage::is_default;

/// Where a call of a tool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ToolState {
    /// Asked for; it may have begun.
    Intended,
    /// It answered.
    Done,
    /// It was not run, or it said that it failed.
    Failed,
    /// It was cut off: whether it had an effect is not known.
    Unknown,
}

impl ToolState {
    const ALL: [Self; 4] = [Self::Intended, Self::Done, Self::Failed, Self::Unknown];

    /// The state's name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// The state by its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What a call came to: the one result that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    pub call: ToolCall,
    /// Never [`ToolState::Intended`].
    pub state: ToolState,
    /// What the model is told.
    pub text: String,
    /// Milliseconds that it took; 0 where it was not run.
    pub ms: u64,
}

/// What the model is told of a call that was cut off.
const CUT_OFF: &str = "This call was cut off before it answered. It is not known whether it had an effect, so it is \
not run again. Look whether it did, or ask the person, before you call it once more.";

/// What is told of a call whose turn ended before it did.
const TURN_ENDED: &str = "The turn ended before this call did. It is not known whether it had an effect.";

impl ToolResult {
    /// Of a call that was cut off and must not run again.
    pub fn cut_off(call: ToolCall) -> Self {
        Self { call, state: ToolState::Unknown, text: CUT_OFF.to_owned(), ms: 0 }
    }

    /// Of a call whose turn ended first.
    pub fn turn_ended(call: ToolCall) -> Self {
        Self { call, state: ToolState::Unknown, text: TURN_ENDED.to_owned(), ms: 0 }
    }

    /// As a message of the dialogue, which answers its call.
    pub fn message(&self) -> ChatMessage {
        ChatMessage { tool_call_id: Some(self.call.id.clone()), ..ChatMessage::new(Role::Tool, self.text.as_str()) }
    }

    /// The event that tells of it.
    pub fn event(&self) -> EventBody {
        let tool = ToolStep { ms: self.ms, result: Some(shortened(&self.text)), ..ToolStep::of(&self.call) };
        EventBody::StepFinished {
            kind: StepKind::Tool,
            name: self.call.name.clone(),
            ok: self.state == ToolState::Done,
            part: None,
            tool: Some(Box::new(ToolStep { state: Some(self.state), ..tool })),
        }
    }
}

/// A tool that an assistant asked for, as transcripts show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AskedTool {
    /// Unique in its turn.
    pub id: String,
    pub name: String,
    /// A JSON object, as the model wrote it.
    pub arguments: String,
    pub state: ToolState,
}

/// What readers are told of a tool's call. The whole of it stands in the transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolStep {
    /// The id of the call, unique in its turn.
    pub call: String,
    /// The beginning of its arguments, a JSON object as the model wrote it.
    pub arguments: String,
    /// What became of it; not there while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ToolState>,
    /// The beginning of what it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Milliseconds that it took.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ms: u64,
}

impl ToolStep {
    /// Of a call that begins.
    pub fn of(call: &ToolCall) -> Self {
        Self { call: call.id.clone(), arguments: shortened(&call.arguments), state: None, result: None, ms: 0 }
    }
}

/// The beginning of a text, on one line.
fn shortened(text: &str) -> String {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(limits::TOOL_TOLD_CHARS) {
        Some((end, _)) => format!("{}…", line(&text[..end])),
        None => line(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_result_readers_are_told_the_beginning_and_the_model_all() {
        let call = ToolCall { id: "c".into(), name: "f".into(), arguments: "{\n \"a\": 1}".into(), signature: None };
        let text = "é ".repeat(limits::TOOL_TOLD_CHARS);
        let result = ToolResult { call, state: ToolState::Failed, text: text.clone(), ms: 3 };
        let EventBody::StepFinished { ok: false, tool: Some(told), .. } = result.event() else { panic!("a failure") };
        assert_eq!((told.arguments.as_str(), told.state), ("{ \"a\": 1}", Some(ToolState::Failed)));
        assert_eq!(told.result.map(|told| told.chars().count()), Some(limits::TOOL_TOLD_CHARS));
        let message = result.message();
        assert_eq!((&*message.text, message.tool_call_id.as_deref()), (text.as_str(), Some("c")));
    }
}
