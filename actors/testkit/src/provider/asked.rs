//! What was asked, on whichever wire.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::speech::Wire;

/// A call, as far as its answer depends on it.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) model: Cow<'a, str>,
    pub(super) stream: bool,
    /// Whether a stream ends in its usage, which on OpenAI's wire must be asked for.
    pub(super) include_usage: bool,
    /// Tokens that the answer may have.
    pub(super) max_tokens: Option<u64>,
    said: Vec<Said<'a>>,
}

/// The fields of all wires: each has its own name for the dialogue.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    model: Cow<'a, str>,
    stream: Option<bool>,
    #[serde(alias = "max_completion_tokens", alias = "max_output_tokens")]
    max_tokens: Option<u64>,
    #[serde(default)]
    stream_options: StreamOptions,
    #[serde(borrow, default, alias = "contents", alias = "input")]
    messages: Vec<Said<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Debug, Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    role: Cow<'a, str>,
    #[serde(borrow, default, alias = "parts")]
    content: Option<&'a RawValue>,
}

impl<'a> Asked<'a> {
    /// Reads a call; `path` tells what Gemini says there.
    pub(super) fn read(wire: Wire, path: &'a str, body: &'a [u8]) -> serde_json::Result<Self> {
        let body: Body<'a> = serde_json::from_slice(body)?;
        let (mut model, mut stream) = (body.model, body.stream.unwrap_or(wire == Wire::Ollama));
        if wire == Wire::Gemini {
            let (name, method) = path.rsplit('/').next().and_then(|last| last.split_once(':')).unwrap_or_default();
            (model, stream) = (name.into(), method.starts_with("stream"));
        }
        let (include_usage, max_tokens) = (body.stream_options.include_usage, body.max_tokens);
        Ok(Self { model, stream, include_usage, max_tokens, said: body.messages })
    }

    /// Bytes of all that was said.
    pub(super) fn bytes(&self) -> usize {
        self.said.iter().filter_map(|said| said.content).map(|content| content.get().len()).sum()
    }

    /// How many messages there were.
    pub(super) fn messages(&self) -> usize {
        self.said.len()
    }

    /// The text of the last user's message; content parts are joined.
    pub(super) fn last_user(&self) -> String {
        let last = self.said.iter().rev().find(|said| said.role == "user");
        let Some(content) = last.and_then(|said| said.content) else { return String::new() };
        match serde_json::from_str(content.get()) {
            Ok(serde_json::Value::String(text)) => text,
            Ok(serde_json::Value::Array(parts)) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
            _ => String::new(),
        }
    }
}
