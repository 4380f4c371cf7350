//! The body of an answer, read as it comes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use mosaic_types::ChatEvent;
use tokio::runtime::Handle;

use super::Reader;
use super::assemble::Assembler;
use super::parts::ANSWER_BYTES;
use super::peer::Peer;
use super::server::root_cause;
use crate::ProviderError;

/// How long the end of a body is waited for once the answer is complete, so that the connection can be used again.
const TAIL: Duration = Duration::from_secs(1);

/// Bytes read before the events made of them are passed on although the socket has more.
const READ_BYTES: usize = 16 << 10;

/// Turns of the runtime before events are passed on although chunks keep coming. Enough for a read full of small
/// chunks, and no more than a few milliseconds on an arbiter that is very busy.
const TURNS: u32 = 16;

type Body = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// How the answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As server-sent events.
    Events,
    /// As JSON texts, one a line.
    Lines,
    /// As one JSON text.
    Whole,
}

/// The events of one answer. What each socket read brought is passed on without a timer, in as few events as it makes.
///
/// The HTTP client hands a read over chunk by chunk, one for each time its own task runs. So while chunks come, the
/// runtime gets a turn (at most [`TURNS`]) before what is at hand is passed on: a microsecond when it is idle, and more
/// pieces in one event the busier it is. That turn also finds the end of the body, which mostly came with the last
/// event, so that the connection is free before the next call asks for it.
pub(crate) struct Answer<R: Reader> {
    peer: Peer,
    shape: Shape,
    /// None once it is of no more use.
    body: Option<Body>,
    assembler: Assembler<R>,
    whole: Vec<u8>,
    failed: Option<ProviderError>,
    /// Bytes read since events were last passed on.
    taken: usize,
    /// Something was read since the runtime last had its turn.
    fresh: bool,
    /// Turns given since events were last passed on.
    turns: u32,
    /// Events are being passed on, one a poll.
    flushing: bool,
}

/// Why reading paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// The runtime gets its turn; it will poll again at once.
    Turn,
    /// The socket has no more for now.
    Empty,
    /// Enough is at hand.
    Enough,
    /// The body is at its end, or is of no more use.
    End,
}

impl<R: Reader> Answer<R> {
    pub(crate) fn new(response: reqwest::Response, shape: Shape, peer: Peer, assembler: Assembler<R>) -> Self {
        Self {
            assembler,
            body: Some(Box::pin(response.bytes_stream())),
            peer,
            shape,
            whole: Vec::new(),
            failed: None,
            taken: 0,
            fresh: false,
            turns: 0,
            flushing: false,
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Pause {
        while let Some(body) = &mut self.body {
            let result = match body.poll_next_unpin(cx) {
                Poll::Pending if std::mem::take(&mut self.fresh) && self.turns < TURNS => {
                    self.turns += 1;
                    cx.waker().wake_by_ref();
                    return Pause::Turn;
                }
                Poll::Pending => return Pause::Empty,
                Poll::Ready(Some(Ok(bytes))) => {
                    self.fresh = true;
                    self.taken += bytes.len();
                    self.take(&bytes)
                }
                Poll::Ready(end) => {
                    self.body = None;
                    self.ended(end.and_then(Result::err))
                }
            };
            if let Err(error) = result {
                self.failed = Some(error);
                self.body = None;
            }
            if self.taken >= READ_BYTES && self.assembler.has_events() {
                return Pause::Enough;
            }
        }
        Pause::End
    }

    fn take(&mut self, bytes: &Bytes) -> Result<(), ProviderError> {
        if self.shape != Shape::Whole {
            // What comes after the end of the answer is read, so that the body may end, and forgotten.
            return self.assembler.push(bytes);
        }
        if self.whole.len() + bytes.len() > ANSWER_BYTES {
            return Err(self.peer.too_large("an answer", ANSWER_BYTES));
        }
        self.whole.extend_from_slice(bytes);
        Ok(())
    }

    fn ended(&mut self, cut: Option<reqwest::Error>) -> Result<(), ProviderError> {
        let cut = cut.map(|error| root_cause(&error));
        match (self.shape, cut) {
            (Shape::Events | Shape::Lines, cut) => self.assembler.end(cut.as_deref()),
            (Shape::Whole, Some(cut)) => Err(self.peer.truncated(&cut)),
            (Shape::Whole, None) => self.assembler.whole(&std::mem::take(&mut self.whole)),
        }
    }
}

impl<R: Reader> Stream for Answer<R> {
    type Item = Result<ChatEvent, ProviderError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if !this.flushing {
            if this.assembler.is_done() && !this.assembler.has_events() {
                return Poll::Ready(None);
            }
            let pause = this.read(cx);
            if pause == Pause::Turn {
                return Poll::Pending;
            }
            if !this.assembler.has_events() {
                return match this.failed.take() {
                    Some(error) => Poll::Ready(Some(Err(error))),
                    None if pause == Pause::Empty => Poll::Pending,
                    None => Poll::Ready(None),
                };
            }
            (this.taken, this.turns) = (0, 0);
        }
        let event = this.assembler.pop();
        this.flushing = this.assembler.has_events();
        Poll::Ready(event.map(Ok))
    }
}

impl<R: Reader> Drop for Answer<R> {
    /// Dropped before its end, the call ends at the server too, since the connection closes. After its end the body's
    /// last bytes, which often come in a packet of their own, are read away: the next call then needs no new connection.
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|_| self.assembler.is_done()) else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let tail = async { while let Some(Ok(_)) = body.next().await {} };
                let _ = tokio::time::timeout(TAIL, tail).await;
            });
        }
    }
}
