//! The life of a turn: accepted, begun again, ended.

use diesel::prelude::*;
use mosaic_types::journal::{
    AcceptTurn, EndTurn, InboxKey, Outcome, RestartTurn, SessionPhase, StartTurn, TurnEnd, TurnState,
};
use mosaic_types::{Epoch, EventBody, FinishedTurn, Role, Seq, SessionId, Timestamp, TurnId, UserId, limits};

use super::journal::Journal;
use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::rows::{NewInbox, NewMessage, NewTurn, NewUsage};
use crate::schema::{inbox, messages, turns, usage};
use crate::sql_types::{Digest, Id, Ts};
use crate::statement::{AcceptInSession, EndInSession, EndOfTurn, RestartInSession, StartInSession, StartOfTurn};

/// Stores an input, unless its key is known.
pub(super) async fn accept(conn: &mut Conn<'_>, accept: &AcceptTurn) -> Result<Outcome, StoreError> {
    if let Some((turn, hash)) = known(conn, &accept.inbox, accept.at).await? {
        return Ok(Outcome::Duplicate { turn, same_body: hash == accept.body_hash });
    }

    let events = 1 + i64::from(accept.start);
    let (turn_state, phase) = if accept.start {
        (TurnState::Running, SessionPhase::Running)
    } else {
        (TurnState::Queued, SessionPhase::Queued)
    };
    let fence = AcceptInSession {
        id: accept.session.as_str(),
        epoch: accept.epoch,
        events,
        at: accept.at.into(),
        state: phase.as_str(),
        title: accept.title.as_deref().unwrap_or_default(),
    };
    let Some(last) = fence.get_result::<Seq>(conn).await.optional()? else { return Ok(Outcome::Stale) };
    let mut journal = Journal::new(&accept.session, accept.at, last, events);

    let turn = Some(accept.turn);
    let seq = journal.add(conn, turn, EventBody::TurnAccepted { text: accept.text.as_ref().to_owned() }).await?;
    if accept.start {
        journal.add(conn, turn, EventBody::TurnStarted { agent: accept.agent.clone() }).await?;
    }
    let row = NewTurn {
        id: accept.turn.into(),
        session_id: accept.session.as_str(),
        state: turn_state.as_str(),
        agent: accept.agent.as_str(),
        model: accept.model.as_ref().map(ToString::to_string),
        attempt: 1,
        charged: 0,
        accepted_seq: seq,
        body_hash: Digest(accept.body_hash),
        accepted_at: accept.at.into(),
        started_at: accept.start.then(|| accept.at.into()),
    };
    diesel::insert_into(turns::table).values(row).execute(conn).await?;
    let row = NewMessage {
        session_id: accept.session.as_str(),
        seq,
        turn_id: accept.turn.into(),
        role: Role::User.as_str(),
        agent: None,
        text: &accept.text,
        created_at: accept.at.into(),
    };
    diesel::insert_into(messages::table).values(row).execute(conn).await?;
    let row = NewInbox {
        channel: &accept.inbox.channel,
        account: &accept.inbox.account,
        conversation: &accept.inbox.conversation,
        event: &accept.inbox.event,
        turn_id: accept.turn.into(),
        at: accept.at.into(),
    };
    diesel::insert_into(inbox::table).values(row).execute(conn).await?;
    Ok(journal.done())
}

/// The turn that `key` names, with the hash of its body. A key past its time is forgotten.
async fn known(conn: &mut Conn<'_>, key: &InboxKey, now: Timestamp) -> Result<Option<(TurnId, [u8; 32])>, StoreError> {
    // Not `first`: SQLite prepares a statement anew each time the value of its `LIMIT ?` is bound.
    let row = inbox::table.find((&*key.channel, &*key.account, &*key.conversation, &*key.event));
    let found = row
        .inner_join(turns::table.on(turns::id.eq(inbox::turn_id)))
        .select((inbox::turn_id, turns::body_hash, inbox::at))
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

/// Ends a turn that is open, and starts the next one.
pub(super) async fn end(conn: &mut Conn<'_>, end: &EndTurn) -> Result<Outcome, StoreError> {
    let events = end.steps.len() as i64 + 1 + i64::from(end.next.is_some());
    let fence = EndInSession {
        id: end.session.as_str(),
        epoch: end.epoch,
        turn: end.turn.into(),
        next: end.next.as_ref().map(|next| next.turn.into()),
        state: end.next.as_ref().map(|_| SessionPhase::Running.as_str()),
        events,
        at: end.at.into(),
    };
    let Some((last, user)) = fence.get_result::<(Seq, Id)>(conn).await.optional()? else { return Ok(Outcome::Stale) };
    let mut journal = Journal::new(&end.session, end.at, last, events);

    for step in &end.steps {
        journal.add(conn, Some(end.turn), step.clone()).await?;
    }
    let seq = journal.add(conn, Some(end.turn), end.end.clone().into_event()).await?;
    let state = end.end.state();
    EndOfTurn { id: end.turn.into(), state: state.as_str(), end_seq: seq, at: end.at.into() }.execute(conn).await?;
    if let TurnEnd::Finished(finished) = &end.end {
        answer(conn, end, finished, seq, user.into()).await?;
    }
    if let Some(next) = &end.next {
        begin(conn, &mut journal, next, end.at).await?;
    }
    Ok(journal.done())
}

/// Starts a turn that waits, where nothing runs.
pub(super) async fn start(
    conn: &mut Conn<'_>,
    session: &SessionId,
    epoch: Epoch,
    next: &StartTurn,
    at: Timestamp,
) -> Result<Outcome, StoreError> {
    let fence = StartInSession { id: session.as_str(), epoch, turn: next.turn.into(), at: at.into() };
    let Some(last) = fence.get_result::<Seq>(conn).await.optional()? else { return Ok(Outcome::Stale) };
    let mut journal = Journal::new(session, at, last, 1);
    begin(conn, &mut journal, next, at).await?;
    Ok(journal.done())
}

async fn begin(
    conn: &mut Conn<'_>,
    journal: &mut Journal<'_>,
    next: &StartTurn,
    at: Timestamp,
) -> Result<(), StoreError> {
    StartOfTurn { id: next.turn.into(), agent: next.agent.as_str(), at: at.into() }.execute(conn).await?;
    journal.add(conn, Some(next.turn), EventBody::TurnStarted { agent: next.agent.clone() }).await?;
    Ok(())
}

/// Stores what a finished turn said and what it cost.
async fn answer(
    conn: &mut Conn<'_>,
    end: &EndTurn,
    finished: &FinishedTurn,
    seq: Seq,
    user: UserId,
) -> Result<(), StoreError> {
    let row = NewMessage {
        session_id: end.session.as_str(),
        seq,
        turn_id: end.turn.into(),
        role: Role::Assistant.as_str(),
        agent: Some(end.agent.as_str()),
        text: &finished.text,
        created_at: end.at.into(),
    };
    diesel::insert_into(messages::table).values(row).execute(conn).await?;
    let row = NewUsage {
        turn_id: end.turn.into(),
        session_id: end.session.as_str(),
        user_id: user.into(),
        agent: end.agent.as_str(),
        provider: finished.provider.as_str(),
        model: &finished.model,
        input_tokens: i64::try_from(finished.usage.input_tokens).unwrap_or(i64::MAX),
        output_tokens: i64::try_from(finished.usage.output_tokens).unwrap_or(i64::MAX),
        cost_usd: finished.cost_usd,
        at: end.at.into(),
    };
    diesel::insert_into(usage::table).values(row).execute(conn).await?;
    Ok(())
}

/// Begins an open turn again.
pub(super) async fn restart(conn: &mut Conn<'_>, restart: &RestartTurn) -> Result<Outcome, StoreError> {
    let turn: Id = restart.turn.into();
    let fence = RestartInSession { id: restart.session.as_str(), epoch: restart.epoch, turn, at: restart.at.into() };
    let Some(last) = fence.get_result::<Seq>(conn).await.optional()? else { return Ok(Outcome::Stale) };
    let (attempt, charged) = (i64::from(restart.attempt), i64::from(restart.charged));
    let state = TurnState::Running.as_str();
    diesel::update(turns::table.find(turn))
        .set((turns::state.eq(state), turns::attempt.eq(attempt), turns::charged.eq(charged)))
        .execute(conn)
        .await?;
    let mut journal = Journal::new(&restart.session, restart.at, last, 1);
    journal.add(conn, Some(restart.turn), EventBody::TurnRestarted { attempt: restart.attempt }).await?;
    Ok(journal.done())
}
