//! A session made from a part of another.
//!
//! Rows are copied inside the database, under the numbers that they have, so that the journal of the fork is that of its
//! source up to the message. Only turns get ids of their own.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use mosaic_types::journal::{ForkSession, Outcome, TurnState};
use mosaic_types::{EventBody, Seq, SessionId, ToolState, limits};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::journal::Journal;
use super::{Conn, RunQueryDsl, session};
use crate::StoreError;
use crate::schema::{attachments, messages, sessions, tool_calls, turns};
use crate::sql_types::Id;
use crate::statement::{CopyAttachments, CopyCalls, CopyEvents, CopyMessages, CopyTurn};

/// Makes the session, unless its id is taken or there is nothing to make it from.
pub(super) async fn fork(conn: &mut Conn<'_>, fork: &ForkSession) -> Result<Outcome, StoreError> {
    let (source, new) = (fork.source.as_str(), fork.new.id.as_str());
    let last = sessions::table.find(source).select(sessions::last_seq).get_result::<Seq>(conn).await.optional()?;
    let Some(last) = last else { return Ok(Outcome::Missing) };
    let through = fork.through.unwrap_or(last);
    if fork.through.is_some() {
        let message = messages::table.find((source, through)).filter(messages::superseded_seq.is_null());
        if message.select(messages::seq).get_result::<Seq>(conn).await.optional()?.is_none() {
            return Ok(Outcome::Missing);
        }
    }
    if !fits(through, bytes(conn, source, through).await?) {
        return Ok(Outcome::TooLarge);
    }
    if session::create(conn, &fork.new).await? == Outcome::Exists {
        return Ok(Outcome::Exists);
    }
    let cut_off = copy_turns(conn, fork, through).await?;
    CopyEvents { source, new, through }.execute(conn).await?;
    CopyMessages { source, new, through }.execute(conn).await?;
    CopyCalls { source, new, through }.execute(conn).await?;
    CopyAttachments { source, new, through }.execute(conn).await?;
    // Of a turn that is cut off, what a tool said may be left behind.
    let behind =
        tool_calls::session_id.eq(new).and(tool_calls::result_seq.is_null().or(tool_calls::result_seq.gt(through)));
    diesel::update(tool_calls::table.filter(behind))
        .set((tool_calls::state.eq(ToolState::Unknown.as_str()), tool_calls::result_seq.eq(None::<Seq>)))
        .execute(conn)
        .await?;
    let events = i64::try_from(cut_off.len()).unwrap_or(i64::MAX);
    let mut journal = Journal::new(&fork.new.id, fork.new.at, through + events, events);
    for turn in cut_off {
        journal.add(conn, Some(turn.into()), EventBody::TurnCancelled { text: None }).await?;
    }
    diesel::update(sessions::table.find(new))
        .set((
            sessions::last_seq.eq(through + events),
            sessions::model.eq(fork.model.as_ref().map(ToString::to_string)),
        ))
        .execute(conn)
        .await?;
    Ok(journal.done())
}

/// Whether so much may be copied at once: nobody else writes meanwhile.
fn fits(events: Seq, bytes: i64) -> bool {
    events <= limits::FORKED_EVENTS && bytes <= limits::FORKED_BYTES
}

/// Bytes of the texts and files that are to be copied. They are counted without being read.
async fn bytes(conn: &mut Conn<'_>, source: &str, through: Seq) -> Result<i64, StoreError> {
    if through > limits::FORKED_EVENTS {
        return Ok(0);
    }
    let texts = messages::table
        .filter(messages::session_id.eq(source).and(messages::seq.le(through)))
        .filter(messages::superseded_seq.is_null())
        .select(sql::<BigInt>("CAST(COALESCE(SUM(octet_length(text)), 0) AS BIGINT)"))
        .get_result::<i64>(conn)
        .await?;
    let files = attachments::table
        .filter(attachments::session_id.eq(source).and(attachments::seq.le(through)))
        .select(sql::<BigInt>("CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT)"))
        .get_result::<i64>(conn)
        .await?;
    let asked = tool_calls::table
        .filter(tool_calls::session_id.eq(source).and(tool_calls::seq.le(through)))
        .select(sql::<BigInt>("CAST(COALESCE(SUM(octet_length(arguments)), 0) AS BIGINT)"))
        .get_result::<i64>(conn)
        .await?;
    Ok(texts.saturating_add(files).saturating_add(asked))
}

/// Copies the turns that were accepted by then; answers those that had not ended, which are cancelled one event each
/// after it.
async fn copy_turns(conn: &mut Conn<'_>, fork: &ForkSession, through: Seq) -> Result<Vec<Id>, StoreError> {
    let all = turns::table
        .filter(turns::session_id.eq(fork.source.as_str()).and(turns::accepted_seq.le(through)))
        .order(turns::accepted_seq)
        .select((turns::id, turns::state, turns::end_seq))
        .load::<(Id, String, Option<Seq>)>(conn)
        .await?;
    let mut cut_off = Vec::new();
    for (old, state, end) in all {
        let id = own_id(&fork.new.id, old);
        let end = end.filter(|end| *end <= through);
        if end.is_none() {
            cut_off.push(id);
        }
        let after = i64::try_from(cut_off.len()).unwrap_or(i64::MAX);
        let copy = CopyTurn {
            old,
            id,
            session: fork.new.id.as_str(),
            state: if end.is_some() { &state } else { TurnState::Cancelled.as_str() },
            end_seq: end.unwrap_or(through + after),
            at: fork.new.at.into(),
        };
        copy.execute(conn).await?;
    }
    Ok(cut_off)
}

/// The id of a turn's copy: the moment of the turn, as every id of its version has it first, and then what nobody else
/// would draw.
fn own_id(session: &SessionId, turn: Id) -> Id {
    let mut hash = Sha256::new();
    hash.update(session.as_str().as_bytes());
    hash.update(turn.0.as_bytes());
    let drawn = hash.finalize();
    let mut bytes = *turn.0.as_bytes();
    bytes[6..].copy_from_slice(&drawn[..10]);
    // Version 7, and the variant of RFC 9562.
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Id(Uuid::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_a_bound_of_events_and_one_of_bytes() {
        let (events, bytes) = (limits::FORKED_EVENTS, limits::FORKED_BYTES);
        assert!(fits(events, bytes));
        assert!(!fits(events + 1, 0) && !fits(0, bytes + 1));
    }
}
