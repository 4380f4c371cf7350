//! The log as a machine reads it. Needs the feature `chaos`, which `tests/run` sets.

use mosaic_testkit::StandIn;
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
