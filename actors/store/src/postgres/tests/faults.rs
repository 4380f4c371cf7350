//! A server that goes away, a network that breaks, and others who hold what is wanted.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use mosaic_testkit::postgres::{self, Server};
use mosaic_testkit::proxy::{Fate, Proxy, Way};
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::page::Limit;
use mosaic_types::{Code, Failure, Secret, TurnId};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::contract::Hand;
use crate::postgres::PATIENCE;
use crate::{Place, StoreError};

/// For so long it may take, at the most, until work is done again when the server is back.
const BACK: Duration = Duration::from_secs(5);

/// A store that reaches its database through a proxy, in hand.
async fn through_proxy() -> (Hand, Proxy, postgres::Database) {
    let database = postgres::Database::create().await;
    let proxy = Proxy::before(database.address()).await;
    let store = crate::open(&database.url_at(proxy.address()), Path::new("")).await.expect("opens");
    (Hand::on(store).await, proxy, database)
}

fn accept(hand: &Hand, number: u8) -> Write {
    Write::Accept(Box::new(hand.accept(number, false)))
}

/// The number of the input that each event of the journal is of: twice is once too often.
async fn journal(hand: &Hand) -> Vec<u8> {
    let events = hand.store.events(&hand.session, 0, Limit::new(Some(200)).expect("in bounds")).await.expect("reads");
    let seqs: Vec<_> = events.iter().filter_map(|event| event.seq).collect();
    assert_eq!(seqs, (1..).take(seqs.len()).collect::<Vec<_>>(), "without gaps");
    events.iter().map(|event| event.turn.expect("it is of a turn").0.as_bytes()[0]).collect()
}

/// Asks until something is stored, and answers how long that took.
async fn until_written(hand: &Hand, number: u8) -> Duration {
    let begun = Instant::now();
    loop {
        match hand.commit(vec![accept(hand, number)]).await.remove(0) {
            Ok(Outcome::Written(_) | Outcome::Duplicate { .. }) => return begun.elapsed(),
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(matches!(error, StoreError::Away(_) | StoreError::Unknown), "{error:?}"),
        }
        assert!(begun.elapsed() < 4 * BACK, "it is not written again");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_order_to_commit_that_never_arrives_is_given_again() {
    let (hand, proxy, _database) = through_proxy().await;
    proxy.trap(Way::There, "COMMIT", Fate::Cut);
    let outcomes = hand.commit(vec![accept(&hand, 1), accept(&hand, 2)]).await;
    proxy.sprung(1).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Outcome::Written(_)))), "{outcomes:?}");
    assert_eq!(journal(&hand).await, [1, 2]);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_to_be_done() {
    let (hand, proxy, _database) = through_proxy().await;
    proxy.trap(Way::Back, "COMMIT", Fate::Cut);
    let outcomes = hand.commit(vec![accept(&hand, 1), accept(&hand, 2)]).await;
    proxy.sprung(1).await;
    // Had it been tried again, these were duplicates.
    let events: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("is done")).collect();
    assert!(events.iter().all(|outcome| matches!(outcome, Outcome::Written(_))), "{events:?}");
    assert_eq!(journal(&hand).await, [1, 2]);
}

#[tokio::test]
async fn a_commit_of_which_nothing_can_be_learnt_is_said_to_be_unknown() {
    for (way, stored) in [(Way::There, false), (Way::Back, true)] {
        let (hand, proxy, _database) = through_proxy().await;
        proxy.trap(way, "COMMIT", Fate::Gone);
        let outcomes = hand.commit(vec![accept(&hand, 1), accept(&hand, 2)]).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Unknown))), "{way:?} {outcomes:?}");
        let failure = Failure::from(outcomes[0].clone().expect_err("unknown"));
        assert_eq!(failure.code, Code::Unavailable, "`storage` would say that nothing was changed");
        proxy.heal();
        let again = hand.write(accept(&hand, 1)).await;
        assert_eq!(matches!(again, Outcome::Duplicate { .. }), stored, "{again:?}");
        assert_eq!(journal(&hand).await, if stored { vec![1, 2] } else { vec![1] });
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_at_any_byte_costs_nothing() {
    let (hand, proxy, _database) = through_proxy().await;
    let mut number = 0;
    for way in [Way::There, Way::Back] {
        // Bytes of a batch of two, there and back, when its statements are prepared anew: some thousand.
        for bytes in (0..6_000).step_by(250) {
            proxy.trap_after(way, bytes, Fate::Cut);
            let outcomes = hand.commit(vec![accept(&hand, number + 1), accept(&hand, number + 2)]).await;
            assert!(
                outcomes.iter().all(|outcome| matches!(outcome, Ok(Outcome::Written(_)))),
                "{way:?} {bytes} {outcomes:?}"
            );
            number += 2;
        }
    }
    proxy.heal();
    assert_eq!(journal(&hand).await, (1..=number).collect::<Vec<_>>());
}

#[tokio::test]
async fn while_the_server_is_away_nothing_is_acknowledged_that_is_not_stored() {
    const WRITERS: u8 = 8;
    let (hand, proxy, database) = through_proxy().await;
    let (hand, begun) = (&hand, Instant::now());
    let away = async {
        sleep(Duration::from_millis(300)).await;
        proxy.gone();
        sleep(Duration::from_secs(4)).await;
        proxy.heal();
        until_written(hand, 255).await
    };
    // Each goes on for a while after the server is back, one input after the other, each asked for until it is known.
    let writer = async |writer: u8| {
        let (mut stored, mut refused) = (HashMap::new(), 0);
        let mut count = 0_u16;
        while begun.elapsed() < Duration::from_secs(6) {
            let mut input = hand.accept(1, false);
            let id = Uuid::from_u128(u128::from(writer) << 64 | u128::from(count) | 1 << 100);
            input.turn = TurnId(id);
            input.inbox.event = id.to_string().into();
            let asked = Instant::now();
            match hand.commit(vec![Write::Accept(Box::new(input))]).await.remove(0) {
                Ok(Outcome::Written(events)) => drop(stored.insert(id, events[0].seq)),
                Ok(other) => panic!("{other:?}"),
                Err(StoreError::Away(_)) => {
                    refused += 1;
                    assert_eq!(Failure::from(StoreError::Away(String::new())).code, Code::Storage);
                }
                Err(error) => assert!(matches!(error, StoreError::Unknown), "{error:?}"),
            }
            assert!(asked.elapsed() < PATIENCE + BACK, "{:?}", asked.elapsed());
            count += 1;
            sleep(Duration::from_millis(5)).await;
        }
        (stored, refused)
    };
    let (back, writers) = tokio::join!(away, join_all((0..WRITERS).map(writer)));
    assert!(back <= BACK, "{back:?}");
    let rows = database
        .ask("SELECT t.id, count(e.seq), min(e.seq) FROM turns t LEFT JOIN events e ON e.turn_id = t.id GROUP BY t.id")
        .await;
    let rows: HashMap<Uuid, (String, Option<i64>)> =
        rows.into_iter().map(|row| (row[0].parse().expect("a UUID"), (row[1].clone(), row[2].parse().ok()))).collect();
    assert!(rows.values().all(|(events, _)| events == "1"), "once each: {rows:?}");
    assert!(writers.iter().any(|(_, refused)| *refused > 0), "the server was away");
    for (stored, _) in writers {
        assert!(stored.len() > 10, "and here before and after");
        for (id, seq) in stored {
            assert_eq!(rows.get(&id).map(|(_, seq)| *seq), Some(seq), "acknowledged and not there");
        }
    }
}

#[tokio::test]
async fn a_network_that_swallows_everything_is_waited_for_once() {
    let (hand, proxy, database) = through_proxy().await;
    hand.ask(1, false).await;
    proxy.stall();
    let begun = Instant::now();
    let batch = (2..50).map(|number| accept(&hand, number)).collect();
    let (outcomes, read, ready) =
        tokio::join!(hand.commit(batch), hand.store.session(&hand.session), hand.store.writable());
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Away(_)))), "{outcomes:?}");
    assert!(matches!(read, Err(StoreError::Away(_))), "{read:?}");
    assert!(matches!(ready, Err(StoreError::Away(_))), "{ready:?}");
    assert!(begun.elapsed() < 2 * PATIENCE, "{:?}", begun.elapsed());
    proxy.heal();
    let back = until_written(&hand, 100).await;
    assert!(back <= BACK, "{back:?}");
    hand.store.session(&hand.session).await.expect("reads").expect("is there");
    assert_eq!(journal(&hand).await, [1, 100], "what was refused is not there");
    let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    assert_eq!(database.ask(left).await, [["0"]], "no transaction was left open");
}

#[tokio::test]
async fn what_another_holds_is_waited_for_within_the_patience_while_reads_go_on() {
    let (hand, _proxy, database) = through_proxy().await;
    let other = database.connect().await;
    other.batch_execute("BEGIN; SELECT 1 FROM sessions FOR UPDATE").await.expect("takes the lock");
    let begun = Instant::now();
    let held = hand.commit(vec![accept(&hand, 1)]);
    let reads = async {
        hand.store.session(&hand.session).await.expect("reads").expect("is there");
        begun.elapsed()
    };
    let (outcomes, read_after) = tokio::join!(held, reads);
    assert!(matches!(&outcomes[0], Err(StoreError::Away(_))), "{outcomes:?}");
    assert!(begun.elapsed() < 2 * PATIENCE && read_after < PATIENCE, "{:?} {read_after:?}", begun.elapsed());
    other.batch_execute("ROLLBACK").await.expect("lets it go");
    hand.ask(1, false).await;
    assert_eq!(journal(&hand).await, [1]);
}

#[tokio::test]
async fn of_two_transactions_that_wait_for_each_other_ours_is_stored_in_the_end() {
    let (hand, _proxy, database) = through_proxy().await;
    let second = "s2".parse().expect("valid");
    hand.make(&second, mosaic_types::Timestamp(0)).await;
    let mut in_second = hand.accept(2, false);
    in_second.session = second.clone();
    let other = database.connect().await;
    other.batch_execute("BEGIN; SELECT 1 FROM sessions WHERE id = 's2' FOR UPDATE").await.expect("takes the lock");
    let commit = hand.commit(vec![accept(&hand, 1), Write::Accept(Box::new(in_second))]);
    let other = async {
        // The batch holds the first session, and waits for the second.
        while database.ask("SELECT 1 FROM pg_locks WHERE NOT granted").await.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        // Either this fails, or it is the batch that is undone and comes again.
        let _ = other.batch_execute("SELECT 1 FROM sessions WHERE id = 's1' FOR UPDATE").await;
        other.batch_execute("ROLLBACK").await.expect("lets it go");
    };
    let (outcomes, ()) = tokio::join!(commit, other);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Outcome::Written(_)))), "{outcomes:?}");
}

#[tokio::test]
async fn of_two_daemons_on_one_database_the_older_owner_of_a_session_writes_nothing() {
    let (hand, _proxy, database) = through_proxy().await;
    let other = crate::open(&database.url(), Path::new("")).await.expect("opens");
    hand.ask(1, true).await;
    let claimed = other.commit(vec![Write::Claim { session: hand.session.clone() }]).await.expect("is carried out");
    assert!(matches!(claimed[..], [Ok(Outcome::Claimed(2))]), "{claimed:?}");
    assert_eq!(other.unfinished().await.expect("reads"), *std::slice::from_ref(&hand.session));
    assert_eq!(hand.write(accept(&hand, 2)).await, Outcome::Stale);
    assert_eq!(hand.write(hand.end(1, mosaic_types::journal::TurnEnd::cancelled(), None)).await, Outcome::Stale);
}

#[tokio::test]
async fn a_panic_in_a_job_costs_that_job_only() {
    let database = postgres::Database::create().await;
    let place = crate::postgres::Place::parse(&database.url(), Path::new("")).expect("valid");
    let store = Arc::new(crate::postgres::open(&place).await.expect("opens"));
    let hand = Hand::on(store.clone()).await;
    for _ in 0..8 {
        let read =
            store.read(async |_: &mut super::super::Conn<'_>| -> Result<(), StoreError> { panic!("on purpose") });
        assert!(matches!(read.await, Err(StoreError::Panicked)));
    }
    assert!(hand.store.session(&hand.session).await.expect("reads").is_some());
    hand.ask(1, true).await;
}

#[tokio::test]
async fn of_a_batch_the_write_that_panics_costs_only_itself() {
    let (store, _database) = super::on_server().await;
    crate::planted::a_panic_costs_only_itself(store).await;
}

#[tokio::test]
async fn a_server_that_crashes_is_waited_for_and_found_again() {
    let server = Server::start().await;
    let database = postgres::Database::on(server.url()).await;
    let store = crate::open(&database.url(), Path::new("")).await.expect("opens");
    let hand = Hand::on(store).await;
    hand.ask(1, true).await;
    server.crash().await;
    let begun = Instant::now();
    let (outcomes, read) = tokio::join!(hand.commit(vec![accept(&hand, 2)]), hand.store.session(&hand.session));
    assert!(matches!(outcomes[..], [Err(StoreError::Away(_))]), "{outcomes:?}");
    assert!(matches!(read, Err(StoreError::Away(_))), "{read:?}");
    assert!(begun.elapsed() < PATIENCE, "a server that is not there is not waited for long: {:?}", begun.elapsed());
    let cold = crate::open(&database.url(), Path::new("")).await.map(drop).expect_err("cannot be opened");
    assert!(matches!(cold, StoreError::Away(_)), "{cold:?}");
    server.restart().await;
    let back = until_written(&hand, 2).await;
    assert!(back <= BACK, "{back:?}");
    assert_eq!(journal(&hand).await, [1, 1, 2]);
}

#[tokio::test]
async fn a_connection_by_tls_wants_a_certificate_it_knows_and_a_login_its_password() {
    let server = Server::start().await;
    let database = postgres::Database::on(server.url()).await;
    let url = database.url_as("walled", database.address());
    let open = async |parameters: &str, password: Option<&str>| {
        let place = Place::parse(&format!("{url}{parameters}"), Path::new("")).expect("valid");
        let place = match password {
            Some(password) => place.with_password(&Secret::new(password)),
            None => place,
        };
        place.open().await
    };
    database.ask("GRANT CREATE ON SCHEMA public TO walled").await;
    let root = server.root_certificate().display().to_string();
    for mode in ["require", "verify-full"] {
        let store = open(&format!("?sslmode={mode}&sslrootcert={root}"), Some("in the open")).await.expect("opens");
        store.writable().await.expect("can be written");
        let encrypted =
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND usename = 'walled'";
        assert_ne!(database.ask(encrypted).await, [["0"]]);
        let strange = open(&format!("?sslmode={mode}"), Some("in the open")).await.map(drop).expect_err("refused");
        assert!(matches!(strange, StoreError::Away(_) | StoreError::Url(_)), "{strange:?}");
    }
    open("", Some("in the open")).await.expect("opens in the clear, where that is asked for");
    for password in [None, Some("in the dark")] {
        let error = open("", password).await.map(drop).expect_err("refused");
        assert!(matches!(error, StoreError::Login(_)), "{error:?}");
        let sentence = Failure::from(error).message;
        assert!(sentence.contains("password_env") && !sentence.contains("dark"), "{sentence}");
    }
}
