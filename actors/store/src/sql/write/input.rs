//! Inputs: stored once, with the turn that they make or join.

use diesel::prelude::*;
use mosaic_types::journal::{AcceptTurn, Entry, InboxKey, Outcome, SessionPhase, TurnState};
use mosaic_types::{EventBody, Point, Role, Seq, Timestamp, TurnId, limits};

use super::journal::Journal;
use super::session::owned;
use super::{Conn, RunQueryDsl, supersede};
use crate::StoreError;
use crate::rows::{NewAttachment, NewInbox, NewMessage, NewTurn};
use crate::schema::{attachments, inbox, messages, turns};
use crate::sql_types::{Digest, Id, Ts};
use crate::statement::{AcceptInSession, JoinInSession};

/// Stores an input, unless its key is known.
pub(super) async fn accept(conn: &mut Conn<'_>, accept: &AcceptTurn) -> Result<Outcome, StoreError> {
    if let Some((turn, hash)) = known(conn, &accept.inbox, accept.at).await? {
        return Ok(Outcome::Duplicate { turn, same_body: hash == accept.body_hash });
    }
    let replaced = match accept.replaces {
        Some(seq) => match supersede::find(conn, &accept.session, seq).await? {
            Some(input) => Some(input),
            None => {
                let ours = owned(conn, &accept.session, accept.epoch).await?;
                return Ok(if ours { Outcome::Missing } else { Outcome::Stale });
            }
        },
        None => None,
    };
    let starts = accept.entry == Entry::Starts;
    let events = 1 + i64::from(starts) + i64::from(replaced.is_some());
    let Some(last) = fence(conn, accept, events).await? else {
        let joins = accept.entry == Entry::Joins;
        let closed = joins && owned(conn, &accept.session, accept.epoch).await?;
        return Ok(if closed { Outcome::Closed } else { Outcome::Stale });
    };
    let mut journal = Journal::new(&accept.session, accept.at, last, events);

    let turn = Some(accept.turn);
    if let Some(input) = &replaced {
        let from = accept.replaces.unwrap_or_default();
        let at = journal.add(conn, turn, EventBody::MessagesSuperseded { from }).await?;
        supersede::supersede(conn, &accept.session, input, at).await?;
    }
    let seq = journal.add(conn, turn, accepted(accept)).await?;
    if starts {
        let (agent, route) = (accept.agent.clone(), accept.route.clone());
        journal.add(conn, turn, EventBody::TurnStarted { agent, route }).await?;
    }
    if accept.entry != Entry::Joins {
        let row = NewTurn {
            id: accept.turn.into(),
            session_id: accept.session.as_str(),
            state: if starts { TurnState::Running } else { TurnState::Queued }.as_str(),
            agent: accept.agent.as_str(),
            model: accept.model.as_ref().map(ToString::to_string),
            attempt: 1,
            charged: 0,
            accepted_seq: seq,
            accepted_at: accept.at.into(),
            started_at: starts.then(|| accept.at.into()),
            collects: i64::from(accept.entry == Entry::Waits { collects: true }),
        };
        diesel::insert_into(turns::table).values(row).execute(conn).await?;
    }
    let row = NewMessage {
        session_id: accept.session.as_str(),
        seq,
        turn_id: accept.turn.into(),
        role: Role::User.as_str(),
        agent: None,
        text: &accept.text,
        created_at: accept.at.into(),
        saw_seq: None,
        attached: accept.attachments.len() as i64,
    };
    diesel::insert_into(messages::table).values(row).execute(conn).await?;
    attach(conn, accept, seq).await?;
    let row = NewInbox {
        channel: &accept.inbox.channel,
        account: &accept.inbox.account,
        conversation: &accept.inbox.conversation,
        event: &accept.inbox.event,
        turn_id: accept.turn.into(),
        at: accept.at.into(),
        seq,
        body_hash: Digest(accept.body_hash),
        reply_to: accept.reply_to.as_deref(),
    };
    diesel::insert_into(inbox::table).values(row).execute(conn).await?;
    Point::AcceptBeforeCommit.pass();
    Ok(journal.done())
}

fn accepted(accept: &AcceptTurn) -> EventBody {
    let attachments = accept.attachments.iter().map(|file| file.row.clone()).collect();
    EventBody::TurnAccepted { text: accept.text.as_ref().to_owned(), attachments }
}

/// Stores what came with the message of that number.
async fn attach(conn: &mut Conn<'_>, accept: &AcceptTurn, seq: Seq) -> Result<(), StoreError> {
    for (position, file) in accept.attachments.iter().enumerate() {
        let row = NewAttachment {
            id: file.row.id.into(),
            session_id: accept.session.as_str(),
            seq,
            position: position as i64,
            name: &file.row.name,
            media_type: &file.row.media_type,
            size_bytes: file.data.len() as i64,
            data: &file.data,
        };
        diesel::insert_into(attachments::table).values(row).execute(conn).await?;
    }
    Ok(())
}

/// Sets aside the numbers of the input's events; `None` where it may not be stored as it was meant.
async fn fence(conn: &mut Conn<'_>, accept: &AcceptTurn, events: i64) -> Result<Option<Seq>, StoreError> {
    let (id, epoch, at) = (accept.session.as_str(), accept.epoch, accept.at.into());
    let phase = match accept.entry {
        Entry::Joins => {
            let join = JoinInSession { id, epoch, turn: accept.turn.into(), at };
            return Ok(join.get_result::<Seq>(conn).await.optional()?);
        }
        Entry::Starts => SessionPhase::Running,
        Entry::Waits { .. } => SessionPhase::Queued,
    };
    let title = accept.title.as_deref().unwrap_or_default();
    let fence = AcceptInSession { id, epoch, events, at, state: phase.as_str(), title };
    Ok(fence.get_result::<Seq>(conn).await.optional()?)
}

/// The turn that `key` names, with the hash of its input's body. A key past its time is forgotten.
async fn known(conn: &mut Conn<'_>, key: &InboxKey, now: Timestamp) -> Result<Option<(TurnId, [u8; 32])>, StoreError> {
    // Not `first`: SQLite prepares a statement anew each time the value of its `LIMIT ?` is bound.
    let row = inbox::table.find((&*key.channel, &*key.account, &*key.conversation, &*key.event));
    let found = row
        .select((inbox::turn_id, inbox::body_hash, inbox::at))
        .get_result::<(Id, Digest, Ts)>(conn)
        .await
        .optional()?;
    match found {
        Some((_, _, at)) if Timestamp::from(at).plus(limits::IDEMPOTENCY) < now => {
            diesel::delete(row).execute(conn).await?;
            Ok(None)
        }
        Some((turn, hash, _)) => Ok(Some((turn.into(), hash.0))),
        None => Ok(None),
    }
}
