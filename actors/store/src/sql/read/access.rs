//! People and their tokens.

use diesel::prelude::*;
use mosaic_types::journal::TokenRow;
use mosaic_types::{UserId, UserRole};

use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::rows::TokenRecord;
use crate::schema::{tokens, users};
use crate::sql_types::Id;

pub(in super::super) async fn tokens(conn: &mut Conn<'_>) -> Result<Vec<TokenRow>, StoreError> {
    let records = tokens::table
        .inner_join(users::table.on(users::id.eq(tokens::user_id)))
        .order((tokens::created_at, tokens::id))
        .select((TokenRecord::as_select(), users::name))
        .load::<(TokenRecord, String)>(conn)
        .await?;
    records.into_iter().map(|(token, user_name)| token.of(user_name)).collect()
}

pub(in super::super) async fn owner(conn: &mut Conn<'_>) -> Result<Option<UserId>, StoreError> {
    let first = users::table
        .filter(users::role.eq(UserRole::Owner.as_str()))
        .order((users::created_at, users::id))
        .select(users::id)
        .first::<Id>(conn)
        .await
        .optional()?;
    Ok(first.map(Into::into))
}
