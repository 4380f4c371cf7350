//! Nothing lost, nothing twice: the daemon is killed, stopped and started, and every accepted message has its answer.

use std::net::TcpListener;
use std::time::Duration;

use futures_util::future::join_all;
use mosaic_testkit::provider::{Call, Gate};
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::testbed::{Testbed, eventually, heard, refusal, run, soon};

/// Role and text of what the model was sent.
fn sent(call: &Call) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    call.messages().iter().map(|message| format!("{}: {}", text(&message["role"]), text(&message["content"]))).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(role, text)| ((*role).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
pub(crate) async fn a_turn_that_a_kill_cut_off_is_answered_once_without_anyone_asking() {
    let gate = Gate::new();
    let script = [Step::hold_after(&gate, "never to be heard", 2), Step::say("the first"), Step::say("the second")];
    let mut bed = Testbed::with(StandIn::builder().script(script)).await;
    let api = bed.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "running").await;
    events.until("turn.delta").await;
    let turn = api.journal(&session).await[0]["turn"].clone();
    let queued = api.say(&session, "queued").await;
    bed.kill9().await;
    bed.restart().await;
    assert!(bed.greeting().contains("Sessions that go on where they were cut off: 1"), "{}", bed.greeting());

    let api = bed.api();
    api.settled(&session).await;
    let expected = [("user", "running"), ("user", "queued"), ("assistant", "the first"), ("assistant", "the second")];
    assert_eq!(api.transcript(&session).await, owned(&expected));
    let journal = api.journal(&session).await;
    let ends: Vec<&Value> =
        journal.iter().filter(|event| event["type"] == "turn.finished").map(|event| &event["turn"]).collect();
    assert_eq!(ends, [&turn, &json!(queued)]);
    let restarts: Vec<&Value> = journal.iter().filter(|event| event["type"] == "turn.restarted").collect();
    assert_eq!((restarts.len(), &restarts[0]["attempt"], &restarts[0]["turn"]), (1, &json!(2), &turn));
    assert_eq!(bed.model.progress().calls, 3);

    // The dialogue goes on: each answer stands after its question, whatever the order they came in.
    api.ask(&session, "and now?").await;
    let expected = [
        "system: You are a helpful assistant.",
        "user: running",
        "assistant: the first",
        "user: queued",
        "assistant: the second",
        "user: and now?",
    ];
    assert_eq!(sent(&bed.model.last_call()), expected);
    bed.kill9().await;
    bed.restart().await;
    bed.api().ask(&session, "and then?").await;
    let expected = [&expected[..], &["assistant: You said: and now?", "user: and then?"]].concat();
    assert_eq!(sent(&bed.model.last_call()), expected, "read back from the journal, it is the same");
}

#[tokio::test]
pub(crate) async fn what_was_acknowledged_is_answered_once_though_the_kill_came_at_once() {
    let mut bed = Testbed::start().await;
    let mut sessions = Vec::new();
    for round in 0..5 {
        let api = bed.api();
        let session = api.session().await;
        let texts = [format!("a{round}"), format!("b{round}"), format!("c{round}")];
        for text in &texts {
            api.say(&session, text).await;
        }
        bed.kill9().await;
        bed.restart().await;
        sessions.push((session, texts));
    }
    let api = bed.api();
    for (session, texts) in &sessions {
        api.settled(session).await;
        let transcript = api.transcript(session).await;
        for (role, answer) in [("user", ""), ("assistant", "You said: ")] {
            let said: Vec<&String> = transcript.iter().filter(|(of, _)| of == role).map(|(_, text)| text).collect();
            let expected: Vec<String> = texts.iter().map(|text| format!("{answer}{text}")).collect();
            assert_eq!(said, expected.iter().collect::<Vec<_>>(), "once each and in order");
        }
        assert_eq!(api.count(session, "turn.finished").await, 3);
    }
}

#[tokio::test]
pub(crate) async fn forty_turns_in_mid_stream_survive_a_kill() {
    const SESSIONS: usize = 40;
    let gate = Gate::new();
    let always = Step::hold_after(&gate, "one two three", 1);
    let mut bed = Testbed::with(StandIn::builder().always(always)).await;
    let api = bed.api();
    let sessions = join_all((0..SESSIONS).map(|_| api.session())).await;
    join_all(sessions.iter().map(|session| api.say(session, "count"))).await;
    soon("every call is in mid-stream", gate.arrived(SESSIONS)).await;
    bed.kill9().await;
    let killed = Instant::now();
    bed.restart().await;
    soon("every call is made again", gate.arrived(2 * SESSIONS)).await;
    assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    gate.open();
    let api = bed.api();
    for session in &sessions {
        api.settled(session).await;
        assert_eq!(api.transcript(session).await, owned(&[("user", "count"), ("assistant", "one two three")]));
    }
    assert_eq!(bed.model.progress().calls, 2 * SESSIONS);
}

#[tokio::test]
pub(crate) async fn a_reader_finds_its_turn_again_after_a_kill() {
    let gates = [Gate::new(), Gate::new()];
    let script = gates.iter().map(|gate| Step::hold_after(gate, "one two", 1));
    let mut bed = Testbed::with(StandIn::builder().script(script)).await;
    let session = bed.api().session().await;
    let key = [("idempotency-key", "k-1")];
    let mut before = bed.api().hear_with(&session, &key, "count").await;
    before.until("turn.delta").await;
    bed.kill9().await;
    bed.restart().await;
    soon("the call is made again", gates[1].arrived(1)).await;
    let mut after = bed.api().hear_with(&session, &key, "count").await;
    let mut events = vec![after.until("turn.delta").await];
    gates[1].open();
    events.extend(after.rest().await);
    assert_eq!(heard(&events), "one two");
    assert_eq!(events.last().expect("an end")["type"], "turn.finished");
}

#[tokio::test]
async fn for_hi_the_model_is_sent_at_most_a_kilobyte() {
    let bed = Testbed::start().await;
    let api = bed.api();
    api.ask(&api.session().await, "hi").await;
    let call = bed.model.last_call();
    assert_eq!(sent(&call), ["system: You are a helpful assistant.", "user: hi"]);
    assert!(call.body_bytes <= 1_024, "{} bytes", call.body_bytes);
    assert_eq!(bed.model.progress().calls, 1, "nobody asked for another call");
}

#[tokio::test]
pub(crate) async fn a_daemon_that_is_told_to_stop_finishes_what_runs_and_refuses_what_is_new() {
    let gate = Gate::new();
    let mut bed = Testbed::with(StandIn::builder().always(Step::hold_after(&gate, "one two", 1))).await;
    let api = bed.api();
    let (session, other) = (api.session().await, api.session().await);
    let wire =
        json!({"model": "lab/m-1", "stream": true, "messages": [{"role": "user", "content": "hello"}]}).to_string();
    let stateless = api.request("POST", "/v1/chat/completions", &[], wire.as_bytes());
    let waiting = api.submit(&session, "?wait=true", &[], "count");
    let stopping = async {
        soon("both calls", gate.arrived(2)).await;
        bed.terminate();
        eventually("it says that it stops", || async {
            let ready = api.request("GET", "/readyz", &[], b"").await;
            (ready.status() == 503).then(|| assert_eq!(refusal(&ready).1, "draining"))
        })
        .await;
        for session in [&session, &other] {
            let refused = api.submit(session, "", &[], "too late").await;
            assert_eq!(refusal(&refused), (503, "draining".to_owned()));
            assert!(refused.header("retry-after").is_some());
        }
        let refused = api.request("POST", "/v1/chat/completions", &[], wire.as_bytes()).await;
        assert_eq!(refusal(&refused), (503, "draining".to_owned()));
        assert_eq!(api.transcript(&session).await.len(), 1, "reads are served");
        gate.open();
    };
    let (stateless, waited, ()) = tokio::join!(stateless, waiting, stopping);
    assert_eq!(waited.json::<Value>()["text"], "one two");
    assert!(stateless.text().contains("[DONE]"), "{}", stateless.text());
    assert_eq!(bed.ended().await.code(), Some(0));
    assert!(!bed.home().join("daemon.json").exists());
    bed.restart().await;
    let expected = owned(&[("user", "count"), ("assistant", "one two")]);
    assert_eq!(bed.api().transcript(&session).await, expected);
    assert_eq!(bed.model.progress().calls, 2);
}

#[tokio::test]
pub(crate) async fn what_outlasts_the_grace_goes_on_after_the_next_start() {
    let gate = Gate::new();
    let mut bed = Testbed::asleep(StandIn::builder().script([Step::hold_after(&gate, "never", 0)]));
    bed.configure("[shutdown]\ngrace = \"200ms\"\n");
    bed.restart().await;
    let session = bed.api().session().await;
    let api = bed.api();
    let stopping = async {
        soon("the call", gate.arrived(1)).await;
        bed.stop().await
    };
    let (waited, ended) = tokio::join!(api.submit(&session, "?wait=true", &[], "hello"), stopping);
    assert_eq!(refusal(&waited), (503, "unavailable".to_owned()), "who waits is told before the listener ends");
    assert_eq!(ended.code(), Some(0));
    assert!(bed.log().contains("Not done in time: 1."), "{}", bed.log());
    bed.restart().await;
    bed.api().settled(&session).await;
    let expected = owned(&[("user", "hello"), ("assistant", "You said: hello")]);
    assert_eq!(bed.api().transcript(&session).await, expected);
}

#[tokio::test]
async fn a_second_daemon_on_the_home_names_the_first_and_leaves() {
    let bed = Testbed::start().await;
    let second = run(bed.command(&["up"]), "").await;
    assert_eq!((second.code, second.stdout.as_str()), (Some(69), ""));
    let holder = format!("pid {}, http://{}", bed.pid(), bed.address());
    let told: Vec<&str> = second.stderr.lines().filter(|line| line.contains(&holder)).collect();
    assert_eq!(told.len(), 2, "{}", second.stderr);
    assert!(told[0].ends_with("waiting 10 s for it to leave."), "{}", second.stderr);
    bed.api().ask(&bed.api().session().await, "still there?").await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let bed = Testbed::asleep(StandIn::builder());
    bed.configure(&format!("[gateway]\nbind = \"{address}\"\n"));
    let refused = run(bed.command(&["up"]), "").await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(69), ""));
    assert!(refused.stderr.contains(&address.to_string()), "{}", refused.stderr);
    assert!(refused.stderr.contains("Another program may hold the port"), "{}", refused.stderr);
    // TEST-NET-1 of RFC 5737: no machine has it. That nobody names the host is told too.
    bed.configure("[gateway]\nbind = \"192.0.2.1:14242\"\ntrusted_proxies = [\"192.0.2.2\"]\n");
    let checked = run(bed.command(&["config", "check"]), "").await;
    assert!(checked.code == Some(0) && checked.stderr.contains("gateway.hosts is empty"), "{checked:?}");
    let foreign = run(bed.command(&["up"]), "").await;
    assert_eq!(foreign.code, Some(69));
    assert!(foreign.stderr.contains("No interface of this machine has that address"), "{}", foreign.stderr);
    assert!(foreign.stderr.contains("gateway.hosts is empty"), "{}", foreign.stderr);
}
