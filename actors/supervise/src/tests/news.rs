//! What is told of restarts, to the log and to the metrics.

use super::*;

use std::io::{Result, Write};
use std::sync::Mutex;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use serde_json::{Value, json};

use crate::news::{CRASHES, DOWN, RESTARTS};

/// Keeps what is logged, one JSON object a line.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, text: &[u8]) -> Result<usize> {
        self.0.lock().expect("nobody panics with it").write(text)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Page {
    /// Level and fields of each line; the page is empty afterwards.
    fn lines(&self) -> Vec<Value> {
        let text = std::mem::take(&mut *self.0.lock().expect("nobody panics with it"));
        let line = |line: &str| {
            let mut all: Value = serde_json::from_str(line).expect("a line is JSON");
            let mut fields = all["fields"].take();
            fields["level"] = all["level"].take();
            fields
        };
        String::from_utf8(text).expect("text").lines().map(line).collect()
    }
}

/// Runs a test on an exact clock with all that is told on its thread in hand.
fn told(test: impl AsyncFnOnce(Page, Snapshotter)) {
    let page = Page::default();
    let writer = page.clone();
    let log = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    // While there is one subscriber only, tracing asks the thread that meets a line first whether anybody wants it, and
    // keeps the answer. That thread may belong to a test that listens to nothing.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let _log = tracing::subscriber::set_default(log);
    metrics::with_local_recorder(&recorder, || exactly(test(page, snapshots)));
}

/// Name, labels and value of each metric. Counters start again at zero with each look.
fn measured(snapshots: &Snapshotter) -> Vec<(String, Vec<String>, f64)> {
    let all = snapshots.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
        let key = key.key();
        let labels = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => panic!("there is none"),
        };
        (key.name().to_owned(), labels, value)
    });
    all.collect()
}

fn metric(name: &str, labels: &[&str], value: f64) -> (String, Vec<String>, f64) {
    (name.to_owned(), labels.iter().map(ToString::to_string).collect(), value)
}

/// Lets the supervisor hear of an end.
async fn panic_now(child: &Link<Worker>) {
    assert_eq!(child.ask(Do::Panic).await, Err(LinkError::Died));
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[test]
fn a_crash_a_rest_and_a_new_try_are_logged_with_the_same_fields() {
    told(async |page, _| {
        let bed = Bed::build(Scope::Each(Budget { restarts: 2, ..Budget::default() }));
        let child = bed.child("ada", Restart::Permanent);
        panic_now(&child).await;
        let restart = |incarnation: u64| {
            json!({"level": "INFO", "message": "a child is started again", "supervisor.name": "root",
                "child.name": "ada", "child.incarnation": incarnation})
        };
        let crash = |incarnation: u64| {
            json!({"level": "WARN", "message": "a child crashed", "supervisor.name": "root", "child.name": "ada",
                "child.incarnation": incarnation, "exit": "panicked"})
        };
        let mut first = crash(1);
        first["restart.delay_ms"] = json!(0);
        assert_eq!(page.lines(), [first, restart(2)]);

        panic_now(&child).await;
        let lines = page.lines();
        let delay = lines[0]["restart.delay_ms"].as_u64().expect("it says when it is back");
        assert!((40..=60).contains(&delay), "50 ms and a fifth: {delay}");
        assert_eq!(lines.len(), 1, "it is not back yet: {lines:?}");
        child.up().await.expect("it comes back");
        assert_eq!(page.lines(), [restart(3)]);

        panic_now(&child).await;
        let down = json!({"level": "ERROR", "message": "a child is down", "supervisor.name": "root",
            "child.name": "ada", "child.incarnation": 3, "why": "ada ended 3 times within 60s",
            "restart.delay_ms": 60_000});
        assert_eq!(page.lines(), [crash(3), down]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(child.ask(Do::Answer).await, Ok(1));
        assert_eq!(page.lines(), [restart(4)]);

        assert_eq!(child.ask(Do::Fail).await, Ok(1));
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(page.lines()[0]["exit"], "could not go on");
        bed.parent.stop().await;
        assert_eq!(page.lines(), [] as [Value; 0], "a stop that was asked for is no news");
    });
}

#[test]
fn restarts_crashes_and_those_down_are_counted_by_supervisor() {
    told(async |_, snapshots| {
        let bed = Bed::build(Scope::Each(Budget { restarts: 2, ..Budget::default() }));
        let (ada, bob) = (bed.child("ada", Restart::Permanent), bed.child("bob", Restart::Permanent));
        assert_eq!(measured(&snapshots), [], "a first life is no news");
        for child in [&ada, &ada, &ada, &bob] {
            child.up().await.expect("it lives");
            panic_now(child).await;
        }
        let root = "supervisor=root";
        let expected = [
            metric(CRASHES, &[root, "exit=panicked"], 4.0),
            metric(RESTARTS, &[root], 3.0),
            metric(DOWN, &[root], 1.0),
        ];
        assert_eq!(measured(&snapshots), expected, "one name for both children");
        tokio::time::sleep(Duration::from_secs(60)).await;
        let all = measured(&snapshots);
        assert!(all.contains(&metric(DOWN, &[root], 0.0)) && all.contains(&metric(RESTARTS, &[root], 1.0)), "{all:?}");
    });
}

#[test]
fn a_regroup_says_when_it_is_over_and_counts_all_who_return() {
    told(async |page, snapshots| {
        hush();
        let scope = Scope::Shared(Budget::default());
        let root = Supervisor::start_root_with("root", scope, Strategy::OneForAll, 1, |_| {});
        let child = |name: &str| {
            let make = |birth: Birth| Worker { _tether: birth.tether };
            root.adopt(ChildSpec::new(name, Restart::Permanent, Mailbox::default(), make))
        };
        let (ada, _bob) = (child("ada"), child("bob"));
        ada.up().await.expect("it lives");
        panic_now(&ada).await;
        let lines = page.lines();
        assert_eq!(lines[0]["restart.delay_ms"], 0, "{lines:?}");
        let back: Vec<_> = lines[1..].iter().map(|line| line["child.name"].clone()).collect();
        assert_eq!(back, ["ada", "bob"]);
        assert!(measured(&snapshots).contains(&metric(RESTARTS, &["supervisor=root"], 2.0)));
    });
}
