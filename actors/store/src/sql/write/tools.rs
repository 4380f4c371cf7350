//! Calls of tools: asked for, answered, cut off.

use diesel::prelude::*;
use mosaic_types::journal::{EndTurn, Outcome, StepTurn, ToolsTurn};
use mosaic_types::{AgentName, Point, Role, Seq, Timestamp, ToolResult, ToolState, TurnId};

use super::journal::Journal;
use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::rows::{NewCall, NewMessage};
use crate::schema::{messages, tool_calls};
use crate::sql_types::{Id, Ts};
use crate::statement::GoOnInSession;

/// Notes what a step asked for; `seq`: its message.
pub(super) async fn ask(conn: &mut Conn<'_>, step: &StepTurn, seq: Seq) -> Result<(), StoreError> {
    for (position, call) in step.asked.iter().enumerate() {
        let row = NewCall {
            session_id: step.session.as_str(),
            turn_id: step.turn.into(),
            call_id: &call.id,
            seq,
            position: i64::try_from(position).unwrap_or(i64::MAX),
            name: &call.name,
            arguments: &call.arguments,
            signature: call.signature.as_deref(),
            state: ToolState::Intended.as_str(),
            result_seq: None,
            created_at: step.at.into(),
            ended_at: None,
        };
        diesel::insert_into(tool_calls::table).values(row).execute(conn).await?;
    }
    Ok(())
}

/// Stores what tools said.
pub(super) async fn tools(conn: &mut Conn<'_>, tools: &ToolsTurn) -> Result<Outcome, StoreError> {
    let (session, turn) = (&tools.session, tools.turn);
    let events = tools.results.len() as i64;
    let fence =
        GoOnInSession { id: session.as_str(), epoch: tools.epoch, turn: turn.into(), events, at: tools.at.into() };
    let Some(last) = fence.get_result::<Seq>(conn).await.optional()? else { return Ok(Outcome::Stale) };
    let mut journal = Journal::new(session, tools.at, last, events);
    for result in &tools.results {
        answer(conn, &mut journal, turn, &tools.agent, result, tools.at).await?;
    }
    Point::ToolBeforeCommit.pass();
    Ok(journal.done())
}

/// Journals one result, with its message.
pub(super) async fn answer(
    conn: &mut Conn<'_>,
    journal: &mut Journal<'_>,
    turn: TurnId,
    agent: &AgentName,
    result: &ToolResult,
    at: Timestamp,
) -> Result<(), StoreError> {
    let seq = journal.add(conn, Some(turn), result.event()).await?;
    let session_id = journal.session().as_str();
    let call = tool_calls::table.find((session_id, Id::from(turn), result.call.id.as_str()));
    let asked = messages::session_id.eq(tool_calls::session_id).and(messages::seq.eq(tool_calls::seq));
    let saw_seq =
        call.inner_join(messages::table.on(asked)).select(messages::saw_seq).get_result::<Option<Seq>>(conn).await?;
    diesel::update(call)
        .set((
            tool_calls::state.eq(result.state.as_str()),
            tool_calls::result_seq.eq(Some(seq)),
            tool_calls::ended_at.eq(Some(Ts::from(at))),
        ))
        .execute(conn)
        .await?;
    let row = NewMessage {
        session_id,
        seq,
        turn_id: turn.into(),
        role: Role::Tool.as_str(),
        agent: Some(agent.as_str()),
        text: &result.text,
        created_at: at.into(),
        saw_seq,
        attached: 0,
    };
    diesel::insert_into(messages::table).values(row).execute(conn).await?;
    Ok(())
}

/// The turn ends while some have no result: nobody will say any more what became of them.
pub(super) async fn cut(conn: &mut Conn<'_>, end: &EndTurn) -> Result<(), StoreError> {
    let of_turn = tool_calls::session_id.eq(end.session.as_str()).and(tool_calls::turn_id.eq(Id::from(end.turn)));
    let open = tool_calls::table.filter(of_turn.and(tool_calls::state.eq(ToolState::Intended.as_str())));
    diesel::update(open)
        .set((tool_calls::state.eq(ToolState::Unknown.as_str()), tool_calls::ended_at.eq(Some(Ts::from(end.at)))))
        .execute(conn)
        .await?;
    Ok(())
}
