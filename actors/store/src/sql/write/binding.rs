//! Which session a conversation of a platform is.

use diesel::prelude::*;
use mosaic_types::SessionId;
use mosaic_types::Timestamp;
use mosaic_types::journal::{NewSession, Outcome};
use mosaic_types::outbox::Conversation;

use super::{Conn, RunQueryDsl, session};
use crate::StoreError;
use crate::rows;
use crate::schema::{bindings, sessions};
use crate::sql_types::{Id, Ts};

/// Finds the session of a conversation, or makes it.
pub(super) async fn bind(conn: &mut Conn<'_>, to: &Conversation, new: &NewSession) -> Result<Outcome, StoreError> {
    let bound = bindings::table
        .find((&*to.channel, &*to.account, &*to.name))
        .inner_join(sessions::table.on(sessions::id.eq(bindings::session_id)))
        .select((sessions::id, sessions::user_id))
        .get_result::<(String, Id)>(conn)
        .await
        .optional()?;
    if let Some((session, user)) = bound {
        return Ok(Outcome::Bound { session: rows::session_id(&session)?, user: user.into() });
    }
    match session::create(conn, new).await? {
        Outcome::Written(_) => {}
        other => return Ok(other),
    }
    insert(conn, to, &new.id, new.at).await?;
    Ok(Outcome::Bound { session: new.id.clone(), user: new.user })
}

/// Binds a conversation to a session that is there.
pub(super) async fn rebind(
    conn: &mut Conn<'_>,
    to: &Conversation,
    session: &SessionId,
    at: Timestamp,
) -> Result<Outcome, StoreError> {
    let owner = sessions::table.find(session.as_str()).select(sessions::user_id);
    let Some(user) = owner.get_result::<Id>(conn).await.optional()? else { return Ok(Outcome::Missing) };
    let bound = bindings::table.find((&*to.channel, &*to.account, &*to.name));
    if diesel::update(bound).set(bindings::session_id.eq(session.as_str())).execute(conn).await? == 0 {
        insert(conn, to, session, at).await?;
    }
    Ok(Outcome::Bound { session: session.clone(), user: user.into() })
}

async fn insert(conn: &mut Conn<'_>, to: &Conversation, session: &SessionId, at: Timestamp) -> Result<(), StoreError> {
    diesel::insert_into(bindings::table)
        .values((
            bindings::channel.eq(&*to.channel),
            bindings::account.eq(&*to.account),
            bindings::conversation.eq(&*to.name),
            bindings::session_id.eq(session.as_str()),
            bindings::mirror.eq(0),
            bindings::created_at.eq(Ts::from(at)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
