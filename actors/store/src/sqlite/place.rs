//! Where a database is, and how a connection to it is set up.

use std::fmt;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::{QueryableByName, sql_query};

use crate::StoreError;

/// For so long a statement waits for a lock that another connection holds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Pages the log may hold before they are moved into the database: 16 MiB. SQLite's own 1,000 would sync the database
/// after nearly every batch, since a batch of a few hundred writes changes about as many pages.
const CHECKPOINT_PAGES: u32 = 4_000;

/// Bytes the log's file may keep. Twice what it usually holds, so that it is cut only after a flood or a long reader.
const LOG_BYTES: u32 = 2 * CHECKPOINT_PAGES * 4_096;

/// KiB of pages that the writer keeps, and each reader.
const CACHE_KIB: (u32, u32) = (8_192, 1_024);

/// How often the switch to the log is tried; it is made once in a database's life.
const SWITCHES: u32 = 10;

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Memory,
    File(PathBuf),
}

impl Place {
    /// Reads `sqlite://PATH` (relative to `home`) or `sqlite::memory:`.
    pub(crate) fn parse(url: &str, home: &Path) -> Result<Self, StoreError> {
        if url == "sqlite::memory:" {
            return Ok(Self::Memory);
        }
        // Never the whole URL in an error: one of a server may hold a password.
        let scheme = url.split(':').next().unwrap_or_default();
        match url.strip_prefix("sqlite://") {
            Some("") => Err(StoreError::Url("it names no file; write sqlite://mosaic.db".into())),
            Some(path) => Ok(Self::File(home.join(path))),
            None => Err(StoreError::Url(format!(
                "{scheme:?} is not known here; write sqlite://mosaic.db or postgres://USER@HOST/DATABASE"
            ))),
        }
    }

    /// The database's file, where it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Memory => None,
            Self::File(path) => Some(path),
        }
    }

    /// Opens the one connection that writes, and makes a file that is not there yet.
    pub(super) fn writer(&self, patience: Duration) -> Result<SqliteConnection, StoreError> {
        if let Self::File(path) = self {
            create_private(path)?;
        }
        self.writer_again(patience)
    }

    /// Opens the connection that writes to a database which is there already.
    pub(super) fn writer_again(&self, patience: Duration) -> Result<SqliteConnection, StoreError> {
        if let Self::File(path) = self
            && !path.exists()
        {
            // SQLite would make another, without a single table.
            return Err(StoreError::Io(format!("{} is gone", path.display())));
        }
        let mut conn = self.connect(patience)?;
        conn.batch_execute(&format!(
            "PRAGMA synchronous = FULL; PRAGMA cache_size = -{}; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; \
             PRAGMA journal_size_limit = {LOG_BYTES};",
            CACHE_KIB.0,
        ))?;
        Ok(conn)
    }

    /// Opens a connection that only reads.
    pub(super) fn reader(&self, patience: Duration) -> Result<SqliteConnection, StoreError> {
        let mut conn = self.connect(patience)?;
        conn.batch_execute(&format!("PRAGMA query_only = ON; PRAGMA cache_size = -{};", CACHE_KIB.1))?;
        Ok(conn)
    }

    fn connect(&self, patience: Duration) -> Result<SqliteConnection, StoreError> {
        let path = match self {
            Self::Memory => ":memory:",
            Self::File(path) => path.to_str().ok_or_else(|| StoreError::Url("its path is not UTF-8".into()))?,
        };
        let mut conn = SqliteConnection::establish(path)?;
        // The patience first: whatever follows may meet a lock.
        conn.batch_execute(&format!(
            "PRAGMA busy_timeout = {}; PRAGMA foreign_keys = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;",
            patience.as_millis()
        ))?;
        Ok(conn)
    }

    /// Switches a file to the write-ahead log. This is kept in the file, so it takes a lock only the first time.
    pub(super) fn write_ahead(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        #[derive(QueryableByName)]
        struct Mode {
            #[diesel(sql_type = Text)]
            journal_mode: String,
        }

        let Self::File(_) = self else { return Ok(()) };
        for _ in 0..SWITCHES {
            match sql_query("PRAGMA journal_mode = WAL").get_result::<Mode>(conn).map_err(StoreError::from) {
                Ok(mode) if mode.journal_mode == "wal" => return Ok(()),
                Ok(_) => return Err(StoreError::Io("its file system has no shared memory for a log".into())),
                // Here SQLite does not always wait by itself; for this lock it does, until all others are done.
                Err(StoreError::Busy) => conn.batch_execute("BEGIN EXCLUSIVE; COMMIT")?,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Busy)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Makes an empty file that only its owner may read; SQLite gives its log the same permissions.
fn create_private(path: &Path) -> Result<(), StoreError> {
    // Closing a file drops every POSIX lock this process has on it, those of another connection too. Under this lock
    // nobody opens the database between the making of its file and the closing here.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Io(format!("{}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_to_the_home_and_a_foreign_url_is_named_without_its_secrets() {
        let home = Path::new("/home/ada");
        assert_eq!(Place::parse("sqlite://mosaic.db", home).expect("valid"), Place::File("/home/ada/mosaic.db".into()));
        assert_eq!(Place::parse("sqlite:///var/m.db", home).expect("valid"), Place::File("/var/m.db".into()));
        assert_eq!(Place::parse("sqlite::memory:", home).expect("valid"), Place::Memory);
        for bad in ["", "sqlite://", "sqlite:", "postgres://ada:hunter2@db/mosaic"] {
            let error = Place::parse(bad, home).expect_err(bad).to_string();
            assert!(error.starts_with("store.url") && !error.contains("hunter2"), "{error}");
        }
    }
}
