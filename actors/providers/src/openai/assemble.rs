//! Puts an answer's pieces together. Pure: bytes in, events out.

use std::collections::VecDeque;

use mosaic_types::{ChatEvent, StopReason, Usage};

use super::convert;
use super::error::Peer;
use super::sse::{Decoder, EVENT_BYTES, SseError};
use super::wire::{CallPiece, Choice, Chunk};
use crate::ProviderError;

/// Bytes of text, thinking and arguments in one answer, at the most, and of a body that is read whole. Ten times what
/// the largest output window (128,000 tokens, about 0.5 MB) can hold, and then some for escapes.
pub(crate) const ANSWER_BYTES: usize = 32 << 20;

/// Tool calls in one answer, at the most; OpenAI itself allows 128 tools.
const CALLS: usize = 256;

/// Reads the answer of one call.
#[derive(Debug)]
pub(crate) struct Assembler {
    peer: Peer,
    sse: Decoder,
    parts: Parts,
}

/// What is known of the answer so far.
#[derive(Debug, Default)]
struct Parts {
    ready: VecDeque<ChatEvent>,
    calls: Vec<Call>,
    finish: Option<StopReason>,
    usage: Option<Usage>,
    model: Option<String>,
    bytes: usize,
    done: bool,
}

/// A tool call under way. Servers number them by `index`, or tell them apart by `id` alone.
#[derive(Debug)]
struct Call {
    wire_index: u32,
    id: Option<String>,
    named: bool,
}

impl Assembler {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer, sse: Decoder::default(), parts: Parts::default() }
    }

    /// The next event that can be passed on.
    pub(crate) fn pop(&mut self) -> Option<ChatEvent> {
        self.parts.ready.pop_front()
    }

    /// Whether something waits to be passed on.
    pub(crate) fn has_events(&self) -> bool {
        !self.parts.ready.is_empty()
    }

    /// Whether the answer is complete: what comes after is of no interest.
    pub(crate) fn is_done(&self) -> bool {
        self.parts.done
    }

    /// Takes in a piece of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), ProviderError> {
        if !self.parts.done {
            self.sse.push(bytes);
        }
        self.drain()
    }

    /// Says that the stream is over; `cut` if not in good order.
    pub(crate) fn end(&mut self, cut: Option<&str>) -> Result<(), ProviderError> {
        self.sse.end();
        let rest = self.drain();
        if self.parts.done {
            return Ok(());
        }
        if self.parts.finish.is_some() {
            self.parts.finish();
            return Ok(());
        }
        match rest {
            // Half an event is a sign of a cut, not of a server that cannot write.
            Err(ProviderError::Undecodable { .. }) | Ok(()) => {
                Err(self.peer.truncated(cut.unwrap_or("the stream ended before the answer")))
            }
            Err(error) => Err(error),
        }
    }

    /// Takes in a whole answer in one JSON text.
    pub(crate) fn whole(&mut self, body: &[u8]) -> Result<(), ProviderError> {
        let text = std::str::from_utf8(body).map_err(|_| self.peer.undecodable("the answer is not UTF-8"))?;
        let chunk: Chunk<'_> = serde_json::from_str(text).map_err(|error| {
            if error.is_eof() {
                self.peer.truncated("the answer is half a JSON text")
            } else {
                undecodable(&self.peer, &error)
            }
        })?;
        let answered = chunk
            .choices
            .as_ref()
            .is_some_and(|choices| choices.iter().any(|choice| choice.message.is_some() || choice.delta.is_some()));
        self.parts.chunk(&self.peer, chunk, text)?;
        if !answered {
            return Err(self.peer.undecodable("it holds no answer"));
        }
        // Some servers give no reason where nothing was streamed; the answer is whole all the same.
        self.parts.finish.get_or_insert(StopReason::Other);
        self.parts.finish();
        Ok(())
    }

    fn drain(&mut self) -> Result<(), ProviderError> {
        while !self.parts.done {
            match self.sse.next() {
                Ok(Some(event)) => self.parts.event(&self.peer, event.kind, event.data)?,
                Ok(None) => break,
                Err(SseError::TooLong) => return Err(too_large(&self.peer, "an event", EVENT_BYTES)),
                Err(error @ SseError::NotUtf8) => return Err(self.peer.undecodable(&error.to_string())),
            }
        }
        Ok(())
    }
}

impl Parts {
    fn event(&mut self, peer: &Peer, kind: &str, data: &str) -> Result<(), ProviderError> {
        let data = data.trim();
        if data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            if self.finish.is_none() {
                return Err(peer.truncated("the stream said it was done before the answer was"));
            }
            self.finish();
            return Ok(());
        }
        if kind == "error" {
            return Err(peer.broken_off(data));
        }
        let chunk: Chunk<'_> = serde_json::from_str(data).map_err(|error| undecodable(peer, &error))?;
        self.chunk(peer, chunk, data)
    }

    fn chunk(&mut self, peer: &Peer, chunk: Chunk<'_>, text: &str) -> Result<(), ProviderError> {
        if chunk.error.is_some() || chunk.object.as_deref() == Some("error") {
            return Err(peer.broken_off(text));
        }
        if self.model.is_none() {
            self.model = chunk.model.filter(|model| !model.is_empty());
        }
        if let Some(usage) = chunk.usage.and_then(convert::usage) {
            self.usage = Some(usage);
        }
        // One choice was asked for.
        for choice in chunk.choices.into_iter().flatten().filter(|choice| choice.index == 0) {
            self.choice(peer, choice)?;
        }
        if self.bytes > ANSWER_BYTES {
            return Err(too_large(peer, "an answer", ANSWER_BYTES));
        }
        Ok(())
    }

    fn choice(&mut self, peer: &Peer, choice: Choice<'_>) -> Result<(), ProviderError> {
        if let Some(error) = choice.error {
            return Err(peer.broken_off(error.get()));
        }
        if let Some(delta) = choice.delta.or_else(|| choice.message.filter(|_| self.bytes == 0)) {
            // Gateways that know both names send the same thought under each.
            let named = if delta.reasoning_content.text.is_empty() { delta.reasoning } else { delta.reasoning_content };
            self.thinking(named.text);
            self.thinking(delta.content.thinking);
            self.text(delta.content.text);
            self.text(delta.refusal.unwrap_or_default());
            for piece in delta.tool_calls.into_iter().flatten() {
                self.call(peer, piece)?;
            }
        }
        if let Some(reason) = choice.finish_reason.as_deref().and_then(convert::stop_reason) {
            self.finish = Some(reason);
        }
        Ok(())
    }

    /// Passes on text; what one read brought in many events becomes one.
    fn text(&mut self, text: String) {
        self.bytes += text.len();
        match self.ready.back_mut() {
            _ if text.is_empty() => {}
            Some(ChatEvent::Text(last)) => last.push_str(&text),
            _ => self.ready.push_back(ChatEvent::Text(text)),
        }
    }

    fn thinking(&mut self, text: String) {
        self.bytes += text.len();
        match self.ready.back_mut() {
            _ if text.is_empty() => {}
            Some(ChatEvent::Thinking(last)) => last.push_str(&text),
            _ => self.ready.push_back(ChatEvent::Thinking(text)),
        }
    }

    fn call(&mut self, peer: &Peer, piece: CallPiece<'_>) -> Result<(), ProviderError> {
        let function = piece.function.unwrap_or_default();
        let id = piece.id.filter(|id| !id.is_empty());
        let name = function.name.filter(|name| !name.is_empty());
        let arguments = match function.arguments {
            Some(raw) => convert::arguments(raw).map_err(|error| undecodable(peer, &error))?,
            None => String::new(),
        };
        self.bytes += arguments.len();
        let at = self.slot(piece.index, id.as_deref());
        if at == CALLS {
            return Err(peer.undecodable("it calls more than 256 tools"));
        }
        if at == self.calls.len() {
            let wire_index = piece.index.unwrap_or(at as u32);
            self.calls.push(Call { wire_index, id: None, named: false });
        }
        let call = &mut self.calls[at];
        // Both are told once, however often the server repeats them.
        let id = id.filter(|_| call.id.is_none());
        let name = name.filter(|_| !call.named);
        call.named |= name.is_some();
        if id.is_some() {
            call.id.clone_from(&id);
        }
        let index = at as u32;
        if id.is_none() && name.is_none() {
            match self.ready.back_mut() {
                _ if arguments.is_empty() => return Ok(()),
                Some(ChatEvent::ToolCall { index: last, arguments: so_far, .. }) if *last == index => {
                    so_far.push_str(&arguments);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.ready.push_back(ChatEvent::ToolCall { index, id, name, arguments });
        Ok(())
    }

    /// Which call a piece belongs to; the next free place if it begins a new one.
    fn slot(&self, index: Option<u32>, id: Option<&str>) -> usize {
        let fits = |call: &Call| match (id, &call.id) {
            (Some(id), Some(known)) => id == known,
            _ => true,
        };
        let known = match index {
            // The newest of that index: a server that says 0 for every call means the last one it named.
            Some(index) => self.calls.iter().rposition(|call| call.wire_index == index && fits(call)),
            None if id.is_some() => self.calls.iter().rposition(|call| call.id.as_deref() == id),
            None => self.calls.len().checked_sub(1),
        };
        known.unwrap_or(self.calls.len())
    }

    fn finish(&mut self) {
        let stop_reason = match self.finish.take() {
            // A tool that was forced is called with the reason "stop".
            Some(StopReason::Stop) | None if !self.calls.is_empty() => StopReason::ToolCalls,
            reason => reason.unwrap_or(StopReason::Other),
        };
        let (usage, model) = (self.usage.take(), self.model.take());
        self.ready.push_back(ChatEvent::Finished { stop_reason, usage, model });
        self.done = true;
    }
}

fn undecodable(peer: &Peer, error: &serde_json::Error) -> ProviderError {
    peer.undecodable(&error.to_string())
}

fn too_large(peer: &Peer, what: &'static str, limit: usize) -> ProviderError {
    ProviderError::TooLarge { provider: peer.provider.clone(), what, limit }
}
