//! Where a seed's daemon keeps everything.

use mosaic_testkit::postgres::Database;

/// Where seeds may keep it.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// In a file of the home.
    Sqlite,
    /// In a database of its own on the server at this URL.
    Postgres(String),
}

/// The place itself; a database on a server goes with it.
pub(crate) enum Kept {
    File,
    Server(Box<Database>),
}

impl Kept {
    pub(crate) async fn make(store: &Store) -> Self {
        match store {
            Store::Sqlite => Self::File,
            Store::Postgres(url) => Self::Server(Box::new(Database::on(url).await)),
        }
    }

    /// The table of the settings that names it.
    pub(crate) fn setting(&self) -> String {
        match self {
            Self::File => String::new(),
            Self::Server(database) => format!("[store]\nurl = {:?}\n", database.url()),
        }
    }
}
