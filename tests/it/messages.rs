//! Messages and their turns: accepted once, answered once and in order, streamed, refused.

use futures_util::future::join_all;
use mosaic_testkit::http::Response;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Testbed, eventually, heard, refusal, soon};

fn turn_of(response: &Response) -> String {
    let body: Value = response.json();
    body["turn"].as_str().unwrap_or_else(|| panic!("no turn in {body}")).to_owned()
}

fn pairs(texts: &[&str]) -> Vec<(String, String)> {
    let exchange =
        |text: &&str| [("user".to_owned(), (*text).to_owned()), ("assistant".to_owned(), format!("You said: {text}"))];
    texts.iter().flat_map(exchange).collect()
}

#[tokio::test]
pub(crate) async fn a_message_is_answered_in_each_of_the_three_forms() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;

    let receipt = api.submit(&session, "", &[], "one").await;
    let body: Value = receipt.json();
    assert_eq!((receipt.status(), &body["session"], &body["state"]), (202, &json!(session), &json!("running")));
    api.settled(&session).await;

    let finished = api.ask(&session, "two").await;
    let expected = json!({
        "session": session,
        "turn": finished["turn"],
        "state": "finished",
        "text": "You said: two",
        "model": "m-1",
        "provider": "lab",
        "route_reason": "first choice",
        "stop_reason": "stop",
        "usage": {"input_tokens": 40, "output_tokens": 3},
        "cost_usd": 0.000_046,
    });
    assert_eq!(finished, expected);

    let events = api.hear(&session, "three").await.rest().await;
    assert_eq!(heard(&events), "You said: three");
    let kinds: Vec<&Value> = events.iter().map(|event| &event["type"]).filter(|kind| *kind != "turn.delta").collect();
    let expected = ["turn.accepted", "turn.started", "step.started", "step.finished", "turn.finished"];
    assert_eq!(kinds, expected);
    assert_eq!(api.transcript(&session).await, pairs(&["one", "two", "three"]));
    let seqs: Vec<i64> = api.journal(&session).await.iter().filter_map(|event| event["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>(), "1, 2, 3 and so on");
}

#[tokio::test]
async fn a_failed_turn_answers_502_with_its_code_and_the_session_goes_on() {
    let steps = [
        Step::status(401, "invalid_api_key", "No."),
        Step::truncate("half"),
        Step::status(400, "bad", "No."),
        // A code with a status of its own elsewhere: here the request was good and the turn was not.
        Step::status(404, "model_not_found", "No."),
    ];
    let bed = Testbed::with(StandIn::builder().script(steps)).await;
    let api = bed.api();
    let session = api.session().await;
    for code in ["provider_auth", "provider_bad_answer", "provider_rejected", "model_not_found"] {
        let failed = api.submit(&session, "?wait=true", &[], "hello").await;
        assert_eq!(refusal(&failed), (502, code.to_owned()));
    }
    assert_eq!(api.ask(&session, "again").await["text"], "You said: again");
    // What failed is no part of the dialogue, but for the one that had said something.
    assert_eq!(bed.model.last_call().messages().len(), 4);
}

#[tokio::test]
pub(crate) async fn a_repeated_key_attaches_in_each_form_and_after_a_restart() {
    let gate = Gate::new();
    let mut bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, "one two", 1)])).await;
    let api = bed.api();
    let session = api.session().await;
    let key = [("idempotency-key", "k-1")];
    let first = api.submit(&session, "", &key, "count").await;
    let turn = turn_of(&first);
    soon("the call", gate.arrived(1)).await;

    let again = api.submit(&session, "", &key, "count").await;
    assert_eq!((again.status(), turn_of(&again)), (202, turn.clone()));
    let mut stream = api.hear_with(&session, &key, "count").await;
    assert_eq!(stream.until("turn.delta").await["text"], "one ");
    let waiting = api.submit(&session, "?wait=true", &key, "count");
    let opened = async {
        let other = api.submit(&session, "", &key, "something else").await;
        assert_eq!(refusal(&other), (422, "idempotency_conflict".to_owned()));
        gate.open();
    };
    let (waited, ()) = tokio::join!(waiting, opened);
    assert_eq!((waited.status(), turn_of(&waited)), (200, turn.clone()));
    assert_eq!(stream.until("turn.finished").await["turn"], turn);

    for restarted in [false, true] {
        if restarted {
            bed.kill9().await;
            bed.restart().await;
        }
        let api = bed.api();
        let receipt = api.submit(&session, "", &key, "count").await;
        assert_eq!((receipt.status(), turn_of(&receipt)), (202, turn.clone()), "restarted: {restarted}");
        assert_eq!(receipt.json::<Value>()["state"], "finished");
        let waited = api.submit(&session, "?wait=true", &key, "count").await;
        assert_eq!((waited.status(), turn_of(&waited)), (200, turn.clone()));
        assert_eq!(waited.json::<Value>()["text"], "one two");
        let events = api.hear_with(&session, &key, "count").await.rest().await;
        assert_eq!(
            (events.len(), &events[0]["type"], &events[0]["text"]),
            (1, &json!("turn.finished"), &json!("one two"))
        );
        let other = api.submit(&session, "", &key, "something else").await;
        assert_eq!(refusal(&other), (422, "idempotency_conflict".to_owned()));
    }
    // The key is the session's: in another one it is new.
    let elsewhere = bed.api().session().await;
    assert_ne!(turn_of(&bed.api().submit(&elsewhere, "?wait=true", &key, "count").await), turn);
    assert_eq!(bed.model.progress().calls, 2);
    assert_eq!(bed.api().transcript(&session).await.len(), 2);
}

#[tokio::test]
pub(crate) async fn a_key_sent_many_times_at_once_makes_one_turn() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let key = [("idempotency-key", "k-1")];
    let answers = join_all((0..16).map(|_| api.submit(&session, "?wait=true", &key, "hello"))).await;
    let turns: std::collections::HashSet<String> = answers.iter().map(turn_of).collect();
    assert_eq!(turns.len(), 1);
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!(bed.model.progress().calls, 1);
}

#[tokio::test]
async fn two_sessions_stream_at_once_without_mixing() {
    let (left, right) = (Gate::new(), Gate::new());
    let model = StandIn::builder()
        .when_last_user_contains("left", Step::hold_after(&left, "l1 l2 l3 l4", 2))
        .when_last_user_contains("right", Step::hold_after(&right, "r1 r2 r3 r4", 2));
    let bed = Testbed::with(model).await;
    let api = bed.api();
    let (one, two) = (api.session().await, api.session().await);
    let mut left_events = api.hear(&one, "left").await;
    let mut right_events = api.hear(&two, "right").await;
    left_events.until("turn.delta").await;
    right_events.until("turn.delta").await;
    assert_eq!(bed.model.progress().open, 2, "both are in mid-stream");
    right.open();
    let right_events = right_events.rest().await;
    left.open();
    let left_events = left_events.rest().await;
    for (events, session, letter) in [(&left_events, &one, 'l'), (&right_events, &two, 'r')] {
        assert!(events.iter().all(|event| event["session"] == **session));
        let end = events.last().expect("an end");
        assert_eq!(end["text"], json!(format!("{letter}1 {letter}2 {letter}3 {letter}4")));
    }
    assert_eq!(api.transcript(&one).await[1].1, "l1 l2 l3 l4");
    assert_eq!(api.transcript(&two).await[1].1, "r1 r2 r3 r4");
}

#[tokio::test]
pub(crate) async fn what_comes_during_a_turn_waits_and_the_22nd_is_refused() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold(&gate, "You said: m0")])).await;
    let api = bed.api();
    let session = api.session().await;
    let texts: Vec<String> = (0..21).map(|n| format!("m{n}")).collect();
    for (n, text) in texts.iter().enumerate() {
        let key = format!("k-{n}");
        let receipt = api.submit(&session, "", &[("idempotency-key", &key)], text).await;
        let state = if n == 0 { "running" } else { "queued" };
        assert_eq!((receipt.status(), &receipt.json::<Value>()["state"]), (202, &json!(state)), "{text}");
    }
    let over = [("idempotency-key", "k-over")];
    for query in ["", "?wait=true"] {
        let busy = api.submit(&session, query, &over, "one too many").await;
        assert_eq!(refusal(&busy), (429, "busy".to_owned()));
        assert!(busy.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()));
    }
    let repeat = api.submit(&session, "", &[("idempotency-key", "k-7")], "m7").await;
    assert_eq!((repeat.status(), &repeat.json::<Value>()["state"]), (202, &json!("queued")), "a repeat needs no room");
    let other_body = api.submit(&session, "", &[("idempotency-key", "k-7")], "another").await;
    assert_eq!(refusal(&other_body), (422, "idempotency_conflict".to_owned()));
    let other = api.session().await;
    assert_eq!(api.ask(&other, "elsewhere").await["text"], "You said: elsewhere", "only this session is full");
    gate.open();
    // A refusal is not remembered: the same key is taken once there is room.
    let last = eventually("there is room again", || async {
        let again = api.submit(&session, "?wait=true", &over, "one too many").await;
        (again.status() == 200).then_some(again)
    })
    .await;
    assert_eq!(last.json::<Value>()["text"], "You said: one too many");
    let all: Vec<&str> = texts.iter().map(String::as_str).chain(["one too many"]).collect();
    // A transcript is in the order of what happened: what was accepted during the first turn stands before its answer.
    let transcript = api.transcript(&session).await;
    for role in ["user", "assistant"] {
        let of_role = |all: Vec<(String, String)>| all.into_iter().filter(|(of, _)| of == role).collect::<Vec<_>>();
        assert_eq!(of_role(transcript.clone()), of_role(pairs(&all)), "once each, in the order of acceptance");
    }
    let dialogue = bed.model.last_call();
    let dialogue = dialogue.messages()[1..].iter().map(|message| {
        let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
        (text("role"), text("content"))
    });
    assert_eq!(dialogue.collect::<Vec<_>>(), pairs(&all)[..43], "the model is sent each answer after its question");
}
