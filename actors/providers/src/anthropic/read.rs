//! Reads an answer of this wire, event by event or whole. Pure.

use serde_json::{Value, json};

use super::convert;
use super::wire::{Delta, Event, Made, Whole, WireUsage};
use crate::ProviderError;
use crate::wire::{self, CallPiece, Parts, Peer};

/// Reads one answer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    usage: WireUsage,
    /// Blocks of thinking, which the model wants to have back with its calls.
    thoughts: Vec<Value>,
    /// The tool call whose block is open.
    open: Option<Open>,
    calls: u32,
}

#[derive(Debug)]
struct Open {
    block: u32,
    call: u32,
    has_arguments: bool,
}

impl wire::Reader for Reader {
    fn event(&mut self, _kind: &str, data: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        let event: Event<'_> = serde_json::from_str(data).map_err(|error| peer.unreadable(&error))?;
        match &*event.r#type {
            "message_start" => {
                if let Some(message) = event.message {
                    parts.model = message.model.filter(|model| !model.is_empty());
                    self.used(message.usage, parts);
                }
                Ok(())
            }
            "content_block_start" => match event.content_block {
                Some(block) => self.begin(event.index, block, parts, peer),
                None => Err(peer.undecodable("a block begins that is none")),
            },
            "content_block_delta" => self.delta(event.index, event.delta.unwrap_or_default(), parts, peer),
            "content_block_stop" => self.close(event.index, parts, peer),
            "message_delta" => {
                self.used(event.usage, parts);
                if let Some(reason) = event.delta.and_then(|delta| delta.stop_reason) {
                    parts.stop = Some(convert::stop_reason(&reason));
                }
                Ok(())
            }
            "message_stop" if parts.stop.is_none() => Err(peer.truncated("the message stopped without a reason")),
            "message_stop" => parts.complete(peer),
            "error" => Err(peer.broken_off(data)),
            // There may be more kinds of them, says the documentation, and they are to be passed over.
            _ => Ok(()),
        }
    }

    fn whole(&mut self, text: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        let whole: Whole<'_> = serde_json::from_str(text).map_err(|error| peer.unreadable_whole(&error))?;
        if whole.r#type.as_deref() == Some("error") {
            return Err(peer.broken_off(text));
        }
        let Some(content) = whole.content else { return Err(peer.undecodable("it holds no answer")) };
        for (index, block) in content.into_iter().enumerate() {
            let index = index as u32;
            self.begin(index, block, parts, peer)?;
            self.close(index, parts, peer)?;
        }
        self.used(whole.usage, parts);
        parts.model = whole.model;
        parts.stop = whole.stop_reason.as_deref().map(convert::stop_reason);
        Ok(())
    }
}

impl Reader {
    fn used(&mut self, usage: Option<WireUsage>, parts: &mut Parts) {
        if let Some(usage) = usage {
            parts.usage = Some(convert::usage(&mut self.usage, usage));
        }
    }

    fn begin(&mut self, block: u32, made: Made<'_>, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        match &*made.r#type {
            "text" => parts.text(made.text),
            "thinking" => {
                let Made { thinking, signature, .. } = made;
                self.thoughts.push(json!({"type": "thinking", "thinking": thinking, "signature": signature}));
                parts.thinking(thinking);
            }
            "redacted_thinking" => {
                parts.keeps(made.data.len());
                self.thoughts.push(json!({"type": "redacted_thinking", "data": made.data}));
            }
            "tool_use" => {
                // Without its signature a thought is of no use to the model: imitators of the wire have none.
                let signed = |thought: &Value| thought["signature"] != "";
                let thoughts: Vec<_> = std::mem::take(&mut self.thoughts).into_iter().filter(signed).collect();
                let signature = (!thoughts.is_empty()).then(|| Value::from(thoughts).to_string());
                // In a stream the input is an empty object, and what is in it comes in pieces.
                let arguments = made.input.map(|input| input.get()).filter(|input| *input != "{}").unwrap_or_default();
                let call = self.calls;
                self.calls += 1;
                self.open = Some(Open { block, call, has_arguments: !arguments.is_empty() });
                let arguments = arguments.to_owned();
                let piece = CallPiece { index: Some(call), id: made.id, name: made.name, arguments, signature };
                return parts.call(peer, piece);
            }
            // Tools of the server's own and their results: nobody here is asked to run them.
            _ => {}
        }
        Ok(())
    }

    fn delta(&mut self, block: u32, delta: Delta, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        parts.text(delta.text);
        parts.keeps(delta.thinking.len() + delta.signature.len());
        self.add("thinking", &delta.thinking);
        parts.thinking(delta.thinking);
        self.add("signature", &delta.signature);
        if let (Some(arguments), Some(open)) = (delta.partial_json, &mut self.open)
            && open.block == block
        {
            open.has_arguments |= !arguments.is_empty();
            return parts.call(peer, CallPiece { index: Some(open.call), arguments, ..CallPiece::default() });
        }
        Ok(())
    }

    /// Adds to the newest thought.
    fn add(&mut self, field: &str, more: &str) {
        if let Some(Value::String(text)) = self.thoughts.last_mut().map(|thought| &mut thought[field]) {
            text.push_str(more);
        }
    }

    /// Ends a block. A call without a single argument is a call with none.
    fn close(&mut self, block: u32, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        match self.open.take_if(|open| open.block == block) {
            Some(Open { call, has_arguments: false, .. }) => {
                parts.call(peer, CallPiece { index: Some(call), arguments: "{}".into(), ..CallPiece::default() })
            }
            _ => Ok(()),
        }
    }
}
