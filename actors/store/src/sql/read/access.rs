//! People, their tokens and their browsers, and who is let in on channels.

use diesel::prelude::*;
use mosaic_types::journal::{AuditRow, TokenRow, UserRow};
use mosaic_types::page::Limit;
use mosaic_types::pairing::PairingRow;
use mosaic_types::signin::{Browser, LinkRow};
use mosaic_types::{UserId, UserRole};

use super::{Conn, RunQueryDsl, all};
use crate::StoreError;
use crate::rows::{AuditRecord, BrowserRecord, LinkRecord, PairingRecord, SpeakerRecord, TokenRecord, UserRecord};
use crate::schema::{audit, browsers, cursors, links, pairings, tokens, users};
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

pub(in super::super) async fn browsers(conn: &mut Conn<'_>) -> Result<Vec<Browser>, StoreError> {
    all(browsers::table
        .order((browsers::seen_at, browsers::hash))
        .select(BrowserRecord::as_select())
        .load(conn)
        .await?)
}

pub(in super::super) async fn links(conn: &mut Conn<'_>) -> Result<Vec<LinkRow>, StoreError> {
    all(links::table.order((links::created_at, links::hash)).select(LinkRecord::as_select()).load(conn).await?)
}

pub(in super::super) async fn pairings(conn: &mut Conn<'_>) -> Result<Vec<PairingRow>, StoreError> {
    let rows = pairings::table
        .left_join(users::table.on(users::id.nullable().eq(pairings::user_id)))
        .order((pairings::channel, pairings::created_at, pairings::sender))
        .select((PairingRecord::as_select(), Option::<SpeakerRecord>::as_select()))
        .load::<(PairingRecord, Option<SpeakerRecord>)>(conn)
        .await?;
    rows.into_iter().map(|(row, speaker)| row.of(speaker)).collect()
}

pub(in super::super) async fn users(conn: &mut Conn<'_>) -> Result<Vec<UserRow>, StoreError> {
    all(users::table.order((users::created_at, users::id)).select(UserRecord::as_select()).load(conn).await?)
}

pub(in super::super) async fn audit(conn: &mut Conn<'_>, limit: Limit) -> Result<Vec<AuditRow>, StoreError> {
    let newest = audit::table.order((audit::at.desc(), audit::id.desc()));
    let newest = newest.limit(i64::try_from(limit.rows()).unwrap_or(i64::MAX)).select(AuditRecord::as_select());
    Ok(newest.load::<AuditRecord>(conn).await?.into_iter().map(AuditRow::from).collect())
}

pub(in super::super) async fn cursors(
    conn: &mut Conn<'_>,
    channel: &str,
    limit: Limit,
) -> Result<Vec<(String, String)>, StoreError> {
    let order = (cursors::updated_at.desc(), cursors::scope);
    let kept = cursors::table
        .filter(cursors::channel.eq(channel))
        .order(order)
        .limit(i64::try_from(limit.rows()).unwrap_or(i64::MAX));
    Ok(kept.select((cursors::scope, cursors::value)).load(conn).await?)
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
