//! Browsers signed in and out, and the links that sign one in.

use diesel::prelude::*;
use mosaic_types::Timestamp;
use mosaic_types::journal::Outcome;
use mosaic_types::signin::{Browser, NewLink};

use super::access::bounded;
use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::schema::{browsers, links, tokens};
use crate::sql_types::{Digest, Id, Ts};

fn written(rows: usize, otherwise: Outcome) -> Outcome {
    if rows == 1 { Outcome::Written(Vec::new()) } else { otherwise }
}

/// Makes a link known, unless its hash is taken. The user's older one is void if it was not spent.
pub(super) async fn create_link(conn: &mut Conn<'_>, new: &NewLink) -> Result<Outcome, StoreError> {
    let role = bounded(conn, new.user, new.role).await?;
    let made = diesel::insert_into(links::table)
        .values((
            links::hash.eq(Digest(new.hash)),
            links::user_id.eq(Id::from(new.user)),
            links::role.eq(role),
            links::created_at.eq(Ts::from(new.at)),
            links::expires_at.eq(Ts::from(new.expires_at)),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    if made == 1 {
        let older = links::user_id.eq(Id::from(new.user)).and(links::hash.ne(Digest(new.hash)));
        diesel::delete(links::table.filter(older.and(links::spent_at.is_null()))).execute(conn).await?;
    }
    Ok(written(made, Outcome::Exists))
}

/// Signs a browser in, unless its token or its link no longer lets it.
pub(super) async fn sign_in(
    conn: &mut Conn<'_>,
    browser: &Browser,
    link: Option<&[u8; 32]>,
) -> Result<Outcome, StoreError> {
    let at = Ts::from(browser.created_at);
    if let Some(token) = browser.token {
        let good = tokens::table.find(Id::from(token)).filter(tokens::revoked_at.is_null()).select(tokens::id);
        if good.first::<Id>(conn).await.optional()?.is_none() {
            return Ok(Outcome::Missing);
        }
    }
    let taken = browsers::table.find(Digest(browser.hash)).select(browsers::hash);
    if taken.first::<Digest>(conn).await.optional()?.is_some() {
        return Ok(Outcome::Exists);
    }
    if let Some(link) = link {
        let good = links::table.find(Digest(*link)).filter(links::spent_at.is_null().and(links::expires_at.gt(at)));
        if diesel::update(good).set(links::spent_at.eq(at)).execute(conn).await? == 0 {
            return Ok(Outcome::Missing);
        }
        // That a link was spent is worth remembering, each one that was is not.
        let others = links::user_id.eq(Id::from(browser.user)).and(links::hash.ne(Digest(*link)));
        diesel::delete(links::table.filter(others)).execute(conn).await?;
    }
    diesel::delete(browsers::table.filter(browsers::expires_at.le(at))).execute(conn).await?;
    let role = bounded(conn, browser.user, browser.role).await?;
    diesel::insert_into(browsers::table)
        .values((
            browsers::hash.eq(Digest(browser.hash)),
            browsers::user_id.eq(Id::from(browser.user)),
            browsers::role.eq(role),
            browsers::token_id.eq(browser.token.map(Id::from)),
            browsers::created_at.eq(at),
            browsers::seen_at.eq(Ts::from(browser.seen_at)),
            browsers::expires_at.eq(Ts::from(browser.expires_at)),
        ))
        .execute(conn)
        .await?;
    Ok(Outcome::Written(Vec::new()))
}

/// Notes that a browser was used.
pub(super) async fn see(conn: &mut Conn<'_>, browser: [u8; 32], at: Timestamp) -> Result<Outcome, StoreError> {
    let seen = diesel::update(browsers::table.find(Digest(browser))).set(browsers::seen_at.eq(Ts::from(at)));
    Ok(written(seen.execute(conn).await?, Outcome::Missing))
}

/// Signs a browser out.
pub(super) async fn sign_out(conn: &mut Conn<'_>, browser: [u8; 32]) -> Result<Outcome, StoreError> {
    let gone = diesel::delete(browsers::table.find(Digest(browser))).execute(conn).await?;
    Ok(written(gone, Outcome::Missing))
}
