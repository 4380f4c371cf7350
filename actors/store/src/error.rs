//! What can go wrong with a database, and what is said about it.

use std::sync::Arc;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use mosaic_types::{Classify, Code, ErrorClass, Failure};

/// Why a database did not do what it was asked. Cheap to clone: one failure may be the answer to a whole batch.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process or connection held the write lock for longer than the patience with it.
    #[error("the database is locked by another process")]
    Busy,
    #[error("the disk is full")]
    Full,
    #[error("the database may not be written to")]
    ReadOnly,
    #[error("the database cannot be reached: {0}")]
    Io(String),
    /// The server is away, or did not answer within the patience with it. Nothing was stored.
    #[error("the database server cannot be reached: {0}")]
    Away(String),
    /// The server is there and does not let us in.
    #[error("the database server refuses the login: {0}")]
    Login(String),
    /// The connection was lost in a commit, or the disk failed in it, and what became of it could not be learnt.
    #[error("it is not known whether this was stored")]
    Unknown,
    /// A cursor that this list did not give out.
    #[error("not a cursor of this list")]
    BadCursor,
    /// A newer version has migrated this database.
    #[error("the database has migration {found}, which this version does not know (its newest is {known})")]
    NewerSchema { found: String, known: String },
    /// The database, or what it holds, cannot be read.
    #[error("the database holds what cannot be read: {0}")]
    Corrupt(String),
    #[error("store.url: {0}")]
    Url(String),
    #[error("a migration failed: {0}")]
    Migration(String),
    /// The runtime that was to do the work is shutting down; nothing was changed.
    #[error("the store is closing")]
    Closed,
    /// The job panicked; its transaction is undone.
    #[error("a job of the store panicked")]
    Panicked,
    /// A statement that the database refused.
    #[error("the database refused a statement: {0}")]
    Refused(Arc<DieselError>),
}

impl StoreError {
    /// The error that SQLite's own words stand for, or those of PostgreSQL's system.
    ///
    /// diesel passes on SQLite's message but not its code; the texts are those of `sqlite3ErrStr`, unchanged for a
    /// decade and part of what its tests compare.
    pub(crate) fn from_message(message: &str) -> Option<Self> {
        let says = |words: &str| message.contains(words);
        if says("database is locked") || says("database table is locked") || says("database schema is locked") {
            Some(Self::Busy)
        } else if says("database or disk is full") || says("No space left on device") {
            Some(Self::Full)
        } else if says("attempt to write a readonly database") {
            Some(Self::ReadOnly)
        } else if says("disk I/O error") || says("unable to open database file") {
            Some(Self::Io(message.to_owned()))
        } else if says("database disk image is malformed") || says("file is not a database") {
            Some(Self::Corrupt(message.to_owned()))
        } else {
            None
        }
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::UnableToSendCommand, about) => {
                Self::Away(about.message().to_owned())
            }
            DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => Self::ReadOnly,
            DieselError::DatabaseError(_, about) => {
                Self::from_message(about.message()).unwrap_or_else(|| Self::Refused(Arc::new(error)))
            }
            DieselError::DeserializationError(source) => Self::Corrupt(source.to_string()),
            _ => Self::Refused(Arc::new(error)),
        }
    }
}

impl From<diesel::ConnectionError> for StoreError {
    fn from(error: diesel::ConnectionError) -> Self {
        let message = error.to_string();
        Self::from_message(&message).unwrap_or(Self::Io(message))
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<tokio::task::JoinError> for StoreError {
    fn from(error: tokio::task::JoinError) -> Self {
        if error.is_panic() { Self::Panicked } else { Self::Closed }
    }
}

/// A lock that was held for the whole patience may be free a moment later.
const AFTER_BUSY: Duration = Duration::from_secs(1);

impl Classify for StoreError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Busy | Self::Away(_) | Self::Unknown => ErrorClass::Transient { retry_after: Some(AFTER_BUSY) },
            Self::Full | Self::ReadOnly | Self::Io(_) | Self::Closed => ErrorClass::Transient { retry_after: None },
            Self::BadCursor | Self::NewerSchema { .. } | Self::Url(_) | Self::Login(_) => ErrorClass::Invalid,
            Self::Corrupt(_) | Self::Migration(_) | Self::Panicked | Self::Refused(_) => ErrorClass::Defect,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let sentence: std::borrow::Cow<'static, str> = match &error {
            StoreError::BadCursor => {
                return Self::new(
                    Code::BadCursor,
                    "This cursor is not one of this list. Start again without a cursor, then pass on `next` as it is.",
                );
            }
            StoreError::Busy => {
                let sentence = "The database is locked by another process. Close whatever else has it open, or try \
                                again in a moment.";
                return Self::new(Code::Storage, sentence).after(AFTER_BUSY);
            }
            StoreError::Away(_) => {
                let sentence = "The database server cannot be reached, or does not answer, so nothing was stored. See \
                                whether PostgreSQL runs, and send this again in a moment.";
                return Self::new(Code::Storage, sentence).after(AFTER_BUSY);
            }
            StoreError::Unknown => {
                // Not `storage`, which promises that nothing was stored.
                let sentence = "The database failed while this was stored, so it is not known whether it was. See \
                                whether its disk or its server is well, and send the same request again; with the same \
                                key nothing is done twice.";
                return Self::new(Code::Unavailable, sentence).after(AFTER_BUSY);
            }
            StoreError::Login(why) => format!(
                "PostgreSQL does not let Mosaic in: {why}. Check the user and the database in store.url, and the \
                 password that password_env or password_file names."
            )
            .into(),
            StoreError::Full => {
                "The disk is full, so nothing can be stored. Free some space and send this again.".into()
            }
            StoreError::ReadOnly => {
                "The database may not be written to. Give Mosaic write access to its home and send this again.".into()
            }
            StoreError::Io(_) => {
                "The database cannot be read or written. See whether the disk it is on is well and has room, and try again."
                    .into()
            }
            StoreError::NewerSchema { found, .. } => format!(
                "This database was made by a newer Mosaic (migration {found}). Run that version or a later one, or \
                 point store.url at another database."
            )
            .into(),
            StoreError::Corrupt(_) => {
                "The database holds something that cannot be read. Run `mosaic doctor`, and restore a backup if it \
                 finds damage."
                    .into()
            }
            StoreError::Url(why) => format!("store.url cannot be used: {why}.").into(),
            StoreError::Migration(_) => {
                "The database could not be brought up to date and was left as it was. The log says why; run `mosaic \
                 migrate` when that is mended."
                    .into()
            }
            StoreError::Closed => "Mosaic is stopping. Send this again when it is back.".into(),
            StoreError::Panicked | StoreError::Refused(_) => {
                "The database refused this, which is a mistake of Mosaic's. Nothing was stored. The log has the cause: \
                 please report it."
                    .into()
            }
        };
        let defect = error.class() == ErrorClass::Defect;
        Self::new(if defect { Code::StorageDefect } else { Code::Storage }, sentence)
    }
}
