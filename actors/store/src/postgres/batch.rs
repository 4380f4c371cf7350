//! How a batch is carried out within a transaction: writes of different sessions side by side.
//!
//! A write is half a dozen statements, each of which waits for the one before it. Sent one after the other, a batch of
//! a hundred would wait for the network a thousand times; on one connection, many may be under way.

use std::collections::HashMap;

use diesel::sql_types::Text;
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl;
use futures_util::future::{try_join, try_join_all};
use mosaic_types::SessionId;
use mosaic_types::journal::{Outcome, Write};

use super::dialect::Conn;
use super::write;
use crate::StoreError;

/// The session that a write belongs to; `None`: it may concern any of them.
fn session(write: &Write) -> Option<&SessionId> {
    match write {
        Write::CreateSession(new) => Some(&new.id),
        Write::Claim { session } | Write::Start { session, .. } | Write::Delete { session } => Some(session),
        Write::Accept(accept) => Some(&accept.session),
        Write::Step(step) => Some(&step.session),
        Write::End(end) => Some(&end.session),
        Write::Part(part) => Some(&part.session),
        Write::Tools(tools) => Some(&tools.session),
        Write::Restart(restart) => Some(&restart.session),
        Write::Change(change) => Some(&change.session),
        Write::SettleItem(settle) => Some(&settle.session),
        _ => None,
    }
}

/// Carries out `batch` in the transaction that is open; answers its outcomes and the transaction's id.
pub(super) async fn apply(conn: Conn<'_>, batch: &[Write]) -> Result<(Vec<Outcome>, String), StoreError> {
    try_join(in_order(conn, batch), transaction_id(conn)).await
}

/// What is of no session has others wait before and after it.
async fn in_order(conn: Conn<'_>, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes = Vec::with_capacity(batch.len());
    for stretch in batch.chunk_by(|one, next| session(one).is_some() && session(next).is_some()) {
        outcomes.extend(side_by_side(conn, stretch).await?);
    }
    Ok(outcomes)
}

/// The writes of each session in order, those of different sessions at once.
async fn side_by_side(conn: Conn<'_>, stretch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
    let mut lanes: HashMap<Option<&SessionId>, Vec<usize>> = HashMap::new();
    for (at, write) in stretch.iter().enumerate() {
        lanes.entry(session(write)).or_default().push(at);
    }
    let lane = async |lane: Vec<usize>| {
        let mut conn = conn;
        let mut outcomes = Vec::with_capacity(lane.len());
        for at in lane {
            outcomes.push((at, write::apply(&mut conn, &stretch[at]).await?));
        }
        Ok::<_, StoreError>(outcomes)
    };
    let mut outcomes: Vec<_> = try_join_all(lanes.into_values().map(lane)).await?.into_iter().flatten().collect();
    outcomes.sort_unstable_by_key(|(at, _)| *at);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Text)]
    id: String,
}

/// By it the server can be asked what became of the transaction.
async fn transaction_id(mut conn: Conn<'_>) -> Result<String, StoreError> {
    let row: Number = sql_query("SELECT pg_current_xact_id()::text AS id").get_result(&mut conn).await?;
    Ok(row.id)
}
