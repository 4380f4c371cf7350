//! `GET /metrics`: what Prometheus reads, that it moves as it should, and that it does not grow with use.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use mosaic_types::metric::{self, Kind, Metric};
use serde_json::json;
use tokio::task::JoinSet;

use crate::testbed::{Api, PATIENCE, Testbed, eventually, refusal};

/// Every series with its value, by its name and labels as they are written.
type Series = BTreeMap<String, f64>;

async fn text(api: &Api) -> String {
    let response = api.request("GET", "/metrics", &[], b"").await;
    assert_eq!(response.status(), 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4"));
    response.text()
}

fn series(text: &str) -> Series {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let series = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
    });
    series.collect()
}

/// The list's metric that a name of a line belongs to.
fn known(name: &str) -> Option<&'static Metric> {
    let parts = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
    let whole = parts.filter(|whole| metric::ALL.iter().any(|m| m.name == *whole && m.kind == Kind::Histogram));
    metric::ALL.iter().find(|metric| metric.name == whole.unwrap_or(name))
}

/// Waits until each of `wanted` has risen by so much since `before`.
async fn risen(api: &Api, before: &Series, wanted: &[(String, f64)]) -> Series {
    let still = RefCell::new(Vec::new());
    let looking = eventually("the counters moved", || async {
        let now = series(&text(api).await);
        let by = |name: &str| now.get(name).copied().unwrap_or(0.0) - before.get(name).copied().unwrap_or(0.0);
        let off =
            |(name, much): &(String, f64)| ((by(name) - much).abs() > 1e-9).then(|| format!("{name}: {}", by(name)));
        still.replace(wanted.iter().filter_map(off).collect());
        still.borrow().is_empty().then_some(now)
    });
    tokio::select! {
        now = looking => now,
        () = tokio::time::sleep(PATIENCE / 2) => panic!("rose by something else: {:#?}", still.borrow()),
    }
}

#[tokio::test]
async fn the_page_is_what_prometheus_reads_and_says_nothing_that_is_not_in_the_list() {
    let bed = Testbed::with(StandIn::builder().script([Step::say("one"), Step::status(500, "oops", "No.")])).await;
    let api = bed.api();
    let session = api.session().await;
    api.ask(&session, "hello").await;
    let page = text(&api).await;
    let parsed = prometheus_parse::Scrape::parse(page.lines().map(|line| Ok(line.to_owned()))).expect("it is read");

    let mut typed = BTreeMap::new();
    for line in page.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            assert_eq!(typed.insert(name, kind), None, "the type of {name} is said once");
            let metric = known(name).unwrap_or_else(|| panic!("{name} is not in the list"));
            assert_eq!(kind, metric.kind.as_str(), "{name}");
            assert_eq!(parsed.docs.get(name).map(String::as_str), Some(metric.help), "{name}");
        } else if !line.starts_with('#') && !line.is_empty() {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let metric = known(name).unwrap_or_else(|| panic!("{line} is not in the list"));
            assert!(typed.contains_key(metric.name), "the type comes before the values: {line}");
            let labels = line.split_once('{').map_or("", |(_, labels)| labels);
            let labels: BTreeSet<_> =
                labels.split("\",").filter_map(|label| Some(label.split_once("=\"")?.0)).collect();
            let bucket = name.ends_with("_bucket").then_some("le");
            assert_eq!(labels, metric.labels.iter().copied().chain(bucket).collect(), "{line}");
        }
    }
    // Parsed by a stranger's parser: values of the right kind.
    for sample in &parsed.samples {
        let metric = known(&sample.metric).unwrap_or_else(|| panic!("{} is not in the list", sample.metric));
        let fits = matches!(
            (metric.kind, &sample.value),
            (Kind::Counter, prometheus_parse::Value::Counter(_))
                | (Kind::Gauge, prometheus_parse::Value::Gauge(_))
                | (Kind::Histogram, prometheus_parse::Value::Histogram(_) | prometheus_parse::Value::Untyped(_))
        );
        assert!(fits, "{sample:?}");
    }
    // All are there but those that wait for an occasion.
    let later = [
        &metric::RESTARTS,
        &metric::CRASHES,
        &metric::DOWN,
        &metric::DELIVERIES,
        &metric::OUTBOX_ITEMS,
        &metric::OUTBOX_OLDEST,
        &metric::ROUTING,
        &metric::SPANS_EXPORTED,
        &metric::SPANS_DROPPED,
    ];
    for metric in metric::ALL.iter().filter(|metric| !later.contains(metric)) {
        assert!(typed.contains_key(metric.name), "{} is missing", metric.name);
    }
    let now = series(&page);
    assert!(now["process_resident_memory_bytes"] > 1e6 && now["process_cpu_seconds_total"] > 0.0);
    let age = outside_now() - now["process_start_time_seconds"];
    assert!((0.0..600.0).contains(&age), "it began {age} s ago");
    assert_eq!(now[r#"mosaic_children{supervisor="providers",state="up"}"#], 1.0);
    assert_eq!(now[r#"mosaic_children{supervisor="agents",state="up"}"#], 2.0);
}

fn outside_now() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    now.as_secs_f64()
}

#[tokio::test]
async fn each_end_of_a_turn_moves_the_counters_it_should() {
    let gate = Gate::new();
    let steps =
        [Step::say("one two"), Step::status(401, "invalid_api_key", "No."), Step::hold_after(&gate, "a b c d e", 2)];
    let bed = Testbed::with(StandIn::builder().script(steps)).await;
    let api = bed.api();
    let session = api.session().await;
    let route = r#"route="/api/v1/sessions/{id}/messages""#;
    let http = |status: &str| format!(r#"mosaic_http_requests_total{{method="POST",status="{status}",{route}}}"#);
    let calls = |outcome: &str| format!(r#"mosaic_model_calls_total{{provider="lab",outcome="{outcome}"}}"#);
    let one = |name: &str| (name.to_owned(), 1.0);
    let both = ["mosaic_turns_accepted_total", "mosaic_turn_queue_wait_seconds_count", "mosaic_turn_seconds_count"];

    let before = series(&text(&api).await);
    let answer = api.ask(&session, "hello").await;
    let mut wanted = both.map(one).to_vec();
    wanted.extend([
        one(r#"mosaic_turns_total{state="finished"}"#),
        (calls("answered"), 1.0),
        one(r#"mosaic_model_first_token_seconds_count{provider="lab"}"#),
        one(r#"mosaic_model_call_seconds_count{provider="lab"}"#),
        (r#"mosaic_model_tokens_total{provider="lab",direction="input"}"#.to_owned(), number(&answer, "input_tokens")),
        (
            r#"mosaic_model_tokens_total{provider="lab",direction="output"}"#.to_owned(),
            number(&answer, "output_tokens"),
        ),
        (r#"mosaic_model_cost_usd_total{provider="lab"}"#.to_owned(), answer["cost_usd"].as_f64().expect("priced")),
        (http("2xx"), 1.0),
        // The session's first, the turn's acceptance and its end.
        ("mosaic_commit_batch_writes_sum".to_owned(), 3.0),
        ("mosaic_readers".to_owned(), 0.0),
    ]);
    let before = risen(&api, &before, &wanted).await;

    let failed = api.submit(&session, "?wait=true", &[], "and now?").await;
    assert_eq!(refusal(&failed), (502, "provider_auth".to_owned()));
    let mut wanted = both.map(one).to_vec();
    wanted.extend([one(r#"mosaic_turns_total{state="failed"}"#), (calls("denied"), 1.0), (http("5xx"), 1.0)]);
    let before = risen(&api, &before, &wanted).await;

    let mut events = api.hear(&session, "wait").await;
    events.until("turn.delta").await;
    let running = [
        ("mosaic_work_running".to_owned(), 1.0),
        (r#"mosaic_provider_calls_in_flight{provider="lab"}"#.to_owned(), 1.0),
        one("mosaic_readers"),
    ];
    risen(&api, &before, &running).await;
    api.cancel(&session).await;
    events.until("turn.cancelled").await;
    drop(events);
    let mut wanted = both.map(one).to_vec();
    wanted.extend([one(r#"mosaic_turns_total{state="cancelled"}"#), (calls("abandoned"), 1.0)]);
    wanted.extend(running.map(|(name, _)| (name, 0.0)));
    risen(&api, &before, &wanted).await;
}

fn number(answer: &serde_json::Value, what: &str) -> f64 {
    answer["usage"][what].as_f64().expect("a number")
}

/// One of everything that a caller can vary: session, model, path, method, key.
async fn vary(api: &Api, n: usize) {
    let (session, agent) = (format!("session-{n}"), "assistant");
    let body = json!({"model": agent, "messages": [{"role": "user", "content": format!("hello {n}")}]}).to_string();
    let key = format!("key-{n}");
    let headers = [("x-mosaic-session", session.as_str()), ("idempotency-key", key.as_str())];
    let answer = api.request("POST", "/v1/chat/completions", &headers, body.as_bytes()).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    if n.is_multiple_of(20) {
        let model = json!({"model": format!("lab/model-{n}"), "messages": [{"role": "user", "content": "hi"}]});
        assert_eq!(api.send("POST", "/v1/chat/completions", model).await.status(), 200);
        api.get(&format!("/api/v1/sessions/{session}")).await;
        assert_eq!(api.request("GET", &format!("/nowhere/{n}"), &[], b"").await.status(), 404);
        assert_eq!(api.request("GET", &format!("/api/v1/{n}"), &[], b"").await.status(), 404);
        assert_eq!(api.request(&format!("M{n}"), "/api/v1/me", &[], b"").await.status(), 405);
    }
}

#[tokio::test]
async fn two_thousand_sessions_add_no_series() {
    const SESSIONS: usize = 2_000;
    let bed = Testbed::start().await;
    let api = bed.api();
    vary(&api, 0).await;
    let name = |series: Series| series.into_keys().collect::<BTreeSet<_>>();
    // The page itself is a request that is counted.
    text(&api).await;
    let before = name(series(&text(&api).await));
    let mut clients = JoinSet::new();
    for client in 0..40 {
        let api = api.clone();
        clients.spawn(async move {
            for n in (1..=SESSIONS).filter(|n| n % 40 == client) {
                vary(&api, n).await;
            }
        });
    }
    // Each request has its own patience; how long all take is the machine's matter.
    clients.join_all().await;
    let after = series(&text(&api).await);
    assert!(after[r#"mosaic_turns_total{state="finished"}"#] > SESSIONS as f64);
    assert_eq!(name(after), before);
}

#[test]
fn what_the_supervisors_count_is_in_the_list() {
    let text = include_str!("../../actors/supervise/src/news.rs");
    let names: Vec<&str> = text.split('"').filter(|part| part.starts_with("mosaic_")).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names {
        assert!(known(name).is_some_and(|metric| metric.labels.contains(&"supervisor")), "{name} is not in the list");
    }
}

#[test]
fn every_metric_is_in_the_documents() {
    let text = include_str!("../../ARCHITECTURE.md");
    for metric in metric::ALL {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let row = format!("| `{}` | {} | {} | {} |", metric.name, metric.kind.as_str(), labels.join(", "), metric.help);
        assert!(text.contains(&row), "ARCHITECTURE.md lacks the line\n{row}");
    }
}
