//! The ledger, summed up where it lies.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Nullable, Text};
use mosaic_types::Timestamp;
use mosaic_types::ledger::{UsageBy, UsageQuery, UsageSum};
use mosaic_types::page::{Limit, Page};

use super::lists::{asked, page};
use super::{Conn, DAY, RunQueryDsl};
use crate::StoreError;
use crate::cursor::UsageCursor;
use crate::schema::usage;
use crate::sql_types::{Id, Ts};

/// Sums as floating point: exact up to 2^53, and a server that reports absurd counts cannot overflow them.
const SUMS: [&str; 2] = ["SUM(CAST(input_tokens AS DOUBLE PRECISION))", "SUM(CAST(output_tokens AS DOUBLE PRECISION))"];

/// Sums of one key each, in the order of the keys; of days, the newest first.
pub(in super::super) async fn usage(
    conn: &mut Conn<'_>,
    ask: &UsageQuery,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<UsageSum>, StoreError> {
    let (key, order) = match ask.by {
        UsageBy::Day => (DAY, "1 DESC"),
        UsageBy::Agent => ("agent", "1"),
        UsageBy::Model => ("provider || '/' || model", "1"),
        UsageBy::Session => ("session_id", "1"),
    };
    let mut query = usage::table
        .group_by(sql::<Text>(key))
        .select((
            sql::<Text>(key),
            sql::<BigInt>("CAST(SUM(turns) AS BIGINT)"),
            sql::<BigInt>("CAST(SUM(calls) AS BIGINT)"),
            sql::<Double>(SUMS[0]),
            sql::<Double>(SUMS[1]),
            sql::<Nullable<Double>>("SUM(cost_usd)"),
            sql::<BigInt>("CAST(SUM(CASE WHEN cost_usd IS NULL THEN turns ELSE 0 END) AS BIGINT)"),
        ))
        // An entry without either keeps the place of a call that was not made, until its turn ends.
        .filter(usage::calls.gt(0).or(usage::turns.gt(0)))
        .into_boxed();
    if let Some(user) = ask.user {
        query = query.filter(usage::user_id.eq(Id::from(user)));
    }
    if let Some(agent) = &ask.agent {
        query = query.filter(usage::agent.eq(agent.as_str()));
    }
    if let Some(session) = &ask.session {
        query = query.filter(usage::session_id.eq(session.as_str()));
    }
    if let Some(since) = ask.since {
        query = query.filter(usage::at.ge(Ts::from(since)));
    }
    if let Some(until) = ask.until {
        query = query.filter(usage::at.lt(Ts::from(until)));
    }
    if let Some(cursor) = cursor {
        let last = UsageCursor::decode(cursor, ask.by)?.key;
        query = match ask.by {
            UsageBy::Day => {
                let day: Timestamp = last.parse().map_err(|_| StoreError::BadCursor)?;
                query.filter(usage::at.lt(Ts::from(day)))
            }
            UsageBy::Agent => query.filter(usage::agent.gt(last)),
            UsageBy::Model => query.filter(usage::provider.concat("/").concat(usage::model).gt(last)),
            UsageBy::Session => query.filter(usage::session_id.gt(last)),
        };
    }
    let query = query.order(sql::<Text>(order)).limit(asked(limit));
    let rows = query.load::<(String, i64, i64, f64, f64, Option<f64>, i64)>(conn).await?;
    let sums = rows.into_iter().map(|(key, turns, calls, input, output, cost_usd, unpriced)| UsageSum {
        key,
        turns: turns.unsigned_abs(),
        calls: calls.unsigned_abs(),
        input_tokens: tokens(input),
        output_tokens: tokens(output),
        cost_usd,
        unpriced_turns: unpriced.unsigned_abs(),
    });
    Ok(page(sums.collect(), limit, |sum| UsageCursor { by: ask.by, key: sum.key.clone() }.encode()))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, which is what is wanted
fn tokens(sum: f64) -> u64 {
    sum as u64
}
