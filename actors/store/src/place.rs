//! Where a database is, whichever it is.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use mosaic_types::Secret;

use crate::{Store, StoreError, postgres, sqlite};

/// Where a database is.
#[derive(Debug, Clone)]
pub struct Place(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Sqlite(sqlite::Place),
    Postgres(Box<postgres::Place>),
}

impl Place {
    /// Reads `sqlite://PATH`, relative to `home`, or `sqlite::memory:`, or `postgres://USER@HOST:PORT/DATABASE` with
    /// the parameters of libpq; of these, `sslmode` is `disable`, `require` or `verify-full`.
    ///
    /// # Errors
    /// `Url`, with what is wrong. It never repeats the whole text, which may hold a password by mistake.
    pub fn parse(url: &str, home: &Path) -> Result<Self, StoreError> {
        let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        Ok(Self(if postgres {
            Kind::Postgres(Box::new(postgres::Place::parse(url, home)?))
        } else {
            Kind::Sqlite(sqlite::Place::parse(url, home)?)
        }))
    }

    /// The same, reached with a password; a file needs none.
    #[must_use]
    pub fn with_password(self, password: &Secret) -> Self {
        match self.0 {
            Kind::Postgres(place) => Self(Kind::Postgres(Box::new(place.with_password(password)))),
            Kind::Sqlite(_) => self,
        }
    }

    /// The database's file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Sqlite(place) => place.file(),
            Kind::Postgres(_) => None,
        }
    }

    /// Whether the database is on a server, which other daemons may share.
    pub fn is_server(&self) -> bool {
        matches!(self.0, Kind::Postgres(_))
    }

    /// Opens the database, makes its file where there is none, and brings it up to date. Needs a tokio runtime, of any
    /// kind.
    pub async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match &self.0 {
            Kind::Sqlite(place) => Arc::new(sqlite::open(place).await?),
            Kind::Postgres(place) => Arc::new(postgres::open(place).await?),
        })
    }

    /// Brings the database up to date and answers the names of the migrations that were missing.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        match &self.0 {
            Kind::Sqlite(place) => sqlite::migrate(place).await,
            Kind::Postgres(place) => postgres::migrate(place).await,
        }
    }
}

/// As people know it, without secrets.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Sqlite(place) => place.fmt(f),
            Kind::Postgres(place) => place.fmt(f),
        }
    }
}
