//! What becomes of a message that comes while a turn runs: collected, steered, interrupting; and what a kill costs then.

use futures_util::future::join_all;
use mosaic_testkit::http::Response;
use mosaic_testkit::provider::{Call, Gate};
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Api, Testbed, eventually, refusal, soon};

/// Says `text` in a mode, to `…/messages` with `query`.
async fn post(api: &Api, session: &str, query: &str, mode: &str, text: &str) -> Response {
    post_with(api, session, query, &[], mode, text).await
}

async fn post_with(
    api: &Api,
    session: &str,
    query: &str,
    headers: &[(&str, &str)],
    mode: &str,
    text: &str,
) -> Response {
    let path = format!("/api/v1/sessions/{session}/messages{query}");
    api.request("POST", &path, headers, json!({"text": text, "mode": mode}).to_string().as_bytes()).await
}

/// The same; answers its turn and the state that its poster is told.
async fn say(api: &Api, session: &str, mode: &str, text: &str) -> (String, String) {
    let response = post(api, session, "", mode, text).await;
    assert_eq!(response.status(), 202, "{}", response.text());
    let receipt: Value = response.json();
    let text = |key: &str| receipt[key].as_str().expect("a text").to_owned();
    (text("turn"), text("state"))
}

/// What the model was sent, without the system prompt.
fn sent(call: &Call) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = call.messages().iter().skip(1);
    all.map(|message| format!("{}: {}", text(&message["role"]), text(&message["content"]))).collect()
}

fn kinds(journal: &[Value]) -> Vec<&str> {
    journal.iter().filter_map(|event| event["type"].as_str()).collect()
}

/// A session in which `count` runs: it has said `one ` and waits at the gate to say `two`.
async fn counting(gate: &Gate, then: impl IntoIterator<Item = Step>) -> (Testbed, Api, String, String) {
    let script = [Step::hold_after(gate, "one two", 1)].into_iter().chain(then);
    let bed = Testbed::with(StandIn::builder().script(script)).await;
    let api = bed.api();
    let session = api.session().await;
    let turn = api.say(&session, "count").await;
    soon("the call", gate.arrived(1)).await;
    (bed, api, session, turn)
}

#[tokio::test]
async fn a_steered_turn_takes_the_message_in_after_its_present_call_and_answers_all() {
    let gate = Gate::new();
    let (mut bed, api, session, turn) = counting(&gate, []).await;
    let waiting = post(&api, &session, "?wait=true", "steer", "and four");
    let (waited, ()) = tokio::join!(waiting, async {
        eventually("it is accepted", || async { (api.count(&session, "turn.accepted").await == 2).then_some(()) })
            .await;
        assert_eq!(say(&api, &session, "steer", "and five").await, (turn.clone(), "running".to_owned()));
        assert_eq!(bed.model.progress().calls, 1, "the call is not disturbed");
        gate.open();
    });
    let waited: Value = waited.json();
    assert_eq!((&waited["turn"], &waited["text"]), (&json!(turn), &json!("You said: and five")));
    let dialogue = ["user: count", "assistant: one two", "user: and four", "user: and five"];
    assert_eq!(sent(&bed.model.last_call()), dialogue);
    assert_eq!(bed.model.progress().calls, 2);

    let journal = api.journal(&session).await;
    let expected = [
        "turn.accepted",
        "turn.started",
        "turn.accepted",
        "turn.accepted",
        "step.finished",
        "step.finished",
        "turn.finished",
    ];
    assert_eq!(kinds(&journal), expected);
    assert!(journal.iter().all(|event| event["turn"] == *turn), "all of it is one turn");
    let texts: Vec<String> = api.transcript(&session).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["count", "and four", "and five", "one two", "You said: and five"], "in the order of time");
    let sums = api.get("/api/v1/usage").await;
    let day = &sums["items"][0];
    assert_eq!((&day["turns"], &day["input_tokens"]), (&json!(1), &waited["usage"]["input_tokens"]));
    assert_eq!((&day["output_tokens"], &day["cost_usd"]), (&waited["usage"]["output_tokens"], &waited["cost_usd"]));
    assert!(waited["usage"]["output_tokens"].as_u64() > Some(4), "both calls: {waited}");

    // From memory and from the journal the dialogue is the same.
    api.ask(&session, "go on").await;
    let dialogue = [&dialogue[..], &["assistant: You said: and five", "user: go on"]].concat();
    assert_eq!(sent(&bed.model.last_call()), dialogue);
    bed.kill9().await;
    bed.restart().await;
    bed.api().ask(&session, "and now?").await;
    let dialogue = [&dialogue[..], &["assistant: You said: go on", "user: and now?"]].concat();
    assert_eq!(sent(&bed.model.last_call()), dialogue);
}

#[tokio::test]
async fn an_interrupted_turn_is_cut_off_and_begins_again_with_both_messages() {
    let gate = Gate::new();
    let (bed, api, session, turn) = counting(&gate, []).await;
    assert_eq!(say(&api, &session, "interrupt", "in French").await, (turn.clone(), "running".to_owned()));
    soon("the model sees the caller leave", bed.model.wait_for_hangup()).await;
    api.settled(&session).await;
    assert_eq!(sent(&bed.model.last_call()), ["user: count", "user: in French"]);
    let journal = api.journal(&session).await;
    let expected =
        ["turn.accepted", "turn.started", "turn.accepted", "turn.restarted", "step.finished", "turn.finished"];
    assert_eq!(kinds(&journal), expected);
    assert_eq!((&journal[3]["attempt"], &journal[5]["text"]), (&json!(2), &json!("You said: in French")));
    assert!(journal.iter().all(|event| event["turn"] == *turn));
    api.ask(&session, "thanks").await;
    let expected = ["user: count", "user: in French", "assistant: You said: in French", "user: thanks"];
    assert_eq!(sent(&bed.model.last_call()), expected);
}

#[tokio::test]
async fn what_comes_meanwhile_is_collected_into_one_turn() {
    let gate = Gate::new();
    let bed = Testbed::asleep(StandIn::builder().script([Step::hold(&gate, "first")]));
    let mut bed = bed;
    bed.configure("[session]\ndebounce = \"100ms\"\n[agents.gatherer]\nmodels = [\"lab/m-1\"]\nqueue = \"collect\"\n");
    bed.restart().await;
    let api = bed.api();
    let made = api.send("POST", "/api/v1/sessions", json!({"agent": "gatherer"})).await;
    let session = made.json::<Value>()["id"].as_str().expect("an id").to_owned();
    let first = api.submit(&session, "", &[], "one").await;
    assert_eq!(first.json::<Value>()["state"], "queued", "it is left alone for a while first");
    soon("the call", gate.arrived(1)).await;

    let next = api.say(&session, "two").await;
    let waiting = api.submit(&session, "?wait=true", &[("idempotency-key", "k-1")], "three");
    let (waited, ()) = tokio::join!(waiting, async {
        eventually("it is accepted", || async { (api.count(&session, "turn.accepted").await == 3).then_some(()) })
            .await;
        assert_eq!(say(&api, &session, "collect", "four").await, (next.clone(), "queued".to_owned()));
        let own = say(&api, &session, "queue", "five").await.0;
        assert_ne!(own, next, "a message may ask for a turn of its own");
        assert_ne!(say(&api, &session, "collect", "six").await.0, next, "which is not overtaken");
        gate.open();
    });
    assert_eq!((&waited.json::<Value>()["turn"], waited.status()), (&json!(next), 200));
    api.settled(&session).await;
    let calls: Vec<Vec<String>> = bed.model.calls().iter().map(sent).collect();
    let asked: Vec<&[String]> = calls
        .iter()
        .map(|call| &call[call.iter().rposition(|said| said.starts_with("assistant")).map_or(0, |at| at + 1)..])
        .collect();
    assert_eq!(
        asked,
        [&["user: one"][..], &["user: two", "user: three", "user: four"], &["user: five"], &["user: six"]]
    );
    let again = api.submit(&session, "?wait=true", &[("idempotency-key", "k-1")], "three").await;
    assert_eq!(again.json::<Value>()["turn"], json!(next), "each message keeps its key");
}

#[tokio::test]
async fn a_message_that_collects_waits_for_a_pause_though_nothing_runs() {
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.configure("[session]\ndebounce = \"2s\"\n");
    bed.restart().await;
    let api = bed.api();
    let session = api.session().await;
    let (turn, state) = say(&api, &session, "collect", "one").await;
    assert_eq!(state, "queued");
    assert_eq!(say(&api, &session, "collect", "two").await, (turn.clone(), state));
    assert_eq!(bed.model.progress().calls, 0);
    api.settled(&session).await;
    assert_eq!(sent(&bed.model.last_call()), ["user: one", "user: two"]);
    assert_eq!(bed.model.progress().calls, 1);
    // And it can be cancelled while it waits.
    let (turn, _) = say(&api, &session, "collect", "three").await;
    assert_eq!(api.cancel(&session).await["cancelled"], json!(turn));
    assert_eq!(api.get(&format!("/api/v1/sessions/{session}")).await["state"], "idle");
    assert_eq!(bed.model.progress().calls, 1);
}

#[tokio::test]
async fn a_kill_in_the_first_step_of_a_steered_turn_costs_no_message() {
    let gate = Gate::new();
    let (mut bed, api, session, turn) = counting(&gate, []).await;
    let key = [("idempotency-key", "k-2")];
    assert_eq!(post_with(&api, &session, "", &key, "steer", "and four").await.status(), 202);
    bed.kill9().await;
    bed.restart().await;
    let api = bed.api();
    api.settled(&session).await;
    assert_eq!(sent(&bed.model.last_call()), ["user: count", "user: and four"]);
    let journal = api.journal(&session).await;
    let expected =
        ["turn.accepted", "turn.started", "turn.accepted", "turn.restarted", "step.finished", "turn.finished"];
    assert_eq!(kinds(&journal), expected);
    let again = post_with(&api, &session, "?wait=true", &key, "steer", "and four").await;
    assert_eq!((&again.json::<Value>()["turn"], again.status()), (&json!(turn), 200), "its key names the turn still");
    let other = post_with(&api, &session, "", &key, "steer", "and five").await;
    assert_eq!(refusal(&other), (422, "idempotency_conflict".to_owned()), "by its own body");
    assert_eq!(bed.model.progress().calls, 2);
}

#[tokio::test]
async fn a_step_that_was_finished_before_a_kill_is_not_run_again() {
    let (first, second) = (Gate::new(), Gate::new());
    let (mut bed, api, session, turn) = counting(&first, [Step::hold_after(&second, "three four", 1)]).await;
    say(&api, &session, "steer", "go on").await;
    first.open();
    soon("the second step", second.arrived(1)).await;
    say(&api, &session, "steer", "and on").await;
    bed.kill9().await;
    bed.restart().await;
    let api = bed.api();
    api.settled(&session).await;
    let dialogue = ["user: count", "assistant: one two", "user: go on", "user: and on"];
    assert_eq!(sent(&bed.model.last_call()), dialogue);
    assert_eq!(bed.model.progress().calls, 3, "the step that was cut off was asked again, the other was not");
    let journal = api.journal(&session).await;
    let expected = [
        "turn.accepted",
        "turn.started",
        "turn.accepted",
        "step.finished",
        "turn.accepted",
        "turn.restarted",
        "step.finished",
        "turn.finished",
    ];
    assert_eq!(kinds(&journal), expected);
    assert!(journal.iter().all(|event| event["turn"] == *turn));
    let end = journal.last().expect("an end");
    let day = &api.get("/api/v1/usage").await["items"][0];
    assert_eq!(day["input_tokens"], end["usage"]["input_tokens"], "the step before the kill is paid for too");
    let texts: Vec<String> = api.transcript(&session).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["count", "go on", "one two", "and on", "You said: and on"]);
}

#[tokio::test]
async fn a_kill_while_messages_collect_costs_none_and_they_stay_together() {
    let gate = Gate::new();
    let (mut bed, api, session, _) = counting(&gate, [Step::say("again")]).await;
    let (turn, _) = say(&api, &session, "collect", "two").await;
    assert_eq!(say(&api, &session, "collect", "three").await.0, turn);
    bed.kill9().await;
    bed.restart().await;
    let api = bed.api();
    api.settled(&session).await;
    assert_eq!(sent(&bed.model.last_call()), ["user: count", "assistant: again", "user: two", "user: three"]);
    let journal = api.journal(&session).await;
    assert_eq!(journal.iter().filter(|event| event["type"] == "turn.finished").count(), 2);
    assert_eq!(journal.last().expect("an end")["turn"], json!(turn));
    assert_eq!(bed.model.progress().calls, 3);
}

#[tokio::test]
async fn all_who_wait_for_a_steered_turn_see_the_same_end() {
    let gate = Gate::new();
    let failing = Step::Hold { gate: gate.clone(), then: Box::new(Step::status(401, "invalid_api_key", "No.")) };
    let bed = Testbed::with(StandIn::builder().script([failing, Step::Silence])).await;
    let api = bed.api();
    for (cancelled, code) in [(false, (502, "provider_auth")), (true, (409, "cancelled"))] {
        let session = api.session().await;
        let calls = bed.model.progress().calls + 1;
        let first = post(&api, &session, "?wait=true", "queue", "one");
        let second = async {
            soon("the call", bed.model.wait_for_calls(calls)).await;
            post(&api, &session, "?wait=true", "steer", "two").await
        };
        let ending = async {
            eventually("both are accepted", || async {
                (api.count(&session, "turn.accepted").await == 2).then_some(())
            })
            .await;
            if cancelled {
                assert!(api.cancel(&session).await["cancelled"].is_string());
            } else {
                gate.open();
            }
        };
        let (first, second, ()) = tokio::join!(first, second, ending);
        for answer in [first, second] {
            assert_eq!(refusal(&answer), (code.0, code.1.to_owned()));
        }
        api.settled(&session).await;
    }
}

#[tokio::test]
async fn twenty_messages_wait_for_a_turn_in_any_mode_and_the_next_is_refused() {
    let gate = Gate::new();
    let (bed, api, session, turn) = counting(&gate, []).await;
    for n in 0..20 {
        assert_eq!(say(&api, &session, "steer", &format!("m{n}")).await.0, turn);
    }
    for mode in ["queue", "collect", "steer", "interrupt"] {
        let busy = post(&api, &session, "", mode, "one too many").await;
        assert_eq!(refusal(&busy), (429, "busy".to_owned()), "{mode}");
        assert!(busy.header("retry-after").is_some(), "{mode}");
    }
    gate.open();
    api.settled(&session).await;
    assert_eq!(sent(&bed.model.last_call()).len(), 22, "all of them in one step");
    assert_eq!(api.ask(&session, "there is room again").await["text"], "You said: there is room again");
}

#[tokio::test]
async fn another_word_for_a_mode_is_refused_with_the_list() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let refused = post(&api, &session, "", "stear", "hello").await;
    assert_eq!(refusal(&refused), (400, "bad_request".to_owned()));
    let text = refused.text();
    assert!(["queue", "collect", "steer", "interrupt"].iter().all(|mode| text.contains(mode)), "{text}");
    assert!(api.transcript(&session).await.is_empty());
}

#[tokio::test]
async fn a_stream_on_the_openai_wire_goes_on_over_the_steps_of_its_turn() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, "one two", 1)])).await;
    let api = bed.api();
    let session = api.session().await;
    let body = json!({"model": "assistant", "stream": true, "messages": [{"role": "user", "content": "count"}]});
    let body = body.to_string();
    let headers = [("x-mosaic-session", session.as_str())];
    let streaming = api.request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    let (streamed, ()) = tokio::join!(streaming, async {
        soon("the call", gate.arrived(1)).await;
        say(&api, &session, "steer", "go on").await;
        gate.open();
    });
    let chunks = streamed.text();
    let said: String = chunks
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(said, "one two\n\nYou said: go on");
    assert!(chunks.contains("[DONE]") && !chunks.contains("error"), "{chunks}");
}

/// What makes it so: a session has one call at a time, and calls wait for a place at their provider in the order in
/// which they came; the writer takes the writes of all that came during a batch into the next one.
#[tokio::test]
async fn a_busy_session_does_not_starve_its_neighbours() {
    let gate = Gate::new();
    let mut bed = Testbed::asleep(StandIn::builder().script([Step::hold(&gate, "m0")]));
    bed.configure("");
    let config = std::fs::read_to_string(bed.home().join("config.toml")).expect("it is there");
    bed.write_config(&config.replace("[providers.lab]\n", "[providers.lab]\nmax_in_flight = 1\n"));
    bed.restart().await;
    let api = bed.api();
    let busy = api.session().await;
    for n in 0..20 {
        api.say(&busy, &format!("m{n}")).await;
    }
    soon("the call", gate.arrived(1)).await;
    let neighbours = join_all((0..3).map(|_| api.session())).await;
    let asking = join_all(neighbours.iter().map(|session| api.ask(session, "neighbour")));
    let (answers, ()) = tokio::join!(asking, async {
        for session in &neighbours {
            eventually("it runs", || async { (api.count(session, "turn.started").await == 1).then_some(()) }).await;
        }
        gate.open();
    });
    assert!(answers.iter().all(|answer| answer["text"] == "You said: neighbour"));
    api.settled(&busy).await;
    let calls = bed.model.calls();
    let last = calls.iter().rposition(|call| call.last_user() == Some("neighbour")).expect("they were asked");
    // A run that has not come to the provider yet when the gate opens may be behind one more of the busy session's.
    assert!(last <= 3 + 2, "the neighbours' last call was number {last} of {}", calls.len());
    assert_eq!(calls.len(), 23);
}
