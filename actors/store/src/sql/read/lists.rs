//! Lists, page by page.

use diesel::prelude::*;
use mosaic_types::journal::{MessageRow, SessionRow};
use mosaic_types::page::{Limit, Page};
use mosaic_types::{SessionId, UserId};

use super::{Conn, RunQueryDsl, all};
use crate::StoreError;
use crate::cursor::{MessageCursor, SessionCursor};
use crate::rows::{MessageRecord, SessionRecord};
use crate::schema::{messages, sessions};
use crate::sql_types::{Id, Ts};

/// Asks for one row more than the page holds: whether it comes says whether there is a next page.
pub(super) fn asked(limit: Limit) -> i64 {
    limit.rows() as i64 + 1
}

/// Cuts that one row off again and names the position after the page.
pub(super) fn page<T>(mut items: Vec<T>, limit: Limit, position: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > limit.rows();
    items.truncate(limit.rows());
    let next = if more { items.last().map(position) } else { None };
    Page { items, next }
}

/// Sessions by their newest change, ties by id.
pub(in super::super) async fn sessions(
    conn: &mut Conn<'_>,
    user: Option<UserId>,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<SessionRow>, StoreError> {
    let mut query = sessions::table.select(SessionRecord::as_select()).into_boxed();
    if let Some(user) = user {
        query = query.filter(sessions::user_id.eq(Id::from(user)));
    }
    if let Some(cursor) = cursor {
        let SessionCursor { updated_at, id } = SessionCursor::decode(cursor)?;
        let at = Ts::from(updated_at);
        // The first half alone bounds the scan of the index; `a OR b` would not.
        let tie = sessions::updated_at.lt(at).or(sessions::id.lt(String::from(id)));
        query = query.filter(sessions::updated_at.le(at).and(tie));
    }
    let records =
        query.order((sessions::updated_at.desc(), sessions::id.desc())).limit(asked(limit)).load(conn).await?;
    Ok(page(all::<_, SessionRow>(records)?, limit, |row| {
        SessionCursor { updated_at: row.updated_at, id: row.id.clone() }.encode()
    }))
}

/// Messages as they were written.
pub(in super::super) async fn messages(
    conn: &mut Conn<'_>,
    id: &SessionId,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<MessageRow>, StoreError> {
    let after = cursor.map(|text| MessageCursor::decode(text, id)).transpose()?.map_or(0, |cursor| cursor.seq);
    let records = messages::table
        .filter(messages::session_id.eq(id.as_str()).and(messages::seq.gt(after)))
        .order(messages::seq)
        .limit(asked(limit))
        .select(MessageRecord::as_select())
        .load(conn)
        .await?;
    Ok(page(all::<_, MessageRow>(records)?, limit, |row| MessageCursor { session: id.clone(), seq: row.seq }.encode()))
}

/// The end of a transcript, read from behind.
pub(in super::super) async fn latest(
    conn: &mut Conn<'_>,
    id: &SessionId,
    limit: Limit,
) -> Result<Vec<MessageRow>, StoreError> {
    let mut records = messages::table
        .filter(messages::session_id.eq(id.as_str()))
        .order(messages::seq.desc())
        .limit(limit.rows() as i64)
        .select(MessageRecord::as_select())
        .load(conn)
        .await?;
    records.reverse();
    all(records)
}
