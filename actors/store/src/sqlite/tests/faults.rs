//! Locks, full disks, deaths.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::{QueryableByName, sql_query};
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::page::Limit;
use tempfile::tempdir;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::bare;
use crate::contract::Hand;
use crate::sqlite::Database;
use crate::sqlite::place::Place;
use crate::{Store, StoreError};

fn accept(hand: &Hand, number: u8) -> Write {
    Write::Accept(Box::new(hand.accept(number, false)))
}

fn intact(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    #[derive(QueryableByName)]
    struct Check {
        #[diesel(sql_type = Text)]
        integrity_check: String,
    }
    let check = sql_query("PRAGMA integrity_check").get_result::<Check>(conn)?;
    Ok(check.integrity_check == "ok")
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_kill() {
    let home = tempdir().expect("a folder");
    let hand = Hand::on(bare(&home).await).await;
    hand.ask(1, true).await;
    // What a kill leaves behind: the files as they are, with nothing closed.
    let after = tempdir().expect("a folder");
    for file in ["mosaic.db", "mosaic.db-wal"] {
        std::fs::copy(home.path().join(file), after.path().join(file)).expect("is there");
    }
    let reborn = bare(&after).await;
    assert_eq!(reborn.unfinished().await.expect("reads"), *std::slice::from_ref(&hand.session));
    let events = reborn.events(&hand.session, 0, Limit::default()).await.expect("reads");
    assert_eq!(events, hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads"));
    assert!(reborn.writer.run(intact).await.expect("checks"));
}

#[tokio::test]
async fn a_lock_held_elsewhere_is_waited_for_once_and_refused_while_reads_go_on() {
    const SHORT: Duration = Duration::from_millis(100);
    let home = tempdir().expect("a folder");
    let place = Place::parse("sqlite://mosaic.db", home.path()).expect("valid");
    let store = Database::open(place.clone(), SHORT).await.expect("opens");
    let hand = Hand::on(std::sync::Arc::new(store)).await;
    let mut other = place.writer(SHORT).expect("opens");
    other.batch_execute("BEGIN IMMEDIATE").expect("takes the lock");

    let begun = Instant::now();
    let batch = (1..=50).map(|number| accept(&hand, number)).collect();
    let outcomes = hand.commit(batch).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Busy))), "{outcomes:?}");
    // Once, not fifty times; the bound is loose since the machine may be loaded.
    assert!(begun.elapsed() < 20 * SHORT, "{:?}", begun.elapsed());
    // Impatient callers leave at once, and do not queue up before the writer.
    (0..50).for_each(|_| drop(hand.store.writable()));
    assert!(matches!(hand.store.writable().await, Err(StoreError::Busy)));
    assert!(begun.elapsed() < 40 * SHORT, "{:?}", begun.elapsed());
    assert!(hand.store.session(&hand.session).await.expect("reads").is_some());

    other.batch_execute("ROLLBACK").expect("lets it go");
    hand.ask(1, true).await;
    hand.store.writable().await.expect("can be written again");
}

#[tokio::test]
async fn a_lock_that_is_known_to_be_held_is_hardly_waited_for_until_it_is_free() {
    const PATIENCE: Duration = Duration::from_secs(2);
    let home = tempdir().expect("a folder");
    let place = Place::parse("sqlite://mosaic.db", home.path()).expect("valid");
    let store = Database::open(place.clone(), PATIENCE).await.expect("opens");
    let hand = Hand::on(std::sync::Arc::new(store)).await;
    let mut other = place.writer(PATIENCE).expect("opens");
    other.batch_execute("BEGIN IMMEDIATE").expect("takes the lock");
    let begun = Instant::now();
    assert!(matches!(hand.commit(vec![accept(&hand, 1)]).await[0], Err(StoreError::Busy)));
    assert!(begun.elapsed() >= PATIENCE, "the first waits: {:?}", begun.elapsed());
    let begun = Instant::now();
    for number in 2..6 {
        assert!(matches!(hand.commit(vec![accept(&hand, number)]).await[0], Err(StoreError::Busy)));
        assert!(matches!(hand.store.writable().await, Err(StoreError::Busy)));
    }
    assert!(begun.elapsed() < PATIENCE, "eight more did not wait as long as one: {:?}", begun.elapsed());
    other.batch_execute("ROLLBACK").expect("lets it go");
    hand.ask(1, true).await;
    other.batch_execute("BEGIN IMMEDIATE").expect("takes the lock");
    let begun = Instant::now();
    assert!(matches!(hand.store.writable().await, Err(StoreError::Busy)));
    assert!(begun.elapsed() >= PATIENCE, "the patience is back: {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_serves_the_rest() {
    let home = tempdir().expect("a folder");
    let store = bare(&home).await;
    let hand = Hand::on(store.clone()).await;
    hand.ask(1, false).await;
    let limit = |pages: &'static str| {
        store.writer.run(move |conn| Ok(conn.batch_execute(&format!("PRAGMA max_page_count = {pages}"))?))
    };
    // Less than there are already: SQLite takes the present size as the limit.
    limit("1").await.expect("is set");
    let mut huge = hand.accept(2, false);
    huge.text = "x".repeat(1_000_000).into();
    let outcomes = hand.commit(vec![accept(&hand, 3), Write::Accept(Box::new(huge.clone())), accept(&hand, 4)]).await;
    assert!(matches!(outcomes[1], Err(StoreError::Full)), "{outcomes:?}");
    assert!(matches!((&outcomes[0], &outcomes[2]), (Ok(Outcome::Written(_)), Ok(Outcome::Written(_)))), "{outcomes:?}");
    assert!(hand.store.turn(huge.turn).await.expect("reads").is_none(), "nothing of it is left");

    limit("1000000").await.expect("is set");
    hand.events_of(Write::Accept(Box::new(huge))).await;
    let events = hand.store.events(&hand.session, 0, Limit::default()).await.expect("reads");
    assert_eq!(events.iter().filter_map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(store.writer.run(intact).await.expect("checks"));
}

#[tokio::test]
async fn after_a_write_that_was_not_allowed_the_next_one_goes_through_another_connection() {
    let home = tempdir().expect("a folder");
    let store = bare(&home).await;
    let hand = Hand::on(store.clone()).await;
    store.writer.run(|conn| Ok(conn.batch_execute("PRAGMA query_only = ON")?)).await.expect("is set");
    let outcomes = hand.commit(vec![accept(&hand, 1), accept(&hand, 2)]).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::ReadOnly))), "{outcomes:?}");
    hand.ask(1, true).await;
    // One that is not there any more is not made anew.
    std::fs::rename(home.path().join("mosaic.db"), home.path().join("elsewhere")).expect("it is there");
    store.writer.run(|conn| Ok(conn.batch_execute("PRAGMA query_only = ON")?)).await.expect("is set");
    assert!(matches!(hand.commit(vec![accept(&hand, 3)]).await[0], Err(StoreError::ReadOnly)));
    let gone = hand.store.commit(vec![accept(&hand, 3)]).await;
    assert!(matches!(gone, Err(StoreError::Io(_))), "{gone:?}");
    assert!(!home.path().join("mosaic.db").exists());
}

#[tokio::test]
async fn a_panic_in_a_job_costs_that_job_only() {
    let home = tempdir().expect("a folder");
    let store = bare(&home).await;
    let hand = Hand::on(store.clone()).await;
    let job = store.writer.run(|conn| -> Result<(), StoreError> {
        conn.batch_execute("BEGIN IMMEDIATE; DELETE FROM sessions;")?;
        panic!("on purpose");
    });
    assert!(matches!(job.await, Err(StoreError::Panicked)));
    assert_eq!(hand.ask(1, true).await.len(), 2, "its transaction is undone and another begins");
    let read = store.job(|_| -> Result<(), StoreError> { panic!("on purpose") });
    assert!(matches!(read.await, Err(StoreError::Panicked)));
    assert!(hand.store.session(&hand.session).await.expect("reads").is_some());
}

#[tokio::test]
async fn a_write_that_panics_costs_only_itself() {
    let home = tempdir().expect("a folder");
    crate::planted::a_panic_costs_only_itself(bare(&home).await).await;
}

#[tokio::test]
async fn a_reader_that_hangs_up_leaves_no_busy_connection_behind() {
    let home = tempdir().expect("a folder");
    let store = bare(&home).await;
    let hand = Hand::on(store.clone()).await;
    let (begun, has_begun) = oneshot::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let read = store.job(move |_| {
        begun.send(()).expect("the test waits");
        may_go_on.recv().expect("the test goes on");
        Ok(())
    });
    tokio::select! {
        _ = read => panic!("it waits for the test"),
        begun = has_begun => begun.expect("the read begins"),
    }
    // Here the future of the read is dropped, while its job still runs.
    for _ in 0..10 {
        assert!(hand.store.session(&hand.session).await.expect("reads").is_some());
    }
    go_on.send(()).expect("the read still runs");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_a_database_that_was_made_here() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempdir().expect("a folder");
    let _hand = Hand::on(bare(&home).await).await;
    for file in ["mosaic.db", "mosaic.db-wal", "mosaic.db-shm"] {
        let mode = std::fs::metadata(home.path().join(file)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn what_is_no_database_is_named() {
    let home = tempdir().expect("a folder");
    std::fs::write(home.path().join("mosaic.db"), "a letter to a friend ".repeat(100)).expect("is written");
    let error = crate::open("sqlite://mosaic.db", home.path()).await.map(drop).expect_err("refused");
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    let error = crate::open("sqlite://no/such/folder/m.db", home.path()).await.map(drop).expect_err("refused");
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    let error = crate::open("mysql://db", Path::new("")).await.map(drop).expect_err("refused");
    assert!(matches!(error, StoreError::Url(_)), "{error:?}");
}
