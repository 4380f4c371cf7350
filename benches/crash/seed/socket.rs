//! A message over the WebSocket, with the session's journal from its beginning before it.

use anyhow::{Result, bail, ensure};
use mosaic_testkit::ws::{self, Socket};
use serde_json::{Value, json};

use super::person::Message;
use super::process::At;

/// What came of it.
pub(crate) enum Heard {
    /// All that was asked for.
    All,
    /// The socket ended before.
    Part,
    /// A typed refusal, after which the same may be sent again.
    Refusal(String),
}

/// Codes with which a daemon may turn a message away for now.
const FOR_NOW: [&str; 4] = ["busy", "draining", "storage", "unavailable"];

/// Follows the session from its first event, sends the message, and hears its `ack` or, where asked for, its turn's
/// end. What is replayed and what comes live must be one journal without a gap or a repeat.
pub(crate) async fn say(at: &At, session: &str, message: &Message, to_the_end: bool) -> Result<Heard> {
    let mut socket = match Socket::open(at.address, "/ws", &[]).await {
        Ok(socket) => socket,
        // No connection, or a daemon that stops.
        Err(0 | 503) => return Ok(Heard::Part),
        Err(status) => bail!("the upgrade was answered with {status}"),
    };
    let frames = [
        json!({"type": "connect", "protocol": 1, "token": at.token}),
        json!({"type": "subscribe", "session": session, "after": 0}),
        json!({"type": "message.send", "id": message.key, "session": session, "text": message.text, "mode": message.mode}),
    ];
    for frame in frames {
        socket.send(&frame.to_string()).await;
    }
    let (mut seq, mut ended, mut mine) = (0, Vec::new(), None);
    loop {
        let frame: Value = match socket.next().await {
            ws::Heard::Text(text) => serde_json::from_str(&text)?,
            ws::Heard::Closed(1001, _) | ws::Heard::Gone => return Ok(Heard::Part),
            ws::Heard::Closed(code, reason) => bail!("the socket was closed with {code}: {reason}"),
        };
        if let Some(number) = frame["seq"].as_u64() {
            ensure!(number == seq + 1, "after event {seq} came {frame}");
            seq = number;
        }
        match frame["type"].as_str().unwrap_or_default() {
            "error" => {
                let (code, sentence) = (frame["code"].as_str().unwrap_or_default(), frame["message"].as_str());
                ensure!(FOR_NOW.contains(&code) && sentence.is_some_and(|sentence| sentence.len() > 10), "{frame}");
                return Ok(Heard::Refusal(code.to_owned()));
            }
            "ack" => {
                ensure!(frame["id"] == *message.key, "{frame} is no answer to {message:?}");
                mine = Some(frame["turn"].clone());
            }
            "turn.finished" | "turn.failed" | "turn.cancelled" => ended.push(frame["turn"].clone()),
            _ => {}
        }
        if mine.as_ref().is_some_and(|turn| !to_the_end || ended.contains(turn)) {
            socket.close().await;
            return Ok(Heard::All);
        }
    }
}
