//! Reads an answer of this wire, event by event or whole. Pure.

use super::convert;
use super::wire::{Candidate, MadePart, Response};
use crate::ProviderError;
use crate::wire::call_id::made;
use crate::wire::{self, CallPiece, Parts, Peer};

/// Reads one answer. A stream has no last event: it ends behind the reason for its end.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    calls: u32,
}

impl wire::Reader for Reader {
    fn event(&mut self, kind: &str, data: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        if kind == "error" {
            return Err(peer.broken_off(data));
        }
        let response: Response<'_> = serde_json::from_str(data).map_err(|error| peer.unreadable(&error))?;
        self.response(response, data, parts, peer).map(drop)
    }

    fn whole(&mut self, text: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        let response: Response<'_> = serde_json::from_str(text).map_err(|error| peer.unreadable_whole(&error))?;
        if self.response(response, text, parts, peer)? { Ok(()) } else { Err(peer.undecodable("it holds no answer")) }
    }
}

impl Reader {
    /// Tells whether there was something of an answer in it.
    fn response(
        &mut self,
        response: Response<'_>,
        text: &str,
        parts: &mut Parts,
        peer: &Peer,
    ) -> Result<bool, ProviderError> {
        if response.error.is_some() {
            return Err(peer.broken_off(text));
        }
        if let Some(reason) = response.prompt_feedback.and_then(|feedback| feedback.block_reason) {
            return Err(peer.filtered(&format!("the prompt was held back: {reason}")));
        }
        if parts.model.is_none() {
            parts.model = response.model_version.filter(|model| !model.is_empty());
        }
        if let Some(usage) = &response.usage_metadata {
            parts.usage = Some(convert::usage(usage));
        }
        let mut answered = false;
        // One candidate was asked for.
        for candidate in response.candidates.into_iter().flatten().filter(|candidate| candidate.index == 0) {
            answered = true;
            self.candidate(candidate, parts, peer)?;
        }
        Ok(answered)
    }

    fn candidate(&mut self, candidate: Candidate<'_>, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        for part in candidate.content.and_then(|content| content.parts).into_iter().flatten() {
            self.part(part, parts, peer)?;
        }
        let reason = candidate.finish_reason.unwrap_or_default();
        match convert::stop_reason(&reason) {
            Ok(Some(stop)) => parts.stop = Some(stop),
            Ok(None) => {}
            Err(what) => {
                let said = candidate.finish_message.unwrap_or_default();
                return Err(peer.undecodable(&format!("{what} ({reason}) {said}")));
            }
        }
        Ok(())
    }

    fn part(&mut self, part: MadePart<'_>, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError> {
        if part.thought {
            parts.thinking(part.text);
        } else {
            parts.text(part.text);
        }
        let Some(call) = part.function_call else { return Ok(()) };
        let index = self.calls;
        self.calls += 1;
        let piece = CallPiece {
            index: Some(index),
            id: call.id.filter(|id| !id.is_empty()).or_else(|| Some(made())),
            name: Some(call.name),
            arguments: call.args.map_or_else(|| "{}".to_owned(), |args| args.get().to_owned()),
            signature: part.thought_signature,
        };
        parts.call(peer, piece)
    }
}
