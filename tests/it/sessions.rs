//! What one does with a session and its messages: put away, found again, bound to a model, asked again, forked.

use mosaic_testkit::{Gate, StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Api, Testbed, Wire, refusal, run};

/// Makes a session with a title.
async fn titled(api: &Api, title: &str) -> String {
    let row: Value = api.send("POST", "/api/v1/sessions", json!({"title": title})).await.json();
    row["id"].as_str().expect("an id").to_owned()
}

async fn change(api: &Api, session: &str, wish: Value) -> Value {
    let response = api.send("PATCH", &format!("/api/v1/sessions/{session}"), wish).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    response.json()
}

/// The titles of a list.
async fn titles(api: &Api, query: &str) -> Vec<String> {
    let page = api.get(&format!("/api/v1/sessions{query}")).await;
    let items = page["items"].as_array().expect("a list");
    items.iter().map(|row| row["title"].as_str().expect("a title").to_owned()).collect()
}

#[tokio::test]
async fn a_session_that_is_put_away_comes_back_with_a_message() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let (bread, soup) = (titled(&api, "Bread").await, titled(&api, "Soup").await);
    let row = change(&api, &bread, json!({"archived": true})).await;
    assert_eq!((&row["archived"], &row["title"], &row["agent"]), (&json!(true), &json!("Bread"), &json!("assistant")));
    assert_eq!(titles(&api, "").await, ["Soup"]);
    assert_eq!(titles(&api, "?archived=false").await, ["Soup"]);
    assert_eq!(titles(&api, "?archived=true").await, ["Bread"]);
    assert_eq!(titles(&api, "?archived=all").await, ["Bread", "Soup"]);
    let page = api.get("/api/v1/sessions?archived=all&limit=1").await;
    let next = page["next"].as_str().expect("there is more");
    assert_eq!(titles(&api, &format!("?archived=all&cursor={next}")).await, ["Soup"]);
    assert_eq!(
        api.journal(&bread).await.last().expect("journaled")["archived"],
        json!(true),
        "readers are told that it is put away"
    );

    api.ask(&bread, "still there?").await;
    assert_eq!(titles(&api, "").await, ["Bread", "Soup"]);
    assert_eq!(api.get(&format!("/api/v1/sessions/{bread}")).await["archived"], json!(false));
    // Renamed in the same way; what is not named stays.
    let row = change(&api, &soup, json!({"title": "Broth", "archived": true})).await;
    assert_eq!((&row["title"], &row["archived"]), (&json!("Broth"), &json!(true)));
    assert_eq!(change(&api, &soup, json!({"agent": "poet"})).await["archived"], json!(true));
    let bad = api.request("GET", "/api/v1/sessions?archived=yes", &[], b"").await;
    assert_eq!(refusal(&bad), (400, "bad_request".to_owned()));
}

#[tokio::test]
async fn a_search_finds_a_session_by_its_title_and_by_what_was_said() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let (bread, soup) = (titled(&api, "Rye bread").await, titled(&api, "Soup").await);
    api.ask(&soup, "with caraway, please").await;
    assert_eq!(titles(&api, "?q=RYE").await, ["Rye bread"]);
    assert_eq!(titles(&api, "?q=Caraway").await, ["Soup"]);
    assert_eq!(titles(&api, "?q=You%20said").await, ["Soup"], "what was answered too");
    assert!(titles(&api, "?q=%25").await.is_empty(), "a sign that means something to the store is itself");
    assert_eq!(titles(&api, "?q=").await.len(), 2);
    change(&api, &bread, json!({"archived": true})).await;
    assert!(titles(&api, "?q=rye").await.is_empty());
    assert_eq!(titles(&api, "?q=rye&archived=all").await, ["Rye bread"]);
    let long = format!("/api/v1/sessions?q={}", "x".repeat(201));
    assert_eq!(refusal(&api.request("GET", &long, &[], b"").await), (400, "bad_request".to_owned()));
}

#[tokio::test]
async fn a_model_chosen_for_a_session_answers_until_it_is_taken_back() {
    let mut bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let row = change(&api, &session, json!({"model": "lab/m-9"})).await;
    assert_eq!(row["model"], json!("lab/m-9"));
    let told = |finished: &Value| {
        let [model, why] = ["model", "route_reason"].map(|key| finished[key].as_str().unwrap_or_default().to_owned());
        (model, why)
    };
    let chosen = ("m-9".to_owned(), "chosen for this session".to_owned());
    assert_eq!(told(&api.ask(&session, "one").await), chosen);
    bed.kill9().await;
    bed.restart().await;
    let api = bed.api();
    assert_eq!(told(&api.ask(&session, "two").await), chosen, "it is kept");

    // An input that names a model itself goes before it, for its own turn.
    let body = json!({"text": "three", "model": "lab/m-3"});
    let path = format!("/api/v1/sessions/{session}/messages?wait=true");
    let named: Value = api.send("POST", &path, body).await.json();
    assert_eq!(told(&named), ("m-3".to_owned(), "asked for by name".to_owned()));

    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    for (line, says) in [
        ("/model", "lab/m-9 answers here"),
        ("/model lab/m-7", "until /model auto. It is not in the list of lab; it is asked all the same."),
        ("/model lab/m-8", "lab/m-8 answers here"),
        ("/status", "Model: lab/m-8"),
        ("/model auto", "The models of assistant answer here."),
    ] {
        wire.send(json!({"type": "command.execute", "id": line, "session": session, "line": line})).await;
        let result = wire.answer(line).await;
        assert!(result["text"].as_str().is_some_and(|text| text.contains(says)), "{line}: {result}");
    }
    assert_eq!(told(&api.ask(&session, "four").await), ("m-1".to_owned(), "first choice".to_owned()));

    for (wish, expected) in [("m-9", (400, "bad_request")), ("nobody/m-9", (404, "model_not_found"))] {
        let refused = api.send("PATCH", &format!("/api/v1/sessions/{session}"), json!({"model": wish})).await;
        assert_eq!(refusal(&refused), (expected.0, expected.1.to_owned()));
        let refused = api.send("POST", &path, json!({"text": "x", "model": wish})).await;
        assert_eq!(refusal(&refused), (expected.0, expected.1.to_owned()));
    }
    let frame = json!({"type": "message.send", "id": "k", "session": session, "text": "five", "model": "lab/m-5"});
    wire.send(frame).await;
    assert_eq!(wire.answer("k").await["type"], "ack");
    api.settled(&session).await;
    assert_eq!(api.journal(&session).await.last().expect("an end")["model"], "m-5");
}

#[tokio::test]
async fn the_command_line_lists_what_is_found_and_puts_sessions_away() {
    let mut bed = Testbed::start().await;
    let api = bed.api();
    let bread = titled(&api, "Rye bread").await;
    titled(&api, "Soup").await;
    let list = async |bed: &Testbed, args: &[&str]| {
        let args: Vec<&str> = [&["--json", "sessions", "list"], args].concat();
        let ended = run(bed.command(&args), "").await;
        let titles = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        titles.map(|row| row["title"].as_str().expect("a title").to_owned()).collect::<Vec<_>>()
    };
    for awake in [true, false] {
        if !awake {
            bed.stop().await;
        }
        assert_eq!(list(&bed, &["--search", "rye & b"]).await, [""; 0]);
        assert_eq!(list(&bed, &["--search", "rye b"]).await, ["Rye bread"]);
    }
    let ended = run(bed.command(&["sessions", "archive", &bread]), "").await;
    assert!(ended.stdout.contains("Archived session"), "{ended:?}");
    assert_eq!(list(&bed, &[]).await, ["Soup"]);
    bed.restart().await;
    assert_eq!(list(&bed, &["--archived"]).await, ["Rye bread"]);
    assert_eq!(list(&bed, &["--all"]).await.len(), 2);
    let all = run(bed.command(&["sessions", "list", "--all"]), "").await.good();
    let marked: Vec<_> = all.lines().filter(|line| line.contains("archived")).collect();
    assert!(marked.len() == 1 && marked[0].contains("Rye bread"), "{all}");
}

/// The ids of a session's messages, oldest first.
async fn ids(api: &Api, session: &str) -> Vec<String> {
    let page = api.get(&format!("/api/v1/sessions/{session}/messages")).await;
    page["items"].as_array().expect("a list").iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

/// What the model was sent last, without the system prompt.
fn sent(bed: &Testbed) -> Vec<String> {
    let call = bed.model.last_call();
    let said = call.messages().iter().filter(|message| message["role"] != "system");
    said.map(|message| message["content"].as_str().expect("a text").to_owned()).collect()
}

fn texts(transcript: &[(String, String)]) -> Vec<&str> {
    transcript.iter().map(|(_, text)| text.as_str()).collect()
}

#[tokio::test]
async fn a_message_is_edited_and_sent_again_in_its_place() {
    let mut bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    for text in ["one", "two", "three"] {
        api.ask(&session, text).await;
    }
    let old = ids(&api, &session).await;
    let path = format!("/api/v1/sessions/{session}/messages?wait=true");
    let body = json!({"text": "two, better", "replaces": old[2]});
    let edited = api.request("POST", &path, &[("idempotency-key", "k")], body.to_string().as_bytes()).await;
    assert_eq!(edited.status(), 200, "{}", edited.text());
    let expected = ["one", "You said: one", "two, better", "You said: two, better"];
    assert_eq!(texts(&api.transcript(&session).await), expected);
    assert_eq!(sent(&bed), expected[..3], "the model sees what is shown");
    let superseded: Vec<_> = api.journal(&session).await;
    let told = superseded.iter().find(|event| event["type"] == "messages.superseded").expect("it is journaled");
    assert_eq!(format!("{session}.{}", told["from"]), old[2]);
    assert_eq!(api.count(&session, "turn.finished").await, 4, "the journal keeps all");

    // A repeat is the same turn, also after a kill; another text under the key is refused.
    bed.kill9().await;
    bed.restart().await;
    let api = bed.api();
    let again = api.request("POST", &path, &[("idempotency-key", "k")], body.to_string().as_bytes()).await;
    assert_eq!(again.json::<Value>()["turn"], edited.json::<Value>()["turn"]);
    let plain = api.submit(&session, "", &[("idempotency-key", "k")], "two, better").await;
    assert_eq!(refusal(&plain), (422, "idempotency_conflict".to_owned()));
    api.ask(&session, "four").await;
    assert_eq!(sent(&bed)[..3], expected[..3], "the memory of the next life agrees");

    for (replaces, why) in [
        (old[2].clone(), "it has left"),
        (old[1].clone(), "it is an answer"),
        (format!("{session}.999"), "it is not there"),
        ("other.1".to_owned(), "it is of another session"),
        (format!("{session}.+1"), "it is no number"),
    ] {
        let refused = api.send("POST", &path, json!({"text": "x", "replaces": replaces})).await;
        assert_eq!(refusal(&refused), (404, "not_found".to_owned()), "{why}");
    }
    assert_eq!(api.get("/api/v1/sessions?q=three").await["items"], json!([]), "what left is not found");
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    let first = &ids(&api, &session).await[0];
    wire.send(json!({"type": "message.send", "id": "w", "session": session, "text": "anew", "replaces": first})).await;
    assert_eq!(wire.answer("w").await["type"], "ack");
    api.settled(&session).await;
    assert_eq!(texts(&api.transcript(&session).await), ["anew", "You said: anew"]);
}

#[tokio::test]
async fn what_was_asked_last_is_asked_again_however_it_went() {
    let gate = Gate::new();
    let steps = [
        Step::say("first"),
        Step::say("second"),
        Step::status(400, "bad", "no"),
        Step::say("third"),
        Step::hold(&gate, "never"),
        Step::say("fourth"),
    ];
    let bed = Testbed::with(StandIn::builder().script(steps)).await;
    let api = bed.api();
    let session = api.session().await;
    let path = format!("/api/v1/sessions/{session}/retry");
    let nothing = api.send("POST", &path, json!({})).await;
    assert_eq!(refusal(&nothing), (404, "not_found".to_owned()));
    let wait = format!("{path}?wait=true");
    let retry = async |key: &str, body: Value| {
        let response = api.request("POST", &wait, &[("idempotency-key", key)], body.to_string().as_bytes()).await;
        response.json::<Value>()
    };
    assert_eq!(api.ask(&session, "one").await["text"], "first");
    let second = retry("a", json!({"model": "lab/m-7"})).await;
    assert_eq!((&second["text"], &second["model"]), (&json!("second"), &json!("m-7")));
    assert_eq!(texts(&api.transcript(&session).await), ["one", "second"]);
    assert_eq!(sent(&bed), ["one"]);
    assert_eq!(retry("a", json!({"model": "lab/m-7"})).await["turn"], second["turn"], "once for each key");
    let other = api.request("POST", &wait, &[("idempotency-key", "a")], b"{}").await;
    assert_eq!(refusal(&other), (422, "idempotency_conflict".to_owned()));

    assert_eq!(api.submit(&session, "?wait=true", &[], "two").await.status(), 502);
    assert_eq!(retry("b", json!({})).await["text"], "third");
    assert_eq!(sent(&bed), ["one", "second", "two"]);

    api.say(&session, "three").await;
    bed.model.wait_for_calls(5).await;
    for (path, body) in [
        (path.clone(), json!({})),
        (format!("/api/v1/sessions/{session}/messages"), json!({"text": "x", "replaces": format!("{session}.1")})),
    ] {
        let refused = api.send("POST", &path, body).await;
        assert_eq!(refusal(&refused), (409, "running".to_owned()));
    }
    api.cancel(&session).await;
    assert_eq!(retry("c", json!({})).await["text"], "fourth");
    assert_eq!(texts(&api.transcript(&session).await), ["one", "second", "two", "third", "three", "fourth"]);
    // What failed and was cancelled left with its messages.
    let shown = run(bed.command(&["sessions", "show", &session]), "").await.good();
    assert!(!shown.contains("! failed") && !shown.contains("! cancelled"), "{shown}");

    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.send(json!({"type": "command.execute", "id": "r", "session": session, "line": "/retry"})).await;
    assert_eq!(wire.answer("r").await["text"], "Asked again.");
    api.settled(&session).await;
    assert_eq!(texts(&api.transcript(&session).await).last(), Some(&"You said: three"));
}

#[tokio::test]
async fn an_edit_that_is_sent_many_times_at_once_is_one_turn() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    api.ask(&session, "one").await;
    let body = json!({"text": "one, better", "replaces": ids(&api, &session).await[0]}).to_string();
    let path = format!("/api/v1/sessions/{session}/messages?wait=true");
    let send = || async { api.request("POST", &path, &[("idempotency-key", "k")], body.as_bytes()).await };
    let answers = futures_util::future::join_all((0..16).map(|_| send())).await;
    let turns: std::collections::BTreeSet<String> =
        answers.iter().map(|answer| answer.json::<Value>()["turn"].to_string()).collect();
    assert_eq!(turns.len(), 1, "{turns:?}");
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!(api.count(&session, "messages.superseded").await, 1);
}

#[tokio::test]
async fn a_session_is_forked_at_a_message_and_both_go_on() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = titled(&api, "Bread").await;
    change(&api, &session, json!({"agent": "poet", "model": "lab/m-9"})).await;
    for text in ["one", "two"] {
        api.ask(&session, text).await;
    }
    let all = ids(&api, &session).await;
    let fork = async |body: Value| {
        let made = api.send("POST", &format!("/api/v1/sessions/{session}/fork"), body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        let row: Value = made.json();
        (row["id"].as_str().expect("an id").to_owned(), row)
    };
    let (whole, row) = fork(json!({})).await;
    assert_eq!(
        [&row["title"], &row["agent"], &row["model"], &row["state"]],
        ["Bread (fork)", "poet", "lab/m-9", "idle"]
    );
    assert_eq!(api.get(&format!("/api/v1/sessions/{whole}")).await, row);
    assert_eq!(api.transcript(&whole).await, api.transcript(&session).await);
    let (part, row) = fork(json!({"message": all[1], "title": "Rye"})).await;
    assert_eq!(row["title"], "Rye");
    api.ask(&part, "three").await;
    assert_eq!(sent(&bed), ["one", "You said: one", "three"]);
    assert_eq!(api.transcript(&session).await.len(), 4, "the other is as it was");

    // Forked at a question: it can be asked again.
    let (question, _) = fork(json!({"message": all[2]})).await;
    assert_eq!(api.transcript(&question).await.len(), 3);
    let again = api.send("POST", &format!("/api/v1/sessions/{question}/retry?wait=true"), json!({})).await;
    assert_eq!(again.json::<Value>()["text"], "You said: two");
    assert_eq!(sent(&bed), ["one", "You said: one", "two"]);
    let missing = api.send("POST", &format!("/api/v1/sessions/{session}/fork"), json!({"message": "x.1"})).await;
    assert_eq!(refusal(&missing), (404, "not_found".to_owned()));
    let member: Value = api.send("POST", "/api/v1/tokens", json!({"role": "viewer"})).await.json();
    let viewer = api.bearing(member["token"].as_str().expect("a token"));
    for path in ["fork", "retry"] {
        let refused = viewer.send("POST", &format!("/api/v1/sessions/{session}/{path}"), json!({})).await;
        assert_eq!(refusal(&refused), (403, "forbidden".to_owned()));
    }
}
