//! Which migrations a database lacks, and applying them.

use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use mosaic_types::Point;

use crate::StoreError;

/// Either a database's failure or a migration's own, which diesel hands on without a type.
pub(crate) enum Failed {
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

/// Applies what is missing and answers the names of what was applied. Wants a transaction, and that nobody else
/// migrates meanwhile.
pub(crate) fn apply<DB, C>(conn: &mut C, migrations: EmbeddedMigrations) -> Result<Vec<String>, Failed>
where
    DB: Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let mut known: Vec<Box<dyn Migration<DB>>> = migrations.migrations().map_err(Failed::Migration)?;
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
        Point::MigrateBetween.pass();
    }
    Ok(names)
}
