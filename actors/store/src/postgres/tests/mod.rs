//! PostgreSQL under the contract, and under what only a server can suffer.

mod faults;
mod migrations;

use std::path::Path;
use std::sync::Arc;

use mosaic_testkit::postgres;
use proptest::prelude::*;

use crate::{Store, model};

async fn on_server() -> (Arc<dyn Store>, postgres::Database) {
    let database = postgres::Database::create().await;
    let store = crate::open(&database.url(), Path::new("")).await.expect("opens");
    (store, database)
}

crate::store_contract!(server, on_server());

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_writes_does_what_the_model_says(batches in model::steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (store, _alive) = on_server().await;
            model::agrees(store, batches).await;
        });
    }
}
