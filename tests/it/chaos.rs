//! Children that die all the time, and turns that end all the same. Needs the feature `chaos`, which `tests/run` sets.

use std::cell::Cell;

use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Testbed, eventually, refusal, run, soon};

/// With two agents and the provider there are 15 children to draw from.
const SESSIONS: usize = 12;
/// This many draws, by this seed, hit none of 15 children more than three times: a fourth within the minute would take
/// it down for one, as it should.
const HAIL: [&str; 6] = ["--count", "24", "--seed", "7", "--rate", "8"];

/// One client: as long as it hails, sends messages with a key each, and each again until it is answered. Answers how
/// many it sent.
async fn talk(bed: &Testbed, session: &str, over: &Cell<bool>) -> usize {
    let mut sent = 0;
    while !over.get() {
        let (key, text) = (format!("k-{sent}"), format!("m{sent}"));
        eventually("the turn ends", || async {
            let answer = bed.api().submit(session, "?wait=true", &[("idempotency-key", &key)], &text).await;
            let body: Value = answer.json();
            // A turn is given up when its session died three times while it ran; it has ended all the same.
            (answer.status() == 200 || body["error"]["code"] == "crashed").then_some(())
        })
        .await;
        sent += 1;
    }
    sent
}

#[tokio::test]
async fn under_a_hail_of_panics_every_accepted_turn_ends_once_and_nothing_is_left_behind() {
    let bed = Testbed::start().await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let session = bed.api().session().await;
        bed.api().ask(&session, "wake up").await;
        sessions.push(session);
    }
    let over = Cell::new(false);
    let chaos = bed.command(&[&["chaos"], HAIL.as_slice()].concat());
    let hail = async {
        let hail = run(chaos, "").await;
        over.set(true);
        hail
    };
    let talks = futures_util::future::join_all(sessions.iter().map(|session| talk(&bed, session, &over)));
    let (hail, sent) = tokio::join!(hail, talks);
    assert_eq!(hail.good().lines().filter(|line| !line.contains("gone")).count(), 24, "each draw hit a child");
    for (session, sent) in sessions.iter().zip(sent) {
        bed.api().settled(session).await;
        let journal = bed.api().journal(session).await;
        let of = |kind: &str| journal.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
        let accepted: Vec<_> = of("turn.accepted").iter().map(|event| event["turn"].clone()).collect();
        assert_eq!(accepted.len(), sent + 1, "a repeat is the same turn");
        let ended = journal
            .iter()
            .filter(|event| ["turn.finished", "turn.failed", "turn.cancelled"].iter().any(|end| event["type"] == *end));
        assert_eq!(ended.map(|event| event["turn"].clone()).collect::<Vec<_>>(), accepted, "once each, in order");
    }
    let quiet = || async {
        let tree = bed.api().get("/api/v1/tree").await;
        let below = |node: &Value| node["children"].as_array().cloned().unwrap_or_default();
        let all: Vec<Value> =
            below(&tree).iter().flat_map(|child| [vec![child.clone()], below(child)].concat()).collect();
        all.iter().all(|child| child["depth"] == json!(0)).then_some(())
    };
    eventually("every depth returns to zero", quiet).await;
    assert_eq!(bed.api().request("GET", "/readyz", &[], b"").await.status(), 200);
}

#[tokio::test]
async fn the_gateway_is_a_child_of_root_and_its_panic_costs_no_turn_and_no_request() {
    let gate = Gate::new();
    let mut bed = Testbed::with(StandIn::builder().always(Step::hold_after(&gate, "one two", 1))).await;
    let api = bed.api();
    let gateway = || async {
        let tree = api.get("/api/v1/tree").await;
        tree["children"].as_array().expect("a list").last().expect("a child").clone()
    };
    assert_eq!((&gateway().await["name"], &gateway().await["incarnation"]), (&json!("gateway"), &json!(1)));
    let session = api.session().await;
    let waiting = api.submit(&session, "?wait=true", &[], "count");
    let trouble = async {
        soon("the call", gate.arrived(1)).await;
        run(bed.command(&["chaos", "gateway"]), "").await.good();
        let reborn = eventually("it lives again", || async {
            let gateway = gateway().await;
            (gateway["incarnation"] == 2).then_some(gateway)
        })
        .await;
        assert_eq!((&reborn["restarts"], &reborn["last_error"]), (&json!(1), &json!("panicked")));
        gate.open();
    };
    let (waited, ()) = tokio::join!(waiting, trouble);
    assert_eq!(waited.json::<Value>()["text"], "one two", "who waited is answered by the server that took the request");
    assert_eq!(api.count(&session, "turn.restarted").await, 0);
    assert_eq!(bed.stop().await.code(), Some(0));
}

#[tokio::test]
async fn the_fourth_panic_of_the_router_within_a_minute_ends_the_process_with_70() {
    let mut bed = Testbed::start().await;
    for _ in 0..4 {
        eventually("the router lives and hears it", || async {
            let hit = run(bed.command(&["chaos", "router"]), "").await;
            (hit.code == Some(0)).then_some(())
        })
        .await;
    }
    assert_eq!(bed.ended().await.code(), Some(70));
    assert!(bed.log().contains("Mosaic gave up"), "{}", bed.log());
    bed.restart().await;
    let session = bed.api().session().await;
    assert_eq!(bed.api().ask(&session, "hello").await["text"], "You said: hello", "the next life is well");
}

/// Lines of the log in which the watchdog names a held thread.
fn holds(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("a handler holds its thread")).collect()
}

/// For how long the thread was held when the line was written, in milliseconds.
fn held_ms(line: &str) -> f64 {
    let held = line.split("held=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("it says how long");
    let number = |text: &str| text.parse::<f64>().expect("a number");
    held.strip_suffix("ms").map_or_else(|| number(held.trim_end_matches('s')) * 1_000.0, number)
}

#[tokio::test]
async fn a_stalled_session_is_named_within_two_seconds_while_sessions_on_other_threads_go_on() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let stalled = api.session().await;
    api.ask(&stalled, "wake up").await;
    // Sessions are spread over two threads by their ids: that all of these live on the stalled one is a chance of 2^-16.
    let mut others = Vec::new();
    for _ in 0..16 {
        others.push(api.session().await);
    }
    let path = format!("sessions/{stalled}");
    run(bed.command(&["chaos", &path, "--order", "stall", "--stall", "4000"]), "").await.good();
    let answered = Cell::new(0);
    let neighbours = futures_util::future::join_all(others.iter().map(async |session| {
        assert_eq!(api.ask(session, "and you?").await["text"], "You said: and you?");
        answered.set(answered.get() + 1);
    }));
    let victim = async {
        assert_eq!(api.ask(&stalled, "are you there?").await["text"], "You said: are you there?");
        answered.get()
    };
    let (_, before) = tokio::join!(neighbours, victim);
    assert!(before > 0, "nobody was answered while one thread was held");
    let log = bed.log();
    let first = *holds(&log).first().expect("the watchdog tells");
    assert!(first.contains("SessionActor") && first.contains("Control"), "actor and message: {first}");
    assert!(held_ms(first) <= 2_000.0, "{first}");
    let tree = api.get("/api/v1/tree").await;
    assert!(!tree.to_string().contains("\"incarnation\":2"), "a stall is no death");
}

#[tokio::test]
async fn what_is_told_to_stop_is_back_for_the_next_message() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    api.ask(&session, "m0").await;
    let own = format!("sessions/{session}");
    let paths = [own.as_str(), "providers/lab", "agents/assistant", "writer", "router", "gateway"];
    for (number, path) in paths.into_iter().enumerate() {
        // Three restarts of root's own children within a minute are forgiven, and those are three.
        run(bed.command(&["chaos", path, "--order", "stop"]), "").await.good();
        let text = format!("m{}", number + 1);
        assert_eq!(api.ask(&session, &text).await["text"], format!("You said: {text}"), "after {path} was stopped");
    }
    assert_eq!(api.transcript(&session).await.len(), 2 * (paths.len() + 1));
    assert!(!bed.log().contains("a child crashed"), "a stop is no crash: {}", bed.log());
}

#[tokio::test]
async fn a_turn_whose_session_is_stopped_goes_on_and_ends_before_the_next_one() {
    let gate = Gate::new();
    let script = [Step::hold_after(&gate, "never to be heard", 1)];
    let bed = Testbed::with(StandIn::builder().script(script)).await;
    let api = bed.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "first").await;
    events.until("turn.delta").await;
    run(bed.command(&["chaos", &format!("sessions/{session}"), "--order", "stop"]), "").await.good();
    assert_eq!(api.ask(&session, "second").await["text"], "You said: second");
    let transcript = api.transcript(&session).await;
    let answers: Vec<&str> =
        transcript.iter().filter(|(role, _)| role == "assistant").map(|(_, text)| text.as_str()).collect();
    assert_eq!(answers, ["You said: first", "You said: second"]);
    assert_eq!(api.count(&session, "turn.restarted").await, 1);
}

/// Panics a child, in the real binary, until it is down; answers what the tree shows of it.
async fn take_down(bed: &Testbed, family: &str, name: &str) -> Value {
    let path = format!("{family}/{name}");
    eventually(&format!("{path} is down"), || async {
        // One that restarts does not hear it, and is asked again.
        run(bed.command(&["chaos", &path]), "").await;
        let tree = bed.api().get("/api/v1/tree").await;
        let named = |node: &Value, name: &str| {
            let below = node["children"].as_array().expect("it has children").clone();
            below.into_iter().find(|child| child["name"] == name).expect("it is there")
        };
        let view = named(&named(&tree, family), name);
        (view["state"] == "down").then_some(view)
    })
    .await
}

#[tokio::test]
async fn a_panic_loop_of_a_session_an_agent_or_a_provider_takes_down_that_one_and_the_tree_names_it() {
    let mut bed = Testbed::asleep(StandIn::builder());
    let url = bed.model.base_url();
    bed.configure(&format!("[providers.other]\nbase_url = \"{url}\"\n[agents.neighbour]\nmodels = [\"other/m-1\"]\n"));
    bed.restart().await;
    let api = bed.api();
    let of = async |agent: &str| {
        let made: Value = api.send("POST", "/api/v1/sessions", json!({"agent": agent})).await.json();
        made["id"].as_str().expect("an id").to_owned()
    };
    let (victim, other, poet, neighbour) =
        (api.session().await, api.session().await, of("poet").await, of("neighbour").await);
    for session in [&victim, &other, &poet] {
        api.ask(session, "before").await;
    }
    for (number, (family, name, asked)) in
        [("sessions", victim.as_str(), &victim), ("agents", "assistant", &other), ("providers", "lab", &poet)]
            .into_iter()
            .enumerate()
    {
        let view = take_down(&bed, family, name).await;
        assert_eq!((&view["last_error"], &view["incarnation"]), (&json!("panicked"), &json!(4)), "{family}/{name}");
        let refused = api.submit(asked, "?wait=true", &[], "are you there?").await;
        let (status, code) = refusal(&refused);
        assert!([502, 503].contains(&status), "{family}/{name}: {status} {code}");
        assert_eq!(code, "unavailable", "{family}/{name}");
        let text = format!("number {number}");
        assert_eq!(api.ask(&neighbour, &text).await["text"], format!("You said: {text}"), "beside {family}/{name}");
    }
    assert_eq!(api.request("GET", "/readyz", &[], b"").await.status(), 200);
}

#[tokio::test]
async fn the_death_of_a_family_costs_no_turn_and_what_was_open_goes_on_unasked() {
    let gate = Gate::new();
    let script = [Step::hold_after(&gate, "never to be heard", 1)];
    let bed = Testbed::with(StandIn::builder().script(script)).await;
    let api = bed.api();
    let (session, other) = (api.session().await, api.session().await);
    let waiting = api.submit(&session, "?wait=true", &[], "count");
    let trouble = async {
        soon("the call", gate.arrived(1)).await;
        // Three of root's own children within a minute are forgiven.
        for family in ["sessions", "agents", "providers"] {
            run(bed.command(&["chaos", family]), "").await.good();
            assert_eq!(api.ask(&other, family).await["text"], format!("You said: {family}"));
        }
    };
    let (waited, ()) = tokio::join!(waiting, trouble);
    assert_eq!(waited.json::<Value>()["text"], "You said: count", "nobody sent anything more to that session");
    assert_eq!(api.count(&session, "turn.finished").await, 1);
}
