//! SQLite under the contract, and under what only a file can suffer.

mod faults;
mod migrations;

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::Database;
use super::place::{PATIENCE, Place};
use crate::{Store, model};

async fn on_file() -> (Arc<dyn Store>, TempDir) {
    let home = tempdir().expect("a folder");
    let store = crate::open("sqlite://mosaic.db", home.path()).await.expect("opens");
    (store, home)
}

async fn in_memory() -> (Arc<dyn Store>, ()) {
    (crate::open("sqlite::memory:", "".as_ref()).await.expect("opens"), ())
}

crate::store_contract!(file, on_file());
crate::store_contract!(memory, in_memory());

/// A store whose inside a test may reach.
async fn bare(home: &TempDir) -> Arc<Database> {
    let place = Place::parse("sqlite://mosaic.db", home.path()).expect("valid");
    Arc::new(Database::open(place, PATIENCE).await.expect("opens"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_writes_does_what_the_model_says(batches in model::steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (store, _alive) = on_file().await;
            model::agrees(store, batches).await;
        });
    }
}
