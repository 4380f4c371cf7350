//! Rules of people's own.

use diesel::prelude::*;
use mosaic_types::UserId;
use mosaic_types::journal::Outcome;
use mosaic_types::routing::OwnRule;

use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::schema::routing_rules;
use crate::sql_types::{Id, Json, Ts};

/// Puts `rules` in place of all that a person has. They are few, and so never half of one order and half of another.
pub(super) async fn set(conn: &mut Conn<'_>, user: UserId, rules: &[OwnRule]) -> Result<Outcome, StoreError> {
    let user = Id::from(user);
    diesel::delete(routing_rules::table.filter(routing_rules::user_id.eq(user))).execute(conn).await?;
    for (at, own) in rules.iter().enumerate() {
        diesel::insert_into(routing_rules::table)
            .values((
                routing_rules::id.eq(Id::from(own.id)),
                routing_rules::user_id.eq(user),
                routing_rules::position.eq(at as i64 + 1),
                routing_rules::rule.eq(Json(serde_json::to_string(&own.rule)?)),
                routing_rules::created_at.eq(Ts::from(own.created_at)),
                routing_rules::updated_at.eq(Ts::from(own.updated_at)),
            ))
            .execute(conn)
            .await?;
    }
    Ok(Outcome::Written(Vec::new()))
}
