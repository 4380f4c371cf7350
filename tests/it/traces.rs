//! One connected trace a turn, sent to a collector over a real socket; and what becomes of turns when that collector
//! does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use mosaic_testkit::collector::{Mood, Span};
use mosaic_testkit::provider::{Builder, Gate};
use mosaic_testkit::{Collector, StandIn, Step};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::testbed::{Api, PATIENCE, Testbed, Wire, eventually, refusal, run};

/// A caller's trace, as W3C's own example has it.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A daemon that traces, and its collector.
async fn traced(model: Builder) -> (Testbed, Collector) {
    let collector = Collector::start(Mood::Takes);
    let mut bed = Testbed::asleep(model);
    bed.set_env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    bed.set_env("OTEL_BSP_SCHEDULE_DELAY", "20");
    // As in a container without certificates, where a client that wants the system's cannot be made.
    bed.set_env("SSL_CERT_DIR", "/nonexistent");
    bed.restart().await;
    (bed, collector)
}

/// The spans of one trace, once `wanted` of them are there: each as `name < parent's name < ...`.
struct Trace {
    spans: Vec<Span>,
}

impl Trace {
    /// The trace that holds a span for which `ours` holds, once it has a span of each name in `wanted`.
    async fn find(collector: &Collector, ours: impl Fn(&Span) -> bool, wanted: &[&str]) -> Self {
        eventually(&format!("a trace with {wanted:?}"), || async {
            let all = collector.spans();
            let id = &all.iter().find(|span| ours(span))?.trace;
            let spans: Vec<Span> = all.iter().filter(|span| span.trace == *id).cloned().collect();
            wanted.iter().all(|name| spans.iter().any(|span| span.name == *name)).then_some(Self { spans })
        })
        .await
    }

    fn parent(&self, span: &Span) -> Option<&Span> {
        self.spans.iter().find(|other| Some(&other.id) == span.parent.as_ref())
    }

    /// Every span by its ancestors, the oldest first: `a > b > c`, each path with how often it is there.
    fn paths(&self) -> BTreeMap<String, usize> {
        let mut paths = BTreeMap::new();
        for span in &self.spans {
            let ancestors = std::iter::successors(Some(span), |span| self.parent(span));
            let mut names: Vec<&str> = ancestors.map(|span| span.name.as_str()).collect();
            names.reverse();
            *paths.entry(names.join(" > ")).or_default() += 1;
        }
        paths
    }

    fn one(&self, name: &str) -> &Span {
        let mut found = self.spans.iter().filter(|span| span.name == name);
        let one = found.next().unwrap_or_else(|| panic!("no {name} in {:?}", self.paths()));
        assert!(found.next().is_none(), "one {name}: {:?}", self.paths());
        one
    }
}

/// What a good turn looks like below `above`.
fn turn_below(above: &str) -> BTreeMap<String, usize> {
    let below = [
        "",
        " > turn",
        " > turn > session.accept",
        " > turn > session.accept > commit",
        " > turn > agent.run",
        " > turn > agent.run > chat m-1",
        " > turn > session.finish",
        " > turn > session.finish > commit",
        " > turn > reader.deliver",
    ];
    below.iter().map(|path| (format!("{above}{path}"), 1)).collect()
}

const WHOLE: [&str; 6] = ["turn", "session.accept", "chat m-1", "session.finish", "commit", "reader.deliver"];

fn of_turn(turn: &Value) -> impl Fn(&Span) -> bool {
    let turn = turn.as_str().expect("an id").to_owned();
    move |span| span.get("turn.id") == turn
}

#[tokio::test]
async fn a_turn_is_one_trace_from_the_request_to_the_reader() {
    let (bed, collector) = traced(StandIn::builder()).await;
    let api = bed.api();
    let session = api.session().await;
    let root = "POST /api/v1/sessions/{id}/messages";

    // Waiting, in the trace of the caller.
    let answer = api.submit(&session, "?wait=true", &[("traceparent", TRACEPARENT)], "one").await;
    let answer: Value = answer.json();
    let wanted = [WHOLE.as_slice(), &[root]].concat();
    let trace = Trace::find(&collector, of_turn(&answer["turn"]), &wanted).await;
    assert_eq!(trace.paths(), turn_below(root));
    let request = trace.one(root);
    assert_eq!((request.trace.as_str(), request.parent.as_deref(), request.kind), (TRACE, Some(CALLER), 2));
    let shown = ["http.request.method", "http.route", "http.response.status_code"].map(|name| request.get(name));
    assert_eq!(shown, ["POST", "/api/v1/sessions/{id}/messages", "200"]);
    assert_eq!(request.resource["service.name"], "mosaic");
    let turn = trace.one("turn");
    assert_eq!(turn.get("session.id"), session);
    // The model's server is told which call of ours it answers.
    let call = trace.one("chat m-1");
    let expected = format!("00-{TRACE}-{}-01", call.id);
    assert_eq!(bed.model.last_call().header("traceparent"), Some(expected.as_str()));
    let shown = ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.usage.output_tokens"];
    assert_eq!(shown.map(|name| call.get(name)), ["chat", "lab", "m-1", "3"]);
    assert_eq!((call.kind, call.get("gen_ai.usage.input_tokens")), (3, "20"));
    // Times nest.
    for span in &trace.spans {
        if let Some(parent) = trace.parent(span) {
            assert!(parent.start <= span.start && span.end <= parent.end.max(span.end), "{span:?} in {parent:?}");
        }
    }

    // Streaming, in a trace of its own.
    let events = api.hear(&session, "two").await.rest().await;
    let end = events.last().expect("an end");
    let trace = Trace::find(&collector, of_turn(&end["turn"]), &wanted).await;
    assert_eq!(trace.paths(), turn_below(root));
    assert_eq!(trace.one(root).parent, None);

    // As a completion of a session.
    let body = json!({"model": "assistant", "messages": [{"role": "user", "content": "three"}]}).to_string();
    let headers = [("x-mosaic-session", session.as_str()), ("traceparent", TRACEPARENT)];
    let answer = api.request("POST", "/v1/chat/completions", &headers, body.as_bytes()).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let root = "POST /v1/chat/completions";
    let wanted = [WHOLE.as_slice(), &[root]].concat();
    let trace = Trace::find(&collector, |span| span.name == root, &wanted).await;
    // The caller's trace has the first turn in it as well.
    let mut paths = trace.paths();
    paths.retain(|path, _| path.starts_with(root));
    assert_eq!(paths, turn_below(root));

    // A stateless one has no session in it.
    let answer = api.request("POST", "/v1/chat/completions", &[], body.as_bytes()).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let stateless = |span: &Span| span.name == root && span.parent.is_none();
    let trace = Trace::find(&collector, stateless, &["chat m-1", "completion"]).await;
    let expected = ["", " > completion", " > completion > agent.run", " > completion > agent.run > chat m-1"];
    assert_eq!(trace.paths(), expected.iter().map(|path| (format!("{root}{path}"), 1)).collect());
}

#[tokio::test]
async fn a_turn_over_a_socket_is_one_trace_from_its_frame_on() {
    let (bed, collector) = traced(StandIn::builder()).await;
    let session = bed.api().session().await;
    let mut expected = turn_below("message.send");
    expected.remove("message.send > turn > reader.deliver");
    let whole = async |turn: &Value| {
        let ours = of_turn(turn);
        let (send, trace) = eventually("the turn and the frame above it", || async {
            let all = collector.spans();
            // It ends when all below it has ended.
            let turn = all.iter().find(|span| span.name == "turn" && ours(span))?;
            let send = all.iter().find(|span| Some(&span.id) == turn.parent.as_ref())?.clone();
            let spans = all.iter().filter(|span| span.trace == turn.trace).cloned().collect();
            Some((send, Trace { spans }))
        })
        .await;
        assert_eq!((send.name.as_str(), send.kind), ("message.send", 2));
        (send, trace.paths())
    };
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.subscribe(&session, 0).await;
    let send = async |wire: &mut Wire, id: &str, traceparent: Value| {
        let mut frame = json!({"type": "message.send", "id": id, "session": session, "text": id});
        if !traceparent.is_null() {
            frame["traceparent"] = traceparent;
        }
        wire.send(frame).await;
        let end = wire.until("turn.finished").await.pop().expect("the end");
        end["turn"].clone()
    };

    // In the trace of the caller, and the model's server is told of it.
    let turn = send(&mut wire, "one", json!(TRACEPARENT)).await;
    let (sent, paths) = whole(&turn).await;
    assert_eq!((sent.trace.as_str(), sent.parent.as_deref()), (TRACE, Some(CALLER)));
    assert_eq!(paths, expected);
    let call = collector.spans().into_iter().find(|span| span.name == "chat m-1").expect("the call");
    let told = format!("00-{TRACE}-{}-01", call.id);
    assert_eq!(bed.model.last_call().header("traceparent"), Some(told.as_str()));

    // Without one, or with one that is not good, each turn is a trace of its own, whatever else the socket says.
    let bad = ["00-42-7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"].map(|text| json!(text));
    for (number, traceparent) in [Value::Null, json!(7)].into_iter().chain(bad).enumerate() {
        let turn = send(&mut wire, &format!("own {number}"), traceparent).await;
        let (sent, paths) = whole(&turn).await;
        assert_eq!((sent.parent, paths), (None, expected.clone()), "{number}");
    }

    // What `connect` carries is that of the inputs that carry none.
    let mut wire = Wire::open(bed.address()).await;
    let (trace, caller) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let traceparent = format!("00-{trace}-{caller}-01");
    let connect = json!({"type": "connect", "protocol": 1, "token": bed.token(), "traceparent": traceparent});
    wire.send(connect).await;
    assert_eq!(wire.frame().await["type"], "ready");
    let seen = bed.api().count(&session, "turn.finished").await;
    assert_eq!(seen, 5);
    let replayed = wire.subscribe(&session, 0).await;
    assert!(!replayed.is_empty());
    let turn = send(&mut wire, "connected", Value::Null).await;
    let (sent, paths) = whole(&turn).await;
    assert_eq!((sent.trace.as_str(), sent.parent.as_deref(), paths), (trace, Some(caller), expected.clone()));
    let turn = send(&mut wire, "its own", json!(TRACEPARENT)).await;
    let (sent, _) = whole(&turn).await;
    assert_eq!((sent.trace.as_str(), sent.parent.as_deref()), (TRACE, Some(CALLER)));
}

#[tokio::test]
async fn a_turn_of_the_command_line_is_one_trace_from_the_terminal_on() {
    let (bed, collector) = traced(StandIn::builder()).await;
    run(bed.command(&["chat", "hello"]), "").await.good();
    let root = "POST /api/v1/sessions/{id}/messages";
    let wanted = [WHOLE.as_slice(), &[root, "mosaic chat"]].concat();
    let trace = Trace::find(&collector, |span| span.name == "mosaic chat", &wanted).await;
    let mut paths = trace.paths();
    paths.retain(|path, _| !path.starts_with("mosaic chat > POST /api/v1/sessions >"));
    let mut expected = turn_below(&format!("mosaic chat > {root}"));
    expected.extend([("mosaic chat".to_owned(), 1), ("mosaic chat > POST /api/v1/sessions".to_owned(), 1)]);
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn what_fails_is_marked_and_what_a_crash_cut_off_begins_a_new_trace() {
    let gate = Gate::new();
    let script = [Step::status(500, "oops", "No."), Step::hold_after(&gate, "never heard", 1)];
    let (mut bed, collector) = traced(StandIn::builder().script(script)).await;
    let api = bed.api();
    let session = api.session().await;
    // The only model is tried again after a pause, and then holds.
    let turn = api.say(&session, "one").await;
    bed.model.wait_for_calls(2).await;
    let failed = eventually("the failed call is told", || async {
        collector.spans().into_iter().find(|span| span.name == "chat m-1" && span.failed)
    })
    .await;
    assert_eq!(failed.get("error.type"), "provider_overloaded");
    bed.kill9().await;
    bed.restart().await;
    bed.api().settled(&session).await;
    let resumed = |span: &Span| span.get("turn.id") == turn && span.get("turn.resumed") == "true";
    let trace = Trace::find(&collector, resumed, &["chat m-1", "session.finish"]).await;
    let turn = trace.one("turn");
    assert_eq!(turn.parent, None);
    assert_ne!(turn.trace, failed.trace);
    let paths: Vec<String> = trace.paths().into_keys().collect();
    let expected = [
        "turn",
        "turn > agent.run",
        "turn > agent.run > chat m-1",
        "turn > session.finish",
        "turn > session.finish > commit",
        "turn > session.restart",
        "turn > session.restart > commit",
    ];
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn what_is_left_is_sent_when_the_daemon_stops_and_probes_are_not_traced() {
    let collector = Collector::start(Mood::Takes);
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.set_env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    bed.set_env("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    bed.set_env("OTEL_SERVICE_NAME", "ours");
    bed.restart().await;
    let api = bed.api();
    let session = api.session().await;
    api.ask(&session, "hello").await;
    for probe in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(api.request("GET", probe, &[], b"").await.status(), 200);
    }
    assert_eq!(collector.requests(), 0, "it waits for more");
    assert!(bed.stop().await.success());
    let spans = collector.spans();
    assert!(WHOLE.iter().all(|name| spans.iter().any(|span| span.name == *name)), "{spans:#?}");
    assert!(spans.iter().all(|span| span.resource["service.name"] == "ours"));
    assert!(!spans.iter().any(|span| span.name.ends_with('z') || span.name.contains("metrics")));
}

/// Takes turns one after the other; answers the middle one of the times they took.
async fn median(api: &Api, session: &str, turns: usize) -> Duration {
    let mut times = Vec::new();
    for _ in 0..turns {
        let begun = Instant::now();
        api.ask(session, "hello").await;
        times.push(begun.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

async fn dropped(api: &Api, reason: &str) -> f64 {
    let page = api.request("GET", "/metrics", &[], b"").await.text();
    let name = format!("mosaic_trace_spans_dropped_total{{reason=\"{reason}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&name)).map_or(0.0, |value| value.parse().expect("a number"))
}

#[tokio::test]
async fn a_collector_that_is_mute_slow_or_gone_costs_spans_and_no_turn_waits_for_it() {
    const TURNS: usize = 40;
    let collector = Collector::start(Mood::Takes);
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.set_env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    bed.set_env("OTEL_EXPORTER_OTLP_TIMEOUT", "2000");
    bed.set_env("OTEL_BSP_SCHEDULE_DELAY", "20");
    bed.set_env("OTEL_BSP_MAX_QUEUE_SIZE", "64");
    bed.set_env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16");
    bed.restart().await;
    let api = bed.api();
    let session = api.session().await;
    api.ask(&session, "warm up").await;
    let good = median(&api, &session, TURNS).await;
    assert_eq!(dropped(&api, "export_failed").await, 0.0);
    // If a turn waited for the collector, it would wait for two seconds.
    let fine = (good * 5).max(Duration::from_millis(500));

    collector.behave(Mood::Mute);
    let full = dropped(&api, "queue_full").await;
    let mute = median(&api, &session, TURNS).await;
    assert!(mute < fine, "{good:?} with a good collector, {mute:?} with a mute one");
    assert!(dropped(&api, "queue_full").await > full, "eight spans a turn do not fit in a queue of 64");
    eventually("what it did not answer is counted", || async {
        (dropped(&api, "export_failed").await > 0.0).then_some(())
    })
    .await;

    collector.behave(Mood::Slow(Duration::from_millis(300)));
    let slow = median(&api, &session, TURNS).await;
    assert!(slow < fine, "{good:?} with a good collector, {slow:?} with a slow one");

    let failed = dropped(&api, "export_failed").await;
    drop(collector);
    let gone = median(&api, &session, TURNS).await;
    assert!(gone < fine, "{good:?} with a good collector, {gone:?} with none");
    eventually("what nobody took is counted", || async {
        (dropped(&api, "export_failed").await > failed).then_some(())
    })
    .await;
    assert!(bed.log().contains("the trace collector takes nothing"), "it is said in the log");
    let told = bed.log().matches("the trace collector takes nothing").count();
    assert!(told <= 3, "once each time it begins, not for each batch: {told}");

    // The last words have three seconds.
    let begun = Instant::now();
    assert!(bed.stop().await.success());
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_log_line_names_its_trace_in_either_format() {
    for format in ["text", "json"] {
        let collector = Collector::start(Mood::Takes);
        let mut bed = Testbed::asleep(StandIn::builder().script([Step::status(400, "bad", "No.")]));
        bed.configure(&format!("[log]\nformat = \"{format}\"\n"));
        bed.set_env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
        bed.restart().await;
        let api = bed.api();
        let session = api.session().await;
        let failed = api.submit(&session, "?wait=true", &[("traceparent", TRACEPARENT)], "one").await;
        assert_eq!(refusal(&failed).0, 502);
        let log = bed.log();
        let line = log.lines().find(|line| line.contains("call failed")).unwrap_or_else(|| panic!("no line in {log}"));
        if format == "json" {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(line["trace_id"], TRACE);
            assert_eq!(line["span_id"].as_str().map(str::len), Some(16));
            assert_eq!((&line["span"]["name"], &line["span"]["session.id"]), (&json!("turn"), &json!(session)));
        } else {
            assert!(line.contains(&format!("trace_id={TRACE} span_id=")), "{line}");
            assert!(line.contains("session.id="), "{line}");
        }
    }
}
