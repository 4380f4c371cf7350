//! The life of a turn: begun, taken a step further, begun again, ended.

use diesel::prelude::*;
use mosaic_types::journal::{
    EndTurn, Outcome, PartTurn, RestartTurn, SessionPhase, StartTurn, StepTurn, TurnEnd, TurnState,
};
use mosaic_types::{AgentName, Epoch, EventBody, FinishedTurn, Point, Role, Seq, SessionId, Spent, Timestamp, TurnId};

use super::journal::Journal;
use super::ledger;
use super::outbox;
use super::session::owned;
use super::tools;
use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::rows::{NewMessage, NewUsage};
use crate::schema::{messages, sessions, turns, usage};
use crate::sql_types::Id;
use crate::statement::{EndInSession, EndOfTurn, GoOnInSession, RestartOfTurn, StartInSession, StartOfTurn};

/// Ends a turn that is open, and starts the next one.
pub(super) async fn end(conn: &mut Conn<'_>, end: &EndTurn) -> Result<Outcome, StoreError> {
    let events = end.steps.len() as i64 + 1 + i64::from(end.next.is_some());
    let fence = EndInSession {
        id: end.session.as_str(),
        epoch: end.epoch,
        turn: end.turn.into(),
        saw: if matches!(end.end, TurnEnd::Finished(_)) { end.saw } else { Seq::MAX },
        next: end.next.as_ref().map(|next| next.turn.into()),
        state: end.next.as_ref().map(|_| SessionPhase::Running.as_str()),
        events,
        at: end.at.into(),
    };
    let Some((last, user)) = fence.get_result::<(Seq, Id)>(conn).await.optional()? else {
        return Ok(if unseen(conn, end).await? { Outcome::Unseen } else { Outcome::Stale });
    };
    let mut journal = Journal::new(&end.session, end.at, last, events);

    for step in &end.steps {
        journal.add(conn, Some(end.turn), step.clone()).await?;
    }
    let seq = journal.add(conn, Some(end.turn), end.end.clone().into_event()).await?;
    let state = end.end.state();
    EndOfTurn { id: end.turn.into(), state: state.as_str(), end_seq: seq, at: end.at.into() }.execute(conn).await?;
    if let TurnEnd::Finished(finished) = &end.end {
        let (session, agent) = (&end.session, &end.agent);
        let answer = Answer {
            session,
            turn: end.turn,
            agent,
            step: end.step,
            saw: None,
            said: finished,
            own: end.own,
            calls: end.calls,
            at: end.at,
        };
        answer.store(conn, seq, user).await?;
    } else if let Some(text) = end.end.said() {
        say(conn, &end.session, end.turn, &end.agent, (seq, None), text, end.at).await?;
    }
    if end.cuts_tools {
        tools::cut(conn, end).await?;
    }
    ledger::enter_all(conn, &end.beside).await?;
    if end.delivers {
        outbox::offer(conn, end).await?;
    }
    if let Some(next) = &end.next {
        begin(conn, &mut journal, next, end.at).await?;
    }
    Point::FinishBeforeCommit.pass();
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
    Point::StartBeforeCommit.pass();
    Ok(journal.done())
}

async fn begin(
    conn: &mut Conn<'_>,
    journal: &mut Journal<'_>,
    next: &StartTurn,
    at: Timestamp,
) -> Result<(), StoreError> {
    StartOfTurn { id: next.turn.into(), agent: next.agent.as_str(), at: at.into() }.execute(conn).await?;
    let (agent, route) = (next.agent.clone(), next.route.clone());
    journal.add(conn, Some(next.turn), EventBody::TurnStarted { agent, route }).await?;
    Ok(())
}

/// Whether the turn holds an input that keeps it from ending as it was meant to.
async fn unseen(conn: &mut Conn<'_>, end: &EndTurn) -> Result<bool, StoreError> {
    if !matches!(end.end, TurnEnd::Finished(_)) || !owned(conn, &end.session, end.epoch).await? {
        return Ok(false);
    }
    let newer = messages::session_id
        .eq(turns::session_id)
        .and(messages::turn_id.eq(turns::id))
        .and(messages::role.eq(Role::User.as_str()))
        .and(messages::seq.gt(end.saw));
    let open = turns::table
        .inner_join(messages::table.on(newer))
        .filter(turns::id.eq(Id::from(end.turn)).and(turns::end_seq.is_null()));
    Ok(diesel::select(diesel::dsl::exists(open)).get_result(conn).await?)
}

/// Stores a step of a turn that goes on.
pub(super) async fn step(conn: &mut Conn<'_>, step: &StepTurn) -> Result<Outcome, StoreError> {
    let (session, turn) = (&step.session, step.turn);
    let events = step.parts.len() as i64 + 1;
    let fence =
        GoOnInSession { id: session.as_str(), epoch: step.epoch, turn: turn.into(), events, at: step.at.into() };
    let Some(last) = fence.get_result::<Seq>(conn).await.optional()? else { return Ok(Outcome::Stale) };
    let mut journal = Journal::new(session, step.at, last, events);
    for part in &step.parts {
        journal.add(conn, Some(turn), part.clone()).await?;
    }
    let seq = journal.add(conn, Some(turn), step.said.step()).await?;
    let user = sessions::table.find(session.as_str()).select(sessions::user_id).get_result::<Id>(conn).await?;
    let (agent, saw) = (&step.agent, Some(step.saw));
    let (said, own, calls) = (&step.said, step.own, step.calls);
    let answer = Answer { session, turn, agent, step: step.step, saw, said, own, calls, at: step.at };
    answer.store(conn, seq, user).await?;
    tools::ask(conn, step, seq).await?;
    ledger::enter_all(conn, &step.beside).await?;
    Point::StepBeforeCommit.pass();
    Ok(journal.done())
}

/// Stores a part of the step that runs.
pub(super) async fn part(conn: &mut Conn<'_>, part: &PartTurn) -> Result<Outcome, StoreError> {
    let (session, turn) = (&part.session, part.turn);
    let fence =
        GoOnInSession { id: session.as_str(), epoch: part.epoch, turn: turn.into(), events: 1, at: part.at.into() };
    let Some(last) = fence.get_result::<Seq>(conn).await.optional()? else { return Ok(Outcome::Stale) };
    let mut journal = Journal::new(session, part.at, last, 1);
    journal.add(conn, Some(turn), part.event.clone()).await?;
    ledger::enter(conn, &part.beside).await?;
    Ok(journal.done())
}

/// What a model said, and what its turn cost so far.
struct Answer<'a> {
    session: &'a SessionId,
    turn: TurnId,
    agent: &'a AgentName,
    step: u32,
    saw: Option<Seq>,
    said: &'a FinishedTurn,
    own: Spent,
    calls: u32,
    at: Timestamp,
}

impl Answer<'_> {
    async fn store(&self, conn: &mut Conn<'_>, seq: Seq, user: Id) -> Result<(), StoreError> {
        say(conn, self.session, self.turn, self.agent, (seq, self.saw), &self.said.text, self.at).await?;
        let row = NewUsage {
            turn_id: self.turn.into(),
            session_id: self.session.as_str(),
            user_id: user,
            agent: self.agent.as_str(),
            provider: self.said.provider.as_str(),
            model: &self.said.model,
            input_tokens: i64::try_from(self.own.usage.input_tokens).unwrap_or(i64::MAX),
            output_tokens: i64::try_from(self.own.usage.output_tokens).unwrap_or(i64::MAX),
            cost_usd: self.own.cost_usd,
            at: self.at.into(),
            turns: 1,
            calls: i64::from(self.calls),
            of_turn: None,
            estimated: 0,
        };
        // A turn has one row in the ledger, with the sums of its steps. Most have one step, and a plain insert stays
        // prepared.
        if self.step == 1 {
            diesel::insert_into(usage::table).values(row).execute(conn).await?;
        } else {
            diesel::update(usage::table.find(Id::from(self.turn))).set(row).execute(conn).await?;
        }
        Ok(())
    }
}

/// Stores what an agent said, under its number and with what it had seen where its turn goes on.
async fn say(
    conn: &mut Conn<'_>,
    session: &SessionId,
    turn: TurnId,
    agent: &AgentName,
    (seq, saw_seq): (Seq, Option<Seq>),
    text: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let row = NewMessage {
        session_id: session.as_str(),
        seq,
        turn_id: turn.into(),
        role: Role::Assistant.as_str(),
        agent: Some(agent.as_str()),
        text,
        created_at: at.into(),
        saw_seq,
        attached: 0,
    };
    diesel::insert_into(messages::table).values(row).execute(conn).await?;
    Ok(())
}

/// Begins an open turn again.
pub(super) async fn restart(conn: &mut Conn<'_>, restart: &RestartTurn) -> Result<Outcome, StoreError> {
    let turn: Id = restart.turn.into();
    let (session, at) = (restart.session.as_str(), restart.at.into());
    let events = 1 + restart.unknown.len() as i64;
    let fence = GoOnInSession { id: session, epoch: restart.epoch, turn, events, at };
    let Some(last) = fence.get_result::<Seq>(conn).await.optional()? else { return Ok(Outcome::Stale) };
    let (attempt, charged) = (i64::from(restart.attempt), i64::from(restart.charged));
    let state = TurnState::Running.as_str();
    RestartOfTurn { id: turn, state, attempt, charged }.execute(conn).await?;
    let mut journal = Journal::new(&restart.session, restart.at, last, events);
    journal.add(conn, Some(restart.turn), EventBody::TurnRestarted { attempt: restart.attempt }).await?;
    for result in &restart.unknown {
        tools::answer(conn, &mut journal, restart.turn, &restart.agent, result, restart.at).await?;
    }
    ledger::enter_all(conn, &restart.lost).await?;
    Point::RestartBeforeCommit.pass();
    Ok(journal.done())
}
