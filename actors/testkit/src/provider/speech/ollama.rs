//! Ollama's own wire: a JSON text a line.

use serde_json::{Value, json};

use super::{Tool, Voice};
use crate::provider::asked::Asked;
use crate::provider::wire::chunk;

#[derive(Debug)]
pub(super) struct Answer<'a> {
    asked: &'a Asked<'a>,
    pieces: usize,
}

impl<'a> Answer<'a> {
    pub(super) fn new(asked: &'a Asked<'a>) -> Self {
        Self { asked, pieces: 0 }
    }

    /// `fields` stand in the message beside its role.
    fn line(&self, fields: &str, end: &str) -> String {
        let model = json!(self.asked.model);
        format!(
            r#"{{"model":{model},"created_at":"2026-01-01T00:00:00Z","message":{{"role":"assistant",{fields}}},{end}}}"#
        )
    }

    fn piece(&mut self, out: &mut Vec<u8>, fields: &str) {
        self.pieces += 1;
        chunk(out, (self.line(fields, r#""done":false"#) + "\n").as_bytes());
    }

    fn end(&self, pieces: usize) -> String {
        let asked = self.asked.messages() * 10;
        format!(
            r#""done":true,"done_reason":"stop","total_duration":9,"prompt_eval_count":{asked},"eval_count":{pieces}"#
        )
    }
}

fn called((name, arguments): &Tool) -> String {
    format!(r#"{{"function":{{"name":{},"arguments":{arguments}}}}}"#, json!(name))
}

impl Voice for Answer<'_> {
    fn text(&mut self, out: &mut Vec<u8>, text: &str) {
        self.piece(out, &format!(r#""content":{}"#, json!(text)));
    }

    fn thinking(&mut self, out: &mut Vec<u8>, text: &str) {
        self.piece(out, &format!(r#""content":"","thinking":{}"#, json!(text)));
    }

    fn tool(&mut self, out: &mut Vec<u8>, _index: usize, name: &str, arguments: &str) {
        let call = called(&(name.to_owned(), arguments.to_owned()));
        self.piece(out, &format!(r#""content":"","tool_calls":[{call}]"#));
    }

    fn finish(&mut self, out: &mut Vec<u8>, _tools: bool) {
        chunk(out, (self.line(r#""content":"""#, &self.end(self.pieces)) + "\n").as_bytes());
    }

    fn whole(&self, thinking: &str, text: &str, tools: &[Tool], pieces: usize) -> Vec<u8> {
        let mut fields = format!(r#""content":{}"#, json!(text));
        if !thinking.is_empty() {
            fields += &format!(r#","thinking":{}"#, json!(thinking));
        }
        if !tools.is_empty() {
            let calls: Vec<_> = tools.iter().map(called).collect();
            fields += &format!(r#","tool_calls":[{}]"#, calls.join(","));
        }
        self.line(&fields, &self.end(pieces)).into_bytes()
    }
}

/// An error is one text. For what Ollama has no words for, this is what a proxy in front of it says.
pub(super) fn error(code: &str, message: &str) -> Value {
    match code {
        "context_length_exceeded" => json!({"error": "the input length exceeds the context length"}),
        "content_filter" | "rate_limit_exceeded" => json!({"error": {"message": message, "code": code}}),
        _ => json!({"error": message}),
    }
}

pub(super) fn models(names: &[String]) -> Value {
    let model = |name: &String| {
        json!({"name": name, "model": name, "modified_at": "2026-01-01T00:00:00Z", "size": 1, "digest": "0",
            "details": {"family": "stand-in", "parameter_size": "1B", "quantization_level": "Q8_0"}})
    };
    json!({"models": names.iter().map(model).collect::<Vec<_>>()})
}
