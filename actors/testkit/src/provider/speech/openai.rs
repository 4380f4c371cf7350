//! OpenAI's chat completions.

use serde_json::{Value, json};

use super::{Tool, Voice};
use crate::provider::asked::Asked;
use crate::provider::wire;

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

    /// A chunk of the stream with `fill` writing the delta's inside.
    fn event(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>), finish: Option<&str>) {
        let mut event = Vec::with_capacity(256);
        self.open(&mut event);
        event.extend_from_slice(br#""choices":[{"index":0,"delta":{"#);
        fill(&mut event);
        match finish {
            Some(reason) => wire::line(&mut event, format_args!("}},\"finish_reason\":\"{reason}\"}}]}}\n\n")),
            None => event.extend_from_slice(b"},\"finish_reason\":null}]}\n\n"),
        }
        wire::chunk(out, &event);
    }

    fn open(&self, event: &mut Vec<u8>) {
        let number = self.number;
        wire::line(event, format_args!(r#"data: {{"id":"chatcmpl-{number}","object":"chat.completion.chunk","#));
        event.extend_from_slice(br#""created":1700000000,"model":"#);
        wire::string(event, &self.asked.model);
        event.push(b',');
    }

    fn piece(&mut self, out: &mut Vec<u8>, field: &str, text: &str) {
        let role = if self.pieces == 0 { r#""role":"assistant","# } else { "" };
        self.pieces += 1;
        let fill = |event: &mut Vec<u8>| {
            wire::line(event, format_args!("{role}\"{field}\":"));
            wire::string(event, text);
        };
        self.event(out, fill, None);
    }

    /// The id of the tool call at `index`.
    fn call_id(&self, index: usize) -> String {
        format!("call_{}_{index}", self.number)
    }

    fn usage(&self) -> Value {
        let (asked, told) = (self.asked.messages() * 10, self.pieces);
        json!({"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told})
    }
}

impl Voice for Answer<'_> {
    fn text(&mut self, out: &mut Vec<u8>, text: &str) {
        self.piece(out, "content", text);
    }

    fn thinking(&mut self, out: &mut Vec<u8>, text: &str) {
        self.piece(out, "reasoning_content", text);
    }

    fn tool(&mut self, out: &mut Vec<u8>, index: usize, name: &str, arguments: &str) {
        let mut parts = wire::pieces(arguments, 3);
        parts.insert(0, String::new());
        for (at, part) in parts.iter().enumerate() {
            self.pieces += 1;
            let call = match at {
                0 => json!({"index": index, "id": self.call_id(index), "type": "function",
                    "function": {"name": name, "arguments": part}}),
                _ => json!({"index": index, "function": {"arguments": part}}),
            };
            self.event(out, |event| wire::line(event, format_args!("\"tool_calls\":[{call}]")), None);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>, tools: bool) {
        let reason = if tools { "tool_calls" } else { "stop" };
        self.event(out, |_| {}, Some(reason));
        if self.asked.include_usage {
            let mut event = Vec::with_capacity(256);
            self.open(&mut event);
            wire::line(&mut event, format_args!("\"choices\":[],\"usage\":{}}}\n\n", self.usage()));
            wire::chunk(out, &event);
        }
        wire::chunk(out, b"data: [DONE]\n\n");
    }

    fn whole(&self, thinking: &str, text: &str, tools: &[Tool], pieces: usize) -> Vec<u8> {
        let mut message = json!({"role": "assistant", "content": text});
        if !thinking.is_empty() {
            message["reasoning_content"] = thinking.into();
        }
        let call = |(index, (name, arguments)): (usize, &Tool)| {
            json!({"id": self.call_id(index), "type": "function",
                "function": {"name": name, "arguments": arguments}})
        };
        if !tools.is_empty() {
            message["tool_calls"] = tools.iter().enumerate().map(call).collect();
        }
        let reason = if tools.is_empty() { "stop" } else { "tool_calls" };
        let usage = Answer { asked: self.asked, number: self.number, pieces }.usage();
        let answer = json!({"id": format!("chatcmpl-{}", self.number), "object": "chat.completion",
            "created": 1_700_000_000, "model": self.asked.model, "usage": usage,
            "choices": [{"index": 0, "message": message, "finish_reason": reason}]});
        answer.to_string().into_bytes()
    }
}

/// An error in its shape.
pub(super) fn error(code: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": "error", "code": code}})
}

pub(super) fn models(names: &[String]) -> Value {
    let model = |name| json!({"id": name, "object": "model", "created": 0, "owned_by": "stand-in"});
    json!({"object": "list", "data": names.iter().map(model).collect::<Vec<_>>()})
}
