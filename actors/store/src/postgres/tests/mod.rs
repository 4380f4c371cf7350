//! PostgreSQL under the contract, and under what only a server can suffer.

use std::path::Path;
use std::sync::Arc;

use mosaic_testkit::postgres;

use crate::Store;

async fn on_server() -> (Arc<dyn Store>, postgres::Database) {
    let database = postgres::Database::create().await;
    let store = crate::open(&database.url(), Path::new("")).await.expect("opens");
    (store, database)
}

crate::store_contract!(server, on_server());
