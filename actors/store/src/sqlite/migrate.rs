//! Brings a database up to date.

use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::StoreError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Either a database's failure or a migration's own, which diesel hands on without a type.
enum Failed {
    Store(StoreError),
    Migration(Box<dyn std::error::Error + Send + Sync>),
}

impl From<diesel::result::Error> for Failed {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Store(error) => error,
            Failed::Migration(error) => {
                let message = error.to_string();
                Self::from_message(&message).unwrap_or(Self::Migration(message))
            }
        }
    }
}

/// Applies what is missing and answers the names of what was applied.
///
/// All of it is one transaction under the write lock: a database is at its old schema or at its new one, never
/// between, and of two processes that open it at once the second finds the work done.
pub(super) fn run(conn: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    conn.immediate_transaction(apply).map_err(StoreError::from)
}

fn apply(conn: &mut SqliteConnection) -> Result<Vec<String>, Failed> {
    let mut known: Vec<Box<dyn Migration<Sqlite>>> = MIGRATIONS.migrations().map_err(Failed::Migration)?;
    known.sort_by(|one, other| one.name().version().cmp(&other.name().version()));
    let applied = conn.applied_migrations().map_err(Failed::Migration)?;

    let foreign = applied.iter().find(|version| !known.iter().any(|migration| migration.name().version() == **version));
    if let Some(version) = foreign {
        let newest = known.last().map(|migration| migration.name().version().to_string()).unwrap_or_default();
        return Err(Failed::Store(StoreError::NewerSchema { found: version.to_string(), known: newest }));
    }

    let mut names = Vec::new();
    for migration in known.iter().filter(|migration| !applied.contains(&migration.name().version())) {
        conn.run_migration(migration).map_err(Failed::Migration)?;
        names.push(migration.name().to_string());
    }
    Ok(names)
}

/// Takes everything back again.
#[cfg(test)]
pub(super) fn revert(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    conn.revert_all_migrations(MIGRATIONS).map(drop).map_err(|error| Failed::Migration(error).into())
}
