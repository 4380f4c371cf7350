//! A request for a completion.

use std::borrow::Cow;
use std::sync::Arc;

use mosaic_types::chat::{Effort, Sampling, ToolOffer};
use mosaic_types::{ChatMessage, Code, Failure, Role, ToolCall};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};
use utoipa::ToSchema;

use super::Extra;
use crate::gateway::error::ApiError;
use crate::gateway::openai::picture;

/// A request for a completion. Fields that are not named here are accepted and ignored, as clients send many.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(
    as = CompletionRequest,
    example = json!({"model": "assistant", "messages": [{"role": "user", "content": "hello"}]})
)]
pub(in crate::gateway::openai) struct Completion {
    /// An agent's name, or `provider/model`.
    pub(in crate::gateway::openai) model: String,
    #[schema(min_items = 1)]
    messages: Vec<Message>,
    #[serde(default)]
    pub(in crate::gateway::openai) stream: bool,
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
    pub(in crate::gateway::openai) fn check(&self) -> Result<(), ApiError> {
        if self.messages.is_empty() {
            return Err(bad("messages is empty: send at least one."));
        }
        if self.n.is_some_and(|n| n != 1) {
            return Err(bad("n: one answer a request."));
        }
        Ok(())
    }

    /// Whether a stream is to end in a chunk that tells the usage.
    pub(in crate::gateway::openai) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }

    /// The dialogue.
    pub(in crate::gateway::openai) fn messages(&mut self) -> Result<Vec<ChatMessage>, ApiError> {
        std::mem::take(&mut self.messages).into_iter().map(Message::read).collect()
    }

    /// The tools on offer.
    pub(in crate::gateway::openai) fn tools(&mut self) -> Arc<[ToolOffer]> {
        self.tools.take().unwrap_or_default().into_iter().map(|tool| tool.function).collect()
    }

    /// How the answer should be made.
    pub(in crate::gateway::openai) fn sampling(&mut self) -> Sampling {
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
            signature: call.extra_content.and_then(|extra| extra.signature()),
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
