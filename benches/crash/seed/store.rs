//! Where a seed's daemon keeps everything.

use anyhow::Result;
use mosaic_testkit::postgres::Database;

/// Which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

/// The place itself; a database on a server goes with it.
pub(crate) enum Kept {
    File,
    Server(Box<Database>),
}

impl Kept {
    pub(crate) async fn make(store: Store) -> Result<Self> {
        Ok(match store {
            Store::Sqlite => Self::File,
            Store::Postgres => Self::Server(Box::new(Database::create().await)),
        })
    }

    /// The table of the settings that names it.
    pub(crate) fn setting(&self) -> String {
        match self {
            Self::File => String::new(),
            Self::Server(database) => format!("[store]\nurl = {:?}\n", database.url()),
        }
    }
}
