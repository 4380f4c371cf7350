//! What a session actor needs to live again.

use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use mosaic_types::journal::{OpenTurn, Snapshot, TurnState};
use mosaic_types::{ChatMessage, Role, SessionId, TurnId};

use super::{session, transaction};
use crate::StoreError;
use crate::rows::OpenTurnRecord;
use crate::schema::{messages, turns};
use crate::sql_types::{Digest, Id};

/// Reads all of it in one state of the database.
pub(in crate::sqlite) fn snapshot(
    conn: &mut SqliteConnection,
    id: &SessionId,
    context_bytes: usize,
) -> Result<Option<Snapshot>, StoreError> {
    transaction(conn, "BEGIN", |conn| {
        let Some(row) = session(conn, id)? else { return Ok(None) };
        let open = open_turns(conn, id)?;
        let context = context(conn, id, context_bytes)?;
        let last_input = last_input(conn, id)?;
        Ok(Some(Snapshot { row, open, context, last_input }))
    })
}

fn open_turns(conn: &mut SqliteConnection, id: &SessionId) -> Result<Vec<OpenTurn>, StoreError> {
    let input = messages::session_id.eq(turns::session_id).and(messages::seq.eq(turns::accepted_seq));
    let records = turns::table
        .inner_join(messages::table.on(input))
        .filter(turns::session_id.eq(id.as_str()).and(turns::end_seq.is_null()))
        .order(turns::accepted_seq)
        .select((OpenTurnRecord::as_select(), messages::text))
        .load::<(OpenTurnRecord, String)>(conn)?;
    records.into_iter().map(|(turn, text)| turn.with_text(text)).collect()
}

fn last_input(conn: &mut SqliteConnection, id: &SessionId) -> Result<Option<(TurnId, [u8; 32])>, StoreError> {
    let newest = turns::table
        .filter(turns::session_id.eq(id.as_str()))
        .order(turns::accepted_seq.desc())
        .select((turns::id, turns::body_hash))
        .first::<(Id, Digest)>(conn)
        .optional()?;
    Ok(newest.map(|(turn, hash)| (turn.into(), hash.0)))
}

/// The newest finished turns that fit, whole, in the order of their acceptance.
///
/// Turns that failed or were cancelled are left out with their input, so the dialogue always alternates. An input may
/// have been stored while the turn before it still ran; going by turns puts each answer after its own question. Rows
/// come newest first and are read only until the size is reached: a turn's messages stand between its two numbers.
fn context(conn: &mut SqliteConnection, id: &SessionId, bytes: usize) -> Result<Vec<ChatMessage>, StoreError> {
    let of_turn = messages::session_id
        .eq(turns::session_id)
        .and(messages::seq.between(turns::accepted_seq, turns::end_seq.assume_not_null()))
        .and(messages::turn_id.eq(turns::id));
    let rows = turns::table
        .inner_join(messages::table.on(of_turn))
        .filter(turns::session_id.eq(id.as_str()).and(turns::state.eq(TurnState::Finished.as_str())))
        .order((turns::accepted_seq.desc(), messages::seq.desc()))
        .select((turns::accepted_seq, messages::seq, messages::role, messages::text))
        .load_iter::<(i64, i64, String, String), DefaultLoadingMode>(conn)?;

    let (mut newest_first, mut whole, mut left) = (Vec::new(), 0, bytes);
    for row in rows {
        let (accepted, seq, role, text) = row?;
        let Some(rest) = left.checked_sub(text.len()) else { break };
        left = rest;
        let role = Role::parse(&role).ok_or_else(|| StoreError::Corrupt(format!("{role:?} is no role")))?;
        newest_first.push(ChatMessage::new(role, text));
        // The input is a turn's first message, so here its last to come.
        if seq == accepted {
            whole = newest_first.len();
        }
    }
    newest_first.truncate(whole);
    newest_first.reverse();
    Ok(newest_first)
}
