//! The one connection that writes, and how a batch goes through it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use mosaic_types::journal::{Outcome, Write};

use super::dialect::now;
use super::place::Place;
use super::readers::Readers;
use super::write;
use crate::StoreError;

/// Owns the connection that writes. Its jobs run one after the other.
pub(super) struct Writer {
    conn: Mutex<SqliteConnection>,
    /// What the connection is opened from again, and who else has it open; `None` in memory, where it is all there is.
    file: Option<(Place, Readers)>,
    /// For so long a write waits for the lock.
    patience: Duration,
    /// The last write waited for the lock in vain.
    locked: AtomicBool,
    /// The disk failed under the connection: nobody knows what it believes, so the next job has another one.
    spoilt: AtomicBool,
    /// The connection may only read.
    read_only: AtomicBool,
}

/// For so long a write waits for a lock that was waited for in vain just before. All writes go through one connection:
/// with the whole patience for each, who came last would wait for all the others.
const BRIEFLY: Duration = Duration::from_millis(50);

impl Writer {
    pub(super) fn new(conn: SqliteConnection, file: Option<(Place, Readers)>, patience: Duration) -> Self {
        let [locked, spoilt, read_only] = [(); 3].map(|()| AtomicBool::new(false));
        Self { conn: Mutex::new(conn), file, patience, locked, spoilt, read_only }
    }

    /// Notes what a write met. After a lock the next one hardly waits, and the first that gets it ends the haste; after
    /// a disk that failed the next one has a connection of its own.
    pub(super) fn met<'a>(&self, conn: &mut SqliteConnection, errors: impl IntoIterator<Item = &'a StoreError>) {
        let (mut locked, mut failed, mut read_only) = (false, false, false);
        for error in errors {
            locked |= matches!(error, StoreError::Busy);
            failed |= matches!(error, StoreError::Io(_) | StoreError::Unknown);
            read_only |= matches!(error, StoreError::ReadOnly);
        }
        self.spoilt.fetch_or(failed | read_only, Ordering::Relaxed);
        self.read_only.store(read_only, Ordering::Relaxed);
        if self.locked.swap(locked, Ordering::Relaxed) != locked {
            let wait = if locked { BRIEFLY.min(self.patience) } else { self.patience };
            if let Err(error) = conn.batch_execute(&format!("PRAGMA busy_timeout = {}", wait.as_millis())) {
                tracing::warn!(%error, "how long to wait for a lock could not be set");
            }
        }
    }

    /// Starts `job` at once, on a thread where it may block; it goes on to its end also when the future is dropped.
    pub(super) fn run<T, F>(self: &Arc<Self>, job: F) -> impl Future<Output = Result<T, StoreError>> + Send + 'static
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    {
        let writer = self.clone();
        let job = tokio::task::spawn_blocking(move || {
            let mut conn = writer.conn.lock().unwrap_or_else(|panicked| {
                writer.conn.clear_poison();
                let mut conn = PoisonError::into_inner(panicked);
                undo(&mut conn);
                conn
            });
            writer.renew(&mut conn)?;
            job(&mut conn)
        });
        async move { job.await? }
    }

    /// Opens the connection anew, where the disk has failed under it.
    fn renew(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        let Some((place, readers)) = self.file.as_ref().filter(|_| self.spoilt.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        if self.read_only.load(Ordering::Relaxed) {
            // What was opened while the disk may only be read stays so, and all connections of a process share it: they
            // go first. Otherwise they stay: while a disk fails, what is open can read, and hardly anything be opened.
            readers.close();
            *conn = Place::Memory.writer_again(self.patience)?;
        }
        *conn = place.writer_again(self.patience)?;
        self.spoilt.store(false, Ordering::Relaxed);
        self.locked.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Carries out `batch` in one transaction, or, where that fails, each write in one of its own.
pub(super) fn commit(conn: &mut SqliteConnection, batch: &[Write]) -> Vec<Result<Outcome, StoreError>> {
    match apply(conn, batch) {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        // What fails for all of them: the lock, the disk. A full one may still have room for some.
        Err(error @ (StoreError::Busy | StoreError::ReadOnly | StoreError::Io(_) | StoreError::Unknown)) => {
            vec![Err(error); batch.len()]
        }
        Err(error) if batch.len() > 1 => {
            tracing::warn!(store.batch = batch.len(), %error, "batch failed, its writes are tried one by one");
            one_by_one(conn, batch)
        }
        Err(error) => vec![Err(error); batch.len()],
    }
}

/// Carries out `writes` in one transaction. A panic costs that transaction, not the job: whoever is not at fault is tried
/// again without it.
fn apply(conn: &mut SqliteConnection, writes: &[Write]) -> Result<Vec<Outcome>, StoreError> {
    let work = AssertUnwindSafe(|| {
        transaction(conn, "BEGIN IMMEDIATE", |mut conn| {
            writes.iter().map(|write| now(write::apply(&mut conn, write))).collect()
        })
    });
    catch_unwind(work).unwrap_or_else(|_| {
        undo(conn);
        Err(StoreError::Panicked)
    })
}

fn one_by_one(conn: &mut SqliteConnection, batch: &[Write]) -> Vec<Result<Outcome, StoreError>> {
    let mut locked = false;
    let each = |write| {
        // A lock was waited for once already: its patience is the batch's, not each write's.
        if locked {
            return Err(StoreError::Busy);
        }
        let outcome = apply(conn, std::slice::from_ref(write)).map(|mut one| one.remove(0));
        locked = matches!(outcome, Err(StoreError::Busy));
        outcome
    };
    batch.iter().map(each).collect()
}

/// Writes a row and takes it away again, in one commit that goes through to the disk.
pub(super) fn probe(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let done = transaction(conn, "BEGIN IMMEDIATE", |conn| {
        Ok(conn.batch_execute(
            "INSERT INTO cursors (channel, scope, value, updated_at) VALUES ('', 'writable', '', 0);
             DELETE FROM cursors WHERE channel = '' AND scope = 'writable';",
        )?)
    });
    // Nothing was to be kept, so there is nothing that is not known.
    done.map_err(|error| match error {
        StoreError::Unknown => StoreError::Io("it failed in a commit".into()),
        other => other,
    })
}

/// Runs `work` in a transaction begun with `begin`.
///
/// diesel's own keeps count of savepoints and, where SQLite has rolled back by itself (a full disk), answers the
/// failure of its own `ROLLBACK` in place of the cause.
pub(super) fn transaction<T>(
    conn: &mut SqliteConnection,
    begin: &str,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    conn.batch_execute(begin)?;
    let done = work(conn).and_then(|value| match conn.batch_execute("COMMIT").map_err(StoreError::from) {
        Ok(()) => Ok(value),
        // All of it may be in the log, and only the sync have failed. Here it counts as undone, and the next commit
        // overwrites it; but a crash before that would find it whole and take it for done.
        Err(StoreError::Io(_)) => Err(StoreError::Unknown),
        Err(error) => Err(error),
    });
    if done.is_err() {
        undo(conn);
    }
    done
}

/// Rolls back whatever is open; that nothing is open is no failure.
fn undo(conn: &mut SqliteConnection) {
    if let Err(error) = conn.batch_execute("ROLLBACK") {
        tracing::debug!(%error, "nothing to roll back");
    }
}
