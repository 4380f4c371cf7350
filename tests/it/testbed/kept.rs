//! Where a test's daemon keeps everything: in its home, unless the test is run on PostgreSQL.

use std::cell::Cell;

use diesel::connection::Connection;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use mosaic_testkit::postgres::{Database, Server};
use mosaic_testkit::provider::Builder;

use super::Testbed;

thread_local! {
    static POSTGRES: Cell<bool> = const { Cell::new(false) };
}

/// Runs a test as it is, on PostgreSQL. It brings its own runtime, of one thread: this one.
pub(crate) fn on_postgres(test: fn()) {
    POSTGRES.set(true);
    test();
}

/// A database for a home that is made now; `None`: it keeps its own.
pub(super) fn database() -> Option<Database> {
    if !POSTGRES.get() {
        return None;
    }
    // The test's own runtime cannot wait here.
    let making = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(Database::create())
    });
    Some(making.join().expect("a database can be made"))
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Testbed {
    /// A daemon that is ready, kept by this server.
    pub(crate) async fn kept_by(server: &Server, model: Builder) -> Self {
        let database = Database::on(server.url()).await;
        let url = database.url();
        let mut bed = Self::asleep(model);
        bed.kept = Some((database, url));
        bed.configure("");
        bed.restart().await;
        bed
    }

    /// How many rows there are of `what`, which is a table and perhaps a condition, read from the database itself.
    pub(crate) async fn rows(&self, what: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) AS count FROM {what}");
        if let Some((database, _)) = &self.kept {
            return database.ask(&sql).await[0][0].parse().expect("a count");
        }
        let url = format!("file:{}?mode=ro", self.database().display());
        let mut conn = SqliteConnection::establish(&url).expect("it opens");
        let found: Count = sql_query(sql).get_result(&mut conn).expect("a count");
        found.count
    }
}
