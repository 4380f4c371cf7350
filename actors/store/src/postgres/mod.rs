//! PostgreSQL: for homes that outgrow one file, and for several daemons on one database.
//!
//! Its queries are those of `sql/`. Whatever touches a connection is one job on a runtime of the store's own, which
//! holds the connection to its end: a connection dies with the runtime it was opened on, and a caller that goes away
//! must leave no open transaction behind. One connection writes and a few read; each is opened when it is needed, and
//! anew when it was lost.

mod batch;
mod clean;
mod dialect;
mod jobs;
mod link;
mod migrate;
mod place;
#[path = "../sql/read/mod.rs"]
mod read;
mod readers;
#[path = "../sql/store.rs"]
mod store;
mod tls;
#[path = "../sql/write/mod.rs"]
mod write;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use mosaic_types::journal::{Outcome, Write};
use tokio::time::Instant;

use crate::probe::Probe;
use crate::{StoreError, Work};
use dialect::{Conn, DAY, LIKE, RunQueryDsl, each};
use jobs::Jobs;
use readers::Readers;
use writer::Writer;

pub(crate) use place::Place;

/// For so long a job waits for its connection, for locks and for answers, all together.
const PATIENCE: Duration = Duration::from_secs(5);

/// A PostgreSQL database, up to date.
pub(crate) struct Database {
    jobs: Arc<Jobs>,
    writer: Arc<Writer>,
    readers: Arc<Readers>,
    probe: Probe,
}

/// Brings the database at `place` up to date and opens it.
pub(crate) async fn open(place: &Place) -> Result<Database, StoreError> {
    let jobs = Arc::new(Jobs::start()?);
    let applied = migrate::run(&jobs, place).await?;
    if !applied.is_empty() {
        tracing::debug!(store.migrations = ?applied, "database migrated");
    }
    let place = Arc::new(place.clone());
    Ok(Database {
        writer: Arc::new(Writer::new(place.clone())),
        readers: Arc::new(Readers::new(place)),
        jobs,
        probe: Probe::default(),
    })
}

/// Brings the database at `place` up to date and answers the names of the migrations that were missing.
pub(crate) async fn migrate(place: &Place) -> Result<Vec<String>, StoreError> {
    migrate::run(&Arc::new(Jobs::start()?), place).await
}

impl Database {
    fn read<T, F>(&self, query: F) -> Work<'_, T>
    where
        T: Send + 'static,
        F: AsyncFn(&mut Conn<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        Box::pin(self.readers.run(&self.jobs, query))
    }

    /// The same, with all that `query` asks answered from one state of the database.
    fn read_at_once<T, F>(&self, query: F) -> Work<'_, T>
    where
        T: Send + 'static,
        F: AsyncFn(&mut Conn<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.read(async move |conn: &mut Conn<'_>| {
            link::execute(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let answer = query(conn).await?;
            link::execute(conn, "COMMIT").await?;
            Ok(answer)
        })
    }

    fn write(&self, mut batch: Vec<Write>) -> Work<'static, Vec<Result<Outcome, StoreError>>> {
        batch.iter_mut().for_each(clean::without_nul);
        let writer = self.writer.clone();
        let deadline = Instant::now() + PATIENCE;
        Box::pin(self.jobs.run(async move || Ok(writer.commit(&batch, deadline).await)))
    }

    fn probe(&self) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let (jobs, writer) = (self.jobs.clone(), self.writer.clone());
        let deadline = Instant::now() + PATIENCE;
        self.probe.ask(move |answer| {
            // The job goes on without its future.
            drop(jobs.run(async move || {
                answer.give(writer.probe(deadline).await);
                Ok(())
            }));
        })
    }
}
