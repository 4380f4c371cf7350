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
use crate::migrate::apply;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Taken by whoever migrates, until its transaction ends: "mosaic" in ASCII. Another daemon that is at it may take its
/// time, since nobody can use the database before.
const LOCK: &str = "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(120325444561251)";

/// Applies what is missing and answers the names of what was applied.
///
/// All of it is one transaction under a lock of the whole database: a database is at its old schema or at its new one,
/// never between, and of two processes that open it at once the second finds the work done.
pub(super) async fn run(jobs: &Arc<Jobs>, place: &Place) -> Result<Vec<String>, StoreError> {
    let place = place.clone();
    let link = jobs.run(async move || Link::open(&place, Instant::now() + PATIENCE).await).await?;
    // Migrations are written for connections that block their thread. On an actor's thread that would be a panic.
    jobs.run_blocking(move || {
        let (conn, _alive) = link.into_parts();
        let mut conn: AsyncConnectionWrapper<AsyncPgConnection> = conn.into();
        let migrated = conn.transaction(|conn| {
            conn.batch_execute(LOCK)?;
            apply(conn, MIGRATIONS)
        });
        Ok(migrated?)
    })
    .await
}
