//! People and their tokens.

use diesel::prelude::*;
use mosaic_types::journal::{NewToken, NewUser, Outcome};
use mosaic_types::{Timestamp, TokenId};

use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::schema::{browsers, tokens, users};
use crate::sql_types::{Digest, Id, Ts};

/// Makes a person known, unless the id is taken.
pub(super) async fn create_user(conn: &mut Conn<'_>, new: &NewUser) -> Result<Outcome, StoreError> {
    let made = diesel::insert_into(users::table)
        .values((
            users::id.eq(Id::from(new.id)),
            users::name.eq(&new.name),
            users::role.eq(new.role.as_str()),
            users::created_at.eq(Ts::from(new.at)),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(if made == 1 { Outcome::Written(Vec::new()) } else { Outcome::Exists })
}

/// Makes a token known, unless its id or its hash is taken.
pub(super) async fn create_token(conn: &mut Conn<'_>, new: &NewToken) -> Result<Outcome, StoreError> {
    let made = diesel::insert_into(tokens::table)
        .values((
            tokens::id.eq(Id::from(new.id)),
            tokens::user_id.eq(Id::from(new.user)),
            tokens::name.eq(&new.name),
            tokens::role.eq(new.role.as_str()),
            tokens::hash.eq(Digest(new.hash)),
            tokens::created_at.eq(Ts::from(new.at)),
            tokens::expires_at.eq(new.expires_at.map(Ts::from)),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(if made == 1 { Outcome::Written(Vec::new()) } else { Outcome::Exists })
}

/// Revokes a token for good, and with it what it let in.
pub(super) async fn revoke_token(conn: &mut Conn<'_>, id: TokenId, at: Timestamp) -> Result<Outcome, StoreError> {
    let valid = tokens::table.find(Id::from(id)).filter(tokens::revoked_at.is_null());
    let revoked = diesel::update(valid).set(tokens::revoked_at.eq(Ts::from(at))).execute(conn).await?;
    if revoked == 0 {
        return Ok(Outcome::Missing);
    }
    diesel::delete(browsers::table.filter(browsers::token_id.eq(Id::from(id)))).execute(conn).await?;
    Ok(Outcome::Written(Vec::new()))
}
