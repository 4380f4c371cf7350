//! What is on its way to platforms, and which session a conversation is.

use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use mosaic_types::outbox::{Conversation, Item, ItemCount, ItemState};
use mosaic_types::{SessionId, TurnId, UserId};

use super::{Conn, RunQueryDsl, all};
use crate::StoreError;
use crate::rows::{self, ItemRecord};
use crate::schema::{bindings, outbox, previews, sessions};
use crate::sql_types::{Id, Instant, Ts};

pub(in super::super) async fn held(conn: &mut Conn<'_>) -> Result<Vec<Item>, StoreError> {
    let held = outbox::due_at.is_not_null().and(outbox::state.eq(ItemState::Sending.as_str()));
    all(outbox::table.filter(held).order(outbox::id).select(ItemRecord::as_select()).load(conn).await?)
}

/// In the words of two partial indexes, so that what was sent is not looked at.
const COUNTED: [&str; 2] =
    ["state IN ('pending', 'sending')", "state IN ('sent', 'unknown', 'dead') AND state IN ('unknown', 'dead')"];

pub(in super::super) async fn counts(conn: &mut Conn<'_>) -> Result<Vec<ItemCount>, StoreError> {
    let mut counts = Vec::new();
    for which in COUNTED {
        let rows = outbox::table
            .filter(sql::<Bool>(which))
            .group_by((outbox::channel, outbox::state))
            .order((outbox::channel, outbox::state))
            .select((outbox::channel, outbox::state, sql::<BigInt>("COUNT(*)"), sql::<Instant>("MIN(created_at)")))
            .load::<(String, String, i64, Ts)>(conn)
            .await?;
        for (channel, state, items, oldest) in rows {
            let (state, items) = (rows::item_state(&state)?, items.unsigned_abs());
            counts.push(ItemCount { channel, state, items, oldest: oldest.into() });
        }
    }
    Ok(counts)
}

pub(in super::super) async fn preview(
    conn: &mut Conn<'_>,
    turn: TurnId,
    to: &Conversation,
) -> Result<Option<String>, StoreError> {
    let kept = previews::table.find((Id::from(turn), &*to.channel, &*to.account, &*to.name));
    Ok(kept.select(previews::platform_id).get_result(conn).await.optional()?)
}

/// Messages that are told of one conversation.
const SHOWN: i64 = 16;

pub(in super::super) async fn shown(conn: &mut Conn<'_>, to: &Conversation) -> Result<Vec<String>, StoreError> {
    let there = outbox::channel.eq(&*to.channel).and(outbox::account.eq(&*to.account));
    let items = outbox::table.filter(there.and(outbox::conversation.eq(&*to.name)));
    let shown = items.filter(outbox::platform_id.is_not_null()).order(outbox::id.desc()).limit(SHOWN);
    Ok(shown.select(outbox::platform_id.assume_not_null()).load(conn).await?)
}

pub(in super::super) async fn owes(conn: &mut Conn<'_>, to: &Conversation) -> Result<bool, StoreError> {
    let there = outbox::channel.eq(&*to.channel).and(outbox::account.eq(&*to.account));
    let items = outbox::table.filter(there.and(outbox::conversation.eq(&*to.name)).and(sql::<Bool>(COUNTED[0])));
    Ok(diesel::select(exists(items)).get_result(conn).await?)
}

pub(in super::super) async fn binding(
    conn: &mut Conn<'_>,
    of: &Conversation,
) -> Result<Option<(SessionId, UserId)>, StoreError> {
    let bound = bindings::table
        .find((&*of.channel, &*of.account, &*of.name))
        .inner_join(sessions::table.on(sessions::id.eq(bindings::session_id)))
        .select((sessions::id, sessions::user_id))
        .get_result::<(String, Id)>(conn)
        .await
        .optional()?;
    bound.map(|(session, user)| Ok((rows::session_id(&session)?, user.into()))).transpose()
}
