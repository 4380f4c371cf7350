//! Reads an answer of this wire, event by event or whole. Pure.

use mosaic_types::StopReason;

use super::convert;
use super::wire::{Event, Made, Response};
use crate::ProviderError;
use crate::wire::{self, CallPiece, Parts, Peer};

/// Reads one answer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// By their place in the output: calls whose arguments are still coming, and whether any came.
    open: Vec<(u32, bool)>,
    /// A part of a summary was begun; the next one begins a new line.
    summed_up: bool,
}

impl wire::Reader for Reader {
    fn event(&mut self, _kind: &str, data: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        let event: Event<'_> = serde_json::from_str(data).map_err(|error| peer.unreadable(&error))?;
        let at = event.output_index;
        match &*event.r#type {
            // A refusal is said in words of its own; it is what the person should read.
            "response.output_text.delta" | "response.refusal.delta" => parts.text(event.delta.unwrap_or_default()),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                parts.thinking(event.delta.unwrap_or_default());
            }
            "response.reasoning_summary_part.added" => {
                let line_end = if std::mem::replace(&mut self.summed_up, true) { "\n\n" } else { "" };
                parts.thinking(line_end.to_owned());
            }
            "response.output_item.added" => {
                if let Some(item) = event.item.filter(|item| item.r#type == "function_call") {
                    self.open.push((at, !item.arguments.is_empty()));
                    return parts.call(peer, piece(at, item));
                }
            }
            "response.function_call_arguments.delta" => {
                let arguments = event.delta.unwrap_or_default();
                if let Some((_, has)) = self.open.iter_mut().find(|(open, _)| *open == at) {
                    *has |= !arguments.is_empty();
                }
                return parts.call(peer, CallPiece { index: Some(at), arguments, ..CallPiece::default() });
            }
            // Servers that imitate the wire may send the arguments whole.
            "response.function_call_arguments.done" => {
                let arguments = event.arguments.unwrap_or_default();
                if let Some((_, has)) = self.open.iter_mut().find(|(open, has)| *open == at && !has) {
                    *has = true;
                    return parts.call(peer, CallPiece { index: Some(at), arguments, ..CallPiece::default() });
                }
            }
            "response.created" | "response.in_progress" => {
                parts.model = event.response.and_then(|response| response.model).or(parts.model.take());
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                let Some(response) = event.response else {
                    return Err(peer.undecodable("it ends without saying how"));
                };
                end(response, data, parts, peer)?;
                return parts.complete(peer);
            }
            "error" => return Err(peer.broken_off(data)),
            // There are many kinds of events, and what they say is said by these too.
            _ => {}
        }
        Ok(())
    }

    fn whole(&mut self, text: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        let mut response: Response<'_> = serde_json::from_str(text).map_err(|error| peer.unreadable_whole(&error))?;
        let output = response.output.take();
        if output.is_none() && response.error.is_none() {
            // An error with success, as a stream would have it.
            let error = serde_json::from_str::<Event<'_>>(text).is_ok_and(|event| event.r#type == "error");
            return Err(if error { peer.broken_off(text) } else { peer.undecodable("it holds no answer") });
        }
        for (at, item) in output.into_iter().flatten().enumerate() {
            self.item(at as u32, item, parts, peer)?;
        }
        end(response, text, parts, peer)
    }
}

impl Reader {
    fn item(&mut self, at: u32, item: Made<'_>, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        match &*item.r#type {
            "message" => {
                for piece in item.content.into_iter().flatten() {
                    parts.text(piece.text);
                    parts.text(piece.refusal);
                }
                Ok(())
            }
            "reasoning" => {
                let told: Vec<_> = item.summary.into_iter().flatten().map(|piece| piece.text).collect();
                parts.thinking(told.join("\n\n"));
                Ok(())
            }
            "function_call" => parts.call(peer, piece(at, item)),
            _ => Ok(()),
        }
    }
}

fn piece(at: u32, item: Made<'_>) -> CallPiece {
    CallPiece { index: Some(at), id: item.call_id, name: item.name, arguments: item.arguments, signature: None }
}

/// What is told at the end, whole or streamed.
fn end(response: Response<'_>, text: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
    if let Some(error) = response.error {
        return Err(peer.broken_off(error.get()));
    }
    parts.model = response.model.filter(|model| !model.is_empty()).or(parts.model.take());
    parts.usage = response.usage.map(convert::usage);
    parts.stop = Some(match response.status.as_deref() {
        Some("failed" | "cancelled") => return Err(peer.broken_off(text)),
        Some("incomplete") => {
            convert::stop_reason(response.incomplete_details.and_then(|details| details.reason).as_deref())
        }
        _ => StopReason::Stop,
    });
    Ok(())
}
