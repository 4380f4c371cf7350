//! SQLite: the database inside the binary.
//!
//! One connection writes and a few read. Whatever touches a connection is one blocking job that holds it to its end,
//! so a caller that goes away leaves neither an open transaction nor a connection in use behind.

mod migrate;
mod place;
mod probe;
mod read;
mod readers;
mod write;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::SqliteConnection;
use mosaic_types::journal::{InboxKey, MessageRow, Outcome, SessionRow, Snapshot, TokenRow, TurnRow, Write};
use mosaic_types::ledger::{UsageQuery, UsageSum};
use mosaic_types::page::{Limit, Page};
use mosaic_types::{Seq, SessionEvent, SessionId, TurnId, UserId};

use crate::{Store, StoreError, Work};
use place::{PATIENCE, Place};
use probe::Probe;
use readers::Readers;
use writer::Writer;

/// A SQLite database, opened and up to date.
pub(crate) struct SqliteStore {
    writer: Arc<Writer>,
    /// `None` in memory, where one connection is the database and must do everything.
    readers: Option<Readers>,
    probe: Probe,
}

/// Opens the database at `url`, making and migrating it where needed.
pub(crate) async fn open(url: &str, home: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(Place::parse(url, home)?, PATIENCE).await
}

/// Brings the database at `url` up to date and answers the names of the migrations that were missing.
pub(crate) async fn migrate(url: &str, home: &Path) -> Result<Vec<String>, StoreError> {
    let place = Place::parse(url, home)?;
    let job = tokio::task::spawn_blocking(move || migrate::run(&mut place.writer(PATIENCE)?));
    job.await?
}

impl SqliteStore {
    async fn open(place: Place, patience: Duration) -> Result<Self, StoreError> {
        let readers = match place {
            Place::Memory => None,
            Place::File(_) => Some(Readers::new(place.clone(), patience)?),
        };
        let job = tokio::task::spawn_blocking(move || {
            let mut conn = place.writer(patience)?;
            let applied = migrate::run(&mut conn)?;
            if !applied.is_empty() {
                tracing::debug!(store.migrations = ?applied, "database migrated");
            }
            place.write_ahead(&mut conn)?;
            Ok::<_, StoreError>(conn)
        });
        Ok(Self { writer: Arc::new(Writer::new(job.await??)), readers, probe: Probe::default() })
    }

    /// Runs `query` where it disturbs nobody.
    fn read<T, F>(&self, query: F) -> Work<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    {
        match &self.readers {
            Some(readers) => Box::pin(readers.run(query)),
            None => Box::pin(self.writer.run(query)),
        }
    }
}

impl Store for SqliteStore {
    fn commit(&self, batch: Vec<Write>) -> Work<'static, Vec<Result<Outcome, StoreError>>> {
        Box::pin(self.writer.run(move |conn| Ok(writer::commit(conn, &batch))))
    }

    fn session(&self, id: &SessionId) -> Work<'_, Option<SessionRow>> {
        let id = id.clone();
        self.read(move |conn| read::session(conn, &id))
    }

    fn sessions(&self, user: Option<UserId>, cursor: Option<String>, limit: Limit) -> Work<'_, Page<SessionRow>> {
        self.read(move |conn| read::sessions(conn, user, cursor.as_deref(), limit))
    }

    fn messages(&self, id: &SessionId, cursor: Option<String>, limit: Limit) -> Work<'_, Page<MessageRow>> {
        let id = id.clone();
        self.read(move |conn| read::messages(conn, &id, cursor.as_deref(), limit))
    }

    fn events(&self, id: &SessionId, after: Seq, limit: Limit) -> Work<'_, Vec<SessionEvent>> {
        let id = id.clone();
        self.read(move |conn| read::events(conn, &id, after, limit))
    }

    fn known(&self, key: &InboxKey) -> Work<'_, Option<(TurnId, [u8; 32])>> {
        let key = key.clone();
        self.read(move |conn| read::known(conn, &key))
    }

    fn turn(&self, id: TurnId) -> Work<'_, Option<TurnRow>> {
        self.read(move |conn| read::turn(conn, id))
    }

    fn snapshot(&self, id: &SessionId, context_bytes: usize) -> Work<'_, Option<Snapshot>> {
        let id = id.clone();
        self.read(move |conn| read::snapshot(conn, &id, context_bytes))
    }

    fn unfinished(&self) -> Work<'_, Vec<SessionId>> {
        self.read(read::unfinished)
    }

    fn usage(&self, ask: UsageQuery, cursor: Option<String>, limit: Limit) -> Work<'_, Page<UsageSum>> {
        self.read(move |conn| read::usage(conn, &ask, cursor.as_deref(), limit))
    }

    fn tokens(&self) -> Work<'_, Vec<TokenRow>> {
        self.read(read::tokens)
    }

    fn owner(&self) -> Work<'_, Option<UserId>> {
        self.read(read::owner)
    }

    fn writable(&self) -> Work<'_, ()> {
        Box::pin(self.probe.ask(&self.writer))
    }
}
