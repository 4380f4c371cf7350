//! A small raw HTTP/1.1 client on one kept-alive connection, for load and for tests that must see the bytes.
//!
//! One request at a time, one write each, no copies of heads; a whole exchange costs a few microseconds beside the
//! system calls. Nothing is retried and nothing is hidden: a connection that ends early is an error.

mod body;
mod caller;
mod response;

use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use body::Framing;
pub use caller::Caller;
pub use response::{Head, Response};

/// Bytes of a head, at the most.
const HEAD_BYTES: usize = 256 << 10;

/// One connection to one server.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    inbox: BytesMut,
    outbox: Vec<u8>,
    host: String,
}

impl Client {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address).await?, address)
    }

    /// Connects from one of the machine's own addresses; on Linux all of 127.0.0.0/8 are.
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(source, 0))?;
        Self::over(socket.connect(address).await?, address)
    }

    fn over(stream: TcpStream, address: SocketAddr) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let inbox = BytesMut::with_capacity(8 << 10);
        Ok(Self { stream, inbox, outbox: Vec::with_capacity(1 << 10), host: address.to_string() })
    }

    /// The same connection, on which the server is called by another name than its address.
    pub fn calling(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Sends a request and reads its whole answer.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let mut streaming = self.stream(method, path, headers, body).await?;
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        while let Some(piece) = streaming.next().await? {
            if first.is_empty() && rest.is_empty() {
                first = piece;
                continue;
            }
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&piece);
        }
        let body = if rest.is_empty() { first } else { rest.freeze() };
        Ok(Response { head: streaming.head, body })
    }

    /// Sends a request and reads the head of its answer; the body is read piece by piece.
    ///
    /// If the [`Streaming`] is dropped before its end, the connection is of no more use: drop it too, which is how a
    /// client hangs up.
    pub async fn stream(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Streaming<'_>> {
        self.send(method, path, headers, body).await?;
        self.receive(method == "HEAD").await
    }

    /// Sends a request and does not wait for anything.
    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
        let out = &mut self.outbox;
        out.clear();
        for part in [method, " ", path, " HTTP/1.1\r\nhost: ", &self.host, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        for (name, value) in headers {
            for part in [name, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        if !body.is_empty() || !matches!(method, "GET" | "HEAD") {
            let length = format!("content-length: {}\r\n", body.len());
            out.extend_from_slice(length.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        self.stream.write_all(out).await
    }

    /// Sends bytes as they are, for tests of what is not HTTP.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads the head of the next answer. `bodiless` where none follows (the answer to `HEAD`).
    pub async fn receive(&mut self, bodiless: bool) -> io::Result<Streaming<'_>> {
        let head = loop {
            match Head::take(&mut self.inbox)? {
                // 100 Continue and its like come before the answer; 101 is the answer.
                Some(head) if head.status >= 200 || head.status == 101 => break head,
                Some(_) => {}
                None if self.inbox.len() > HEAD_BYTES => return Err(wrong("the head is too long")),
                None => self.more().await?,
            }
        };
        let framing = if bodiless { Framing::Length(0) } else { Framing::of(&head)? };
        Ok(Streaming { client: self, framing, head })
    }

    /// The socket and what was read from it but not used, for a protocol that follows an upgrade.
    pub fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.stream, self.inbox)
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.read().await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection in mid-answer")),
            _ => Ok(()),
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.inbox.reserve(8 << 10);
        self.stream.read_buf(&mut self.inbox).await
    }
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub struct Streaming<'a> {
    client: &'a mut Client,
    framing: Framing,
    /// Status and headers.
    pub head: Head,
}

impl Streaming<'_> {
    /// The next piece of the body: what was at hand or what one read brought, at most one chunk. `None` is its end.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(piece) = self.framing.take(&mut self.client.inbox)? {
                return Ok(Some(piece));
            }
            if self.framing.at_end() {
                return Ok(None);
            }
            if matches!(self.framing, Framing::Close) {
                if self.client.read().await? == 0 {
                    return Ok(None);
                }
            } else {
                self.client.more().await?;
            }
        }
    }

    /// Reads until the body so far contains `text`, and returns the body so far. An error if it ends before.
    pub async fn read_until(&mut self, text: &str) -> io::Result<String> {
        let mut seen = Vec::new();
        while let Some(piece) = self.next().await? {
            seen.extend_from_slice(&piece);
            let so_far = String::from_utf8_lossy(&seen);
            if so_far.contains(text) {
                return Ok(so_far.into_owned());
            }
        }
        Err(wrong(&format!("the body ended without {text:?}: {:?}", String::from_utf8_lossy(&seen))))
    }

    /// Reads the rest of the body.
    pub async fn rest(&mut self) -> io::Result<Bytes> {
        let mut all = BytesMut::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Takes `n` bytes off the front.
fn front(inbox: &mut BytesMut, n: usize) -> Bytes {
    let piece = inbox.split_to(n);
    piece.freeze()
}

/// Drops `n` bytes off the front.
fn skip(inbox: &mut BytesMut, n: usize) {
    inbox.advance(n);
}
