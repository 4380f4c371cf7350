//! The words that the queries of `sql/` are written in, as PostgreSQL takes them.

use diesel_async::AsyncPgConnection;
use futures_util::future::try_join_all;

use crate::StoreError;

/// What a query is asked of. Shared, so that several may be under way on one connection.
pub(super) type Conn<'c> = &'c AsyncPgConnection;

pub(super) use diesel_async::RunQueryDsl;

/// Finds a text whatever the case of its letters.
pub(super) const LIKE: &str = "ILIKE";

/// The day of UTC that the moment `at` is in, as in `2026-11-23`.
pub(super) const DAY: &str = "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')";

/// Asks `work` of each of `items`, all at once: none waits for the network by itself.
pub(super) async fn each<T, U>(
    conn: &mut Conn<'_>,
    items: &[T],
    work: impl AsyncFn(&mut Conn<'_>, &T) -> Result<U, StoreError>,
) -> Result<Vec<U>, StoreError> {
    let (conn, work) = (*conn, &work);
    let one = |item| async move {
        let mut conn = conn;
        work(&mut conn, item).await
    };
    try_join_all(items.iter().map(one)).await
}
