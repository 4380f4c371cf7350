//! What is said to a model and what it says back, in no provider's dialect.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::attachment::{AttachmentRow, Files, PICTURE_TOKENS};
use crate::usage::Usage;

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
    Tool,
}

impl Role {
    /// The role's name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// The role by its name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::System, Self::User, Self::Assistant, Self::Tool].into_iter().find(|role| role.as_str() == text)
    }
}

/// A tool the model asked for. `arguments` is the JSON text as the model wrote it, not yet trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: String,
    /// What its provider wants to have back with the call, exactly as it gave it; of no meaning to anybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// A picture that goes with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// As in `image/png`.
    pub media_type: String,
    /// The picture in base64, as every wire wants it.
    pub data: Arc<str>,
}

impl Image {
    /// The picture as an address that holds it.
    pub fn data_url(&self) -> String {
        format!("data:{};base64,{}", self.media_type, self.data)
    }
}

/// One message of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub role: Role,
    pub text: Arc<str>,
    /// What an assistant asked for beside or instead of its text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// On a tool's message: the call it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// On a user's message: what is to be looked at beside its text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// On a user's message: stored files that are not in `text` and `images` yet. A run puts them there when it sends
    /// the message; nobody else needs them in memory.
    #[serde(skip)]
    pub files: Files,
}

impl ChatMessage {
    /// A plain message.
    pub fn new(role: Role, text: impl Into<Arc<str>>) -> Self {
        let (text, files) = (text.into(), Files::default());
        Self { role, text, tool_calls: Vec::new(), tool_call_id: None, images: Vec::new(), files }
    }

    /// The message with stored files.
    #[must_use]
    pub fn with(self, files: Files) -> Self {
        Self { files, ..self }
    }

    /// What it takes of a model's window, in bytes of text.
    pub fn weight_bytes(&self) -> usize {
        let files: usize = self.files.iter().map(AttachmentRow::weight_bytes).sum();
        let calls: usize = self.tool_calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
        self.text.len() + files + calls + self.images.len() * PICTURE_TOKENS * 4
    }
}

/// A tool offered to the model; `parameters` is a JSON Schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolOffer {
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub parameters: serde_json::Value,
}

/// How much a model should reason before it answers, where it can. OpenAI's words; other wires get what is nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
}

impl Effort {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
        }
    }
}

/// How an answer should be made; what is `None` is left to the model's own default and not sent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sampling {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub max_tokens: Option<u64>,
    pub stop: Vec<String>,
    pub seed: Option<i64>,
    /// Passed through as the client wrote it (`auto`, `none`, a named tool).
    pub tool_choice: Option<serde_json::Value>,
    /// Passed through as the client wrote it.
    pub response_format: Option<serde_json::Value>,
    /// How much to reason; the reasoning is then told too, where the provider tells it.
    pub effort: Option<Effort>,
}

/// One call of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The provider's own name of the model.
    pub model: Arc<str>,
    pub messages: Arc<[ChatMessage]>,
    pub tools: Arc<[ToolOffer]>,
    pub sampling: Sampling,
    /// Whether the answer is wanted as it is made.
    pub stream: bool,
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
    /// The provider gave a reason that has no name here.
    Other,
}

impl StopReason {
    /// The reason's name on the wire (OpenAI's `finish_reason` where both know it).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop | Self::Other => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
        }
    }
}

/// A piece of a model's answer, in the order it was made. A good answer ends in exactly one `Finished`; a stream that
/// ends without it is a failure.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatEvent {
    Text(String),
    Thinking(String),
    /// A piece of a tool call; `id`, `name` and [`ToolCall::signature`] come with the first piece of each `index`.
    ToolCall {
        index: u32,
        id: Option<String>,
        name: Option<String>,
        arguments: String,
        signature: Option<String>,
    },
    Finished {
        stop_reason: StopReason,
        usage: Option<Usage>,
        model: Option<String>,
    },
}
