//! The request and response shapes of the OpenAI wire, as far as Mosaic speaks it.

use std::borrow::Cow;
use std::sync::Arc;

use mosaic_types::chat::{Effort, Sampling, ToolOffer};
use mosaic_types::{ChatMessage, Code, Failure, Role, ToolCall, Usage};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value};
use utoipa::ToSchema;

use super::picture;
use crate::gateway::error::ApiError;

/// A request for a completion. Fields that are not named here are accepted and ignored, as clients send many.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(
    as = CompletionRequest,
    example = json!({"model": "assistant", "messages": [{"role": "user", "content": "hello"}]})
)]
pub(super) struct Completion {
    /// An agent's name, or `provider/model`.
    pub(super) model: String,
    #[schema(min_items = 1)]
    messages: Vec<Message>,
    #[serde(default)]
    pub(super) stream: bool,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    top_p: Option<f64>,
    #[serde(default, deserialize_with = "whole")]
    max_tokens: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    stop: Option<OneOrMany>,
    #[serde(default, deserialize_with = "whole")]
    seed: Option<i64>,
    /// One answer a request.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u64>,
    #[serde(default)]
    tools: Option<Vec<Tool>>,
    /// Passed on as it is.
    #[serde(default)]
    tool_choice: Option<Value>,
    /// Passed on as it is.
    #[serde(default)]
    response_format: Option<Value>,
    /// How much to reason, where the model can.
    #[serde(default)]
    reasoning_effort: Option<Effort>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CompletionStreamOptions)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = CompletionStop)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CompletionMessage)]
struct Message {
    #[schema(pattern = "^(system|developer|user|assistant|tool)$")]
    role: String,
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    tool_calls: Option<Vec<Call>>,
    #[serde(default)]
    tool_call_id: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = CompletionContent)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CompletionPart)]
struct Part {
    #[serde(rename = "type")]
    #[schema(pattern = "^(text|image_url)$")]
    kind: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    image_url: Option<ImageUrl>,
}

/// A picture, in calls that no session keeps: PNG, JPEG, WebP or GIF, 5 MiB at the most.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CompletionImageUrl)]
struct ImageUrl {
    /// `data:TYPE;base64,…`; nothing is fetched.
    url: String,
}

/// Pictures in one message, at the most.
const PICTURES: usize = 8;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CompletionToolCall)]
struct Call {
    id: String,
    function: Function,
    #[serde(default)]
    extra_content: Option<Extra>,
}

/// What a provider wants to have back with a tool call, under the name that Google's own endpoint of this wire gives it:
/// clients that know it send it back as it came.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = CompletionCallExtra)]
pub(super) struct Extra {
    #[serde(default)]
    google: Signed,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = CompletionCallSignature)]
struct Signed {
    #[serde(default)]
    thought_signature: Option<String>,
}

impl From<String> for Extra {
    fn from(thought_signature: String) -> Self {
        Self { google: Signed { thought_signature: Some(thought_signature) } }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CompletionFunction)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CompletionTool)]
struct Tool {
    function: ToolOffer,
}

/// A whole number, which JSON may write as `3`, `3.0` or `3e0`.
fn whole<'de, D: Deserializer<'de>, T: TryFrom<i128>>(from: D) -> Result<Option<T>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(from)? else { return Ok(None) };
    let written = number.as_i128().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e19)?;
        #[allow(clippy::cast_possible_truncation)] // it is whole and small
        Some(float as i128)
    });
    let wrong = || D::Error::custom(format!("{number} is no whole number that fits"));
    written.and_then(|written| T::try_from(written).ok()).map(Some).ok_or_else(wrong)
}

fn bad(sentence: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError(Failure::new(Code::BadRequest, sentence))
}

impl Completion {
    /// What cannot be done is said before anything is.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if self.messages.is_empty() {
            return Err(bad("messages is empty: send at least one."));
        }
        if self.n.is_some_and(|n| n != 1) {
            return Err(bad("n: one answer a request."));
        }
        Ok(())
    }

    /// Whether a stream is to end in a chunk that tells the usage.
    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }

    /// The dialogue.
    pub(super) fn messages(&mut self) -> Result<Vec<ChatMessage>, ApiError> {
        std::mem::take(&mut self.messages).into_iter().map(Message::read).collect()
    }

    /// The tools on offer.
    pub(super) fn tools(&mut self) -> Arc<[ToolOffer]> {
        self.tools.take().unwrap_or_default().into_iter().map(|tool| tool.function).collect()
    }

    /// How the answer should be made.
    pub(super) fn sampling(&mut self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            stop: match self.stop.take() {
                None => Vec::new(),
                Some(OneOrMany::One(stop)) => vec![stop],
                Some(OneOrMany::Many(stops)) => stops,
            },
            seed: self.seed,
            tool_choice: self.tool_choice.take(),
            response_format: self.response_format.take(),
            effort: self.reasoning_effort,
        }
    }
}

impl Message {
    fn read(self) -> Result<ChatMessage, ApiError> {
        let role = match self.role.as_str() {
            "developer" => Role::System,
            other => Role::parse(other).ok_or_else(|| bad(format!("There is no role {other:?}.")))?,
        };
        let (mut text, mut images) = (String::new(), Vec::new());
        match self.content {
            None => {}
            Some(Content::Text(said)) => text = said,
            Some(Content::Parts(parts)) => {
                for part in parts {
                    match (part.kind.as_str(), part.image_url) {
                        ("text", _) => text += &part.text,
                        ("image_url", Some(at)) if role == Role::User => images.push(picture::read(&at.url)?),
                        ("image_url", _) => {
                            return Err(bad("A picture stands in a user's message, with its image_url."));
                        }
                        (kind, _) => {
                            let sentence = "this build reads text and image_url";
                            return Err(bad(format!("A content part of type {kind:?} is not taken: {sentence}.")));
                        }
                    }
                }
            }
        }
        if images.len() > PICTURES {
            return Err(bad("A message has more than 8 pictures."));
        }
        let calls = self.tool_calls.unwrap_or_default().into_iter();
        let call = |call: Call| ToolCall {
            id: call.id,
            name: call.function.name,
            arguments: call.function.arguments,
            signature: call.extra_content.and_then(|extra| extra.google.thought_signature),
        };
        Ok(ChatMessage {
            role,
            text: text.into(),
            tool_calls: calls.map(call).collect(),
            tool_call_id: self.tool_call_id,
            images,
            ..ChatMessage::new(role, "")
        })
    }
}

/// Tokens, as this wire counts them.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = CompletionUsage)]
pub(super) struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
}

/// Of the prompt; left out where it is none.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = CompletionPromptDetails)]
struct PromptDetails {
    cached_tokens: u64,
}

/// Of the completion; left out where it is none.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = CompletionDetails)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input_tokens,
            completion_tokens: usage.output_tokens,
            total_tokens: usage.input_tokens.saturating_add(usage.output_tokens),
            prompt_tokens_details: (usage.cached_input_tokens > 0)
                .then_some(PromptDetails { cached_tokens: usage.cached_input_tokens }),
            completion_tokens_details: (usage.reasoning_tokens > 0)
                .then_some(CompletionDetails { reasoning_tokens: usage.reasoning_tokens }),
        }
    }
}

/// A whole answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionAnswer)]
pub(super) struct Completed<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: i64,
    pub(super) model: &'a str,
    pub(super) choices: [Choice<'a>; 1],
    pub(super) usage: WireUsage,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionChoice)]
pub(super) struct Choice<'a> {
    pub(super) index: u32,
    pub(super) message: Said<'a>,
    pub(super) finish_reason: &'a str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionSaid)]
pub(super) struct Said<'a> {
    pub(super) role: &'static str,
    /// `null` where the model only called tools.
    #[schema(required)]
    pub(super) content: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) tool_calls: &'a [SaidCall],
}

/// A tool call of a whole answer.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CompletionSaidCall)]
pub(super) struct SaidCall {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: CallKind,
    pub(super) function: SaidFunction,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<Extra>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CompletionSaidFunction)]
pub(super) struct SaidFunction {
    pub(super) name: String,
    pub(super) arguments: String,
}

/// The only kind of call this wire has.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CompletionCallKind)]
pub(super) enum CallKind {
    #[default]
    Function,
}

/// A piece of a streamed answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionChunk)]
pub(in crate::gateway) struct Chunk<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: i64,
    pub(super) model: &'a str,
    /// None in the chunk that tells the usage.
    pub(super) choices: Vec<ChunkChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<WireUsage>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionChunkChoice)]
pub(super) struct ChunkChoice<'a> {
    pub(super) index: u32,
    pub(super) delta: Delta<'a>,
    #[schema(required)]
    pub(super) finish_reason: Option<&'a str>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CompletionDelta)]
pub(super) struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_calls: Option<[CallPiece<'a>; 1]>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionCallPiece)]
pub(super) struct CallPiece<'a> {
    pub(super) index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<CallKind>,
    pub(super) function: FunctionPiece<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<Extra>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionFunctionPiece)]
pub(super) struct FunctionPiece<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) arguments: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &str) -> Result<Completion, serde_json::Error> {
        serde_json::from_str(&format!(r#"{{"model":"m","messages":[]{fields}}}"#))
    }

    #[test]
    fn a_whole_number_may_be_written_as_json_allows() {
        let wish = read(r#","seed":-3e0,"max_tokens":100.0,"n":1,"max_completion_tokens":null"#).expect("it is read");
        assert_eq!(
            (wish.seed, wish.max_tokens, wish.n, wish.max_completion_tokens),
            (Some(-3), Some(100), Some(1), None)
        );
        for bad in [r#","seed":1.5"#, r#","max_tokens":-1"#, r#","seed":1e300"#, r#","seed":"3""#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
