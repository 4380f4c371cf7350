//! The process dies at points between two things that must not come apart, and nothing comes apart. Needs the feature
//! `chaos`, which `tests/run` sets.

#[path = "../../benches/crash/seed/mod.rs"]
mod seed;

use std::path::Path;

use futures_util::{StreamExt, stream};
use mosaic_testkit::postgres;

use seed::{Store, run};

/// Seeds that once found something.
const PINNED: [u64; 1] = [
    // A stop under load: whoever opened a session of a tree that was gone waited for itself, and the daemon hung.
    103,
];

/// Runs seeds, two at a time.
async fn sweep(seeds: impl IntoIterator<Item = u64>, store: &Store) -> seed::Tally {
    let binary = Path::new(env!("CARGO_BIN_EXE_mosaic"));
    let runs = seeds.into_iter().map(|seed| async move { run(seed, binary, store).await });
    let mut runs = stream::iter(runs).buffer_unordered(2);
    let mut tally = seed::Tally::default();
    while let Some(ended) = runs.next().await {
        tally.add(ended.unwrap_or_else(|why| panic!("{why:#}")));
    }
    tally
}

#[tokio::test]
async fn whatever_the_process_dies_of_nothing_acknowledged_is_lost_doubled_or_out_of_order() {
    let tally = sweep((0..10).chain(PINNED), &Store::Sqlite).await;
    assert!(
        tally.deaths() > 20 && tally.finished > 50 && tally.joined > 5 && tally.tools > 20,
        "the seeds were idle:\n{tally}"
    );
}

#[tokio::test]
async fn whatever_the_process_dies_of_a_server_keeps_all_that_was_acknowledged_once_and_in_order() {
    let tally = sweep(100..106, &Store::Postgres(postgres::url())).await;
    assert!(
        tally.deaths() > 10 && tally.finished > 25 && tally.joined > 2 && tally.tools > 0,
        "the seeds were idle:\n{tally}"
    );
}
