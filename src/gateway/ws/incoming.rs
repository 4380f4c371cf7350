//! From bytes to whole messages, under a limit that holds before anything is kept.
//!
//! The library's own stream reads on while it has not yet handed out what it read, and keeps a frame of any announced
//! length until it is complete. Here nothing is read while a whole frame is at hand, and a frame is refused by its
//! header.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::ws::{Codec, Frame, Item, ProtocolError};
use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio_util::codec::Decoder;

use super::close::Close;

/// Bytes of a message before `connect` was accepted.
pub(super) const STRANGER_BYTES: usize = 64 << 10;
/// Bytes of a message after it.
pub(super) const MESSAGE_BYTES: usize = 1 << 20;

/// Something whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    Text(String),
    Ping(Bytes),
    Pong(Bytes),
    /// Goodbye, with its code.
    Close(Option<u16>),
}

/// The messages of one socket. After an error nothing more comes.
pub(super) struct Incoming<S> {
    payload: S,
    codec: Codec,
    read: BytesMut,
    /// The fragments so far of a message that comes in several.
    joined: Option<BytesMut>,
    limit: Rc<Cell<usize>>,
    over: bool,
}

impl<S> Incoming<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    /// Reads `payload`. `limit`, in bytes of a message, may change from one message to the next.
    pub(super) fn new(payload: S, limit: Rc<Cell<usize>>) -> Self {
        let codec = Codec::new().max_size(MESSAGE_BYTES);
        Self { payload, codec, read: BytesMut::new(), joined: None, limit, over: false }
    }

    /// Takes the next frame out of what was read; `None`: more must be read.
    fn frame(&mut self) -> Result<Option<Frame>, Close> {
        let kept = self.joined.as_ref().map_or(0, BytesMut::len);
        if announced(&self.read).is_some_and(|bytes| bytes > (self.limit.get() - kept.min(self.limit.get())) as u64) {
            return Err(self.too_big());
        }
        self.codec.decode(&mut self.read).map_err(|error| match error {
            ProtocolError::Overflow => self.too_big(),
            error => Close::new(Close::PROTOCOL, error.to_string()),
        })
    }

    fn too_big(&self) -> Close {
        Close::new(Close::TOO_BIG, format!("a message has at most {} bytes here", self.limit.get()))
    }

    /// What a frame completes, if it does.
    fn take(&mut self, frame: Frame) -> Result<Option<Came>, Close> {
        let binary = || Close::new(Close::UNSUPPORTED, "frames are JSON, sent as text");
        let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(Came::Text(text.to_owned()))),
            Err(_) => Err(Close::new(Close::NOT_UTF8, "a text frame is UTF-8")),
        };
        match frame {
            Frame::Text(bytes) => text(&bytes),
            Frame::Binary(_) | Frame::Continuation(Item::FirstBinary(_)) => Err(binary()),
            Frame::Continuation(Item::FirstText(part)) => {
                self.joined = Some(BytesMut::from(&part[..]));
                Ok(None)
            }
            Frame::Continuation(Item::Continue(part)) => {
                self.joined.get_or_insert_default().extend_from_slice(&part);
                Ok(None)
            }
            Frame::Continuation(Item::Last(part)) => {
                let mut whole = self.joined.take().unwrap_or_default();
                whole.extend_from_slice(&part);
                text(&whole)
            }
            Frame::Ping(payload) => Ok(Some(Came::Ping(payload))),
            Frame::Pong(payload) => Ok(Some(Came::Pong(payload))),
            Frame::Close(reason) => Ok(Some(Came::Close(reason.map(|reason| reason.code.into())))),
        }
    }
}

/// Bytes that a frame's header announces (RFC 6455, 5.2), once they can be seen.
fn announced(read: &[u8]) -> Option<u64> {
    match (read.get(1)? & 0x7f, read) {
        (126, [_, _, high, low, ..]) => Some(u64::from(u16::from_be_bytes([*high, *low]))),
        (127, read) => Some(u64::from_be_bytes(read.get(2..10)?.try_into().ok()?)),
        (126, _) => None,
        (bytes, _) => Some(u64::from(bytes)),
    }
}

impl<S> Stream for Incoming<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Came, Close>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while !this.over {
            let came = this.frame().and_then(|frame| match frame {
                Some(frame) => this.take(frame).map(|came| (came, true)),
                None => Ok((None, false)),
            });
            match came {
                Ok((Some(came), _)) => return Poll::Ready(Some(Ok(came))),
                Ok((None, true)) => continue,
                Ok((None, false)) => {}
                Err(close) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(close)));
                }
            }
            match this.payload.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(piece))) => this.read.extend_from_slice(&piece),
                Poll::Ready(Some(Err(_)) | None) => this.over = true,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(None)
    }
}
