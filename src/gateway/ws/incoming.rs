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
/// Bytes of a message after it, of who only reads.
pub(super) const READER_BYTES: usize = 1 << 20;
/// Bytes of a message of who may send some, with their files: what a request may have.
pub(super) const MESSAGE_BYTES: usize = crate::gateway::body::MESSAGE_BYTES;
/// Of a message that is longer than this, each piece is a sign of life: it may take longer than silence may.
const LONG_BYTES: usize = 128 << 10;

/// Something whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    Text(String),
    /// A piece of something long that is not whole yet.
    Part,
    Ping(Bytes),
    Pong(Bytes),
    /// Goodbye, with its code.
    Close(Option<u16>),
    /// Bytes after an error, which mean nothing.
    Rubbish,
}

/// The messages of one socket. After an error nothing more comes but rubbish.
pub(super) struct Incoming<S> {
    payload: S,
    codec: Codec,
    read: BytesMut,
    /// The fragments so far of a message that comes in several.
    joined: Option<BytesMut>,
    limit: Rc<Cell<usize>>,
    /// There was an error.
    broken: bool,
    over: bool,
}

impl<S> Incoming<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    /// Reads `payload`. `limit`, in bytes of a message, may change from one message to the next.
    pub(super) fn new(payload: S, limit: Rc<Cell<usize>>) -> Self {
        let codec = Codec::new().max_size(MESSAGE_BYTES);
        Self { payload, codec, read: BytesMut::new(), joined: None, limit, broken: false, over: false }
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
            if this.broken {
                // Read all the same: a connection that ends with something unread is reset, and who is reset may not
                // learn why.
                match this.payload.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(_))) => return Poll::Ready(Some(Ok(Came::Rubbish))),
                    Poll::Ready(Some(Err(_)) | None) => this.over = true,
                    Poll::Pending => return Poll::Pending,
                }
                continue;
            }
            let came = this.frame().and_then(|frame| match frame {
                Some(frame) => this.take(frame).map(|came| (came, true)),
                None => Ok((None, false)),
            });
            match came {
                Ok((Some(came), _)) => return Poll::Ready(Some(Ok(came))),
                Ok((None, true)) => continue,
                Ok((None, false)) => {}
                Err(close) => {
                    this.broken = true;
                    (this.read, this.joined) = (BytesMut::new(), None);
                    return Poll::Ready(Some(Err(close)));
                }
            }
            match this.payload.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    this.read.extend_from_slice(&piece);
                    if this.read.len() > LONG_BYTES {
                        return Poll::Ready(Some(Ok(Came::Part)));
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => this.over = true,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, stream};
    use mosaic_testkit::ws::{masked, opcode};

    use super::*;

    /// What comes of these bytes, cut into pieces of `size`.
    fn came(bytes: &[u8], size: usize) -> Vec<Result<Came, u16>> {
        let pieces: Vec<_> = bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let incoming = Incoming::new(stream::iter(pieces), Rc::new(Cell::new(STRANGER_BYTES)));
        let all = incoming.map(|came| came.map_err(|close| close.code));
        // What comes after an error means nothing, but all of it is taken.
        let all = all.filter(|came| std::future::ready(*came != Ok(Came::Rubbish))).collect::<Vec<_>>();
        all.now_or_never().expect("everything is there already")
    }

    #[test]
    fn messages_are_the_same_however_their_bytes_are_cut() {
        let long = "ä".repeat(20 << 10);
        let mut bytes = masked(true, opcode::TEXT, long.as_bytes());
        bytes.extend(masked(false, opcode::TEXT, "jo".as_bytes()));
        bytes.extend(masked(true, opcode::PING, b"p"));
        bytes.extend(masked(false, opcode::CONTINUATION, &"ï".as_bytes()[..1]));
        bytes.extend(masked(true, opcode::CONTINUATION, &["ï".as_bytes()[1..].to_vec(), b"ned".to_vec()].concat()));
        bytes.extend(masked(true, opcode::CLOSE, &4321_u16.to_be_bytes()));
        let whole = [
            Ok(Came::Text(long)),
            Ok(Came::Ping(Bytes::from_static(b"p"))),
            Ok(Came::Text("joïned".to_owned())),
            Ok(Came::Close(Some(4321))),
        ];
        for size in [1, 2, 3, 7, 1_000, bytes.len()] {
            assert_eq!(came(&bytes, size), whole, "in pieces of {size}");
        }
    }

    #[test]
    fn a_message_over_its_limit_is_refused_by_its_header_whole_or_in_parts() {
        let over = vec![b'x'; STRANGER_BYTES + 1];
        let whole = masked(true, opcode::TEXT, &over);
        assert_eq!(came(&whole[..14], 1), [Err(Close::TOO_BIG)], "nothing of its body was needed");
        let exactly = masked(true, opcode::TEXT, &over[1..]);
        assert_eq!(came(&exactly, 4_096).len(), 1);
        let mut parts = masked(false, opcode::TEXT, &over[..STRANGER_BYTES / 2]);
        parts.extend(masked(false, opcode::CONTINUATION, &over[..STRANGER_BYTES / 2]));
        parts.extend(masked(true, opcode::CONTINUATION, b"x"));
        assert_eq!(came(&parts, 4_096), [Err(Close::TOO_BIG)]);
        // The largest length that can be announced.
        let huge = [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(came(&huge, 10), [Err(Close::TOO_BIG)]);
    }

    #[test]
    fn each_piece_of_a_long_message_is_a_sign_of_life_and_none_of_a_short_one() {
        let pieces = |bytes: &[u8]| {
            let pieces: Vec<_> = bytes.chunks(64 << 10).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            let incoming = Incoming::new(stream::iter(pieces), Rc::new(Cell::new(MESSAGE_BYTES)));
            let all = incoming.map(|came| matches!(came, Ok(Came::Part))).collect::<Vec<_>>();
            all.now_or_never().expect("everything is there already")
        };
        let long = pieces(&masked(true, opcode::TEXT, &vec![b'x'; 1 << 20]));
        assert!(long.len() > 10 && long[..long.len() - 1].iter().all(|part| *part), "{long:?}");
        assert_eq!(long.last(), Some(&false), "it is whole");
        assert_eq!(pieces(&masked(true, opcode::TEXT, &vec![b'x'; 100 << 10])), [false]);
    }

    #[test]
    fn after_an_error_all_is_taken_and_nothing_of_it_heard() {
        let pieces = [masked(true, opcode::BINARY, b"{}"), masked(true, opcode::TEXT, b"{}"), vec![0; 3]];
        let pieces = stream::iter(pieces.map(|piece| Ok(Bytes::from(piece))));
        let incoming = Incoming::new(pieces, Rc::new(Cell::new(STRANGER_BYTES)));
        let all = incoming.map(|came| came.map_err(|close| close.code)).collect::<Vec<_>>();
        let all = all.now_or_never().expect("everything is there already");
        assert_eq!(all, [Err(Close::UNSUPPORTED), Ok(Came::Rubbish), Ok(Came::Rubbish)]);
    }
}
