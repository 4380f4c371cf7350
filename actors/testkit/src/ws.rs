//! Two WebSocket clients: one that keeps the protocol, by a library that is not the daemon's, and one that writes what
//! it is told.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::http::Client;

/// Codes of frames (RFC 6455, 5.2).
pub mod opcode {
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

/// What came on a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Text(String),
    /// The other side said goodbye, with this code and reason.
    Closed(u16, String),
    /// The connection ended without a goodbye.
    Gone,
}

/// A client that keeps the protocol: pings are answered while it reads.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    /// Upgrades a new connection.
    ///
    /// # Errors
    /// The status of an answer that is no upgrade, 0 where there was none.
    pub async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let stream = TcpStream::connect(address).await.map_err(|_| 0_u16)?;
        Self::upgrade(stream, path, headers).await
    }

    /// Upgrades a connection, which may come from an address of its own.
    ///
    /// # Errors
    /// As for [`Socket::open`].
    pub async fn upgrade(stream: TcpStream, path: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let _ = stream.set_nodelay(true);
        let address = stream.peer_addr().map_err(|_| 0_u16)?;
        let uri = format!("ws://{address}{path}").parse().expect("a path makes an address");
        let request = headers
            .iter()
            .fold(ClientRequestBuilder::new(uri), |request, (name, value)| request.with_header(*name, *value));
        match client_async(request, stream).await {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    /// Sends a text; one that cannot be sent is lost, as it is with a connection that broke.
    pub async fn send(&mut self, text: &str) {
        let _ = self.stream.send(Message::text(text)).await;
    }

    /// What comes next. After [`Heard::Closed`] comes [`Heard::Gone`].
    pub async fn next(&mut self) -> Heard {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Heard::Text(text.as_str().to_owned()),
                Some(Ok(Message::Close(Some(close)))) => {
                    return Heard::Closed(close.code.into(), close.reason.as_str().to_owned());
                }
                Some(Ok(Message::Close(None))) => return Heard::Closed(1005, String::new()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Gone,
            }
        }
    }

    /// Says goodbye.
    pub async fn close(&mut self) {
        let _ = self.stream.close(None).await;
    }
}

/// A frame as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    pub opcode: u8,
    pub payload: Bytes,
}

impl Frame {
    /// Code and reason of a goodbye.
    pub fn close(&self) -> (u16, String) {
        let code = self.payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
        (code, String::from_utf8_lossy(self.payload.get(2..).unwrap_or_default()).into_owned())
    }
}

/// A client that writes what it is told, and reads only when it is told.
#[derive(Debug)]
pub struct RawSocket {
    stream: TcpStream,
    inbox: BytesMut,
}

impl RawSocket {
    /// Upgrades a new connection, which must succeed.
    ///
    /// # Errors
    /// There is no connection, or the answer is no upgrade.
    pub async fn open(address: SocketAddr, path: &str) -> io::Result<Self> {
        let mut client = Client::connect(address).await?;
        let headers = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let answer = client.stream("GET", path, &headers, b"").await?;
        if answer.head.status != 101 {
            return Err(io::Error::other(format!("no upgrade but {}", answer.head.status)));
        }
        let (stream, inbox) = client.into_parts();
        Ok(Self { stream, inbox })
    }

    /// Sends bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Sends a frame, masked as a client's must be.
    pub async fn frame(&mut self, fin: bool, opcode: u8, payload: &[u8]) -> io::Result<()> {
        self.write(&masked(fin, opcode, payload)).await
    }

    /// Sends a text in one frame.
    pub async fn text(&mut self, text: &str) -> io::Result<()> {
        self.frame(true, opcode::TEXT, text.as_bytes()).await
    }

    /// Reads one byte and forgets it; `false` at the end.
    pub async fn taste(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.stream.read(&mut byte).await, Ok(1))
    }

    /// The next frame; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            self.inbox.reserve(8 << 10);
            if !matches!(self.stream.read_buf(&mut self.inbox).await, Ok(1..)) {
                return None;
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let (first, second) = (*self.inbox.first()?, *self.inbox.get(1)?);
        let (start, length) = match second & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes(self.inbox.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(self.inbox.get(2..10)?.try_into().ok()?)).ok()?),
            length => (2, usize::from(length)),
        };
        if self.inbox.len() < start + length {
            return None;
        }
        self.inbox.advance(start);
        let payload = self.inbox.split_to(length).freeze();
        Some(Frame { fin: first & 0x80 != 0, opcode: first & 0x0f, payload })
    }
}

/// A frame as a client sends it.
pub fn masked(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![opcode | if fin { 0x80 } else { 0 }];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | u8::try_from(short).expect("below 126")),
        middle @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&u16::try_from(middle).expect("16 bits").to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
    bytes
}
