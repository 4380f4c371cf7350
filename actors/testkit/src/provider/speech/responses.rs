//! OpenAI's Responses: numbered events about items of an output.

use serde_json::{Value, json};

use super::{Tool, Voice};
use crate::provider::asked::Asked;
use crate::provider::wire::{chunk, line, pieces};

/// The kind of item that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Reasoning,
    Message,
}

#[derive(Debug)]
pub(super) struct Answer<'a> {
    asked: &'a Asked<'a>,
    number: usize,
    pieces: usize,
    /// Events so far.
    sent: usize,
    /// Items begun so far.
    items: usize,
    open: Option<Item>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(asked: &'a Asked<'a>, number: usize) -> Self {
        Self { asked, number, pieces: 0, sent: 0, items: 0, open: None }
    }

    fn event(&mut self, out: &mut Vec<u8>, kind: &str, mut data: Value) {
        data["type"] = kind.into();
        data["sequence_number"] = self.sent.into();
        self.sent += 1;
        let mut event = Vec::with_capacity(256);
        line(&mut event, format_args!("event: {kind}\ndata: {data}\n\n"));
        chunk(out, &event);
    }

    /// An event about the newest item.
    fn about(&mut self, out: &mut Vec<u8>, kind: &str, mut data: Value) {
        let at = self.items - 1;
        data["output_index"] = at.into();
        if data.get("item").is_none() {
            data["item_id"] = format!("item_{at}").into();
        }
        self.event(out, kind, data);
    }

    fn enter(&mut self, out: &mut Vec<u8>, kind: Item) {
        if self.open == Some(kind) {
            return;
        }
        self.leave(out);
        (self.open, self.items) = (Some(kind), self.items + 1);
        let id = format!("item_{}", self.items - 1);
        match kind {
            Item::Reasoning => {
                let item = json!({"type": "reasoning", "id": id, "summary": []});
                self.about(out, "response.output_item.added", json!({"item": item}));
                let part = json!({"summary_index": 0, "part": {"type": "summary_text", "text": ""}});
                self.about(out, "response.reasoning_summary_part.added", part);
            }
            Item::Message => {
                let item = json!({"type": "message", "id": id, "role": "assistant", "content": []});
                self.about(out, "response.output_item.added", json!({"item": item}));
                let part = json!({"content_index": 0, "part": {"type": "output_text", "text": "", "annotations": []}});
                self.about(out, "response.content_part.added", part);
            }
        }
    }

    fn leave(&mut self, out: &mut Vec<u8>) {
        if let Some(kind) = self.open.take() {
            let kind = if kind == Item::Reasoning { "reasoning" } else { "message" };
            self.about(out, "response.output_item.done", json!({"item": {"type": kind}}));
        }
    }

    fn call(&self, index: usize, name: &str, arguments: &str) -> Value {
        let id = format!("call_{}_{index}", self.number);
        json!({"type": "function_call", "id": format!("fc_{index}"), "call_id": id, "name": name,
            "arguments": arguments})
    }

    fn response(&self, status: &str, output: Value, pieces: usize) -> Value {
        let asked = self.asked.messages() * 10;
        json!({"id": format!("resp_{}", self.number), "object": "response", "created_at": 1_700_000_000,
            "status": status, "error": null, "incomplete_details": null, "model": self.asked.model, "output": output,
            "usage": {"input_tokens": asked, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": pieces,
                "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": asked + pieces}})
    }
}

impl Voice for Answer<'_> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        let mut response = self.response("in_progress", json!([]), 0);
        response["usage"] = Value::Null;
        self.event(out, "response.created", json!({"response": response}));
    }

    fn text(&mut self, out: &mut Vec<u8>, text: &str) {
        self.pieces += 1;
        self.enter(out, Item::Message);
        self.about(out, "response.output_text.delta", json!({"content_index": 0, "delta": text}));
    }

    fn thinking(&mut self, out: &mut Vec<u8>, text: &str) {
        self.pieces += 1;
        self.enter(out, Item::Reasoning);
        self.about(out, "response.reasoning_summary_text.delta", json!({"summary_index": 0, "delta": text}));
    }

    fn tool(&mut self, out: &mut Vec<u8>, index: usize, name: &str, arguments: &str) {
        self.leave(out);
        self.items += 1;
        self.about(out, "response.output_item.added", json!({"item": self.call(index, name, "")}));
        for part in pieces(arguments, 3) {
            self.pieces += 1;
            self.about(out, "response.function_call_arguments.delta", json!({"delta": part}));
        }
        self.about(out, "response.function_call_arguments.done", json!({"arguments": arguments}));
        self.about(out, "response.output_item.done", json!({"item": self.call(index, name, arguments)}));
    }

    fn finish(&mut self, out: &mut Vec<u8>, _tools: bool) {
        self.leave(out);
        let response = self.response("completed", json!([]), self.pieces);
        self.event(out, "response.completed", json!({"response": response}));
    }

    fn whole(&self, thinking: &str, text: &str, tools: &[Tool], pieces: usize) -> Vec<u8> {
        let mut output = Vec::new();
        if !thinking.is_empty() {
            let summary = json!([{"type": "summary_text", "text": thinking}]);
            output.push(json!({"type": "reasoning", "id": "item_0", "summary": summary}));
        }
        let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
        output.push(json!({"type": "message", "id": "item_1", "role": "assistant", "content": content}));
        output.extend(tools.iter().enumerate().map(|(index, (name, arguments))| self.call(index, name, arguments)));
        self.response("completed", output.into(), pieces).to_string().into_bytes()
    }
}
