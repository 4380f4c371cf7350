//! Where a body ends.

use std::io;

use bytes::{Bytes, BytesMut};

use super::response::Head;
use super::{front, skip, wrong};

/// How a body is framed, and how much of it is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes to come.
    Length(u64),
    /// A chunk's size line comes next.
    Size,
    /// In a chunk with so many bytes to come, its line end not counted.
    Chunk(u64),
    /// The line end after a chunk comes next.
    AfterChunk,
    /// Trailer lines up to an empty one come next.
    Trailers,
    /// Up to the end of the connection.
    Close,
}

impl Framing {
    pub(super) fn of(head: &Head) -> io::Result<Self> {
        if matches!(head.status, 101 | 204 | 304) {
            return Ok(Self::Length(0));
        }
        if head.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Ok(Self::Size);
        }
        match head.header("content-length") {
            Some(length) => length.parse().map(Self::Length).map_err(|_| wrong("the content length is no number")),
            None => Ok(Self::Close),
        }
    }

    pub(super) fn at_end(self) -> bool {
        self == Self::Length(0)
    }

    /// Takes the next piece of the body off the front of `inbox`; `None` if more must be read, or at the end.
    pub(super) fn take(&mut self, inbox: &mut BytesMut) -> io::Result<Option<Bytes>> {
        loop {
            match *self {
                Self::Length(0) => return Ok(None),
                Self::Close if inbox.is_empty() => return Ok(None),
                Self::Close => return Ok(Some(front(inbox, inbox.len()))),
                Self::Length(left) | Self::Chunk(left) if left > 0 => {
                    let size = usize::try_from(left).unwrap_or(usize::MAX).min(inbox.len());
                    if size == 0 {
                        return Ok(None);
                    }
                    let left = left - size as u64;
                    *self = if matches!(self, Self::Chunk(_)) { Self::Chunk(left) } else { Self::Length(left) };
                    return Ok(Some(front(inbox, size)));
                }
                Self::Length(_) => return Ok(None),
                Self::Chunk(_) => *self = Self::AfterChunk,
                Self::Size | Self::AfterChunk | Self::Trailers => {
                    let Some(end) = inbox.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
                    let next = self.after_line(inbox[..end].trim_ascii_end())?;
                    skip(inbox, end + 1);
                    *self = next;
                }
            }
        }
    }

    fn after_line(self, line: &[u8]) -> io::Result<Self> {
        match self {
            Self::Size => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                let digits = std::str::from_utf8(digits).ok();
                match digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
                    Some(0) => Ok(Self::Trailers),
                    Some(size) => Ok(Self::Chunk(size)),
                    None => Err(wrong("a chunk's size is no number")),
                }
            }
            Self::AfterChunk if line.is_empty() => Ok(Self::Size),
            Self::AfterChunk => Err(wrong("a chunk is longer than its size")),
            _ if line.is_empty() => Ok(Self::Length(0)),
            _ => Ok(Self::Trailers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], step: usize) -> io::Result<(Vec<u8>, bool)> {
        let (mut framing, mut inbox, mut body) = (Framing::Size, BytesMut::new(), Vec::new());
        for part in bytes.chunks(step) {
            inbox.extend_from_slice(part);
            while let Some(piece) = framing.take(&mut inbox)? {
                body.extend_from_slice(&piece);
            }
        }
        Ok((body, framing.at_end()))
    }

    #[test]
    fn a_chunked_body_is_the_same_however_it_is_cut() {
        let bytes = b"5\r\nhello\r\n1;x=y\r\n,\r\nA\r\n0123456789\r\n0\r\nt: v\r\n\r\n";
        for step in 1..bytes.len() {
            assert_eq!(read(bytes, step).expect("valid"), (b"hello,0123456789".to_vec(), true));
        }
        assert!(!read(&bytes[..bytes.len() - 2], 7).expect("valid so far").1);
        assert!(read(b"zz\r\n", 9).is_err() && read(b"1\r\nab\r\n", 9).is_err());
    }
}
