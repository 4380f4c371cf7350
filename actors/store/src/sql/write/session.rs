//! The life of a session: made, taken into memory, changed, removed.

use diesel::prelude::*;
use mosaic_types::journal::{ChangeSession, NewSession, Outcome, SessionPhase};
use mosaic_types::{Epoch, EventBody, Seq, SessionId, Timestamp};

use super::journal::Journal;
use super::outbox;
use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::schema::sessions;
use crate::sql_types::{Id, Ts};
use crate::statement::ClaimSession;

/// Makes a session, unless its id is taken.
pub(super) async fn create(conn: &mut Conn<'_>, new: &NewSession) -> Result<Outcome, StoreError> {
    let at = Ts::from(new.at);
    let made = diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(new.id.as_str()),
            sessions::user_id.eq(Id::from(new.user)),
            sessions::channel.eq(&*new.channel),
            sessions::agent.eq(new.agent.as_str()),
            sessions::title.eq(&new.title),
            sessions::state.eq(SessionPhase::Idle.as_str()),
            // From the clock on: one who held a deleted session of this id must not fit the new one.
            sessions::epoch.eq(new.at.0),
            sessions::last_seq.eq(0),
            sessions::created_at.eq(at),
            sessions::updated_at.eq(at),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(if made == 1 { Outcome::Written(Vec::new()) } else { Outcome::Exists })
}

/// Raises a session's epoch, which shuts out whoever held it before.
pub(super) async fn claim(conn: &mut Conn<'_>, id: &SessionId) -> Result<Outcome, StoreError> {
    let epoch = ClaimSession { id: id.as_str() }.get_result::<Epoch>(conn).await.optional()?;
    Ok(epoch.map_or(Outcome::Missing, Outcome::Claimed))
}

/// Whether whoever writes under `epoch` still owns the session.
pub(super) async fn owned(conn: &mut Conn<'_>, id: &SessionId, epoch: Epoch) -> Result<bool, StoreError> {
    let held = sessions::table.find(id.as_str()).filter(sessions::epoch.eq(epoch));
    Ok(diesel::select(diesel::dsl::exists(held)).get_result(conn).await?)
}

/// Makes a session what it is to be from now on.
pub(super) async fn change(conn: &mut Conn<'_>, change: &ChangeSession) -> Result<Outcome, StoreError> {
    let owned = sessions::table.find(change.session.as_str()).filter(sessions::epoch.eq(change.epoch));
    let last = diesel::update(owned)
        .set((
            sessions::user_id.eq(Id::from(change.user)),
            sessions::agent.eq(change.agent.as_str()),
            sessions::title.eq(&change.title),
            sessions::archived.eq(i64::from(change.archived)),
            sessions::model.eq(change.model.as_ref().map(ToString::to_string)),
            sessions::updated_at.eq(Ts::from(change.at)),
            sessions::last_seq.eq(sessions::last_seq + 1),
        ))
        .returning(sessions::last_seq)
        .get_result::<Seq>(conn)
        .await
        .optional()?;
    let Some(last) = last else { return Ok(Outcome::Stale) };
    let mut journal = Journal::new(&change.session, change.at, last, 1);
    let body = EventBody::SessionChanged {
        agent: change.agent.clone(),
        title: change.title.clone(),
        archived: change.archived,
        model: change.model.clone(),
    };
    journal.add(conn, None, body).await?;
    Ok(journal.done())
}

/// Removes a session; its turns, events, messages and inbox rows go with it by their foreign keys.
pub(super) async fn delete(conn: &mut Conn<'_>, id: &SessionId) -> Result<Outcome, StoreError> {
    let places = outbox::places_of(conn, id.as_str()).await?;
    let gone = diesel::delete(sessions::table.find(id.as_str())).execute(conn).await?;
    // A moment in the past: whatever the clock says, what waited is due.
    outbox::advance_all(conn, &places, Timestamp(0)).await?;
    Ok(if gone == 1 { Outcome::Written(Vec::new()) } else { Outcome::Missing })
}
