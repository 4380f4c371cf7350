//! The database: brought up to date, refused politely, and locked by somebody else.

use diesel::SqliteConnection;
use diesel::connection::{Connection, SimpleConnection};
use mosaic_testkit::StandIn;

use crate::testbed::{Testbed, refusal, run};

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
