//! The end of a connection: soon after the last word, and always.

use std::time::Duration;

use mosaic_testkit::ws::{RawSocket, opcode};
use mosaic_testkit::{StandIn, Step};
use serde_json::json;
use tokio::time::timeout;

use super::connect::goodbye;
use crate::testbed::{Testbed, soon};

/// Far more than the end takes, and far less than any patience of the daemon's.
const SOON: Duration = Duration::from_millis(1_500);

/// A socket that has said `connect`.
async fn opened(bed: &Testbed, token: &str) -> RawSocket {
    let mut socket = RawSocket::open(bed.address(), "/ws").await.expect("an upgrade");
    let connect = json!({"type": "connect", "protocol": 1, "token": token}).to_string();
    socket.text(&connect).await.expect("sent");
    socket
}

/// The connection ends, without another frame.
async fn ends(what: &str, socket: &mut RawSocket) {
    let next = timeout(SOON, socket.next()).await.unwrap_or_else(|_| panic!("{what}: still open"));
    assert_eq!(next, None, "{what}");
}

/// The daemon says goodbye with this code, is answered, and the connection ends.
async fn parts(what: &str, code: u16, socket: &mut RawSocket) {
    assert_eq!(goodbye(socket).await.0, code, "{what}");
    // Who was broken off may find the connection gone already.
    let _ = socket.frame(true, opcode::CLOSE, &code.to_be_bytes()).await;
    ends(what, socket).await;
}

#[tokio::test]
async fn a_connection_ends_at_once_when_both_sides_have_said_goodbye() {
    let mut bed = Testbed::asleep(StandIn::builder().always(Step::say("hello")));
    bed.configure("[gateway.sockets]\nping = \"300ms\"\nsilence = \"600ms\"\nconnect = \"500ms\"\n");
    bed.restart().await;
    let token = bed.token();

    let mut client = opened(&bed, &token).await;
    assert_eq!(soon("ready", client.next()).await.map(|frame| frame.opcode), Some(opcode::TEXT));
    client.frame(true, opcode::CLOSE, &1000_u16.to_be_bytes()).await.expect("sent");
    assert_eq!(goodbye(&mut client).await.0, 1000);
    ends("the client says goodbye", &mut client).await;

    parts("a wrong token", 4401, &mut opened(&bed, "wrong").await).await;
    let mut late = RawSocket::open(bed.address(), "/ws").await.expect("an upgrade");
    parts("no connect in time", 4408, &mut late).await;
    parts("nothing is heard", 4408, &mut opened(&bed, &token).await).await;

    // Of who may only read; others may send files.
    let viewer = bed.api().send("POST", "/api/v1/tokens", json!({"role": "viewer"})).await.json::<serde_json::Value>();
    let viewer = viewer["token"].as_str().expect("a token");
    let too_long = vec![b' '; (1 << 20) + 1];
    for (what, code, op, payload) in [
        ("a binary frame", 1003, opcode::BINARY, &b"{}"[..]),
        ("a reserved opcode", 1002, 5, b"{}"),
        ("too long a message", 1009, opcode::TEXT, &too_long),
    ] {
        let mut socket = opened(&bed, viewer).await;
        // All of it is taken, though nothing of it is heard.
        socket.frame(true, op, payload).await.expect("sent");
        parts(what, code, &mut socket).await;
    }
}

#[tokio::test]
async fn a_connection_ends_at_once_when_the_daemon_stops() {
    let mut bed = Testbed::start().await;
    let mut socket = opened(&bed, &bed.token()).await;
    assert_eq!(soon("ready", socket.next()).await.map(|frame| frame.opcode), Some(opcode::TEXT));
    bed.terminate();
    parts("the daemon stops", 1001, &mut socket).await;
    assert_eq!(bed.ended().await.code(), Some(0));
}
