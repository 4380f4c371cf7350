//! Rules of people's own.

use diesel::prelude::*;
use mosaic_types::UserId;
use mosaic_types::routing::OwnRule;

use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::rows::RuleRecord;
use crate::schema::routing_rules;

pub(in super::super) async fn rules(conn: &mut Conn<'_>) -> Result<Vec<(UserId, OwnRule)>, StoreError> {
    let records = routing_rules::table
        .order((routing_rules::user_id, routing_rules::position))
        .select(RuleRecord::as_select())
        .load(conn)
        .await?;
    records.into_iter().map(RuleRecord::read).collect()
}
