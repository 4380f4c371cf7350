//! Anthropic's Messages: named events, blocks that open and close, types of errors.

use serde_json::{Value, json};

use super::{Tool, Voice};
use crate::provider::asked::Asked;
use crate::provider::wire::{chunk, line, pieces};

/// The kind of block that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Thinking,
    Text,
    Tool,
}

#[derive(Debug)]
pub(super) struct Answer<'a> {
    asked: &'a Asked<'a>,
    number: usize,
    pieces: usize,
    /// Blocks begun so far.
    blocks: usize,
    open: Option<Block>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(asked: &'a Asked<'a>, number: usize) -> Self {
        Self { asked, number, pieces: 0, blocks: 0, open: None }
    }

    fn message(&self, content: Value, stop_reason: Option<&str>, output_tokens: usize) -> Value {
        json!({"id": format!("msg_{}", self.number), "type": "message", "role": "assistant",
            "model": self.asked.model, "content": content, "stop_reason": stop_reason, "stop_sequence": null,
            "usage": {"input_tokens": self.asked.messages() * 10, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0, "output_tokens": output_tokens}})
    }

    fn enter(&mut self, out: &mut Vec<u8>, kind: Block, block: Value) {
        if self.open == Some(kind) && kind != Block::Tool {
            return;
        }
        self.leave(out);
        event(out, &json!({"type": "content_block_start", "index": self.blocks, "content_block": block}));
        (self.open, self.blocks) = (Some(kind), self.blocks + 1);
    }

    fn leave(&mut self, out: &mut Vec<u8>) {
        let Some(kind) = self.open.take() else { return };
        if kind == Block::Thinking {
            self.delta(out, json!({"type": "signature_delta", "signature": "c2lnbmVk"}));
        }
        event(out, &json!({"type": "content_block_stop", "index": self.blocks - 1}));
    }

    fn delta(&self, out: &mut Vec<u8>, delta: Value) {
        event(out, &json!({"type": "content_block_delta", "index": self.blocks - 1, "delta": delta}));
    }

    fn call_id(&self, index: usize) -> String {
        format!("toolu_{}_{index}", self.number)
    }
}

impl Voice for Answer<'_> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        event(out, &json!({"type": "message_start", "message": self.message(json!([]), None, 1)}));
        event(out, &json!({"type": "ping"}));
    }

    fn text(&mut self, out: &mut Vec<u8>, text: &str) {
        self.pieces += 1;
        self.enter(out, Block::Text, json!({"type": "text", "text": ""}));
        self.delta(out, json!({"type": "text_delta", "text": text}));
    }

    fn thinking(&mut self, out: &mut Vec<u8>, text: &str) {
        self.pieces += 1;
        self.enter(out, Block::Thinking, json!({"type": "thinking", "thinking": "", "signature": ""}));
        self.delta(out, json!({"type": "thinking_delta", "thinking": text}));
    }

    fn tool(&mut self, out: &mut Vec<u8>, index: usize, name: &str, arguments: &str) {
        let block = json!({"type": "tool_use", "id": self.call_id(index), "name": name, "input": {}});
        self.enter(out, Block::Tool, block);
        for part in std::iter::once(String::new()).chain(pieces(arguments, 3)) {
            self.pieces += 1;
            self.delta(out, json!({"type": "input_json_delta", "partial_json": part}));
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>, tools: bool) {
        self.leave(out);
        let reason = if tools { "tool_use" } else { "end_turn" };
        event(
            out,
            &json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
            "usage": {"output_tokens": self.pieces}}),
        );
        event(out, &json!({"type": "message_stop"}));
    }

    fn whole(&self, thinking: &str, text: &str, tools: &[Tool], pieces: usize) -> Vec<u8> {
        let mut content = Vec::new();
        if !thinking.is_empty() {
            content.push(json!({"type": "thinking", "thinking": thinking, "signature": "c2lnbmVk"}));
        }
        if !text.is_empty() {
            content.push(json!({"type": "text", "text": text}));
        }
        for (index, (name, arguments)) in tools.iter().enumerate() {
            let input: Value = serde_json::from_str(arguments).unwrap_or_default();
            content.push(json!({"type": "tool_use", "id": self.call_id(index), "name": name, "input": input}));
        }
        let reason = if tools.is_empty() { "end_turn" } else { "tool_use" };
        self.message(content.into(), Some(reason), pieces).to_string().into_bytes()
    }
}

fn event(out: &mut Vec<u8>, data: &Value) {
    let mut event = Vec::with_capacity(256);
    line(&mut event, format_args!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default()));
    chunk(out, &event);
}

/// An error as it says it: types where OpenAI has codes, and words for what has no type.
pub(super) fn error(status: Option<u16>, code: &str, message: &str) -> Value {
    let (kind, message) = match (code, status) {
        ("insufficient_quota", _) => ("invalid_request_error", "Your credit balance is too low to use the API."),
        ("context_length_exceeded", _) => {
            ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
        }
        ("content_filter", _) => ("invalid_request_error", "Output blocked by content filtering policy"),
        ("invalid_api_key", _) | (_, Some(401)) => ("authentication_error", message),
        ("rate_limit_exceeded", _) | (_, Some(429)) => ("rate_limit_error", message),
        (_, Some(402)) => ("billing_error", message),
        (_, Some(403)) => ("permission_error", message),
        (_, Some(404)) => ("not_found_error", message),
        (_, Some(529)) => ("overloaded_error", message),
        (_, Some(500..)) => ("api_error", message),
        (_, Some(_)) => ("invalid_request_error", message),
        (other, None) => (other, message),
    };
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
}

pub(super) fn models(names: &[String]) -> Value {
    let model = |name: &String| json!({"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"});
    let data: Vec<_> = names.iter().map(model).collect();
    json!({"data": data, "has_more": false, "first_id": names.first(), "last_id": names.last()})
}
