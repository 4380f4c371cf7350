//! Brings a database up to date.

use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use crate::StoreError;
use crate::migrate::apply;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Applies what is missing and answers the names of what was applied.
///
/// All of it is one transaction under the write lock: a database is at its old schema or at its new one, never
/// between, and of two processes that open it at once the second finds the work done.
pub(super) fn run(conn: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    conn.immediate_transaction(|conn| apply(conn, MIGRATIONS)).map_err(StoreError::from)
}

/// Takes everything back again.
#[cfg(test)]
pub(super) fn revert(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    use crate::migrate::Failed;
    use diesel_migrations::MigrationHarness;
    conn.revert_all_migrations(MIGRATIONS).map(drop).map_err(|error| Failed::Migration(error).into())
}
