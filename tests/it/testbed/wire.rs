//! The WebSocket, as a client uses it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use mosaic_testkit::ws::{Heard, Socket};
use serde_json::{Value, json};

use super::soon;

/// What the daemon said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Frame(Value),
    /// Goodbye, with a code and a reason; or, code 0, the end of the connection without one.
    Closed(u16, String),
}

/// A client on a socket.
pub(crate) struct Wire {
    socket: Socket,
    /// What came before an answer that was waited for: a quick turn may end before its `ack` is here.
    passed: VecDeque<Value>,
}

impl Wire {
    /// Opens a socket and says nothing yet.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let socket = soon("the upgrade", Socket::open(address, "/ws", &[])).await.expect("an upgrade");
        Self { socket, passed: VecDeque::new() }
    }

    /// Takes a socket that is open already.
    pub(crate) fn of(socket: Socket) -> Self {
        Self { socket, passed: VecDeque::new() }
    }

    /// Opens a socket and connects, which must succeed. Answers `ready` too.
    pub(crate) async fn ready(address: SocketAddr, token: &str) -> (Self, Value) {
        let mut wire = Self::open(address).await;
        wire.send(json!({"type": "connect", "protocol": 1, "token": token})).await;
        let ready = wire.frame().await;
        assert_eq!(ready["type"], "ready", "{ready}");
        (wire, ready)
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, frame: Value) {
        soon("a frame is sent", self.socket.send(&frame.to_string())).await;
    }

    /// What comes next.
    pub(crate) async fn next(&mut self) -> Said {
        match self.passed.pop_front() {
            Some(frame) => Said::Frame(frame),
            None => self.hear().await,
        }
    }

    async fn hear(&mut self) -> Said {
        match soon("a frame", self.socket.next()).await {
            Heard::Text(text) => Said::Frame(serde_json::from_str(&text).expect("a frame is JSON")),
            Heard::Closed(code, reason) => Said::Closed(code, reason),
            Heard::Gone => Said::Closed(0, String::new()),
        }
    }

    /// The next frame, which must come.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.next().await {
            Said::Frame(frame) => frame,
            closed => panic!("a frame was wanted: {closed:?}"),
        }
    }

    /// The end of the socket; whatever came before it.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Said::Closed(code, reason) = self.next().await {
                return (code, reason);
            }
        }
    }

    /// Reads up to the next frame of this type; answers all that came, that one last.
    pub(crate) async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            match self.next().await {
                Said::Frame(frame) => seen.push(frame),
                closed => panic!("the socket ended without {kind}: {closed:?} after {seen:?}"),
            }
            if seen.last().is_some_and(|frame| frame["type"] == kind) {
                return seen;
            }
        }
    }

    /// Follows a session; answers what was replayed.
    pub(crate) async fn subscribe(&mut self, session: &str, after: i64) -> Vec<Value> {
        self.send(json!({"type": "subscribe", "session": session, "after": after})).await;
        let mut replayed = self.until("subscribed").await;
        replayed.pop();
        replayed
    }

    /// Sends a message under a key; answers its `ack` or `error`. What comes before it is what comes next.
    pub(crate) async fn say(&mut self, id: &str, session: &str, text: &str) -> Value {
        self.send(json!({"type": "message.send", "id": id, "session": session, "text": text})).await;
        self.answer(id).await
    }

    /// The answer to the frame with this id; what comes before it is what comes next.
    pub(crate) async fn answer(&mut self, id: &str) -> Value {
        loop {
            match self.hear().await {
                Said::Frame(frame) if frame["id"] == id => return frame,
                Said::Frame(frame) => self.passed.push_back(frame),
                closed => panic!("an answer was wanted: {closed:?}"),
            }
        }
    }

    /// Goes without a word.
    pub(crate) fn cut(self) {}
}
