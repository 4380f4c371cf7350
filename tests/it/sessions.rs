//! What one does with a session: put away, found again, bound to a model.

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
}
