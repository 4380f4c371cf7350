//! What is read, in any database, and along which index.

mod access;
mod attachments;
mod lists;
mod outbox;
mod rules;
mod snapshot;
mod tools;
mod usage;

use diesel::prelude::*;
use mosaic_types::journal::{InboxKey, SessionRow, TurnRow};
use mosaic_types::page::Limit;
use mosaic_types::{Seq, SessionEvent, SessionId, TurnId};

use super::{Conn, DAY, LIKE, RunQueryDsl, each};
use crate::StoreError;
use crate::rows::{self, EventRecord, SessionRecord, TurnRecord};
use crate::schema::{events, inbox, sessions, turns};
use crate::sql_types::{Digest, Id};

pub(super) use access::{audit, browsers, cursors, links, owner, pairings, tokens, users};
pub(super) use attachments::attachment;
pub(super) use lists::{latest, messages, sessions};
pub(super) use outbox::{binding, counts, held, owes, preview, shown};
pub(super) use rules::rules;
pub(super) use snapshot::{context_before, snapshots};
pub(super) use usage::usage;

/// Rows to the rest of the house, or the first one that cannot be read.
fn all<T, U>(records: Vec<T>) -> Result<Vec<U>, StoreError>
where
    U: TryFrom<T, Error = StoreError>,
{
    records.into_iter().map(U::try_from).collect()
}

pub(super) async fn session(conn: &mut Conn<'_>, id: &SessionId) -> Result<Option<SessionRow>, StoreError> {
    let found =
        sessions::table.find(id.as_str()).select(SessionRecord::as_select()).get_result(conn).await.optional()?;
    found.map(SessionRow::try_from).transpose()
}

pub(super) async fn events(
    conn: &mut Conn<'_>,
    id: &SessionId,
    after: Seq,
    limit: Limit,
) -> Result<Vec<SessionEvent>, StoreError> {
    let records = events::table
        .filter(events::session_id.eq(id.as_str()).and(events::seq.gt(after)))
        .order(events::seq)
        .limit(limit.rows() as i64)
        .select(EventRecord::as_select())
        .load(conn)
        .await?;
    all(records)
}

pub(super) async fn known(conn: &mut Conn<'_>, key: &InboxKey) -> Result<Option<(TurnId, [u8; 32])>, StoreError> {
    let found = inbox::table
        .find((&*key.channel, &*key.account, &*key.conversation, &*key.event))
        .select((inbox::turn_id, inbox::body_hash))
        .get_result::<(Id, Digest)>(conn)
        .await
        .optional()?;
    Ok(found.map(|(turn, hash)| (turn.into(), hash.0)))
}

/// More than one query: wants one state of the database.
pub(super) async fn turn(conn: &mut Conn<'_>, id: TurnId) -> Result<Option<TurnRow>, StoreError> {
    let found = turns::table.find(Id::from(id)).select(TurnRecord::as_select()).get_result(conn).await.optional()?;
    let Some(record) = found else { return Ok(None) };
    let session = record.session()?;
    let end = match record.end_seq {
        Some(seq) => {
            let event = events::table.find((session.as_str(), seq)).select(EventRecord::as_select());
            Some(SessionEvent::try_from(event.get_result(conn).await?)?)
        }
        None => None,
    };
    Ok(Some(TurnRow { id, state: record.state()?, session, end }))
}

pub(super) async fn unfinished(conn: &mut Conn<'_>) -> Result<Vec<SessionId>, StoreError> {
    let ids = turns::table
        .filter(turns::end_seq.is_null())
        .select(turns::session_id)
        .distinct()
        .order(turns::session_id)
        .load::<String>(conn)
        .await?;
    ids.iter().map(|id| rows::session_id(id)).collect()
}
