//! An event stream, read as it comes.

use std::net::SocketAddr;

use mosaic_testkit::http::Client;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{contract, soon};

/// A stream of events. Dropping it hangs up.
pub(crate) struct Sse {
    events: mpsc::UnboundedReceiver<Value>,
    _reading: JoinSet<()>,
}

impl Sse {
    /// Posts `body` and reads the events of the answer, which must be a stream.
    pub(crate) async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: Value) -> Self {
        Self::ask(address, "POST", path, headers, body.to_string()).await
    }

    /// Asks for a stream.
    pub(crate) async fn ask(
        address: SocketAddr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Self {
        let mut client = soon("a connection", Client::connect(address)).await.expect("the daemon listens");
        soon("the request is sent", client.send(method, path, headers, body.as_bytes())).await.expect("it is sent");
        let (tell, events) = mpsc::unbounded_channel();
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            let Ok(mut answer) = client.receive(false).await else { return };
            if answer.head.status != 200 {
                let rest = answer.rest().await.unwrap_or_default();
                let _ = tell.send(serde_json::from_slice(&rest).unwrap_or_default());
                return;
            }
            let mut text = Vec::new();
            // A daemon that dies in mid-stream ends the stream here.
            while let Ok(Some(piece)) = answer.next().await {
                text.extend_from_slice(&piece);
                while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
                    let event: Vec<u8> = text.drain(..end + 2).collect();
                    if let Some(event) = read(&String::from_utf8_lossy(&event)) {
                        let _ = tell.send(event);
                    }
                }
            }
        });
        Self { events, _reading: reading }
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        soon("an event", self.events.recv()).await
    }

    /// Reads up to the next event of this type.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        let mut seen = Vec::new();
        while let Some(event) = self.next().await {
            if event["type"] == kind {
                return event;
            }
            seen.push(event);
        }
        panic!("the stream ended without {kind}: {seen:?}");
    }

    /// Reads to the end of the stream.
    pub(crate) async fn rest(mut self) -> Vec<Value> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

/// The data of an event. Its `id` must be the seq that the data tells.
fn read(text: &str) -> Option<Value> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let event: Value = serde_json::from_str(field("data: ")?).expect("an event is JSON");
    contract::check_event(&event);
    let id = field("id: ").map(|id| id.parse::<i64>().expect("an id is a number"));
    assert_eq!(id, event["seq"].as_i64(), "the id is the seq: {text}");
    Some(event)
}

/// The text that a reader of these events has in front of them at the end.
pub(crate) fn heard(events: &[Value]) -> String {
    let mut text = String::new();
    for event in events {
        match event["type"].as_str() {
            Some("turn.restarted") => text.clear(),
            Some("turn.delta") => {
                let offset = event["offset"].as_u64().expect("a delta has an offset");
                assert_eq!(offset, text.chars().count() as u64, "no gap and no repeat: {event}");
                text += event["text"].as_str().expect("a delta has a text");
            }
            _ => {}
        }
    }
    text
}
