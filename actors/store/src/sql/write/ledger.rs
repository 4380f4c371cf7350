//! What was spent beside turns' own answers.

use mosaic_types::journal::Outcome;
use mosaic_types::ledger::{Beside, Known};

use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::rows::NewUsage;
use crate::schema::usage;
use crate::sql_types::Id;
use diesel::prelude::*;

/// Enters what is not there yet, or was an estimate only.
pub(super) async fn spend(conn: &mut Conn<'_>, entries: &[Beside]) -> Result<Outcome, StoreError> {
    enter_all(conn, entries).await?;
    Ok(Outcome::Written(Vec::new()))
}

/// As [`enter`], one after the other.
pub(super) async fn enter_all(conn: &mut Conn<'_>, entries: &[Beside]) -> Result<(), StoreError> {
    for beside in entries {
        enter(conn, beside).await?;
    }
    Ok(())
}

/// One entry; what is there under its id already gives way where that was an estimate and this is none.
pub(super) async fn enter(conn: &mut Conn<'_>, beside: &Beside) -> Result<(), StoreError> {
    let id = Id(beside.id);
    let foreseen = beside.known == Known::Foreseen;
    if beside.calls == 0 && !foreseen {
        let estimate = usage::table.find(id).filter(usage::estimated.eq(1));
        diesel::delete(estimate).execute(conn).await?;
        return Ok(());
    }
    let tokens = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let row = NewUsage {
        turn_id: id,
        session_id: beside.of.as_ref().map_or("", |(session, _)| session.as_str()),
        user_id: beside.user.into(),
        agent: beside.agent.as_str(),
        provider: beside.model.provider.as_str(),
        model: &beside.model.model,
        input_tokens: tokens(beside.spent.usage.input_tokens),
        output_tokens: tokens(beside.spent.usage.output_tokens),
        cost_usd: beside.spent.cost_usd,
        at: beside.at.into(),
        turns: 0,
        calls: tokens(beside.calls),
        of_turn: beside.of.as_ref().map(|(_, turn)| (*turn).into()),
        estimated: i64::from(beside.known != Known::Said),
    };
    let new = diesel::insert_into(usage::table).values(&row).on_conflict_do_nothing().execute(conn).await?;
    if new == 0 && !foreseen {
        let estimate = usage::table.find(id).filter(usage::estimated.eq(1));
        diesel::update(estimate).set(&row).execute(conn).await?;
    }
    Ok(())
}
