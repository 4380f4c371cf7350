//! Lists, page by page.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use mosaic_types::journal::{MessageRow, SessionQuery, SessionRow};
use mosaic_types::page::{Limit, Page};
use mosaic_types::{Seq, SessionId, limits};

use super::{Conn, LIKE, RunQueryDsl, all, attachments};
use crate::StoreError;
use crate::cursor::{MessageCursor, SessionCursor};
use crate::rows::{MessageRecord, SessionRecord};
use crate::schema::{messages, sessions, turns};
use crate::sql_types::{Id, Instant, Ts};

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
    ask: &SessionQuery,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<SessionRow>, StoreError> {
    let after = cursor.map(SessionCursor::decode).transpose()?;
    // The index has those that are put away apart, so that they cost a list without them nothing.
    let mut rows = Vec::new();
    for archived in [false, true].into_iter().filter(|archived| ask.archived.is_none_or(|wish| wish == *archived)) {
        let theirs = sessions_of(conn, ask, false, archived, after.as_ref(), asked(limit)).await?;
        rows.extend(all::<_, SessionRow>(theirs)?);
        if ask.platforms && ask.user.is_some() {
            let others = sessions_of(conn, ask, true, archived, after.as_ref(), asked(limit)).await?;
            rows.extend(all::<_, SessionRow>(others)?);
        }
    }
    rows.sort_by(|one, other| (other.updated_at, &other.id).cmp(&(one.updated_at, &one.id)));
    Ok(page(rows, limit, |row| SessionCursor { updated_at: row.updated_at, id: row.id.clone() }.encode()))
}

/// Those of a user, or (`others`) those of platforms that are somebody else's: each has an index of its own.
async fn sessions_of(
    conn: &mut Conn<'_>,
    ask: &SessionQuery,
    others: bool,
    archived: bool,
    after: Option<&SessionCursor>,
    most: i64,
) -> Result<Vec<SessionRecord>, StoreError> {
    let listed = || {
        let query = sessions::table.filter(sessions::archived.eq(i64::from(archived))).into_boxed();
        let query = query.order((sessions::updated_at.desc(), sessions::id.desc()));
        match ask.user {
            // In the words of the index, which a bound value would not be.
            Some(user) if others => {
                query.filter(sql::<Bool>("channel <> 'api'").and(sessions::user_id.ne(Id::from(user))))
            }
            Some(user) => query.filter(sessions::user_id.eq(Id::from(user))),
            None => query,
        }
    };
    let mut query = listed();
    if let Some(SessionCursor { updated_at, id }) = after {
        let at = Ts::from(*updated_at);
        // The first half alone bounds the scan of the index; `a OR b` would not.
        let tie = sessions::updated_at.lt(at).or(sessions::id.lt(id.as_str()));
        query = query.filter(sessions::updated_at.le(at).and(tie));
    }
    if let Some(text) = &ask.text {
        let horizon = listed().offset(limits::SEARCHED_SESSIONS - 1).select(sessions::updated_at);
        let horizon = horizon.first::<Ts>(conn).await.optional()?.map_or(i64::MIN, |at| at.0);
        let pattern = pattern(text);
        let query = query.filter(
            sql::<Bool>(&format!("(title {LIKE} "))
                .bind::<Text, _>(pattern.clone())
                .sql(" ESCAPE '\\' OR (updated_at >= ")
                .bind::<Instant, _>(Ts(horizon))
                .sql(&format!(
                    " AND EXISTS (SELECT 1 FROM (SELECT text FROM messages WHERE messages.session_id = sessions.id \
                     AND superseded_seq IS NULL ORDER BY seq DESC LIMIT {}) AS newest WHERE newest.text {LIKE} ",
                    limits::SEARCHED_MESSAGES
                ))
                .bind::<Text, _>(pattern)
                .sql(" ESCAPE '\\')))"),
        );
        // What is searched stands in the index; the rows themselves are looked up only for what was found.
        let found = query.limit(most).select(sessions::id).load::<String>(conn).await?;
        let rows = sessions::table.filter(sessions::id.eq_any(found));
        return Ok(rows.select(SessionRecord::as_select()).load(conn).await?);
    }
    Ok(query.limit(most).select(SessionRecord::as_select()).load(conn).await?)
}

/// What is like any text that has `text` in it.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        // PostgreSQL knows no NUL.
        pattern.push(if letter == '\0' { '\u{fffd}' } else { letter });
    }
    pattern.push('%');
    pattern
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
        .left_join(turns::table.on(turns::id.eq(messages::turn_id)))
        .filter(messages::session_id.eq(id.as_str()).and(messages::seq.gt(after)))
        .filter(messages::superseded_seq.is_null())
        .order(messages::seq)
        .limit(asked(limit))
        .select((MessageRecord::as_select(), turns::state.nullable()))
        .load(conn)
        .await?;
    let rows = attachments::listed(conn, id, records).await?;
    Ok(page(rows, limit, |row| MessageCursor { session: id.clone(), seq: row.seq }.encode()))
}

/// The end of a transcript, or of what stands before a message, read from behind.
pub(in super::super) async fn latest(
    conn: &mut Conn<'_>,
    id: &SessionId,
    before: Seq,
    limit: Limit,
) -> Result<Vec<MessageRow>, StoreError> {
    let mut records = messages::table
        .left_join(turns::table.on(turns::id.eq(messages::turn_id)))
        .filter(messages::session_id.eq(id.as_str()).and(messages::seq.lt(before)))
        .filter(messages::superseded_seq.is_null())
        .order(messages::seq.desc())
        .limit(limit.rows() as i64)
        .select((MessageRecord::as_select(), turns::state.nullable()))
        .load(conn)
        .await?;
    records.reverse();
    attachments::listed(conn, id, records).await
}
