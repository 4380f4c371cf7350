//! Reads an answer of this wire, event by event or whole. Pure.

use super::convert;
use super::wire::{CallPiece, Choice, Chunk};
use crate::ProviderError;
use crate::wire::{self, Parts, Peer};

/// Reads one answer. All that must be remembered of it is in its parts.
#[derive(Debug, Default)]
pub(crate) struct Reader;

impl wire::Reader for Reader {
    fn event(&mut self, kind: &str, data: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        if data == "[DONE]" {
            if parts.stop.is_none() {
                return Err(peer.truncated("the stream said it was done before the answer was"));
            }
            return parts.complete(peer);
        }
        if kind == "error" {
            return Err(peer.broken_off(data));
        }
        let read: Chunk<'_> = serde_json::from_str(data).map_err(|error| peer.unreadable(&error))?;
        chunk(read, data, parts, peer)
    }

    fn whole(&mut self, text: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        let read: Chunk<'_> = serde_json::from_str(text).map_err(|error| peer.unreadable_whole(&error))?;
        let answered = read
            .choices
            .as_ref()
            .is_some_and(|choices| choices.iter().any(|choice| choice.message.is_some() || choice.delta.is_some()));
        chunk(read, text, parts, peer)?;
        if answered { Ok(()) } else { Err(peer.undecodable("it holds no answer")) }
    }
}

fn chunk(chunk: Chunk<'_>, text: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
    if chunk.error.is_some() || chunk.object.as_deref() == Some("error") {
        return Err(peer.broken_off(text));
    }
    if parts.model.is_none() {
        parts.model = chunk.model.filter(|model| !model.is_empty());
    }
    if let Some(usage) = chunk.usage.and_then(convert::usage) {
        parts.usage = Some(usage);
    }
    // One choice was asked for.
    for choice in chunk.choices.into_iter().flatten().filter(|choice| choice.index == 0) {
        self::choice(choice, parts, peer)?;
    }
    Ok(())
}

fn choice(choice: Choice<'_>, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
    if let Some(error) = choice.error {
        return Err(peer.broken_off(error.get()));
    }
    if let Some(delta) = choice.delta.or_else(|| choice.message.filter(|_| parts.is_empty())) {
        // Gateways that know both names send the same thought under each.
        let named = if delta.reasoning_content.text.is_empty() { delta.reasoning } else { delta.reasoning_content };
        parts.thinking(named.text);
        parts.thinking(delta.content.thinking);
        parts.text(delta.content.text);
        parts.text(delta.refusal.unwrap_or_default());
        for piece in delta.tool_calls.into_iter().flatten() {
            call(piece, parts, peer)?;
        }
    }
    if let Some(reason) = choice.finish_reason.as_deref().and_then(convert::stop_reason) {
        parts.stop = Some(reason);
    }
    Ok(())
}

fn call(piece: CallPiece<'_>, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
    let function = piece.function.unwrap_or_default();
    let arguments = match function.arguments {
        Some(raw) => convert::arguments(raw).map_err(|error| peer.unreadable(&error))?,
        None => String::new(),
    };
    let signature = piece.extra_content.and_then(|extra| Some(extra.google?.thought_signature?.into_owned()));
    parts.call(peer, wire::CallPiece { index: piece.index, id: piece.id, name: function.name, arguments, signature })
}
