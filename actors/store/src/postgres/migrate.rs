//! Brings a database up to date.

use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use tokio::time::Instant;

use super::PATIENCE;
use super::jobs::Jobs;
use super::link::Link;
use super::place::Place;
use crate::StoreError;
use crate::migrate::{Failed, apply};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Taken by whoever migrates, until its transaction ends: "mosaic" in ASCII. Another daemon that is at it may take its
/// time, since nobody can use the database before.
const LOCK: &str = "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(120325444561251)";

/// Applies what is missing and answers the names of what was applied.
///
/// All of it is one transaction under a lock of the whole database: a database is at its old schema or at its new one,
/// never between, and of two processes that open it at once the second finds the work done.
pub(super) async fn run(jobs: &Arc<Jobs>, place: &Place) -> Result<Vec<String>, StoreError> {
    locked(jobs, place, |conn| apply(conn, MIGRATIONS)).await
}

/// Takes everything back again.
#[cfg(test)]
pub(super) async fn revert(jobs: &Arc<Jobs>, place: &Place) -> Result<(), StoreError> {
    use diesel_migrations::MigrationHarness;
    locked(jobs, place, |conn| conn.revert_all_migrations(MIGRATIONS).map(drop).map_err(Failed::Migration)).await
}

/// A connection that blocks its thread, which is what migrations are written for.
type Blocking = AsyncConnectionWrapper<AsyncPgConnection>;

/// Does `work` in one transaction, while nobody else migrates.
async fn locked<T, F>(jobs: &Arc<Jobs>, place: &Place, work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce(&mut Blocking) -> Result<T, Failed> + Send + 'static,
{
    let place = place.clone();
    let link = jobs.run(async move || Link::open(&place, Instant::now() + PATIENCE).await).await?;
    // On an actor's thread this would be a panic.
    jobs.run_blocking(move || {
        let (conn, _alive) = link.into_parts();
        let mut conn = Blocking::from(conn);
        let migrated = conn.transaction(|conn| {
            conn.batch_execute(LOCK)?;
            work(conn)
        });
        Ok(migrated?)
    })
    .await
}
