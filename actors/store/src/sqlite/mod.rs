//! SQLite: the database inside the binary.
//!
//! Its queries are those of `sql/`, put into the words of `dialect`. One connection writes and a few read. Whatever touches a connection is one blocking job that holds it to its end,
//! so a caller that goes away leaves neither an open transaction nor a connection in use behind.

mod dialect;
mod migrate;
mod place;
#[path = "../sql/read/mod.rs"]
mod read;
mod readers;
#[path = "../sql/store.rs"]
mod store;
#[path = "../sql/write/mod.rs"]
mod write;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use diesel::SqliteConnection;
use mosaic_types::journal::{Outcome, Write};

use crate::probe::Probe;
use crate::{StoreError, Work};
use dialect::{Conn, DAY, LIKE, RunQueryDsl, each, now};
use place::PATIENCE;
use readers::Readers;
use writer::Writer;

pub(crate) use place::Place;

/// A SQLite database, opened and up to date.
pub(crate) struct Database {
    writer: Arc<Writer>,
    /// `None` in memory, where one connection is the database and must do everything.
    readers: Option<Readers>,
    probe: Probe,
}

/// Opens the database at `place`, making and migrating it where needed.
pub(crate) async fn open(place: &Place) -> Result<Database, StoreError> {
    Database::open(place.clone(), PATIENCE).await
}

/// Brings the database at `place` up to date and answers the names of the migrations that were missing.
pub(crate) async fn migrate(place: &Place) -> Result<Vec<String>, StoreError> {
    let place = place.clone();
    let job = tokio::task::spawn_blocking(move || migrate::run(&mut place.writer(PATIENCE)?));
    job.await?
}

impl Database {
    async fn open(place: Place, patience: Duration) -> Result<Self, StoreError> {
        let readers = match place {
            Place::Memory => None,
            Place::File(_) => Some(Readers::new(place.clone(), patience)?),
        };
        let opened = place.clone();
        let job = tokio::task::spawn_blocking(move || {
            let mut conn = opened.writer(patience)?;
            let applied = migrate::run(&mut conn)?;
            if !applied.is_empty() {
                tracing::debug!(store.migrations = ?applied, "database migrated");
            }
            opened.write_ahead(&mut conn)?;
            Ok::<_, StoreError>(conn)
        });
        let file = readers.clone().map(|readers| (place, readers));
        Ok(Self { writer: Arc::new(Writer::new(job.await??, file, patience)), readers, probe: Probe::default() })
    }

    /// Runs `query` where it disturbs nobody.
    fn read<T, F>(&self, query: F) -> Work<'_, T>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&mut Conn<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.job(move |mut conn| now(query(&mut conn)))
    }

    /// The same, with all that `query` asks answered from one state of the database.
    fn read_at_once<T, F>(&self, query: F) -> Work<'_, T>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&mut Conn<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.job(move |conn| writer::transaction(conn, "BEGIN", |mut conn| now(query(&mut conn))))
    }

    fn job<T, F>(&self, job: F) -> Work<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    {
        match &self.readers {
            Some(readers) => Box::pin(readers.run(job)),
            None => Box::pin(self.writer.run(job)),
        }
    }

    fn write(&self, batch: Vec<Write>) -> Work<'static, Vec<Result<Outcome, StoreError>>> {
        let writer = self.writer.clone();
        Box::pin(self.writer.run(move |conn| {
            let outcomes = writer::commit(conn, &batch);
            writer.met(conn, outcomes.iter().filter_map(|outcome| outcome.as_ref().err()));
            Ok(outcomes)
        }))
    }

    fn probe(&self) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let writer = self.writer.clone();
        // The job goes on without its future.
        self.probe.ask(move |answer| {
            let noted = writer.clone();
            drop(writer.run(move |conn| {
                let writable = writer::probe(conn);
                noted.met(conn, writable.as_ref().err());
                answer.give(writable);
                Ok(())
            }));
        })
    }
}
