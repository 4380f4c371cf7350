//! What people had read of an answer that was cut short: kept, shown again, and told to the model with the next question.

use mosaic_testkit::provider::{Call, Gate};
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Api, Testbed, run};

/// What a model was sent, but for the system prompt.
fn dialogue(call: &Call) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = call.messages().iter().map(|message| (text(&message["role"]), text(&message["content"])));
    messages.filter(|(role, _)| role != "system").collect()
}

fn said(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(role, text)| ((*role).to_owned(), (*text).to_owned())).collect()
}

/// The messages of a session that are not whole.
async fn cut(api: &Api, session: &str) -> Vec<Value> {
    let page = api.get(&format!("/api/v1/sessions/{session}/messages")).await;
    let items = page["items"].as_array().expect("a list").clone();
    items.into_iter().filter(|message| !message["ended"].is_null()).collect()
}

#[tokio::test]
async fn a_stopped_answer_keeps_what_was_read_of_it_and_the_model_can_go_on() {
    let gate = Gate::new();
    let script = [Step::hold_after(&gate, "one two three four", 2), Step::say("three four")];
    let mut bed = Testbed::with(StandIn::builder().script(script)).await;
    let api = bed.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "count").await;
    let mut read = String::new();
    while read.trim_end() != "one two" {
        read.push_str(events.until("turn.delta").await["text"].as_str().expect("a text"));
    }
    api.cancel(&session).await;
    let end = events.until("turn.cancelled").await;
    assert_eq!(end["text"], json!(read), "as it was streamed");
    let kept = said(&[("user", "count"), ("assistant", &read)]);
    for again in [false, true] {
        if again {
            bed.kill9().await;
            bed.restart().await;
        }
        let api = bed.api();
        assert_eq!(api.transcript(&session).await, kept, "once");
        let marked = cut(&api, &session).await;
        assert_eq!(marked.len(), 1);
        assert_eq!((&marked[0]["ended"], &marked[0]["seq"]), (&json!("cancelled"), &end["seq"]));
        assert_eq!(api.journal(&session).await.last().expect("an end")["text"], json!(read));
    }
    let api = bed.api();
    assert_eq!(api.ask(&session, "go on").await["text"], "three four");
    assert_eq!(dialogue(&bed.model.last_call()), [kept, said(&[("user", "go on")])].concat());
    let shown = run(bed.command(&["sessions", "show", &session]), "").await.good();
    assert_eq!((shown.matches("one two").count(), shown.matches("! cancelled").count()), (1, 1), "{shown}");
    assert!(shown.find("one two") < shown.find("! cancelled"), "{shown}");
    let exported = run(bed.command(&["sessions", "export", &session]), "").await.good();
    assert_eq!(exported.matches("\"ended\":\"cancelled\"").count(), 1, "{exported}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_keeps_what_was_read_of_it_and_a_new_try_does_not_hear_of_it() {
    let broken = || Step::DropAfter { text: "one two three four".into(), after: 2 };
    let script = [broken(), Step::say("all of it"), Step::say("yes"), broken(), Step::say("go on")];
    let bed = Testbed::with(StandIn::builder().script(script)).await;
    let api = bed.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "count").await;
    let end = events.until("turn.failed").await;
    let read = end["text"].as_str().expect("a text").to_owned();
    assert_eq!(read.trim_end(), "one two");
    assert_eq!(api.transcript(&session).await, said(&[("user", "count"), ("assistant", &read)]));
    assert_eq!(cut(&api, &session).await[0]["ended"], "failed");

    let mut again = api.listen(&session, end["seq"].as_i64().expect("a number"), &[]).await;
    let retried = api.send("POST", &format!("/api/v1/sessions/{session}/retry"), json!({})).await;
    assert_eq!(retried.status(), 202);
    again.until("turn.finished").await;
    assert_eq!(dialogue(&bed.model.last_call()), said(&[("user", "count")]), "it begins anew");
    assert_eq!(api.transcript(&session).await, said(&[("user", "count"), ("assistant", "all of it")]));
    assert!(cut(&api, &session).await.is_empty());
    api.ask(&session, "sure?").await;
    let all = [("user", "count"), ("assistant", "all of it"), ("user", "sure?")];
    assert_eq!(dialogue(&bed.model.last_call()), said(&all));

    // A fork of what broke off has it too.
    let mut events = api.hear(&session, "more").await;
    events.until("turn.failed").await;
    let forked = api.send("POST", &format!("/api/v1/sessions/{session}/fork"), json!({})).await;
    let fork = forked.json::<Value>()["id"].as_str().expect("an id").to_owned();
    api.ask(&fork, "go on").await;
    let told = dialogue(&bed.model.last_call());
    assert_eq!(told[told.len() - 3..], said(&[("user", "more"), ("assistant", &read), ("user", "go on")]));
}

#[tokio::test]
async fn a_turn_that_ends_before_it_says_anything_leaves_no_answer_behind() {
    let gate = Gate::new();
    let script = [Step::hold(&gate, "never heard"), Step::status(400, "bad", "no"), Step::say("hello")];
    let bed = Testbed::with(StandIn::builder().script(script)).await;
    let api = bed.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "one").await;
    crate::testbed::soon("the call", gate.arrived(1)).await;
    api.cancel(&session).await;
    let cancelled = events.until("turn.cancelled").await;
    let failed = api.hear(&session, "two").await.until("turn.failed").await;
    assert!(cancelled.get("text").is_none() && failed.get("text").is_none(), "{cancelled} {failed}");
    assert_eq!(api.transcript(&session).await, said(&[("user", "one"), ("user", "two")]));
    api.ask(&session, "three").await;
    assert_eq!(dialogue(&bed.model.last_call()), said(&[("user", "three")]));
}
