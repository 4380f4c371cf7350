//! Where a test's daemon keeps everything: in its home, unless the test is run on PostgreSQL.

use std::cell::Cell;

use diesel::connection::{Connection, SimpleConnection};
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use mosaic_testkit::postgres::{Database, Server};
use mosaic_testkit::provider::Builder;

use super::{Testbed, eventually};

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

    /// From now on the database refuses a change, such as `INSERT ON messages`, of rows of which `when` is true (of `NEW`).
    pub(crate) async fn refuse(&self, change: &str, when: &str) {
        if let Some((database, _)) = &self.kept {
            let raise = "CREATE OR REPLACE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS \
                         'BEGIN RAISE EXCEPTION ''planted''; END'";
            database.ask(raise).await;
            let trigger = format!("CREATE TRIGGER planted BEFORE {change} FOR EACH ROW WHEN ({when})");
            database.ask(&format!("{trigger} EXECUTE FUNCTION planted()")).await;
            return;
        }
        let trigger = format!("CREATE TRIGGER planted BEFORE {change} WHEN {when}");
        self.change(&format!("{trigger} BEGIN SELECT RAISE(ABORT, 'planted'); END"));
    }

    /// The database is well again; `table`: that of the change that it refused.
    pub(crate) async fn refuse_no_more(&self, table: &str) {
        match &self.kept {
            Some((database, _)) => drop(database.ask(&format!("DROP TRIGGER planted ON {table}")).await),
            None => self.change("DROP TRIGGER planted"),
        }
    }

    fn change(&self, sql: &str) {
        let path = self.database();
        let mut conn = SqliteConnection::establish(path.to_str().expect("a path in UTF-8")).expect("it opens");
        conn.batch_execute(&format!("PRAGMA busy_timeout = 5000; {sql}")).expect("it is changed");
    }

    /// Waits until it is stored in which message the running answer grows: what is seen on a platform is known here a moment
    /// later, and an answer that ends in between is a message of its own.
    pub(crate) async fn preview_is_kept(&self) {
        let kept = "previews WHERE turn_id IN (SELECT id FROM turns WHERE state = 'running')";
        eventually("the preview is stored", || async { (self.rows(kept).await == 1).then_some(()) }).await;
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
