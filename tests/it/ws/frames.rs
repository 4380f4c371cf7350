//! What may be asked on a socket, by whom, and what is answered.

use futures_util::future::join_all;
use mosaic::gateway::{Access, FRAMES};
use mosaic_testkit::{Gate, StandIn, Step};
use mosaic_types::UserRole;
use serde_json::{Value, json};

use crate::testbed::{Testbed, Wire, heard};

/// A frame of this type that could be sent.
fn sample(kind: &str, session: &str) -> Value {
    match kind {
        "connect" => json!({"protocol": 1}),
        "ping" => json!({}),
        "subscribe" | "unsubscribe" | "turn.cancel" => json!({"session": session}),
        "message.send" => json!({"session": session, "text": "hello"}),
        "command.execute" => json!({"session": session, "line": "/help"}),
        other => panic!("say here what {other} looks like"),
    }
}

/// The same with its type and an id.
fn frame(kind: &str, session: &str) -> Value {
    let mut frame = sample(kind, session);
    frame["type"] = json!(kind);
    frame["id"] = json!(kind);
    frame
}

#[tokio::test]
async fn every_frame_asks_for_its_role() {
    let bed = Testbed::start().await;
    let session = bed.api().session().await;
    for (kind, access) in FRAMES {
        let Access::Least(least) = access else { continue };
        // Before connect nothing is for anyone.
        let mut stranger = Wire::open(bed.address()).await;
        stranger.send(frame(kind, &session)).await;
        assert_eq!(stranger.frame().await["code"], "unauthorized", "{kind}");
        assert_eq!(stranger.closed().await.0, 4401, "{kind}");
        for role in UserRole::ALL {
            let made = bed.api().send("POST", "/api/v1/tokens", json!({"role": role})).await;
            let token: Value = made.json();
            let (mut wire, ready) = Wire::ready(bed.address(), token["token"].as_str().expect("a token")).await;
            assert_eq!(ready["role"], json!(role));
            wire.send(frame(kind, &session)).await;
            wire.send(json!({"type": "ping", "id": "after"})).await;
            let mut refused = false;
            loop {
                let said = wire.frame().await;
                refused |= said["id"] == *kind && said["code"] == "forbidden";
                if said["id"] == "after" {
                    break;
                }
            }
            assert_eq!(refused, role < *least, "{kind} for {role}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_does_not_close() {
    let bed = Testbed::start().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    let session = bed.api().session().await;
    let cases = [
        (json!({"type": "dance", "id": "1"}), "no frame of type"),
        (json!({"id": "1"}), "A frame has a type"),
        (json!({"type": "subscribe", "id": "1"}), "session"),
        (json!({"type": "subscribe", "id": "1", "session": "a b"}), "session id"),
        (json!({"type": "ping", "id": "1", "more": true}), "more"),
        (json!({"type": "subscribe", "id": "1", "session": session, "after": -1}), "after"),
        (json!({"type": "subscribe", "id": "1", "session": session, "after": 9}), "does not reach"),
        (json!({"type": "message.send", "id": "1", "session": "s", "text": " "}), "empty"),
        (json!({"type": "message.send", "id": "1", "session": "s", "text": "x", "agent": "poet"}), "agent"),
        (json!({"type": "message.send", "id": "1", "text": "x", "agent": "nobody"}), "no agent"),
        (json!({"type": "message.send", "id": "1", "text": "x", "mode": "hurry"}), "mode"),
        (json!({"type": "command.execute", "id": "1", "session": session, "line": "hello"}), "slash"),
        (json!({"type": "command.execute", "id": "1", "session": session, "line": "/hlep"}), "Did you mean /help?"),
        (json!({"type": "command.execute", "id": "1", "session": session}), "line"),
    ];
    for (frame, says) in cases {
        wire.send(frame.clone()).await;
        let error = wire.answer("1").await;
        assert_eq!(error["type"], "error", "{frame}: {error}");
        assert!(error["message"].as_str().expect("a sentence").contains(says), "{frame}: {error}");
    }
    wire.send(json!({"type": "message.send", "session": "s", "text": "x"})).await;
    assert!(wire.frame().await["message"].as_str().expect("a sentence").contains("needs an id"));
    let long = "x".repeat(100_001);
    assert_eq!(wire.say("2", "s", &long).await["code"], "text_too_long");
    wire.send(json!({"type": "ping", "id": "still"})).await;
    assert_eq!(wire.answer("still").await["type"], "pong");
}

#[tokio::test]
async fn a_message_is_acknowledged_streamed_and_finished_and_a_repeat_is_the_same_turn() {
    let bed = Testbed::start().await;
    let session = bed.api().session().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    assert_eq!(wire.subscribe(&session, 0).await, Vec::<Value>::new());
    wire.send(json!({"type": "message.send", "id": "k-1", "session": session, "text": "hello"})).await;
    let mut frames = wire.until("turn.finished").await;
    let mut acks: Vec<Value> = frames.extract_if(.., |frame| frame["type"] == "ack").collect();
    if acks.is_empty() {
        // A quick turn is over before its acknowledgement is written.
        acks.push(wire.answer("k-1").await);
    }
    assert_eq!((acks.len(), &acks[0]["id"], &acks[0]["session"]), (1, &json!("k-1"), &json!(session)));
    assert_eq!(heard(&frames), "You said: hello");
    let seqs: Vec<i64> = frames.iter().filter_map(|frame| frame["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>(), "each journaled event, once, in order");
    assert_eq!(frames.last().expect("an end")["turn"], acks[0]["turn"]);

    let again = wire.say("k-1", &session, "hello").await;
    assert_eq!((&again["type"], &again["turn"]), (&json!("ack"), &acks[0]["turn"]));
    assert_eq!(again["state"], "finished");
    assert_eq!(wire.say("k-1", &session, "other").await["code"], "idempotency_conflict");
    assert_eq!(bed.api().transcript(&session).await.len(), 2);
    // The same key over HTTP is the same input.
    let repeat = bed.api().submit(&session, "", &[("idempotency-key", "k-1")], "hello").await;
    assert_eq!(repeat.json::<Value>()["turn"], acks[0]["turn"]);
}

#[tokio::test]
async fn a_message_may_steer_the_running_turn_over_the_socket() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, "one two", 1)])).await;
    let session = bed.api().session().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.subscribe(&session, 0).await;
    wire.send(json!({"type": "message.send", "id": "k-1", "session": session, "text": "count"})).await;
    wire.until("turn.delta").await;
    let steer = json!({"type": "message.send", "id": "k-2", "session": session, "text": "go on", "mode": "steer"});
    wire.send(steer).await;
    let ack = wire.answer("k-2").await;
    assert_eq!(ack["state"], "running", "{ack}");
    gate.open();
    let frames = wire.until("turn.finished").await;
    let end = frames.last().expect("an end");
    assert_eq!((&end["turn"], &end["text"]), (&ack["turn"], &json!("You said: go on")));
    let steps: Vec<&Value> =
        frames.iter().filter(|frame| frame["type"] == "turn.delta").map(|frame| &frame["step"]).collect();
    assert!(steps.contains(&&json!(1)) && steps.contains(&&json!(2)), "{steps:?}");
}

#[tokio::test]
async fn a_message_without_a_session_makes_one_and_a_repeat_finds_it_also_after_a_kill() {
    let mut bed = Testbed::start().await;
    let send = json!({"type": "message.send", "id": "first words", "text": "hello", "agent": "poet"});
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.send(send.clone()).await;
    let ack = wire.answer("first words").await;
    assert_eq!(ack["type"], "ack", "{ack}");
    let session = ack["session"].as_str().expect("a session").to_owned();
    bed.kill9().await;
    bed.restart().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.send(send).await;
    let again = wire.answer("first words").await;
    assert_eq!((&again["session"], &again["turn"]), (&ack["session"], &ack["turn"]), "{again}");
    bed.api().settled(&session).await;
    assert_eq!(bed.api().get(&format!("/api/v1/sessions/{session}")).await["agent"], "poet");
    assert_eq!(bed.api().count(&session, "turn.finished").await, 1);
    let all = bed.api().get("/api/v1/sessions").await;
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_turn_is_cancelled_by_a_frame() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().always(Step::hold_after(&gate, "one two", 1))).await;
    let session = bed.api().session().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.subscribe(&session, 0).await;
    wire.send(json!({"type": "message.send", "id": "k", "session": session, "text": "count"})).await;
    let turn = wire.until("turn.delta").await.pop().expect("a delta")["turn"].clone();
    wire.send(json!({"type": "turn.cancel", "id": "stop", "session": session})).await;
    let cancelled = wire.answer("stop").await;
    assert_eq!((&cancelled["type"], &cancelled["turn"]), (&json!("cancelled"), &turn));
    wire.send(json!({"type": "turn.cancel", "id": "again", "session": session})).await;
    assert_eq!(wire.answer("again").await["turn"], Value::Null, "nothing runs");
}

#[tokio::test]
async fn what_is_someone_elses_is_not_there() {
    let bed = Testbed::start().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    for kind in ["subscribe", "turn.cancel", "message.send", "command.execute"] {
        wire.send(frame(kind, "never-made")).await;
        assert_eq!(wire.answer(kind).await["code"], "not_found", "{kind}");
    }
}

#[tokio::test]
async fn a_session_that_is_removed_ends_its_subscription_and_not_the_socket() {
    let bed = Testbed::start().await;
    let (session, other) = (bed.api().session().await, bed.api().session().await);
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.subscribe(&session, 0).await;
    wire.subscribe(&other, 0).await;
    let gone = bed.api().send("DELETE", &format!("/api/v1/sessions/{session}"), json!({})).await;
    assert_eq!(gone.status(), 204);
    let error = wire.frame().await;
    assert_eq!((&error["session"], &error["code"]), (&json!(session), &json!("not_found")));
    wire.say("k", &other, "still there?").await;
    wire.until("turn.finished").await;
    // One that is followed no more says nothing more.
    wire.send(json!({"type": "unsubscribe", "id": "u", "session": other})).await;
    wire.answer("u").await;
    bed.api().ask(&other, "unheard").await;
    wire.send(json!({"type": "ping"})).await;
    assert_eq!(wire.frame().await["type"], "pong");
}

#[tokio::test]
async fn a_socket_follows_a_thousand_sessions_and_not_one_more() {
    const SESSIONS: usize = 1_000;
    let bed = Testbed::start().await;
    let api = bed.api();
    let mut ids = Vec::new();
    while ids.len() <= SESSIONS {
        ids.extend(join_all((0..143).map(|_| api.session())).await);
    }
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    for id in &ids[..SESSIONS] {
        wire.send(json!({"type": "subscribe", "session": id})).await;
    }
    for _ in 0..SESSIONS {
        assert_eq!(wire.frame().await["type"], "subscribed");
    }
    wire.send(json!({"type": "subscribe", "id": "more", "session": ids[SESSIONS]})).await;
    assert_eq!(wire.answer("more").await["code"], "busy");
    for id in [&ids[0], &ids[SESSIONS - 1]] {
        api.say(id, "hello").await;
        let end = wire.until("turn.finished").await.pop().expect("the end");
        assert_eq!(&end["session"], id);
    }
}

#[tokio::test]
async fn a_stopping_daemon_says_so_streams_to_the_end_and_closes() {
    let gate = Gate::new();
    let mut bed = Testbed::with(StandIn::builder().always(Step::hold_after(&gate, "one two", 1))).await;
    let session = bed.api().session().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    let mut stranger = Wire::open(bed.address()).await;
    wire.subscribe(&session, 0).await;
    wire.send(json!({"type": "message.send", "id": "k", "session": session, "text": "count"})).await;
    wire.until("turn.delta").await;
    bed.terminate();
    let notice = wire.until("notice").await.pop().expect("a notice");
    assert!(notice["text"].as_str().expect("a text").contains("stopping"), "{notice}");
    let refused = wire.say("late", &session, "too late").await;
    assert_eq!(refused["code"], "draining", "{refused}");
    assert!(refused["retry_after_ms"].is_u64());
    gate.open();
    let end = wire.until("turn.finished").await.pop().expect("the end");
    assert_eq!(end["text"], "one two");
    assert_eq!(wire.closed().await.0, 1001);
    assert_eq!(stranger.closed().await.0, 1001);
    assert_eq!(bed.ended().await.code(), Some(0));
}
