//! Google's Gemini: every event is a whole response with some parts more.

use serde_json::{Value, json};

use super::{Tool, Voice};
use crate::provider::asked::Asked;
use crate::provider::wire::{chunk, line};

#[derive(Debug)]
pub(super) struct Answer<'a> {
    asked: &'a Asked<'a>,
    number: usize,
    pieces: usize,
}

impl<'a> Answer<'a> {
    pub(super) fn new(asked: &'a Asked<'a>, number: usize) -> Self {
        Self { asked, number, pieces: 0 }
    }

    fn response(&self, parts: &[String], finish: Option<&str>, pieces: usize) -> String {
        let (asked, number, model) = (self.asked.messages() * 10, self.number, &self.asked.model);
        let finish = finish.map_or_else(String::new, |reason| format!(r#""finishReason":"{reason}","#));
        let usage =
            json!({"promptTokenCount": asked, "candidatesTokenCount": pieces, "totalTokenCount": asked + pieces});
        // By hand, since arguments must stand in it as the step wrote them.
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{}],"role":"model"}},{finish}"index":0}}],"usageMetadata":{usage},"modelVersion":{},"responseId":"r{number}"}}"#,
            parts.join(","),
            json!(model)
        )
    }

    fn event(&self, out: &mut Vec<u8>, part: String, finish: Option<&str>) {
        let mut event = Vec::with_capacity(256);
        line(&mut event, format_args!("data: {}\n\n", self.response(&[part], finish, self.pieces)));
        chunk(out, &event);
    }
}

fn called(index: usize, name: &str, arguments: &str) -> String {
    // Of calls made at once only the first is signed.
    let signature = if index == 0 { r#","thoughtSignature":"c2lnbmVk""# } else { "" };
    format!(r#"{{"functionCall":{{"name":{},"args":{arguments}}}{signature}}}"#, json!(name))
}

impl Voice for Answer<'_> {
    fn text(&mut self, out: &mut Vec<u8>, text: &str) {
        self.pieces += 1;
        self.event(out, json!({"text": text}).to_string(), None);
    }

    fn thinking(&mut self, out: &mut Vec<u8>, text: &str) {
        self.pieces += 1;
        self.event(out, json!({"text": text, "thought": true}).to_string(), None);
    }

    fn tool(&mut self, out: &mut Vec<u8>, index: usize, name: &str, arguments: &str) {
        self.pieces += 1;
        self.event(out, called(index, name, arguments), None);
    }

    fn finish(&mut self, out: &mut Vec<u8>, _tools: bool) {
        self.event(out, json!({"text": ""}).to_string(), Some("STOP"));
    }

    fn whole(&self, thinking: &str, text: &str, tools: &[Tool], pieces: usize) -> Vec<u8> {
        let mut parts = Vec::new();
        if !thinking.is_empty() {
            parts.push(json!({"text": thinking, "thought": true}).to_string());
        }
        if !text.is_empty() {
            parts.push(json!({"text": text}).to_string());
        }
        parts.extend(tools.iter().enumerate().map(|(index, (name, arguments))| called(index, name, arguments)));
        self.response(&parts, Some("STOP"), pieces).into_bytes()
    }
}

/// The HTTP status that goes with a code in mid-stream.
pub(super) fn status_of(code: &str) -> u16 {
    match code {
        "rate_limit_exceeded" => 429,
        _ => 0,
    }
}

/// An error in the form that all of Google's APIs share.
pub(super) fn error(status: u16, code: &str, message: &str) -> Value {
    let (name, message, details) = match (code, status) {
        ("invalid_api_key", _) => {
            let reason = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
            ("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", reason)
        }
        ("context_length_exceeded", _) => {
            let words = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
            ("INVALID_ARGUMENT", words, json!([]))
        }
        ("insufficient_quota", _) => ("RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", json!([])),
        (_, 400 | 422) => ("INVALID_ARGUMENT", message, json!([])),
        (_, 401) => ("UNAUTHENTICATED", message, json!([])),
        (_, 403) => ("PERMISSION_DENIED", message, json!([])),
        (_, 404) => ("NOT_FOUND", message, json!([])),
        (_, 429) => ("RESOURCE_EXHAUSTED", message, json!([])),
        (_, 500) => ("INTERNAL", message, json!([])),
        (_, 503) => ("UNAVAILABLE", message, json!([])),
        _ => ("UNKNOWN", message, json!([])),
    };
    json!({"error": {"code": status, "message": message, "status": name, "details": details}})
}

/// What it answers where it holds the prompt back.
pub(super) fn blocked() -> Value {
    json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 10}})
}

pub(super) fn models(names: &[String]) -> Value {
    let model = |name: &String| {
        json!({"name": format!("models/{name}"), "displayName": name, "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536, "supportedGenerationMethods": ["generateContent", "countTokens"]})
    };
    json!({"models": names.iter().map(model).collect::<Vec<_>>()})
}
