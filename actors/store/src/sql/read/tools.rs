//! The calls of tools that messages ask for and answer.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use mosaic_types::Seq;
use mosaic_types::journal::MessageRow;

use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::rows::{CallRecord, Heard};
use crate::schema::tool_calls;
use crate::sql_types::Id;

/// The calls of some turns, in the order in which each message asked for them.
async fn calls(conn: &mut Conn<'_>, session: &str, turns: BTreeSet<Id>) -> Result<Vec<CallRecord>, StoreError> {
    let mut found = Vec::new();
    for turn in turns {
        let of_turn = tool_calls::table
            .filter(tool_calls::session_id.eq(session).and(tool_calls::turn_id.eq(turn)))
            .order((tool_calls::seq, tool_calls::position))
            .select(CallRecord::as_select());
        found.extend(of_turn.load(conn).await?);
    }
    Ok(found)
}

/// Adds to messages of a dialogue what they ask for and what they answer. Only steps of a turn that went on do either;
/// where there are none, it costs nothing.
pub(super) async fn heard(conn: &mut Conn<'_>, session: &str, heard: &mut [Heard]) -> Result<(), StoreError> {
    let turns = heard.iter().filter(|heard| heard.said.is_step()).map(|heard| heard.said.turn_id).collect();
    let (mut asked, mut answers) = (HashMap::<Seq, Vec<_>>::new(), HashMap::new());
    for record in calls(conn, session, turns).await? {
        if let Some(result) = record.result_seq {
            answers.insert(result, (record.seq, record.position, record.call_id.clone()));
        }
        asked.entry(record.seq).or_default().push(record.call());
    }
    for heard in heard {
        heard.asked = asked.remove(&heard.said.seq).unwrap_or_default();
        heard.answers = answers.remove(&heard.said.seq);
    }
    Ok(())
}

/// Adds the same to messages of a transcript; `turns`: those with such steps among them.
pub(super) async fn listed(
    conn: &mut Conn<'_>,
    session: &str,
    turns: BTreeSet<Id>,
    rows: &mut [MessageRow],
) -> Result<(), StoreError> {
    let (mut asked, mut answers) = (HashMap::<Seq, Vec<_>>::new(), HashMap::new());
    for record in calls(conn, session, turns).await? {
        if let Some(result) = record.result_seq {
            answers.insert(result, (record.call_id.clone(), record.name.clone()));
        }
        asked.entry(record.seq).or_default().push(record.shown()?);
    }
    for row in rows {
        row.tool_calls = asked.remove(&row.seq).unwrap_or_default();
        (row.tool_call_id, row.tool) = answers.remove(&row.seq).unzip();
    }
    Ok(())
}
