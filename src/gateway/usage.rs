//! What was spent.

use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use mosaic_types::ledger::{UsageBy, UsageQuery, UsageSum};
use mosaic_types::page::Page;
use mosaic_types::{Code, Failure, Timestamp, UserRole};
use serde::Deserialize;
use utoipa::IntoParams;

use super::auth::Asker;
use super::error::{Answer, ApiError};
use super::refusals;
use super::server::Gate;
use super::sessions::limit;

/// Which sums are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wish {
    /// What is summed up together.
    #[serde(default)]
    #[param(value_type = UsageBy, required = false, inline, default = json!("day"))]
    by: Option<String>,
    /// Turns that ended then or later: a moment, or a day, which begins at midnight UTC.
    #[serde(default)]
    #[param(value_type = String, required = false, example = "2026-11-01")]
    since: Option<String>,
    /// Turns that ended before: a moment or a day.
    #[serde(default)]
    #[param(value_type = String, required = false, example = "2026-12-01T00:00:00Z")]
    until: Option<String>,
    /// `next` of the page before, as it was given, with the same `by`, `since` and `until`.
    #[serde(default)]
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// Rows of the page.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
}

/// A parameter as what it should be.
fn read<T: std::str::FromStr<Err = String>>(name: &str, text: Option<&str>) -> Result<Option<T>, ApiError> {
    let wrong = |why| ApiError(Failure::new(Code::BadRequest, format!("{name}: {why}.")));
    text.map(|text| text.parse().map_err(wrong)).transpose()
}

/// Sums up what was spent
///
/// From the ledger, which outlives sessions: your own turns and calls; an owner's sums are everyone's. It holds what was
/// spent beside an answer too: lost races, calls that failed or were cut off, calls of no session.
/// By day the newest comes first, else the order is that of the names. `cost_usd` holds what has a price in the config;
/// `unpriced_turns` says how many turns have none.
#[utoipa::path(
    get,
    path = "/api/v1/usage",
    operation_id = "sum_usage",
    tag = "house",
    params(Wish),
    responses((status = 200, description = "A page of sums.", body = Page<UsageSum>), refusals::List)
)]
pub(super) async fn sums(gate: Data<Gate>, Asker(who): Asker, wish: Query<Wish>) -> Answer {
    let wish = wish.into_inner();
    let ask = UsageQuery {
        user: (who.role < UserRole::Owner).then_some(who.user),
        by: read("by", wish.by.as_deref())?.unwrap_or_default(),
        since: read::<Timestamp>("since", wish.since.as_deref())?,
        until: read::<Timestamp>("until", wish.until.as_deref())?,
        ..UsageQuery::default()
    };
    let limit = limit(wish.limit.as_deref(), None)?;
    let page: Page<UsageSum> = gate.doors.store.usage(ask, wish.cursor, limit).await?;
    Ok(HttpResponse::Ok().json(page))
}
