//! The log as a machine reads it. Needs the feature `chaos`, which `tests/run` sets.

use mosaic_testkit::collector::Mood;
use mosaic_testkit::{Collector, StandIn};
use serde_json::Value;

use crate::testbed::{Testbed, eventually, run};

#[tokio::test]
async fn a_panic_is_one_event_of_the_log_that_says_where_and_who() {
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.configure("[log]\nformat = \"json\"\n");
    bed.restart().await;
    run(bed.command(&["chaos", "providers/lab"]), "").await.good();
    eventually("the panic is told", || async { bed.log().contains("a panic").then_some(()) }).await;
    bed.api().ask(&bed.api().session().await, "still there?").await;
    assert!(bed.stop().await.success());
    let log = bed.log();
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    // What the daemon tells a person when it stops is no part of the log.
    let lines: Vec<Value> = log.lines().filter(|line| !line.starts_with("Stopping")).map(read).collect();
    let told: Vec<&Value> = lines.iter().filter(|line| line["fields"]["message"] == "a panic").collect();
    let [panic] = told.as_slice() else { panic!("once: {told:#?}") };
    assert_eq!(panic["level"], "ERROR");
    let field = |name: &str| panic["fields"][name].as_str().unwrap_or_default();
    assert!(!field("panic.message").is_empty(), "{panic}");
    assert!(field("panic.place").contains(".rs:"), "{panic}");
    assert!(field("actor.name").ends_with("ProviderActor"), "{panic}");
    assert!(!field("thread.name").is_empty(), "{panic}");
    assert_eq!(panic["fields"]["panic.backtrace"], Value::Null, "only where RUST_BACKTRACE asks for it");
}

#[tokio::test]
async fn at_debug_every_request_and_turn_is_a_line_with_its_trace_and_above_it_none() {
    let collector = Collector::start(Mood::Takes);
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.set_env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    bed.configure("[log]\nformat = \"json\"\nlevel = \"info\"\n");
    bed.restart().await;
    bed.api().ask(&bed.api().session().await, "hello").await;
    assert!(bed.stop().await.success());
    for said in ["request", "a message is accepted", "the turn is finished"] {
        assert!(!bed.log().contains(&format!("\"message\":\"{said}\"")), "{said}: {}", bed.log());
    }
    bed.set_env("MOSAIC_LOG", "debug");
    bed.restart().await;
    let session = bed.api().session().await;
    bed.api().ask(&session, "hello").await;
    bed.api().request("GET", "/api/v1/me?secret=planted", &[], b"").await;
    assert!(bed.stop().await.success());
    let log = bed.log();
    assert!(!log.contains("planted"), "{log}");
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told = |message: &str| -> Vec<&Value> {
        let told: Vec<_> = lines.iter().filter(|line| line["fields"]["message"] == message).collect();
        assert!(told.iter().all(|line| line["trace_id"].is_string()), "{message}: {told:#?}");
        told
    };
    let asked = |line: &&&Value| line["fields"]["route"] == "/api/v1/me" && line["fields"]["status"] == 200;
    let requests = told("request");
    let [request] = requests.iter().filter(asked).collect::<Vec<_>>()[..] else { panic!("once: {requests:#?}") };
    assert_eq!(request["fields"]["method"], "GET");
    assert!(request["fields"]["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{request}");
    let ([accepted], [ended]) = (&told("a message is accepted")[..], &told("the turn is finished")[..]) else {
        panic!("one turn: {log}")
    };
    assert_eq!(ended["fields"]["model"], "m-1");
    for line in [accepted, ended] {
        assert_eq!(line["span"]["session.id"], session.as_str(), "{line}");
        assert!(line["span"]["turn.id"].is_string(), "{line}");
    }
}
