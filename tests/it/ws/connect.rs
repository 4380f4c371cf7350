//! From the upgrade to `ready`, and every way to miss it.

use mosaic_testkit::StandIn;
use mosaic_testkit::ws::{RawSocket, Socket, opcode};
use serde_json::{Value, json};

use crate::testbed::{Said, Testbed, Wire, eventually, refusal, soon};

#[tokio::test]
async fn a_socket_is_ready_after_connect_by_a_frame_or_by_the_upgrades_header() {
    let bed = Testbed::start().await;
    let (mut wire, ready) = Wire::ready(bed.address(), &bed.token()).await;
    assert_eq!((&ready["role"], &ready["protocol"]), (&json!("owner"), &json!(1)), "{ready}");
    assert_eq!(ready["version"], env!("CARGO_PKG_VERSION"));
    let me = bed.api().get("/api/v1/me").await;
    assert_eq!(ready["user"], me["user"]);
    wire.send(json!({"type": "ping", "id": "p"})).await;
    assert_eq!(wire.frame().await, json!({"type": "pong", "id": "p"}));

    let bearer = format!("Bearer {}", bed.token());
    let headers = [("authorization", bearer.as_str())];
    let mut wire = Wire::of(Socket::open(bed.address(), "/ws", &headers).await.expect("an upgrade"));
    wire.send(json!({"type": "connect", "protocol": 1})).await;
    assert_eq!(wire.frame().await["type"], "ready");
    wire.send(json!({"type": "connect", "protocol": 1, "id": "again"})).await;
    assert_eq!(wire.answer("again").await["code"], "bad_request");

    let headers = [("authorization", "Bearer wrong")];
    assert_eq!(Socket::open(bed.address(), "/ws", &headers).await.err(), Some(401));
    let plain = bed.api().request("GET", "/ws", &[], b"").await;
    assert_eq!(refusal(&plain), (400, "bad_request".to_owned()));
}

#[tokio::test]
async fn whoever_does_not_connect_properly_is_told_why_and_closed() {
    let bed = Testbed::start().await;
    let token = bed.token();
    let cases = [
        (json!({"type": "connect", "protocol": 1}), "unauthorized", 4401),
        (json!({"type": "connect", "protocol": 1, "token": "wrong"}), "unauthorized", 4401),
        (json!({"type": "connect", "protocol": 2, "token": token}), "bad_request", 4400),
        (json!({"type": "connect", "protocol": 1, "token": token, "extra": 1}), "bad_request", 4400),
        (json!({"type": "connect"}), "bad_request", 4400),
        (json!({"type": "subscribe", "session": "s"}), "unauthorized", 4401),
        (json!([]), "bad_request", 4400),
    ];
    for (first, code, close) in cases {
        let mut wire = Wire::open(bed.address()).await;
        wire.send(first.clone()).await;
        let error = wire.frame().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{first}: {error}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "a sentence: {error}");
        assert!(!error.to_string().contains(&token), "a token is not repeated: {error}");
        assert_eq!(wire.closed().await.0, close, "{first}");
    }
    assert!(!bed.log().contains(&token));
}

#[tokio::test]
async fn a_socket_that_does_not_connect_in_time_is_closed() {
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.configure("[gateway]\nbind = \"127.0.0.1:0\"\n[gateway.sockets]\nconnect = \"300ms\"\n");
    bed.restart().await;
    let mut silent = Wire::open(bed.address()).await;
    let mut chatty = RawSocket::open(bed.address(), "/ws").await.expect("an upgrade");
    let Said::Frame(error) = silent.next().await else { panic!("it is told why") };
    assert_eq!(error["code"], "unauthorized");
    assert_eq!(silent.closed().await, (4408, "no connect in time".to_owned()));
    // What is not connect buys no time.
    let kept_alive = async {
        while chatty.frame(true, opcode::PING, b"").await.is_ok() {
            let Some(frame) = chatty.next().await else { return };
            if frame.opcode == opcode::CLOSE {
                assert_eq!(frame.close().0, 4408);
                return;
            }
        }
    };
    soon("the chatty one is closed too", kept_alive).await;
}

#[tokio::test]
async fn more_strangers_than_there_are_places_are_refused_until_one_leaves() {
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.configure("[gateway]\nbind = \"127.0.0.1:0\"\n[gateway.sockets]\nwaiting = 3\nconnect = \"60s\"\n");
    bed.restart().await;
    let mut strangers = Vec::new();
    for _ in 0..3 {
        strangers.push(Wire::open(bed.address()).await);
    }
    assert_eq!(Socket::open(bed.address(), "/ws", &[]).await.err(), Some(503));
    // One who connects stands on the doorstep no more.
    let mut first = strangers.pop().expect("three");
    first.send(json!({"type": "connect", "protocol": 1, "token": bed.token()})).await;
    assert_eq!(first.frame().await["type"], "ready");
    strangers.push(Wire::open(bed.address()).await);
    assert_eq!(Socket::open(bed.address(), "/ws", &[]).await.err(), Some(503));
    // Nor does one who goes.
    strangers.pop().expect("three").cut();
    eventually("a place is free", || async { Socket::open(bed.address(), "/ws", &[]).await.ok() }).await;
    first.send(json!({"type": "ping"})).await;
    assert_eq!(first.frame().await, json!({"type": "pong"}));
}

/// The close frame that a raw socket gets; what comes before it is passed over.
pub(super) async fn goodbye(socket: &mut RawSocket) -> (u16, String) {
    soon("a close frame", async {
        loop {
            let frame = socket.next().await.expect("a close frame before the end");
            if frame.opcode == opcode::CLOSE {
                return frame.close();
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_breaks_the_protocol_or_a_limit_closes_with_its_code() {
    let bed = Testbed::start().await;
    let connect = json!({"type": "connect", "protocol": 1, "token": bed.token()}).to_string();
    let long = vec![b' '; (64 << 10) + 1];
    let longer = vec![b' '; (32 << 20) + 1];
    let half = vec![b' '; 17 << 20];

    // Before connect: nothing over 64 KiB, refused by its header alone.
    let mut socket = RawSocket::open(bed.address(), "/ws").await.expect("an upgrade");
    let header = [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1];
    socket.write(&header).await.expect("sent");
    assert_eq!(goodbye(&mut socket).await.0, 1009);

    type Frames<'a> = &'a [(bool, u8, &'a [u8])];
    let cases: [(&str, Frames<'_>, u16); 9] = [
        ("over 32 MiB", &[(true, opcode::TEXT, &longer)], 1009),
        ("joined over 32 MiB", &[(false, opcode::TEXT, &half), (true, opcode::CONTINUATION, &half)], 1009),
        ("not UTF-8", &[(true, opcode::TEXT, b"\"\xff\"")], 1007),
        ("not UTF-8 when joined", &[(false, opcode::TEXT, b"\xc3"), (true, opcode::CONTINUATION, b"(")], 1007),
        ("binary", &[(true, opcode::BINARY, b"{}")], 1003),
        ("a continuation of nothing", &[(true, opcode::CONTINUATION, b"{}")], 1002),
        ("a reserved opcode", &[(true, 5, b"{}")], 1002),
        ("a long ping", &[(true, opcode::PING, &[0; 126])], 1002),
        ("a fragmented ping", &[(false, opcode::PING, b"")], 1002),
    ];
    for (what, frames, code) in cases {
        let mut socket = RawSocket::open(bed.address(), "/ws").await.expect("an upgrade");
        socket.text(&connect).await.expect("sent");
        for (fin, opcode, payload) in frames {
            socket.frame(*fin, *opcode, payload).await.expect("sent");
        }
        assert_eq!(goodbye(&mut socket).await.0, code, "{what}");
    }

    // Who may only read has nothing long to say.
    let viewer: Value = bed.api().send("POST", "/api/v1/tokens", json!({"role": "viewer"})).await.json();
    let mut socket = RawSocket::open(bed.address(), "/ws").await.expect("an upgrade");
    let reads = json!({"type": "connect", "protocol": 1, "token": viewer["token"]}).to_string();
    socket.text(&reads).await.expect("sent");
    socket.frame(true, opcode::TEXT, &longer[..=1 << 20]).await.expect("sent");
    assert_eq!(goodbye(&mut socket).await.0, 1009);

    // A frame that is not masked.
    let mut socket = RawSocket::open(bed.address(), "/ws").await.expect("an upgrade");
    socket.write(b"\x81\x02{}").await.expect("sent");
    assert_eq!(goodbye(&mut socket).await.0, 1002);

    // After connect a frame of more than 64 KiB is read, whole or in parts with a ping between them.
    let mut socket = RawSocket::open(bed.address(), "/ws").await.expect("an upgrade");
    socket.text(&connect).await.expect("sent");
    let ping = format!("{}{{\"type\":\"ping\"}}", String::from_utf8_lossy(&long));
    socket.text(&ping).await.expect("sent");
    socket.frame(false, opcode::TEXT, b"{\"type\":").await.expect("sent");
    socket.frame(true, opcode::PING, b"between").await.expect("sent");
    socket.frame(true, opcode::CONTINUATION, b"\"ping\"}").await.expect("sent");
    let mut heard = Vec::new();
    for _ in 0..4 {
        let frame = soon("a frame", socket.next()).await.expect("a frame");
        heard.push((frame.opcode, String::from_utf8_lossy(&frame.payload).into_owned()));
    }
    let pong = (opcode::TEXT, "{\"type\":\"pong\"}".to_owned());
    assert!(heard[0].1.contains("ready"), "{heard:?}");
    assert_eq!(heard[1..], [pong.clone(), (opcode::PONG, "between".to_owned()), pong]);
    // A goodbye is answered, and the connection ends.
    socket.frame(true, opcode::CLOSE, &1000_u16.to_be_bytes()).await.expect("sent");
    assert_eq!(goodbye(&mut socket).await.0, 1000);
    assert_eq!(socket.next().await, None);
    let alive: Value = bed.api().get("/api/v1/me").await;
    assert_eq!(alive["role"], "owner");
}

#[tokio::test]
async fn a_revoked_or_expired_token_closes_its_open_sockets_and_no_others() {
    let bed = Testbed::start().await;
    let made = |wish: Value| async {
        let token: Value = bed.api().send("POST", "/api/v1/tokens", wish).await.json();
        let text = token["token"].as_str().expect("a token").to_owned();
        (token["id"].as_str().expect("an id").to_owned(), text)
    };
    let (id, token) = made(json!({})).await;
    let (_, short) = made(json!({"expires_in_s": 1})).await;
    let (mut owner, _) = Wire::ready(bed.address(), &bed.token()).await;
    let (mut wire, _) = Wire::ready(bed.address(), &token).await;
    let (mut brief, _) = Wire::ready(bed.address(), &short).await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let mut by_header = Wire::of(Socket::open(bed.address(), "/ws", &headers).await.expect("an upgrade"));
    by_header.send(json!({"type": "connect", "protocol": 1})).await;
    by_header.frame().await;
    let session = bed.api().session().await;
    owner.subscribe(&session, 0).await;
    wire.subscribe(&session, 0).await;

    let gone = bed.api().send("DELETE", &format!("/api/v1/tokens/{id}"), json!({})).await;
    assert_eq!(gone.status(), 204);
    bed.api().say(&session, "unheard").await;
    for (wire, reason) in [
        (&mut wire, "the token was revoked"),
        (&mut by_header, "the token was revoked"),
        (&mut brief, "the token has expired"),
    ] {
        assert_eq!(wire.frame().await["code"], "unauthorized");
        assert_eq!(wire.closed().await, (4401, reason.to_owned()));
    }
    owner.until("turn.finished").await;
}
