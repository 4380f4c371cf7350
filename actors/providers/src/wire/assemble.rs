//! Puts an answer's pieces together, whatever the wire. Pure: bytes in, events out.

use mosaic_types::{ChatEvent, StopReason};

use super::Reader;
use super::parts::Parts;
use super::peer::Peer;
use super::sse::{Decoder, EVENT_BYTES, SseError};
use crate::ProviderError;

/// Reads the answer of one call.
#[derive(Debug)]
pub(crate) struct Assembler<R> {
    peer: Peer,
    events: Decoder,
    reader: R,
    parts: Parts,
}

impl<R: Reader> Assembler<R> {
    pub(crate) fn new(peer: Peer, events: Decoder, reader: R) -> Self {
        Self { peer, events, reader, parts: Parts::default() }
    }

    /// The next event that can be passed on.
    pub(crate) fn pop(&mut self) -> Option<ChatEvent> {
        self.parts.pop()
    }

    /// Whether something waits to be passed on.
    pub(crate) fn has_events(&self) -> bool {
        self.parts.has_events()
    }

    /// Whether the answer is complete: what comes after is of no interest.
    pub(crate) fn is_done(&self) -> bool {
        self.parts.is_done()
    }

    /// Takes in a piece of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), ProviderError> {
        if !self.parts.is_done() {
            self.events.push(bytes);
        }
        self.drain()
    }

    /// Says that the stream is over; `cut` if not in good order.
    pub(crate) fn end(&mut self, cut: Option<&str>) -> Result<(), ProviderError> {
        self.events.end();
        let rest = self.drain();
        if self.parts.is_done() {
            return Ok(());
        }
        if self.parts.stop.is_some() {
            return self.parts.complete(&self.peer);
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
        self.reader.whole(text, &mut self.parts, &self.peer)?;
        self.parts.bound(&self.peer)?;
        if !self.parts.is_done() {
            // Some servers give no reason where nothing was streamed; the answer is whole all the same.
            self.parts.stop.get_or_insert(StopReason::Other);
            return self.parts.complete(&self.peer);
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), ProviderError> {
        while !self.parts.is_done() {
            match self.events.next() {
                Ok(Some(event)) => {
                    let data = event.data.trim();
                    if !data.is_empty() {
                        self.reader.event(event.kind, data, &mut self.parts, &self.peer)?;
                        self.parts.bound(&self.peer)?;
                    }
                }
                Ok(None) => break,
                Err(SseError::TooLong) => return Err(self.peer.too_large("an event", EVENT_BYTES)),
                Err(error @ SseError::NotUtf8) => return Err(self.peer.undecodable(&error.to_string())),
            }
        }
        Ok(())
    }
}
