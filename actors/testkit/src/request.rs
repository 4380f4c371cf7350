//! Requests as they come off the socket.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of a body, at the most: what Mosaic's own gateway takes.
const BODY_BYTES: usize = 32 << 20;

/// The client is gone, or speaks no HTTP.
#[derive(Debug)]
pub(crate) struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// A request; the head stays raw until somebody asks.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) keep_alive: bool,
    pub(crate) body: Bytes,
    head: Bytes,
}

impl Request {
    /// All headers, names in lower case.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut slots);
        // The head was parsed once when it came; it parses again.
        let _ = parsed.parse(&self.head);
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        parsed.headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header.value))).collect()
    }

    /// Whether the request carries this key, in any of the headers that providers have for it.
    pub(crate) fn bears(&self, key: &str) -> bool {
        self.headers().iter().any(|(name, value)| match name.as_str() {
            "authorization" => value.strip_prefix("Bearer ") == Some(key),
            "x-api-key" | "x-goog-api-key" | "api-key" => value == key,
            _ => false,
        })
    }
}

/// One client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    inbox: BytesMut,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, inbox: BytesMut::with_capacity(8 << 10) }
    }

    /// The next request, or `Gone` when the client has left.
    pub(crate) async fn request(&mut self) -> Result<Request, Gone> {
        let (mut request, length, expects) = loop {
            if let Some(found) = head(&mut self.inbox)? {
                break found;
            }
            self.more().await?;
        };
        if length > BODY_BYTES {
            return Err(Gone);
        }
        if expects && self.inbox.len() < length {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        self.inbox.reserve(length.saturating_sub(self.inbox.len()));
        while self.inbox.len() < length {
            self.more().await?;
        }
        request.body = self.inbox.split_to(length).freeze();
        Ok(request)
    }

    async fn more(&mut self) -> Result<(), Gone> {
        self.inbox.reserve(4 << 10);
        match self.stream.read_buf(&mut self.inbox).await? {
            0 => Err(Gone),
            _ => Ok(()),
        }
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Waits for `work`, or until the client leaves.
    pub(crate) async fn until<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Gone> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                more = self.more() => more?,
            }
        }
    }
}

/// Takes a whole head off the front of `inbox`, with the length of the body and whether a "continue" is awaited.
fn head(inbox: &mut BytesMut) -> Result<Option<(Request, usize, bool)>, Gone> {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut slots);
    let Ok(httparse::Status::Complete(end)) = parsed.parse(inbox) else {
        return if inbox.len() > 64 << 10 || parsed.parse(inbox).is_err() { Err(Gone) } else { Ok(None) };
    };
    let (mut length, mut keep_alive, mut expects) = (0, parsed.version == Some(1), false);
    for header in parsed.headers.iter() {
        let name = header.name;
        if name.eq_ignore_ascii_case("content-length") {
            length = std::str::from_utf8(header.value).ok().and_then(|text| text.parse().ok()).ok_or(Gone)?;
        } else if name.eq_ignore_ascii_case("connection") {
            keep_alive = !header.value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case("expect") {
            expects = true;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            // No client of ours sends one; a test that meets this must hear of it.
            return Err(Gone);
        }
    }
    let method = parsed.method.unwrap_or_default().to_owned();
    let path = parsed.path.unwrap_or_default().to_owned();
    let head = Bytes::copy_from_slice(&inbox[..end]);
    inbox.advance(end);
    Ok(Some((Request { method, path, keep_alive, body: Bytes::new(), head }, length, expects)))
}
