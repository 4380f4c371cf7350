//! The words that the queries of `sql/` are written in, as SQLite takes them: a query is done when it is asked for, and
//! its future says so at once.

use std::future::{Ready, ready};

use diesel::QueryResult;
use diesel::SqliteConnection;
use diesel::dsl::Limit;
use diesel::query_dsl::methods::{ExecuteDsl, LimitDsl, LoadQuery};
use futures_util::FutureExt;

use crate::StoreError;

/// What a query is asked of.
pub(super) type Conn<'c> = &'c mut SqliteConnection;

/// The day of UTC that the moment `at` is in, as in `2026-11-23`.
pub(super) const DAY: &str = "strftime('%Y-%m-%d', at / 1000000, 'unixepoch')";

/// Finds a text whatever the case of its letters (of those from A to Z).
pub(super) const LIKE: &str = "LIKE";

/// As the trait of that name in diesel-async, without a wait.
pub(super) trait RunQueryDsl: diesel::RunQueryDsl<SqliteConnection> {
    fn execute(self, conn: &mut Conn<'_>) -> Ready<QueryResult<usize>>
    where
        Self: ExecuteDsl<SqliteConnection>,
    {
        ready(diesel::RunQueryDsl::execute(self, *conn))
    }

    fn load<'query, U>(self, conn: &mut Conn<'_>) -> Ready<QueryResult<Vec<U>>>
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(diesel::RunQueryDsl::load(self, *conn))
    }

    fn get_result<'query, U>(self, conn: &mut Conn<'_>) -> Ready<QueryResult<U>>
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(diesel::RunQueryDsl::get_result(self, *conn))
    }

    fn first<'query, U>(self, conn: &mut Conn<'_>) -> Ready<QueryResult<U>>
    where
        Self: LimitDsl,
        Limit<Self>: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(diesel::RunQueryDsl::first(self, *conn))
    }
}

impl<T: diesel::RunQueryDsl<SqliteConnection>> RunQueryDsl for T {}

/// Asks `work` of each of `items`, one after the other.
pub(super) async fn each<T, U>(
    conn: &mut Conn<'_>,
    items: &[T],
    work: impl AsyncFn(&mut Conn<'_>, &T) -> Result<U, StoreError>,
) -> Result<Vec<U>, StoreError> {
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        answers.push(work(conn, item).await?);
    }
    Ok(answers)
}

/// The answer of work that never waits.
pub(super) fn now<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("no query of SQLite waits")
}
