//! Ollama's own wire as serde types: what is sent, and what comes back.
//! <https://docs.ollama.com/api/chat>

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::or_default;

/// The body of a call: what was asked for, and that nothing of it may be left out in silence.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    pub(super) model: &'a str,
    pub(super) messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) think: Option<Think>,
    pub(super) options: Options<'a>,
    /// Whether a stream is wanted: it is unless one says that it is not.
    pub(super) stream: bool,
    pub(super) truncate: bool,
    pub(super) shift: bool,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Message<'a> {
    pub(super) role: &'static str,
    pub(super) content: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<Call<'a>>,
    /// On a result: the tool that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_name: Option<&'a str>,
    /// On a result: the call that it is of, for versions that tell calls of one tool apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    pub(super) function: Function<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: Cow<'a, RawValue>,
}

#[derive(Debug, Serialize)]
pub(super) struct Tool<'a> {
    pub(super) r#type: &'static str,
    pub(super) function: Offer<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Offer<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) description: &'a str,
    pub(super) parameters: &'a Value,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Format<'a> {
    Word(&'static str),
    Schema(&'a Value),
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Think {
    Whether(bool),
    /// The way of gpt-oss, which always thinks.
    HowMuch(&'static str),
}

#[derive(Debug, Serialize)]
pub(super) struct Options<'a> {
    pub(super) num_ctx: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) num_predict: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<i64>,
}

/// A line of a stream, or a whole answer.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    pub(super) model: Option<String>,
    #[serde(borrow)]
    pub(super) message: Option<Said<'a>>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) done: bool,
    pub(super) done_reason: Option<String>,
    pub(super) prompt_eval_count: Option<u64>,
    pub(super) prompt_eval_cached_count: Option<u64>,
    pub(super) eval_count: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) content: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) thinking: String,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<MadeCall<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MadeCall<'a> {
    /// Newer versions give one.
    pub(super) id: Option<String>,
    #[serde(borrow)]
    pub(super) function: MadeFunction<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MadeFunction<'a> {
    pub(super) name: String,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Models {
    pub(super) models: Vec<Model>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Model {
    pub(super) name: String,
}
