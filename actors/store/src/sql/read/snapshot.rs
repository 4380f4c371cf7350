//! What a session actor needs to live again.

use diesel::dsl::exists;
use diesel::prelude::*;
use mosaic_types::journal::{API_CHANNEL, OpenTurn, Snapshot, TurnState};
use mosaic_types::{ChatMessage, EventBody, Role, Seq, SessionEvent, SessionId, TurnId};

use super::{Conn, RunQueryDsl, session};
use crate::StoreError;
use crate::rows::{EventRecord, OpenTurnRecord, SaidRecord, SpentRecord, dialogue};
use crate::schema::{events, inbox, messages, turns, usage};
use crate::sql_types::{Digest, Id};

/// Rows of messages that are read at a time, so that a long dialogue is not read whole for its newest part.
const CHUNK: i64 = 64;

/// After every message.
const END: (i64, i64) = (i64::MAX, i64::MAX);

/// More than one query: wants one state of the database.
pub(in super::super) async fn context_before(
    conn: &mut Conn<'_>,
    id: &SessionId,
    input: Seq,
    context_bytes: usize,
) -> Result<Vec<ChatMessage>, StoreError> {
    let accepted = messages::table
        .inner_join(turns::table.on(turns::id.eq(messages::turn_id)))
        .filter(messages::session_id.eq(id.as_str()).and(messages::seq.eq(input)))
        .select(turns::accepted_seq)
        .get_result::<i64>(conn)
        .await
        .optional()?;
    match accepted {
        Some(accepted) => context(conn, id, (accepted, input), context_bytes).await,
        None => Ok(Vec::new()),
    }
}

/// More than one query: wants one state of the database.
pub(in super::super) async fn snapshot(
    conn: &mut Conn<'_>,
    id: &SessionId,
    context_bytes: usize,
) -> Result<Option<Snapshot>, StoreError> {
    let Some(row) = session(conn, id).await? else { return Ok(None) };
    let open = open_turns(conn, id).await?;
    let context = context(conn, id, END, context_bytes).await?;
    let last_input = last_input(conn, id).await?;
    Ok(Some(Snapshot { row, open, context, last_input }))
}

async fn open_turns(conn: &mut Conn<'_>, id: &SessionId) -> Result<Vec<OpenTurn>, StoreError> {
    let records = turns::table
        .filter(turns::session_id.eq(id.as_str()).and(turns::end_seq.is_null()))
        .order(turns::accepted_seq)
        .select((turns::accepted_seq, OpenTurnRecord::as_select()))
        .load::<(i64, OpenTurnRecord)>(conn)
        .await?;
    let mut open = Vec::with_capacity(records.len());
    for (accepted, turn) in records {
        let said = messages::table
            .filter(messages::session_id.eq(id.as_str()).and(messages::seq.ge(accepted)))
            .filter(messages::turn_id.eq(turn.id))
            .select(SaidRecord::as_select())
            .load(conn)
            .await?;
        let spent = usage::table.find(turn.id).select(SpentRecord::as_select()).get_result(conn).await.optional()?;
        let platform = inbox::turn_id.eq(turn.id).and(inbox::channel.ne(API_CHANNEL));
        let delivers = diesel::select(exists(inbox::table.filter(platform))).get_result(conn).await?;
        let beside =
            usage::table.filter(usage::of_turn.eq(turn.id)).select(SpentRecord::as_select()).load(conn).await?;
        let parts = parts(conn, id, accepted, turn.id).await?;
        open.push(turn.with(said, spent, delivers, beside, parts)?);
    }
    Ok(open)
}

/// The parts that are stored of the step that a turn is in.
async fn parts(conn: &mut Conn<'_>, id: &SessionId, accepted: i64, turn: Id) -> Result<Vec<EventBody>, StoreError> {
    let records = events::table
        .filter(events::session_id.eq(id.as_str()).and(events::seq.gt(accepted)))
        .filter(events::turn_id.eq(turn))
        .order(events::seq)
        .select(EventRecord::as_select())
        .load(conn)
        .await?;
    let mut parts = Vec::new();
    for record in records {
        let event = SessionEvent::try_from(record)?;
        match event.body {
            EventBody::StepFinished { part: Some(_), .. } => parts.push(event.body),
            EventBody::StepFinished { part: None, .. } => parts.clear(),
            _ => {}
        }
    }
    Ok(parts)
}

async fn last_input(conn: &mut Conn<'_>, id: &SessionId) -> Result<Option<(TurnId, [u8; 32])>, StoreError> {
    let newest = messages::table
        .filter(messages::session_id.eq(id.as_str()).and(messages::role.eq(Role::User.as_str())))
        .filter(messages::superseded_seq.is_null())
        .order(messages::seq.desc())
        .select((messages::turn_id, messages::seq))
        .first::<(Id, i64)>(conn)
        .await
        .optional()?;
    let Some((turn, seq)) = newest else { return Ok(None) };
    let hash = inbox::table
        .filter(inbox::turn_id.eq(turn).and(inbox::seq.eq(seq)))
        .select(inbox::body_hash)
        .first::<Digest>(conn)
        .await
        .optional()?;
    Ok(hash.map(|hash| (turn.into(), hash.0)))
}

/// The newest finished turns that fit, whole, in the order of their acceptance.
///
/// Turns that failed or were cancelled are left out with all their inputs, so that every question has its answer. An
/// input may have been stored while the turn before it still ran; going by turns puts each answer after its own
/// question. Rows come newest first and are read only until the size is reached: a turn's messages stand between its
/// two numbers.
async fn context(
    conn: &mut Conn<'_>,
    id: &SessionId,
    end: (i64, i64),
    bytes: usize,
) -> Result<Vec<ChatMessage>, StoreError> {
    let (mut newest_first, mut turn, mut left) = (Vec::new(), Vec::new(), bytes);
    let mut before = Some(end);
    while let Some(position) = before {
        let rows = messages_before(conn, id, position).await?;
        before = rows.last().filter(|_| rows.len() as i64 == CHUNK).map(|(accepted, said)| (*accepted, said.seq));
        for (accepted, said) in rows {
            let Some(rest) = left.checked_sub(said.text.len()) else {
                before = None;
                break;
            };
            left = rest;
            // The input that made a turn is its first message, so here its last to come.
            let whole = said.seq == accepted;
            turn.push(said);
            if whole {
                newest_first.extend(dialogue(std::mem::take(&mut turn))?.into_iter().rev());
            }
        }
    }
    Ok(newest_first.into_iter().rev().map(|said| ChatMessage::new(said.role, said.text)).collect())
}

/// Messages of finished turns, newest turn first: the next ones before a turn's number and a message's.
async fn messages_before(
    conn: &mut Conn<'_>,
    id: &SessionId,
    (accepted, seq): (i64, i64),
) -> Result<Vec<(i64, SaidRecord)>, StoreError> {
    let of_turn = messages::session_id
        .eq(turns::session_id)
        .and(messages::seq.between(turns::accepted_seq, turns::end_seq.assume_not_null()))
        .and(messages::turn_id.eq(turns::id))
        .and(messages::superseded_seq.is_null());
    // The first half alone bounds the scan of the index; `a OR b` would not.
    let tie = turns::accepted_seq.lt(accepted).or(messages::seq.lt(seq));
    let rows = turns::table
        .inner_join(messages::table.on(of_turn))
        .filter(turns::session_id.eq(id.as_str()).and(turns::state.eq(TurnState::Finished.as_str())))
        .filter(turns::accepted_seq.le(accepted).and(tie))
        .order((turns::accepted_seq.desc(), messages::seq.desc()))
        .limit(CHUNK)
        .select((turns::accepted_seq, SaidRecord::as_select()))
        .load(conn)
        .await?;
    Ok(rows)
}
