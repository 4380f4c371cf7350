//! The database: brought up to date, refused politely, and locked by somebody else.

use diesel::SqliteConnection;
use std::time::Duration;

use diesel::connection::{Connection, SimpleConnection};
use futures_util::future::join_all;
use mosaic_testkit::{Gate, StandIn, Step};
use tokio::time::{Instant, sleep};

use crate::testbed::{Testbed, mostly_within, refusal, run, soon};

/// A connection of another process to the same database.
fn stranger(bed: &Testbed) -> SqliteConnection {
    SqliteConnection::establish(bed.database().to_str().expect("a path in UTF-8")).expect("it opens")
}

#[tokio::test]
async fn an_empty_database_migrates_twice() {
    let mut bed = Testbed::asleep(StandIn::builder());
    let first = run(bed.command(&["migrate"]), "").await.good();
    assert!(first.contains("2026-11-23-000001_journal"), "{first}");
    let second = run(bed.command(&["migrate"]), "").await.good();
    assert!(!second.contains("2026-11-23-000001_journal"), "nothing is left to do: {second}");
    bed.restart().await;
    bed.api().ask(&bed.api().session().await, "hello").await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_politely() {
    let mut bed = Testbed::start().await;
    let session = bed.api().session().await;
    bed.stop().await;
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')";
    stranger(&bed).batch_execute(newer).expect("it is written");
    for args in [&["up"][..], &["migrate"], &["chat", "hello"]] {
        let refused = run(bed.command(args), "").await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{args:?}");
        assert!(refused.stderr.contains("newer Mosaic (migration 29990101000001)"), "{args:?}: {}", refused.stderr);
        assert!(!refused.panicked());
    }
    let older = "DELETE FROM __diesel_schema_migrations WHERE version = '29990101000001'";
    stranger(&bed).batch_execute(older).expect("it is written");
    bed.restart().await;
    assert_eq!(bed.api().get(&format!("/api/v1/sessions/{session}")).await["id"], *session, "it was left alone");
}

#[tokio::test]
async fn a_store_that_another_process_has_locked_refuses_and_still_reads() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let (awake, asleep) = (api.session().await, api.session().await);
    api.ask(&awake, "before").await;
    let mut other = stranger(&bed);
    other.batch_execute("BEGIN IMMEDIATE").expect("the lock is free");
    let key = [("idempotency-key", "k-1")];
    let (one, two, ready, new) = tokio::join!(
        api.submit(&awake, "?wait=true", &key, "during"),
        api.submit(&asleep, "", &[], "during"),
        api.request("GET", "/readyz", &[], b""),
        api.send("POST", "/api/v1/sessions", serde_json::json!({})),
    );
    for refused in [one, two, ready, new] {
        assert_eq!(refusal(&refused), (503, "storage".to_owned()));
        assert!(refused.header("retry-after").is_some());
    }
    assert_eq!(api.transcript(&awake).await.len(), 2, "reads are served");
    assert_eq!(api.get("/healthz").await["status"], "ok");
    other.batch_execute("ROLLBACK").expect("the lock is given back");
    let again = api.submit(&awake, "?wait=true", &key, "during").await;
    assert_eq!(again.status(), 200, "a refusal is not remembered: {}", again.text());
    api.ask(&asleep, "after").await;
    let texts: Vec<String> = api.transcript(&awake).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["before", "You said: before", "during", "You said: during"]);
    assert_eq!(bed.model.progress().calls, 3);
}

/// For so long a write waits for the lock (5 s), and some more for a machine that does much else.
const WAITED: Duration = Duration::from_secs(8);

/// Longer than a write waits for the lock; or as MOSAIC_TEST_LOCK_S says.
fn held() -> Duration {
    let seconds = std::env::var("MOSAIC_TEST_LOCK_S").map(|text| text.parse().expect("a number of seconds"));
    Duration::from_secs(seconds.unwrap_or(7))
}

#[tokio::test]
async fn while_another_process_holds_the_lock_refusals_are_bounded_reads_are_quick_and_then_it_works_at_once() {
    const SESSIONS: usize = 4;
    let gate = Gate::new();
    let model = StandIn::builder().when_last_user_contains("count", Step::hold_after(&gate, "one two", 1));
    let bed = Testbed::with(model).await;
    let api = bed.api();
    let sessions = join_all((0..SESSIONS).map(|_| api.session())).await;
    let counting = api.session().await;
    api.say(&counting, "count").await;
    soon("the call", gate.arrived(1)).await;
    let mut other = stranger(&bed);
    other.batch_execute("BEGIN IMMEDIATE").expect("the lock is free");
    let begun = Instant::now();
    // Its answer is whole, and cannot be stored.
    gate.open();
    let write = async |(number, session): (usize, &String)| {
        let (mut refusals, mut waits) = (0, Vec::new());
        while begun.elapsed() < held() {
            let asked = Instant::now();
            let answer = match number {
                0 => api.send("POST", "/api/v1/sessions", serde_json::json!({})).await,
                1 => api.request("GET", "/readyz", &[], b"").await,
                _ => api.submit(session, "", &[("idempotency-key", "k")], "during").await,
            };
            waits.push(asked.elapsed());
            assert_eq!(refusal(&answer), (503, "storage".to_owned()), "{}", answer.text());
            assert!(answer.header("retry-after").is_some());
            refusals += 1;
            sleep(Duration::from_millis(20)).await;
        }
        let longest = waits.into_iter().max().unwrap_or_default();
        assert!(longest < WAITED, "somebody waited {longest:?}");
        refusals
    };
    let read = async {
        let mut reads = Vec::new();
        while begun.elapsed() < held() {
            let asked = Instant::now();
            assert_eq!(api.get("/healthz").await["status"], "ok");
            assert_eq!(api.transcript(&counting).await.len(), 1, "what is not stored is not told");
            api.get("/api/v1/tree").await;
            reads.push(asked.elapsed());
            sleep(Duration::from_millis(20)).await;
        }
        reads
    };
    let (refusals, reads) = tokio::join!(join_all(sessions.iter().enumerate().map(write)), read);
    assert!(refusals.iter().all(|count| *count > 0) && reads.len() > 5, "{refusals:?} refusals, {reads:?}");
    mostly_within(Duration::from_secs(1), reads);
    other.batch_execute("ROLLBACK").expect("the lock is given back");
    let free = Instant::now();
    for session in &sessions {
        let answer = api.submit(session, "?wait=true", &[("idempotency-key", "k")], "during").await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    api.settled(&counting).await;
    assert!(free.elapsed() < Duration::from_secs(5), "{:?}", free.elapsed());
    assert_eq!(api.transcript(&counting).await[1].1, "one two");
    assert_eq!(bed.model.progress().calls, SESSIONS + 1, "the answer that had to wait was not asked for again");
    for session in &sessions {
        assert_eq!(api.transcript(session).await.len(), 2);
    }
}
