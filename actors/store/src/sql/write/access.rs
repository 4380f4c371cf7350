//! People and their tokens, and by whom it was decided.

use diesel::prelude::*;
use mosaic_types::journal::{Deed, NewToken, NewUser, Outcome};
use mosaic_types::{Timestamp, TokenId, UserId, UserRole};

use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::rows;
use crate::schema::{audit, browsers, links, pairings, routing_rules, sessions, tokens, users};
use crate::sql_types::{Digest, Id, Ts};

/// Keeps by whom something was done.
pub(super) async fn note(conn: &mut Conn<'_>, deed: &Deed) -> Result<(), StoreError> {
    diesel::insert_into(audit::table)
        .values((
            audit::id.eq(Id(deed.id)),
            audit::at.eq(Ts::from(deed.at)),
            audit::user_id.eq(Some(Id::from(deed.by))),
            audit::action.eq(deed.action),
            audit::subject.eq(&deed.subject),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether there is such a person.
pub(super) async fn is_known(conn: &mut Conn<'_>, user: UserId) -> Result<bool, StoreError> {
    let found = users::table.find(Id::from(user)).select(users::id).first::<Id>(conn).await.optional()?;
    Ok(found.is_some())
}

/// What is made for a person can do no more than they: their role may have become less since it was looked up.
pub(super) async fn bounded(conn: &mut Conn<'_>, user: UserId, role: UserRole) -> Result<&'static str, StoreError> {
    let theirs = users::table.find(Id::from(user)).select(users::role).first::<String>(conn).await.optional()?;
    let theirs = theirs.and_then(|theirs| theirs.parse::<UserRole>().ok());
    Ok(theirs.map_or(role, |theirs| theirs.min(role)).as_str())
}

/// Whether somebody else is an owner too.
async fn others_own(conn: &mut Conn<'_>, user: UserId) -> Result<bool, StoreError> {
    let others = users::table.filter(users::role.eq(UserRole::Owner.as_str()).and(users::id.ne(Id::from(user))));
    Ok(others.count().get_result::<i64>(conn).await? > 0)
}

/// Gives a person another role, and takes what is more from all that was made for them.
pub(super) async fn set_role(conn: &mut Conn<'_>, user: UserId, role: UserRole) -> Result<Outcome, StoreError> {
    let id = Id::from(user);
    let before = users::table.find(id).select(users::role).first::<String>(conn).await.optional()?;
    let Some(before) = before else { return Ok(Outcome::Missing) };
    if before == UserRole::Owner.as_str() && role != UserRole::Owner && !others_own(conn, user).await? {
        return Ok(Outcome::Closed);
    }
    diesel::update(users::table.find(id)).set(users::role.eq(role.as_str())).execute(conn).await?;
    for more in UserRole::ALL.into_iter().filter(|more| *more > role).map(UserRole::as_str) {
        let theirs = tokens::table.filter(tokens::user_id.eq(id).and(tokens::role.eq(more)));
        diesel::update(theirs).set(tokens::role.eq(role.as_str())).execute(conn).await?;
        let theirs = browsers::table.filter(browsers::user_id.eq(id).and(browsers::role.eq(more)));
        diesel::update(theirs).set(browsers::role.eq(role.as_str())).execute(conn).await?;
        let theirs = links::table.filter(links::user_id.eq(id).and(links::role.eq(more)));
        diesel::update(theirs).set(links::role.eq(role.as_str())).execute(conn).await?;
    }
    Ok(Outcome::Written(Vec::new()))
}

/// Forgets a person with all that lets them in; their sessions are the heir's.
pub(super) async fn remove_user(conn: &mut Conn<'_>, user: UserId, heir: UserId) -> Result<Outcome, StoreError> {
    let gone = Id::from(user);
    let role = users::table.find(gone).select(users::role).first::<String>(conn).await.optional()?;
    let Some(role) = role else { return Ok(Outcome::Missing) };
    if user == heir || !is_known(conn, heir).await? {
        return Ok(Outcome::Missing);
    }
    if role == UserRole::Owner.as_str() && !others_own(conn, user).await? {
        return Ok(Outcome::Closed);
    }
    // Under a higher epoch, as if it had been taken into memory elsewhere: who has it there reads it anew.
    let theirs = diesel::update(sessions::table.filter(sessions::user_id.eq(gone)))
        .set((sessions::user_id.eq(Id::from(heir)), sessions::epoch.eq(sessions::epoch + 1)))
        .returning(sessions::id)
        .load::<String>(conn)
        .await?;
    diesel::delete(browsers::table.filter(browsers::user_id.eq(gone))).execute(conn).await?;
    diesel::delete(links::table.filter(links::user_id.eq(gone))).execute(conn).await?;
    diesel::delete(pairings::table.filter(pairings::user_id.eq(gone))).execute(conn).await?;
    diesel::delete(routing_rules::table.filter(routing_rules::user_id.eq(gone))).execute(conn).await?;
    diesel::delete(tokens::table.filter(tokens::user_id.eq(gone))).execute(conn).await?;
    diesel::delete(users::table.find(gone)).execute(conn).await?;
    let sessions = theirs.iter().map(|id| rows::session_id(id)).collect::<Result<_, _>>()?;
    Ok(Outcome::UserRemoved(sessions))
}

/// Makes a person known, unless the id or the name is taken.
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
    let role = bounded(conn, new.user, new.role).await?;
    let made = diesel::insert_into(tokens::table)
        .values((
            tokens::id.eq(Id::from(new.id)),
            tokens::user_id.eq(Id::from(new.user)),
            tokens::name.eq(&new.name),
            tokens::role.eq(role),
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
