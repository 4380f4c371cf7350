//! What is known of an answer so far, in the words every room shares. Pure.

use std::collections::VecDeque;

use mosaic_types::{ChatEvent, StopReason, Usage};

use super::peer::Peer;
use crate::ProviderError;

/// Bytes of text, thinking and arguments in one answer, at the most, and of a body that is read whole. Ten times what
/// the largest output window (128,000 tokens, about 0.5 MB) can hold, and then some for escapes.
pub(crate) const ANSWER_BYTES: usize = 32 << 20;

/// Tool calls in one answer, at the most; OpenAI itself allows 128 tools.
const CALLS: usize = 256;

/// The pieces of one answer: a wire's reader puts them in, the stream takes events out.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Why the model stopped, once it has said so.
    pub(crate) stop: Option<StopReason>,
    pub(crate) usage: Option<Usage>,
    /// The model that answers, as it names itself.
    pub(crate) model: Option<String>,
    ready: VecDeque<ChatEvent>,
    calls: Vec<Call>,
    bytes: usize,
    /// Text was passed on.
    said: bool,
    done: bool,
}

/// A piece of a tool call, as a wire tells it.
#[derive(Debug, Default)]
pub(crate) struct CallPiece {
    /// Servers number their calls, or tell them apart by `id` alone.
    pub(crate) index: Option<u32>,
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) arguments: String,
    pub(crate) signature: Option<String>,
}

/// A tool call under way.
#[derive(Debug)]
struct Call {
    wire_index: u32,
    id: Option<String>,
    named: bool,
}

impl Parts {
    /// The next event that can be passed on.
    pub(super) fn pop(&mut self) -> Option<ChatEvent> {
        self.ready.pop_front()
    }

    /// Whether something waits to be passed on.
    pub(super) fn has_events(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether the answer is complete: what comes after is of no interest.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether nothing was said yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Counts bytes that a reader keeps to itself.
    pub(crate) fn keeps(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Refuses an answer that has grown past its bound.
    pub(crate) fn bound(&self, peer: &Peer) -> Result<(), ProviderError> {
        if self.bytes > ANSWER_BYTES { Err(peer.too_large("an answer", ANSWER_BYTES)) } else { Ok(()) }
    }

    /// Passes on text; what one read brought in many events becomes one.
    pub(crate) fn text(&mut self, text: String) {
        self.bytes += text.len();
        self.said |= !text.is_empty();
        match self.ready.back_mut() {
            _ if text.is_empty() => {}
            Some(ChatEvent::Text(last)) => last.push_str(&text),
            _ => self.ready.push_back(ChatEvent::Text(text)),
        }
    }

    /// Passes on what the model thinks.
    pub(crate) fn thinking(&mut self, text: String) {
        self.bytes += text.len();
        match self.ready.back_mut() {
            _ if text.is_empty() => {}
            Some(ChatEvent::Thinking(last)) => last.push_str(&text),
            _ => self.ready.push_back(ChatEvent::Thinking(text)),
        }
    }

    /// Passes on a piece of a tool call.
    ///
    /// # Errors
    /// More calls than [`CALLS`].
    pub(crate) fn call(&mut self, peer: &Peer, piece: CallPiece) -> Result<(), ProviderError> {
        let CallPiece { index, id, name, arguments, signature } = piece;
        let (id, name) = (id.filter(|id| !id.is_empty()), name.filter(|name| !name.is_empty()));
        self.bytes += arguments.len();
        let at = self.slot(index, id.as_deref());
        if at == CALLS {
            return Err(peer.undecodable("it calls more than 256 tools"));
        }
        if at == self.calls.len() {
            let wire_index = index.unwrap_or(at as u32);
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
        if id.is_none() && name.is_none() && signature.is_none() {
            match self.ready.back_mut() {
                _ if arguments.is_empty() => return Ok(()),
                Some(ChatEvent::ToolCall { index: last, arguments: so_far, .. }) if *last == index => {
                    so_far.push_str(&arguments);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.ready.push_back(ChatEvent::ToolCall { index, id, name, arguments, signature });
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

    /// Ends the answer.
    ///
    /// # Errors
    /// A filter held all of it back: that is no answer, however politely it was said.
    pub(crate) fn complete(&mut self, peer: &Peer) -> Result<(), ProviderError> {
        if self.stop == Some(StopReason::ContentFilter) && !self.said && self.calls.is_empty() {
            return Err(peer.filtered("nothing of the answer was let through"));
        }
        let stop_reason = match self.stop.take() {
            // A tool that was forced is called with the reason "stop".
            Some(StopReason::Stop) | None if !self.calls.is_empty() => StopReason::ToolCalls,
            reason => reason.unwrap_or(StopReason::Other),
        };
        let (usage, model) = (self.usage.take(), self.model.take());
        self.ready.push_back(ChatEvent::Finished { stop_reason, usage, model });
        self.done = true;
        Ok(())
    }
}
