//! Reads an answer of this wire, line by line or whole. Pure.

use super::convert;
use super::wire::Line;
use crate::ProviderError;
use crate::wire::call_id::made;
use crate::wire::{self, CallPiece, Parts, Peer};

/// Reads one answer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    calls: u32,
}

impl wire::Reader for Reader {
    fn event(&mut self, _kind: &str, data: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        let line: Line<'_> = serde_json::from_str(data).map_err(|error| peer.unreadable(&error))?;
        self.line(line, data, parts, peer)
    }

    fn whole(&mut self, text: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        let line: Line<'_> = serde_json::from_str(text).map_err(|error| peer.unreadable_whole(&error))?;
        let answered = line.message.is_some();
        self.line(line, text, parts, peer)?;
        if answered { Ok(()) } else { Err(peer.undecodable("it holds no answer")) }
    }
}

impl Reader {
    fn line(&mut self, line: Line<'_>, text: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        if line.error.is_some() {
            return Err(peer.broken_off(text));
        }
        if line.done {
            parts.usage = convert::usage(&line);
        }
        if parts.model.is_none() {
            parts.model = line.model.filter(|model| !model.is_empty());
        }
        if let Some(said) = line.message {
            parts.thinking(said.thinking);
            parts.text(said.content);
            for call in said.tool_calls.into_iter().flatten() {
                let index = self.calls;
                self.calls += 1;
                let arguments = call.function.arguments.map_or_else(|| "{}".to_owned(), |raw| raw.get().to_owned());
                let id = call.id.filter(|id| !id.is_empty()).or_else(|| Some(made()));
                let name = Some(call.function.name);
                parts.call(peer, CallPiece { index: Some(index), id, name, arguments, signature: None })?;
            }
        }
        if line.done {
            parts.stop = Some(convert::stop_reason(line.done_reason.as_deref()));
            return parts.complete(peer);
        }
        Ok(())
    }
}
