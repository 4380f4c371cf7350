//! The same answer on every wire: each file writes it as one provider's documentation says.

mod anthropic;
mod gemini;
mod ollama;
mod openai;
mod responses;

use serde_json::{Value, json};

use super::asked::Asked;
use super::wire::{chunk, response};
use crate::request::Request;

/// A wire that the stand-in speaks; the path of a request tells which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    OpenAi,
    Responses,
    Anthropic,
    Gemini,
    Ollama,
}

/// A refusal as its wire tells it: status, content type, body.
pub(super) type Refusal = (u16, &'static str, String);

/// A tool that an answer calls: its name and its JSON arguments.
pub(super) type Tool = (String, String);

/// Writes one answer, event by event or whole. Usage is simple on purpose: 10 tokens in for each message, 1 out for each
/// piece.
pub(super) trait Voice: Send {
    /// Begins a streamed answer, where the wire has something to say before the first piece.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    /// A piece of text.
    fn text(&mut self, out: &mut Vec<u8>, text: &str);

    /// A piece of reasoning.
    fn thinking(&mut self, out: &mut Vec<u8>, text: &str);

    /// A tool call.
    fn tool(&mut self, out: &mut Vec<u8>, index: usize, name: &str, arguments: &str);

    /// The finish, with what was used.
    fn finish(&mut self, out: &mut Vec<u8>, tools: bool);

    /// The same answer as one JSON text.
    fn whole(&self, thinking: &str, text: &str, tools: &[Tool], pieces: usize) -> Vec<u8>;
}

impl Wire {
    /// The wire of a call; `None` where the path is no call's.
    pub(super) fn of_call(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default();
        match path {
            _ if path.ends_with("/chat/completions") => Some(Self::OpenAi),
            _ if path.ends_with("/responses") => Some(Self::Responses),
            _ if path.ends_with("/messages") => Some(Self::Anthropic),
            _ if path.ends_with("enerateContent") => Some(Self::Gemini),
            _ if path.ends_with("/api/chat") => Some(Self::Ollama),
            _ => None,
        }
    }

    /// The wire on which the models are asked for; `None` where the path is no list's.
    pub(super) fn of_list(request: &Request) -> Option<Self> {
        let path = request.path.split('?').next().unwrap_or_default();
        if path.ends_with("/api/tags") {
            return Some(Self::Ollama);
        }
        let headers = request.headers();
        let has = |name: &str| headers.iter().any(|(header, _)| header == name);
        match path.ends_with("/models") {
            true if has("anthropic-version") => Some(Self::Anthropic),
            true if has("x-goog-api-key") => Some(Self::Gemini),
            true => Some(Self::OpenAi),
            false => None,
        }
    }

    /// A voice for one answer.
    pub(super) fn voice<'a>(self, asked: &'a Asked<'a>, number: usize) -> Box<dyn Voice + 'a> {
        match self {
            Self::OpenAi => Box::new(openai::Answer::new(asked, number)),
            Self::Responses => Box::new(responses::Answer::new(asked, number)),
            Self::Anthropic => Box::new(anthropic::Answer::new(asked, number)),
            Self::Gemini => Box::new(gemini::Answer::new(asked, number)),
            Self::Ollama => Box::new(ollama::Answer::new(asked)),
        }
    }

    /// The content type of a stream.
    pub(super) fn stream_type(self) -> &'static str {
        if self == Self::Ollama { "application/x-ndjson" } else { "text/event-stream" }
    }

    /// Wraps the data of an event, as it stands.
    pub(super) fn event(self, out: &mut Vec<u8>, data: &[u8]) {
        let mut event = Vec::with_capacity(data.len() + 8);
        if self != Self::Ollama {
            event.extend_from_slice(b"data: ");
        }
        event.extend_from_slice(data);
        event.extend_from_slice(if self == Self::Ollama { b"\n" } else { b"\n\n" });
        chunk(out, &event);
    }

    /// The data of an event that says that the answer failed.
    pub(super) fn error_event(self, code: &str, message: &str) -> String {
        match self {
            Self::OpenAi => openai::error(code, message),
            Self::Responses => {
                json!({"type": "error", "code": code, "message": message, "param": null, "sequence_number": 9})
            }
            Self::Anthropic => anthropic::error(None, code, message),
            Self::Gemini => gemini::error(gemini::status_of(code), code, message),
            Self::Ollama => ollama::error(code, message),
        }
        .to_string()
    }

    /// How it refuses a call. Codes are OpenAI's; a wire without such a code says it in its own words.
    pub(super) fn refusal(self, status: u16, code: &str, message: &str, stream: bool) -> Refusal {
        let json = |status, body: Value| (status, "application/json", body.to_string());
        match self {
            Self::OpenAi | Self::Responses => json(status, openai::error(code, message)),
            // A credit that is spent is a request that is wrong, by its documentation.
            Self::Anthropic if code == "insufficient_quota" => json(400, anthropic::error(Some(400), code, message)),
            Self::Anthropic => json(status, anthropic::error(Some(status), code, message)),
            // What it filters it answers with success and without a candidate.
            Self::Gemini if code == "content_filter" => {
                let blocked = gemini::blocked();
                if stream { (200, "text/event-stream", format!("data: {blocked}\n\n")) } else { json(200, blocked) }
            }
            Self::Gemini if code == "invalid_api_key" => json(400, gemini::error(400, code, message)),
            Self::Gemini => json(status, gemini::error(status, code, message)),
            Self::Ollama if code == "insufficient_quota" => json(402, ollama::error(code, message)),
            Self::Ollama => json(status, ollama::error(code, message)),
        }
    }

    /// A whole answer that lists the models.
    pub(super) fn models(self, names: &[String]) -> Vec<u8> {
        let list = match self {
            Self::OpenAi | Self::Responses => openai::models(names),
            Self::Anthropic => anthropic::models(names),
            Self::Gemini => gemini::models(names),
            Self::Ollama => ollama::models(names),
        };
        response(200, "application/json", &[], list.to_string().as_bytes())
    }
}
