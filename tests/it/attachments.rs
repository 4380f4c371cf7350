//! Files that come with messages: stored once, read or looked at by the model, handed out again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mosaic_testkit::http::Response;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Api, Testbed, Wire, refusal, soon};

/// A picture of one point.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn notes() -> Value {
    json!({"name": "notes.txt", "media_type": "text/plain", "text": "milk and bread"})
}

fn dot() -> Value {
    json!({"name": "dot.png", "media_type": "image/png", "data": PNG})
}

/// Sends a text with files; waits for the answer.
async fn send(api: &Api, session: &str, key: &str, text: &str, files: Value) -> Response {
    let body = json!({"text": text, "attachments": files}).to_string();
    let path = format!("/api/v1/sessions/{session}/messages?wait=true");
    api.request("POST", &path, &[("idempotency-key", key)], body.as_bytes()).await
}

#[tokio::test]
async fn files_come_over_a_socket_as_they_do_over_http_with_the_same_bounds() {
    let bed = Testbed::start().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    // Without a type each is what is in it; and what is over a megabyte comes too.
    let large = STANDARD.encode([STANDARD.decode(PNG).expect("base64"), vec![0; 3 << 20]].concat());
    let files = json!([{"name": "notes.md", "text": "milk and bread"}, {"name": "large", "data": large}]);
    let frame = json!({"type": "message.send", "id": "with-files", "text": "what is missing?", "attachments": files});
    wire.send(frame.clone()).await;
    let ack = wire.answer("with-files").await;
    assert_eq!(ack["type"], "ack", "{ack}");
    let session = ack["session"].as_str().expect("a session").to_owned();
    let api = bed.api();
    api.settled(&session).await;
    let said = messages(&api, &session).await;
    let kinds: Vec<_> =
        said[0]["attachments"].as_array().expect("files").iter().map(|file| &file["media_type"]).collect();
    assert_eq!(kinds, [&json!("text/plain"), &json!("image/png")]);
    assert!(bed.model.last_call().body.to_string().contains("milk and bread"));
    // A repeat is the same turn, also over HTTP; with another file it is refused.
    wire.send(frame).await;
    assert_eq!(wire.answer("with-files").await["turn"], ack["turn"]);
    let other = json!({"type": "message.send", "id": "with-files", "session": session, "text": "what is missing?",
        "attachments": [notes()]});
    wire.send(other).await;
    assert_eq!(wire.answer("with-files").await["code"], "idempotency_conflict");
    let same = send(&api, &session, "with-files", "what is missing?", files).await;
    assert_eq!((same.status(), &same.json::<Value>()["turn"]), (200, &ack["turn"]));
    let text = "x".repeat((256 << 10) + 1);
    let cases = [
        ("large", json!([{"name": "a.txt", "text": text}]), "too_large"),
        ("binary", json!([{"name": "a.bin", "data": "AP8="}]), "bad_request"),
        ("many", json!(vec![notes(); 9]), "bad_request"),
    ];
    for (id, files, code) in cases {
        wire.send(json!({"type": "message.send", "id": id, "session": session, "text": "?", "attachments": files}))
            .await;
        assert_eq!(wire.answer(id).await["code"], code, "{id}");
    }
}

async fn messages(api: &Api, session: &str) -> Vec<Value> {
    let page = api.get(&format!("/api/v1/sessions/{session}/messages")).await;
    page["items"].as_array().expect("a list").clone()
}

/// What the model was sent of the message at `index`: its text, and how many times the picture.
fn sent(bed: &Testbed, index: usize) -> (String, usize) {
    let call = bed.model.last_call();
    let content = &call.messages()[index]["content"];
    if let Some(text) = content.as_str() {
        return (text.to_owned(), 0);
    }
    let parts = content.as_array().expect("parts");
    let url = json!(format!("data:image/png;base64,{PNG}"));
    let text = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    (text, parts.iter().filter(|part| part["image_url"]["url"] == url).count())
}

#[tokio::test]
pub(crate) async fn text_is_read_and_pictures_are_looked_at_also_in_later_turns() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let answered = send(&api, &session, "k", "what is this?", json!([notes(), dot()])).await;
    assert_eq!(answered.status(), 200, "{}", answered.text());
    let said = &messages(&api, &session).await[0];
    let (files, id) = (&said["attachments"], said["attachments"][0]["id"].as_str().expect("an id"));
    let expected = format!(
        "<file id=\"{id}\" name=\"notes.txt\" type=\"text/plain\">\nmilk and bread\n</file id=\"{id}\">\n\nwhat is this?"
    );
    assert_eq!(sent(&bed, 1), (expected.clone(), 1));
    assert_eq!(said["text"], "what is this?", "what was typed stays as it is");
    assert_eq!(
        (&files[0]["name"], &files[0]["media_type"], &files[0]["size_bytes"]),
        (&json!("notes.txt"), &json!("text/plain"), &json!(14))
    );
    assert_eq!(
        (&files[1]["name"], &files[1]["media_type"], &files[1]["size_bytes"]),
        (&json!("dot.png"), &json!("image/png"), &json!(70))
    );

    api.ask(&session, "and now?").await;
    assert_eq!(sent(&bed, 1), (expected, 1), "it is a part of the dialogue from then on");
    let journal = api.journal(&session).await;
    assert_eq!(&journal[0]["attachments"], files, "readers hear of them");
    assert!(!json!(journal).to_string().contains(PNG), "and what is in them is stored once");
}

#[tokio::test]
pub(crate) async fn a_turn_that_a_kill_cut_off_is_sent_its_files_again() {
    let gate = Gate::new();
    let script = [Step::hold_after(&gate, "never to be heard", 2), Step::say("a dot")];
    let mut bed = Testbed::with(StandIn::builder().script(script)).await;
    let api = bed.api();
    let session = api.session().await;
    let body = json!({"text": "look", "attachments": [dot(), notes()]}).to_string();
    let path = format!("/api/v1/sessions/{session}/messages");
    let receipt = api.request("POST", &path, &[("idempotency-key", "k")], body.as_bytes()).await;
    assert_eq!(receipt.status(), 202, "{}", receipt.text());
    soon("the call", gate.arrived(1)).await;
    let before = sent(&bed, 1);
    bed.kill9().await;
    bed.restart().await;
    let api = bed.api();
    api.settled(&session).await;
    assert_eq!(bed.model.progress().calls, 2);
    assert_eq!(sent(&bed, 1), before);
    assert!(before.0.contains("milk and bread") && before.1 == 1, "{before:?}");
    let again = api.request("POST", &path, &[("idempotency-key", "k")], body.as_bytes()).await;
    assert_eq!((again.status(), bed.model.progress().calls), (202, 2), "the same files are the same message");
    let other = send(&api, &session, "k", "look", json!([dot()])).await;
    assert_eq!(refusal(&other), (422, "idempotency_conflict".to_owned()), "others are not");
}

#[tokio::test]
async fn a_file_is_handed_out_so_that_nothing_in_it_is_carried_out() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let page = json!({"name": "\"ä\".html", "media_type": "text/html", "text": "<script>alert(1)</script>"});
    send(&api, &session, "k", "look", json!([page, dot()])).await;
    let files = messages(&api, &session).await[0]["attachments"].clone();
    let at = |index: usize| {
        format!("/api/v1/sessions/{session}/attachments/{}", files[index]["id"].as_str().unwrap_or_default())
    };
    let text = api.request("GET", &at(0), &[], b"").await;
    assert_eq!((text.status(), text.text()), (200, "<script>alert(1)</script>".into()));
    let expected = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-disposition", "attachment; filename*=UTF-8''%22%C3%A4%22.html"),
        ("content-security-policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private, no-cache"),
    ];
    for (name, value) in expected {
        assert_eq!(text.header(name), Some(value), "{name}");
    }
    let picture = api.request("GET", &at(1), &[], b"").await;
    assert_eq!(picture.header("content-type"), Some("image/png"));
    assert_eq!(picture.header("content-disposition"), Some("inline; filename*=UTF-8''dot.png"));
    assert_eq!(STANDARD.encode(&picture.body), PNG, "byte for byte");
    let tag = picture.header("etag").expect("it never changes").to_owned();
    let known = api.request("GET", &at(1), &[("if-none-match", &tag)], b"").await;
    assert_eq!((known.status(), known.body.len()), (304, 0));

    for path in [at(0).replace(&session, "elsewhere"), at(0) + "0", format!("/api/v1/sessions/{session}/attachments/x")]
    {
        assert_eq!(refusal(&api.request("GET", &path, &[], b"").await), (404, "not_found".to_owned()), "{path}");
    }
    let other = api.session().await;
    let elsewhere = at(0).replace(&session, &other);
    assert_eq!(refusal(&api.request("GET", &elsewhere, &[], b"").await).0, 404, "not under another session either");
    let gone = api.request("DELETE", &format!("/api/v1/sessions/{session}"), &[], b"").await;
    assert_eq!(gone.status(), 204);
    assert_eq!(refusal(&api.request("GET", &at(1), &[], b"").await).0, 404, "and goes with it");
}

#[tokio::test]
async fn a_retry_and_a_fork_have_the_files_too() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    send(&api, &session, "k", "look", json!([notes(), dot()])).await;
    let first = sent(&bed, 1);
    let retried = api.send("POST", &format!("/api/v1/sessions/{session}/retry?wait=true"), json!({})).await;
    assert_eq!(retried.status(), 200, "{}", retried.text());
    let again = sent(&bed, 1);
    assert!(again.0.contains("milk and bread") && again.1 == 1, "{again:?}");
    assert_ne!(again, first, "they are files of the new message");
    assert_eq!(messages(&api, &session).await[0]["attachments"].as_array().map(Vec::len), Some(2));

    let fork = api.send("POST", &format!("/api/v1/sessions/{session}/fork"), json!({})).await;
    let fork: Value = fork.json();
    let fork = fork["id"].as_str().expect("an id");
    api.request("DELETE", &format!("/api/v1/sessions/{session}"), &[], b"").await;
    api.ask(fork, "and here?").await;
    assert_eq!(sent(&bed, 1), again);
}

#[tokio::test]
async fn what_is_no_good_file_is_refused_before_anything_is_stored() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let large = "x".repeat(256 * 1_024 + 1);
    let heavy = STANDARD.encode([&b"\x89PNG\r\n\x1a\n"[..], &vec![0; 5 << 20]].concat());
    let many: Vec<Value> = (0..9).map(|_| notes()).collect();
    let cases = [
        (json!([{"name": "a.txt", "media_type": "text/plain", "text": large}]), 413, "too_large"),
        (json!([{"name": "a.png", "media_type": "image/png", "data": heavy}]), 413, "too_large"),
        (json!([{"name": "a.png", "media_type": "image/jpeg", "data": PNG}]), 400, "bad_request"),
        (json!([{"name": "a.bin", "media_type": "application/zip", "data": "UEsDBAoAAAAAAP8="}]), 400, "bad_request"),
        (json!([{"name": "a.txt", "media_type": "text/plain", "data": "not base64"}]), 400, "bad_request"),
        (json!([{"name": "a\u{7}", "media_type": "text/plain", "text": "x"}]), 400, "bad_request"),
        (json!([{"name": "a", "media_type": "text/plain"}]), 400, "bad_request"),
        (json!(many), 400, "bad_request"),
    ];
    for (files, status, code) in cases {
        let refused = send(&api, &session, "k", "look", files).await;
        assert_eq!(refusal(&refused), (status, code.to_owned()), "{}", refused.text());
    }
    assert!(api.journal(&session).await.is_empty());
    let large = || json!({"name": "a.png", "media_type": "image/png", "data": &heavy[..heavy.len() / 32 * 28]});
    let all: Vec<Value> = (0..6).map(|_| large()).collect();
    let refused = send(&api, &session, "k", "look", json!(all)).await;
    assert_eq!(refusal(&refused), (413, "too_large".to_owned()), "together they are too much for one call of a model");
    let answered = send(&api, &session, "k", "look", json!([large(), dot()])).await;
    assert_eq!(answered.status(), 200, "{}", answered.text());
}

#[tokio::test]
async fn pictures_for_models_that_are_known_to_see_nothing_are_refused_before_acceptance() {
    let mut bed = Testbed::asleep(StandIn::builder());
    let url = bed.model.base_url();
    bed.configure(&format!(
        "[providers.dark]\nbase_url = \"{url}\"\nmodels.\"b-1\" = {{ vision = false }}\n[agents.mole]\nmodels = [\"dark/b-1\"]\n\
         [agents.pair]\nmodels = [\"dark/b-1\", \"lab/m-1\"]\n"
    ));
    bed.restart().await;
    let api = bed.api();
    let of = async |agent: &str| -> String {
        let made: Value = api.send("POST", "/api/v1/sessions", json!({"agent": agent})).await.json();
        made["id"].as_str().expect("an id").to_owned()
    };
    let mole = of("mole").await;
    let refused = send(&api, &mole, "k", "look", json!([dot()])).await;
    assert_eq!(refusal(&refused), (422, "invalid".to_owned()));
    assert!(
        refused.text().contains("dark/b-1 cannot see pictures") && refused.text().contains("/model"),
        "{}",
        refused.text()
    );
    assert!(api.journal(&mole).await.is_empty(), "nothing was accepted");
    assert_eq!(send(&api, &mole, "k", "read", json!([notes()])).await.status(), 200, "text is for everybody");

    // Of several models those that see are asked.
    let pair = of("pair").await;
    let answered: Value = send(&api, &pair, "k", "look", json!([dot()])).await.json();
    assert_eq!((&answered["provider"], sent(&bed, 1).1), (&json!("lab"), 1));
    // Whoever reads the dialogue later and sees nothing is told that there was something.
    let answered: Value = send(&api, &pair, "l", "what was it?", json!([])).await.json();
    assert_eq!(answered["provider"], "dark");
    assert_eq!(
        sent(&bed, 1),
        ("[Here was a picture, \"dot.png\", which is not sent to this model.]\n\nlook".to_owned(), 0)
    );
}
