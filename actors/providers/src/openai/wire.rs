//! The OpenAI wire as serde types: what is sent, and what comes back.
//!
//! Reading is lenient where servers differ (absent lists, nulls, contents in parts, arguments as objects) and strict
//! where a mistake would become a wrong answer.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::dialect::Dialect;

/// The body of a chat call. Only what was asked for is in it.
#[derive(Debug, Serialize)]
pub(crate) struct Body<'a> {
    pub(crate) model: &'a str,
    pub(crate) messages: List<'a, mosaic_types::ChatMessage>,
    #[serde(skip_serializing_if = "List::is_empty")]
    pub(crate) tools: List<'a, mosaic_types::chat::ToolOffer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_choice: Option<Cow<'a, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_format: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thinking: Option<Switch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) random_seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream_options: Option<StreamOptions>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Reasoning {
    pub(crate) effort: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct Switch {
    pub(crate) r#type: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct StreamOptions {
    pub(crate) include_usage: bool,
}

/// A list of ours that is written in the wire's form, element by element, without a copy of it in between.
#[derive(Debug)]
pub(crate) struct List<'a, T>(pub(crate) &'a [T], pub(crate) Dialect);

impl<T> List<'_, T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Is implemented by what has a form on this wire.
pub(crate) trait Wired {
    /// That form, in the server's dialect.
    fn wired(&self, dialect: Dialect) -> impl Serialize;
}

impl<T: Wired> Serialize for List<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|item| item.wired(self.1)))
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Message<'a> {
    pub(crate) role: mosaic_types::Role,
    /// Null where an assistant only called tools.
    pub(crate) content: Option<Said<'a>>,
    #[serde(skip_serializing_if = "List::is_empty")]
    pub(crate) tool_calls: List<'a, mosaic_types::ToolCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_call_id: Option<Cow<'a, str>>,
}

/// A text, or parts where there is more to it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Said<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Part<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Debug, Serialize)]
pub(crate) struct ImageUrl {
    pub(crate) url: String,
}

/// A tool offered, or called.
#[derive(Debug, Serialize)]
pub(crate) struct Tool<'a, F> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) r#type: &'static str,
    pub(crate) function: F,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extra_content: Option<Extra<'a>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct OfferedFunction<'a> {
    pub(crate) name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) description: &'a str,
    pub(crate) parameters: &'a Value,
}

#[derive(Debug, Serialize)]
pub(crate) struct CalledFunction<'a> {
    pub(crate) name: &'a str,
    pub(crate) arguments: &'a str,
}

/// An event of a stream, or a whole answer: they differ only in the name of a choice's inside.
#[derive(Debug, Deserialize)]
pub(crate) struct Chunk<'a> {
    #[serde(borrow)]
    pub(crate) error: Option<&'a RawValue>,
    /// `error` at some servers, with the error's fields beside it.
    pub(crate) object: Option<String>,
    pub(crate) model: Option<String>,
    #[serde(borrow)]
    pub(crate) choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    pub(crate) usage: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Choice<'a> {
    #[serde(default)]
    pub(crate) index: u32,
    #[serde(borrow)]
    pub(crate) delta: Option<Delta<'a>>,
    /// In place of `delta` in a whole answer. Some servers repeat all they said in it at a stream's end.
    #[serde(borrow)]
    pub(crate) message: Option<Delta<'a>>,
    pub(crate) finish_reason: Option<String>,
    /// Set by routers whose upstream failed in mid-answer.
    #[serde(borrow)]
    pub(crate) error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Delta<'a> {
    #[serde(default)]
    pub(crate) content: Content,
    #[serde(default)]
    pub(crate) reasoning_content: Content,
    #[serde(default)]
    pub(crate) reasoning: Content,
    /// A refusal is said in words of its own; it is what the person should read.
    pub(crate) refusal: Option<String>,
    #[serde(borrow)]
    pub(crate) tool_calls: Option<Vec<CallPiece<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CallPiece<'a> {
    pub(crate) index: Option<u32>,
    pub(crate) id: Option<String>,
    #[serde(borrow)]
    pub(crate) function: Option<FunctionPiece<'a>>,
    #[serde(borrow)]
    pub(crate) extra_content: Option<Extra<'a>>,
}

/// What Google's endpoint of this wire wants to have back with a call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Extra<'a> {
    #[serde(borrow)]
    pub(crate) google: Option<Signed<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Signed<'a> {
    #[serde(borrow)]
    pub(crate) thought_signature: Option<Cow<'a, str>>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct FunctionPiece<'a> {
    pub(crate) name: Option<String>,
    #[serde(borrow)]
    pub(crate) arguments: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WireUsage {
    pub(crate) prompt_tokens: Option<u64>,
    pub(crate) completion_tokens: Option<u64>,
    pub(crate) prompt_tokens_details: Option<PromptDetails>,
    pub(crate) prompt_cache_hit_tokens: Option<u64>,
    pub(crate) completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct PromptDetails {
    pub(crate) cached_tokens: Option<u64>,
    pub(crate) cache_write_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct CompletionDetails {
    pub(crate) reasoning_tokens: Option<u64>,
}

/// A content as text, null, or parts; parts may be text or thinking, others are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) thinking: String,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, null or a list of parts")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content { text: text.to_owned(), thinking: String::new() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Content, A::Error> {
        #[derive(Deserialize)]
        struct Part {
            text: Option<String>,
            #[serde(default)]
            thinking: Content,
        }
        let mut content = Content::default();
        while let Some(part) = parts.next_element::<Part>()? {
            content.text.push_str(&part.text.unwrap_or_default());
            content.thinking.push_str(&part.thinking.text);
        }
        Ok(content)
    }
}

/// The list of models: as OpenAI wraps it, or bare.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Models {
    Wrapped { data: Vec<Model> },
    Bare(Vec<Model>),
}

/// A model of a list. What else is said of it differs from server to server, and is no reason to lose the list.
#[derive(Debug, Deserialize)]
pub(crate) struct Model {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) more: serde_json::Map<String, Value>,
}
