//! What a session actor needs to live again.

use diesel::prelude::*;
use mosaic_types::journal::{OpenTurn, Snapshot, TurnState};
use mosaic_types::{ChatMessage, Role, SessionId, TurnId};

use super::{Conn, RunQueryDsl, session};
use crate::StoreError;
use crate::rows::OpenTurnRecord;
use crate::schema::{messages, turns};
use crate::sql_types::{Digest, Id};

/// Rows of messages that are read at a time, so that a long dialogue is not read whole for its newest part.
const CHUNK: i64 = 64;

/// More than one query: wants one state of the database.
pub(in super::super) async fn snapshot(
    conn: &mut Conn<'_>,
    id: &SessionId,
    context_bytes: usize,
) -> Result<Option<Snapshot>, StoreError> {
    let Some(row) = session(conn, id).await? else { return Ok(None) };
    let open = open_turns(conn, id).await?;
    let context = context(conn, id, context_bytes).await?;
    let last_input = last_input(conn, id).await?;
    Ok(Some(Snapshot { row, open, context, last_input }))
}

async fn open_turns(conn: &mut Conn<'_>, id: &SessionId) -> Result<Vec<OpenTurn>, StoreError> {
    let input = messages::session_id.eq(turns::session_id).and(messages::seq.eq(turns::accepted_seq));
    let records = turns::table
        .inner_join(messages::table.on(input))
        .filter(turns::session_id.eq(id.as_str()).and(turns::end_seq.is_null()))
        .order(turns::accepted_seq)
        .select((OpenTurnRecord::as_select(), messages::text))
        .load::<(OpenTurnRecord, String)>(conn)
        .await?;
    records.into_iter().map(|(turn, text)| turn.with_text(text)).collect()
}

async fn last_input(conn: &mut Conn<'_>, id: &SessionId) -> Result<Option<(TurnId, [u8; 32])>, StoreError> {
    let newest = turns::table
        .filter(turns::session_id.eq(id.as_str()))
        .order(turns::accepted_seq.desc())
        .select((turns::id, turns::body_hash))
        .first::<(Id, Digest)>(conn)
        .await
        .optional()?;
    Ok(newest.map(|(turn, hash)| (turn.into(), hash.0)))
}

/// The newest finished turns that fit, whole, in the order of their acceptance.
///
/// Turns that failed or were cancelled are left out with their input, so the dialogue always alternates. An input may
/// have been stored while the turn before it still ran; going by turns puts each answer after its own question. Rows
/// come newest first and are read only until the size is reached: a turn's messages stand between its two numbers.
async fn context(conn: &mut Conn<'_>, id: &SessionId, bytes: usize) -> Result<Vec<ChatMessage>, StoreError> {
    let (mut newest_first, mut whole, mut left) = (Vec::new(), 0, bytes);
    let mut before = Some((i64::MAX, i64::MAX));
    while let Some(position) = before {
        let rows = messages_before(conn, id, position).await?;
        before = rows.last().filter(|_| rows.len() as i64 == CHUNK).map(|(accepted, seq, ..)| (*accepted, *seq));
        for (accepted, seq, role, text) in rows {
            let Some(rest) = left.checked_sub(text.len()) else {
                before = None;
                break;
            };
            left = rest;
            let role = Role::parse(&role).ok_or_else(|| StoreError::Corrupt(format!("{role:?} is no role")))?;
            newest_first.push(ChatMessage::new(role, text));
            // The input is a turn's first message, so here its last to come.
            if seq == accepted {
                whole = newest_first.len();
            }
        }
    }
    newest_first.truncate(whole);
    newest_first.reverse();
    Ok(newest_first)
}

/// Messages of finished turns, newest turn first: the next ones before a turn's number and a message's.
async fn messages_before(
    conn: &mut Conn<'_>,
    id: &SessionId,
    (accepted, seq): (i64, i64),
) -> Result<Vec<(i64, i64, String, String)>, StoreError> {
    let of_turn = messages::session_id
        .eq(turns::session_id)
        .and(messages::seq.between(turns::accepted_seq, turns::end_seq.assume_not_null()))
        .and(messages::turn_id.eq(turns::id));
    // The first half alone bounds the scan of the index; `a OR b` would not.
    let tie = turns::accepted_seq.lt(accepted).or(messages::seq.lt(seq));
    let rows = turns::table
        .inner_join(messages::table.on(of_turn))
        .filter(turns::session_id.eq(id.as_str()).and(turns::state.eq(TurnState::Finished.as_str())))
        .filter(turns::accepted_seq.le(accepted).and(tie))
        .order((turns::accepted_seq.desc(), messages::seq.desc()))
        .limit(CHUNK)
        .select((turns::accepted_seq, messages::seq, messages::role, messages::text))
        .load(conn)
        .await?;
    Ok(rows)
}
