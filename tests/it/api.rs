//! Sessions and the manners of the API: pages, roles, limits, and one shape for everything that is refused.

use mosaic::gateway::hash_of;
use mosaic::outside;
use mosaic_testkit::http::Client;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use mosaic_types::UserRole;
use mosaic_types::journal::{NewToken, NewUser, Write};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::testbed::{Api, Testbed, refusal, soon};

fn at(session: &str) -> String {
    format!("/api/v1/sessions/{session}")
}

#[tokio::test]
pub(crate) async fn a_session_is_made_shown_changed_and_removed() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let made = api.send("POST", "/api/v1/sessions", json!({"agent": "poet", "title": "Verses"})).await;
    assert_eq!(made.status(), 201);
    let made: Value = made.json();
    let path = at(made["id"].as_str().expect("an id"));
    assert_eq!((&made["agent"], &made["title"], &made["state"]), (&"poet".into(), &"Verses".into(), &"idle".into()));
    assert_eq!(api.get(&path).await, made);
    let changed = api.send("PATCH", &path, json!({"agent": "assistant"})).await;
    assert_eq!(changed.status(), 200);
    let changed = api.get(&path).await;
    assert_eq!((&changed["agent"], &changed["title"]), (&"assistant".into(), &"Verses".into()));
    assert_eq!(api.request("DELETE", &path, &[], b"").await.status(), 204);
    for gone in [api.request("GET", &path, &[], b"").await, api.request("DELETE", &path, &[], b"").await] {
        assert_eq!(refusal(&gone), (404, "not_found".to_owned()));
    }
    let pirate = api.send("POST", "/api/v1/sessions", json!({"agent": "pirate"})).await;
    assert_eq!(refusal(&pirate), (404, "agent_not_found".to_owned()));
}

#[tokio::test]
async fn another_agent_answers_from_the_next_turn_on() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    api.ask(&session, "in prose").await;
    api.send("PATCH", &at(&session), json!({"agent": "poet"})).await;
    api.ask(&session, "in verse").await;
    let systems: Vec<Value> = bed.model.calls().iter().map(|call| call.messages()[0]["content"].clone()).collect();
    assert_eq!(systems, ["You are a helpful assistant.", "You answer in verse."]);
    assert_eq!(bed.model.last_call().messages().len(), 4, "the dialogue goes on");
}

#[tokio::test]
pub(crate) async fn lists_are_read_page_by_page_without_a_gap_or_a_repeat() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(api.session().await);
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/sessions?limit=2".to_owned();
    loop {
        let page = api.get(&path).await;
        let items = page["items"].as_array().expect("a list");
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        assert!(
            next.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)),
            "safe in a URL: {next}"
        );
        path = format!("/api/v1/sessions?limit=2&cursor={next}");
        // What is made meanwhile is newer and does not shift what comes.
        api.session().await;
    }
    made.reverse();
    assert_eq!(seen, made);

    let session = &made[0];
    for text in ["one", "two", "three"] {
        api.ask(session, text).await;
    }
    let first = api.get(&format!("{}/messages?limit=4", at(session))).await;
    let next = first["next"].as_str().expect("there is more");
    let second = api.get(&format!("{}/messages?limit=4&cursor={next}", at(session))).await;
    assert_eq!(second["next"], Value::Null);
    let texts = |page: &Value| -> Vec<Value> {
        page["items"].as_array().expect("a list").iter().map(|message| message["text"].clone()).collect()
    };
    let expected = ["one", "You said: one", "two", "You said: two", "three", "You said: three"];
    assert_eq!([texts(&first), texts(&second)].concat(), expected);
    for bad in ["cursor=!!", "cursor=abcd", "limit=0", "limit=201", "limit=x"] {
        for path in [format!("/api/v1/sessions?{bad}"), format!("{}/messages?{bad}", at(session))] {
            let (status, code) = refusal(&api.request("GET", &path, &[], b"").await);
            assert_eq!(status, 400, "{path}");
            assert_eq!(code == "bad_cursor", bad.starts_with("cursor"), "{path}: {code}");
        }
    }
    let events = api.request("GET", &format!("{}/events?after=-1", at(session)), &[], b"").await;
    assert_eq!(refusal(&events), (400, "bad_cursor".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_a_type() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let messages = format!("{}/messages", at(&session));
    let text = |text: &str| json!({"text": text}).to_string();
    let deep = "[".repeat(100_000);
    let cases = [
        ("POST", messages.as_str(), text(&"x".repeat(33 << 20)), 413, "too_large"),
        ("POST", messages.as_str(), text(&"x".repeat(2 << 20)), 422, "text_too_long"),
        ("POST", "/api/v1/sessions", "x".repeat(2 << 20), 413, "too_large"),
        ("POST", &messages, deep.clone(), 400, "bad_request"),
        ("POST", "/v1/chat/completions", deep, 400, "bad_request"),
        ("POST", &messages, text(&"ä".repeat(100_001)), 422, "text_too_long"),
        ("POST", &messages, text(" "), 400, "bad_request"),
        ("POST", &messages, "hello".to_owned(), 400, "bad_request"),
        ("POST", &messages, String::new(), 400, "bad_request"),
        ("POST", &messages, r#"{"txet":"hello"}"#.to_owned(), 400, "bad_request"),
        ("POST", "/api/v1/sessions/nowhere/messages", text("hello"), 404, "not_found"),
        ("POST", "/api/v1/sessions/%2e%2e/messages", text("hello"), 404, "not_found"),
        ("GET", "/api/v1/sessions/nowhere", String::new(), 404, "not_found"),
        ("PUT", &messages, text("hello"), 405, "method_not_allowed"),
        ("DELETE", "/api/v1/me", String::new(), 405, "method_not_allowed"),
        ("POST", "/healthz", String::new(), 405, "method_not_allowed"),
        ("GET", "/api/v1/nothing", String::new(), 404, "not_found"),
        ("GET", "/v1/nothing", String::new(), 404, "not_found"),
        ("GET", "/nothing", String::new(), 404, "not_found"),
    ];
    for (method, path, body, status, code) in cases {
        let refused = refusal(&api.request(method, path, &[], body.as_bytes()).await);
        assert_eq!(refused, (status, code.to_owned()), "{method} {path} {:.40}", body);
    }
    assert_eq!(bed.model.progress().calls, 0);
    api.ask(&session, &"ä".repeat(100_000)).await;
}

#[tokio::test]
async fn a_body_without_a_length_is_bounded_too() {
    let bed = Testbed::start().await;
    let mut client = Client::connect(bed.address()).await.expect("it listens");
    let head = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        bed.token()
    );
    client.send_raw(head.as_bytes()).await.expect("it is sent");
    let chunk = format!("{:x}\r\n{}\r\n", 64 << 10, " ".repeat(64 << 10));
    // More than the system holds, and than the daemon reads: who sends on is not cut before they can read the answer.
    for _ in 0..256 {
        soon("a piece is taken", client.send_raw(chunk.as_bytes())).await.expect("it is sent");
    }
    client.send_raw(b"0\r\n\r\n").await.expect("it is sent");
    let answer = soon("an answer", client.receive(false)).await.expect("it answers");
    assert_eq!(answer.head.status, 413);
}

#[tokio::test]
async fn a_body_that_never_comes_does_not_keep_its_connection() {
    let bed = Testbed::start().await;
    let head = "POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n";
    let mut client = Client::connect(bed.address()).await.expect("it listens");
    client.send_raw(head.as_bytes()).await.expect("it is sent");
    let mut answer = soon("an answer", client.receive(false)).await.expect("it answers");
    assert_eq!(answer.head.status, 401);
    while soon("its body", answer.next()).await.expect("it is whole").is_some() {}
    let (mut stream, _) = client.into_parts();
    let more = soon("the end", stream.read_to_end(&mut Vec::new())).await;
    assert_eq!(more.expect("an end"), 0);
}

#[tokio::test]
pub(crate) async fn what_is_someone_elses_does_not_exist() {
    let mut bed = Testbed::asleep(StandIn::builder());
    // The home is Ada's, who was there first.
    bed.restart().await;
    bed.stop().await;
    let outside = outside::system();
    let user = outside.user_id();
    let row = NewUser { id: user, name: "bob".into(), role: UserRole::Member, at: outside.now() };
    let token = NewToken {
        id: outside.token_id(),
        user,
        name: String::new(),
        role: UserRole::Member,
        hash: hash_of("bobs-token"),
        at: outside.now(),
        expires_at: None,
    };
    let store = mosaic_store::open(&bed.store_url(), bed.home()).await.expect("the store opens");
    for written in store.commit(vec![Write::CreateUser(row), Write::CreateToken(token)]).await.expect("a batch") {
        written.expect("it is written");
    }
    drop(store);
    bed.restart().await;
    let (ada, bob) = (bed.api(), bed.api().bearing("bobs-token"));
    let session = ada.session().await;
    let letter = json!([{"name": "letter.txt", "media_type": "text/plain", "text": "a secret"}]);
    let said = json!({"text": "a secret", "attachments": letter});
    let said = ada.send("POST", &format!("{}/messages?wait=true", at(&session)), said).await;
    assert_eq!(said.status(), 200, "{}", said.text());
    let page = ada.get(&format!("{}/messages", at(&session))).await;
    let letter = format!("/attachments/{}", page["items"][0]["attachments"][0]["id"].as_str().expect("an id"));
    assert_eq!(bob.get("/api/v1/sessions").await["items"], json!([]));
    // What was spent, too: a member sees their own, an owner everyone's.
    let bobs = bob.session().await;
    bob.ask(&bobs, "hello").await;
    let spent = async |who: &Api| who.get("/api/v1/usage?by=agent").await["items"][0]["turns"].clone();
    assert_eq!((spent(&bob).await, spent(&ada).await), (json!(1), json!(2)));
    bob.request("DELETE", &at(&bobs), &[], b"").await;
    for (method, path) in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/messages"),
        ("GET", "/events"),
        ("GET", letter.as_str()),
        ("POST", "/messages"),
        ("POST", "/cancel"),
    ] {
        let body = if path == "/messages" { json!({"text": "hello"}) } else { json!({}) };
        let refused = refusal(&bob.send(method, &format!("{}{path}", at(&session)), body).await);
        assert_eq!(refused, (404, "not_found".to_owned()), "{method} {path}");
    }
    let wire = json!({"model": "assistant", "messages": [{"role": "user", "content": "hello"}]}).to_string();
    let header = [("x-mosaic-session", session.as_str())];
    let refused = bob.request("POST", "/v1/chat/completions", &header, wire.as_bytes()).await;
    assert_eq!(refusal(&refused), (404, "not_found".to_owned()));
    assert_eq!(ada.transcript(&session).await.len(), 2);
    assert_eq!(bed.model.progress().calls, 2);
}

#[tokio::test]
async fn a_session_can_be_removed_while_it_works() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold(&gate, "too late")])).await;
    let api = bed.api();
    let (session, neighbour) = (api.session().await, api.session().await);
    let mut running = api.hear(&session, "running").await;
    running.until("turn.started").await;
    soon("the call", bed.model.wait_for_calls(1)).await;
    let waiting = api.submit(&session, "?wait=true", &[], "queued");
    let removed = async {
        eventually_queued(&api, &session).await;
        api.request("DELETE", &at(&session), &[], b"").await
    };
    let (waiting, removed) = tokio::join!(waiting, removed);
    assert_eq!(removed.status(), 204);
    assert_eq!(refusal(&waiting), (404, "not_found".to_owned()), "whoever waited is told");
    assert_eq!(running.rest().await.last().expect("an end")["type"], "turn.cancelled");
    soon("the model sees the caller leave", bed.model.wait_for_hangup()).await;
    assert_eq!(refusal(&api.request("GET", &at(&session), &[], b"").await), (404, "not_found".to_owned()));
    assert_eq!(api.ask(&neighbour, "still there?").await["text"], "You said: still there?");
}

async fn eventually_queued(api: &Api, session: &str) {
    crate::testbed::eventually("a second message is accepted", || async {
        (api.count(session, "turn.accepted").await == 2).then_some(())
    })
    .await;
}
