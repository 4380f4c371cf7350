//! What channels keep: strangers who were offered a code, let in, forgotten; and how far a platform was heard.

use diesel::prelude::*;
use mosaic_types::journal::Outcome;
use mosaic_types::pairing::{LinkSender, NewPairing, PENDING};
use mosaic_types::{Timestamp, UserId};

use super::{Conn, RunQueryDsl, access};
use crate::StoreError;
use crate::rows::{PairingRecord, SpeakerRecord};
use crate::schema::{cursors, pairings, users};
use crate::sql_types::{Digest, Id, Ts};

/// Keeps a stranger's code, unless there is no room for one more or there is one already.
pub(super) async fn offer(conn: &mut Conn<'_>, new: &NewPairing) -> Result<Outcome, StoreError> {
    let waits = pairings::user_id.is_null();
    diesel::delete(pairings::table.filter(waits.and(pairings::expires_at.le(Ts::from(new.at))))).execute(conn).await?;
    let channel = pairings::channel.eq(&*new.channel);
    let known = channel.and(pairings::account.eq(&*new.account)).and(pairings::sender.eq(&*new.sender));
    let known = pairings::table.filter(known).select(pairings::code_hash).first::<Digest>(conn).await.optional()?;
    if known.is_some() {
        return Ok(Outcome::Exists);
    }
    let waiting = pairings::table.filter(channel.and(waits)).count().get_result::<i64>(conn).await?;
    if waiting >= PENDING {
        return Ok(Outcome::Closed);
    }
    let made = diesel::insert_into(pairings::table)
        .values((
            pairings::code_hash.eq(Digest(new.hash)),
            pairings::channel.eq(&*new.channel),
            pairings::account.eq(&*new.account),
            pairings::sender.eq(&*new.sender),
            pairings::name.eq(&*new.name),
            pairings::created_at.eq(Ts::from(new.at)),
            pairings::expires_at.eq(Ts::from(new.expires_at)),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(if made == 1 { Outcome::Written(Vec::new()) } else { Outcome::Exists })
}

/// Lets whoever has the code in, once.
pub(super) async fn pair(
    conn: &mut Conn<'_>,
    hash: [u8; 32],
    user: UserId,
    at: Timestamp,
) -> Result<Outcome, StoreError> {
    if !access::is_known(conn, user).await? {
        return Ok(Outcome::Missing);
    }
    let good = pairings::user_id.is_null().and(pairings::expires_at.gt(Ts::from(at)));
    let code = pairings::table.find(Digest(hash));
    let paired = diesel::update(code.filter(good)).set(pairings::user_id.eq(Some(Id::from(user))));
    if paired.execute(conn).await? == 0 {
        return Ok(Outcome::Missing);
    }
    paired_row(conn, hash).await
}

/// Lets somebody speak as a user, whether or not they were known before.
pub(super) async fn link(conn: &mut Conn<'_>, new: &LinkSender) -> Result<Outcome, StoreError> {
    if !access::is_known(conn, new.user).await? {
        return Ok(Outcome::Missing);
    }
    let user = pairings::user_id.eq(Some(Id::from(new.user)));
    let of = pairings::channel.eq(&*new.channel).and(pairings::account.eq(&*new.account));
    let known = pairings::table.filter(of.and(pairings::sender.eq(&*new.sender)));
    let known = diesel::update(known).set(user).returning(pairings::code_hash).get_result::<Digest>(conn).await;
    if let Some(hash) = known.optional()? {
        return paired_row(conn, hash.0).await;
    }
    diesel::insert_into(pairings::table)
        .values((
            pairings::code_hash.eq(Digest(new.hash)),
            pairings::channel.eq(&*new.channel),
            pairings::account.eq(&*new.account),
            pairings::sender.eq(&*new.sender),
            pairings::name.eq(""),
            user,
            pairings::created_at.eq(Ts::from(new.at)),
            pairings::expires_at.eq(Ts::from(new.at)),
        ))
        .execute(conn)
        .await?;
    paired_row(conn, new.hash).await
}

async fn paired_row(conn: &mut Conn<'_>, hash: [u8; 32]) -> Result<Outcome, StoreError> {
    let row = pairings::table
        .find(Digest(hash))
        .left_join(users::table.on(users::id.nullable().eq(pairings::user_id)))
        .select((PairingRecord::as_select(), Option::<SpeakerRecord>::as_select()))
        .first::<(PairingRecord, Option<SpeakerRecord>)>(conn)
        .await?;
    Ok(Outcome::Paired(row.0.of(row.1)?))
}

/// Forgets somebody, by whichever account of the channel.
pub(super) async fn unpair(conn: &mut Conn<'_>, channel: &str, sender: &str) -> Result<Outcome, StoreError> {
    let theirs = pairings::channel.eq(channel).and(pairings::sender.eq(sender));
    let gone = diesel::delete(pairings::table.filter(theirs)).execute(conn).await?;
    Ok(if gone > 0 { Outcome::Written(Vec::new()) } else { Outcome::Missing })
}

/// Keeps a value in place of the one before.
pub(super) async fn keep(
    conn: &mut Conn<'_>,
    channel: &str,
    scope: &str,
    value: &str,
    at: Timestamp,
) -> Result<Outcome, StoreError> {
    let at = Ts::from(at);
    let new =
        (cursors::channel.eq(channel), cursors::scope.eq(scope), cursors::value.eq(value), cursors::updated_at.eq(at));
    diesel::insert_into(cursors::table)
        .values(new)
        .on_conflict((cursors::channel, cursors::scope))
        .do_update()
        .set((cursors::value.eq(value), cursors::updated_at.eq(at)))
        .execute(conn)
        .await?;
    Ok(Outcome::Written(Vec::new()))
}
