//! What a session actor needs to live again.

use std::collections::HashMap;

use diesel::prelude::*;
use mosaic_types::journal::{API_CHANNEL, OpenTurn, Said, SessionRow, Snapshot};
use mosaic_types::routing::Route;
use mosaic_types::{ChatMessage, EventBody, Role, Seq, SessionEvent, SessionId, TurnId};

use super::{Conn, RunQueryDsl, attachments, each};
use crate::StoreError;
use crate::expression::{HasLastWords, Names, among};
use crate::rows::{EventRecord, OpenTurnRecord, SaidRecord, SessionRecord, SpentRecord, dialogue};
use crate::schema::{events, inbox, messages, sessions, turns, usage};
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

/// More than one query: wants one state of the database. What is open is read of all sessions together; there is a lot to
/// ask of each turn, and after a crash thousands of sessions want it at once.
pub(in super::super) async fn snapshots(
    conn: &mut Conn<'_>,
    ids: &[SessionId],
    context_bytes: usize,
) -> Result<Vec<Option<Snapshot>>, StoreError> {
    let names = Names::of(ids);
    let found = sessions::table.filter(among(sessions::id, &names)).select(SessionRecord::as_select());
    let mut rows = HashMap::new();
    for record in found.load(conn).await? {
        let row = SessionRow::try_from(record)?;
        rows.insert(row.id.clone(), row);
    }
    let mut open = open_turns(conn, &names).await?;
    let said = each(conn, ids, async |conn: &mut Conn<'_>, id: &SessionId| {
        Ok((context(conn, id, END, context_bytes).await?, last_input(conn, id).await?))
    });
    let said = said.await?;
    let snapshots = ids.iter().zip(said).map(|(id, (context, last_input))| {
        let open = open.remove(id.as_str()).unwrap_or_default();
        rows.remove(id).map(|row| Snapshot { row, open, context, last_input })
    });
    Ok(snapshots.collect())
}

/// What was asked of turns, by turn.
type ByTurn<T> = HashMap<Id, Vec<T>>;

fn by_turn<T>(rows: Vec<(Id, T)>) -> ByTurn<T> {
    let mut by_turn = ByTurn::new();
    rows.into_iter().for_each(|(turn, row)| by_turn.entry(turn).or_default().push(row));
    by_turn
}

/// Turns that have not ended, by session and in the order of their acceptance.
async fn open_turns(conn: &mut Conn<'_>, names: &Names<'_>) -> Result<HashMap<String, Vec<OpenTurn>>, StoreError> {
    let open = || among(turns::session_id, names).and(turns::end_seq.is_null());
    let records = turns::table
        .filter(open())
        .order((turns::session_id, turns::accepted_seq))
        .select((turns::session_id, OpenTurnRecord::as_select()))
        .load::<(String, OpenTurnRecord)>(conn)
        .await?;
    if records.is_empty() {
        return Ok(HashMap::new());
    }
    let of_turn = messages::session_id
        .eq(turns::session_id)
        .and(messages::seq.ge(turns::accepted_seq))
        .and(messages::turn_id.eq(turns::id));
    let said = turns::table.inner_join(messages::table.on(of_turn)).filter(open());
    let said = said.select((turns::id, SaidRecord::as_select())).load(conn).await?;
    let spent = turns::table.inner_join(usage::table.on(usage::turn_id.eq(turns::id))).filter(open());
    let spent = spent.select((turns::id, SpentRecord::as_select())).load(conn).await?;
    let beside = turns::table.inner_join(usage::table.on(usage::of_turn.eq(turns::id.nullable()))).filter(open());
    let beside = beside.select((turns::id, SpentRecord::as_select())).load(conn).await?;
    let platform = inbox::turn_id.eq(turns::id).and(inbox::channel.ne(API_CHANNEL));
    let delivers = turns::table.inner_join(inbox::table.on(platform)).filter(open());
    let delivers: Vec<Id> = delivers.select(turns::id).distinct().load(conn).await?;
    let of_turn = events::session_id
        .eq(turns::session_id)
        .and(events::seq.gt(turns::accepted_seq))
        .and(events::turn_id.eq(turns::id.nullable()));
    let told = turns::table.inner_join(events::table.on(of_turn)).filter(open());
    let told = told.order((events::session_id, events::seq)).select((turns::id, EventRecord::as_select()));
    let told = told.load(conn).await?;

    let (mut said, mut spent, mut beside, mut told) = (by_turn(said), by_turn(spent), by_turn(beside), by_turn(told));
    let mut open: HashMap<String, Vec<OpenTurn>> = HashMap::new();
    for (session, turn) in records {
        let id = turn.id;
        let of = |asked: &mut ByTurn<SpentRecord>| asked.remove(&id).unwrap_or_default();
        let (spent, beside) = (of(&mut spent).pop(), of(&mut beside));
        let said = attachments::heard(conn, &session, said.remove(&id).unwrap_or_default()).await?;
        let (route, parts) = course(told.remove(&id).unwrap_or_default())?;
        let turn = turn.with(said, spent, delivers.contains(&id), beside, route, parts)?;
        open.entry(session).or_default().push(turn);
    }
    Ok(open)
}

/// What was decided for a turn as it began, and the parts of the step that it is in, of all its events.
fn course(told: Vec<EventRecord>) -> Result<(Option<Box<Route>>, Vec<EventBody>), StoreError> {
    let (mut decided, mut parts) = (None, Vec::new());
    for record in told {
        let event = SessionEvent::try_from(record)?;
        match event.body {
            EventBody::StepFinished { part: Some(_), .. } => parts.push(event.body),
            EventBody::StepFinished { part: None, .. } => parts.clear(),
            EventBody::TurnStarted { route, .. } => decided = route,
            _ => {}
        }
    }
    Ok((decided, parts))
}

async fn last_input(conn: &mut Conn<'_>, id: &SessionId) -> Result<Option<(TurnId, [u8; 32])>, StoreError> {
    let known = inbox::turn_id.eq(messages::turn_id).and(inbox::seq.eq(messages::seq));
    let newest = messages::table
        .left_join(inbox::table.on(known))
        .filter(messages::session_id.eq(id.as_str()).and(messages::role.eq(Role::User.as_str())))
        .filter(messages::superseded_seq.is_null())
        .order(messages::seq.desc())
        .select((messages::turn_id, inbox::body_hash.nullable()))
        .first::<(Id, Option<Digest>)>(conn)
        .await
        .optional()?;
    Ok(newest.and_then(|(turn, hash)| Some((turn.into(), hash?.0))))
}

/// The newest turns with an answer that fit, whole, in the order of their acceptance.
///
/// An answer that was cut short counts as far as it was said. Turns that failed or were cancelled before they said
/// anything are left out with all their inputs, so that every question has its answer. An
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
        let (accepted, said): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        for (accepted, heard) in accepted.into_iter().zip(attachments::heard(conn, id.as_str(), said).await?) {
            let Some(rest) = left.checked_sub(heard.weight_bytes()) else {
                before = None;
                break;
            };
            left = rest;
            // The input that made a turn is its first message, so here its last to come.
            let whole = heard.said.seq == accepted;
            turn.push(heard);
            if whole {
                newest_first.extend(dialogue(std::mem::take(&mut turn))?.into_iter().rev());
            }
        }
    }
    Ok(newest_first.iter().rev().map(Said::message).collect())
}

/// Messages of turns with an answer, newest turn first: the next ones before a turn's number and a message's.
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
        .filter(turns::session_id.eq(id.as_str()).and(HasLastWords))
        .filter(turns::accepted_seq.le(accepted).and(tie))
        .order((turns::accepted_seq.desc(), messages::seq.desc()))
        .limit(CHUNK)
        .select((turns::accepted_seq, SaidRecord::as_select()))
        .load(conn)
        .await?;
    Ok(rows)
}
