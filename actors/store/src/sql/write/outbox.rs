//! What must go out: written with a turn's end, taken up, settled, removed.

use diesel::prelude::*;
use mosaic_types::journal::{EndTurn, Outcome};
use mosaic_types::outbox::{Content, Conversation, Item, ItemState, SettleItem, Settled, Shown, TakeItems};
use mosaic_types::{Seq, Timestamp, TurnId};

use super::{Conn, RunQueryDsl};
use crate::StoreError;
use crate::rows::ItemRecord;
use crate::schema::{inbox, outbox, previews, turns};
use crate::sql_types::{Id, Json, Ts};
use crate::statement::{AdvanceItem, NextDueItem, OfferItem, PruneClosedItems, SettleHeldItem, TakeDueItems};

type Place = (String, String, String);

/// Writes an item for each conversation that an input of the turn came from. It answers the newest of them.
pub(super) async fn offer(conn: &mut Conn<'_>, end: &EndTurn) -> Result<(), StoreError> {
    let turn = Id::from(end.turn);
    let inputs = inbox::table
        .filter(inbox::turn_id.eq(turn).and(inbox::channel.ne(mosaic_types::journal::API_CHANNEL)))
        .order(inbox::seq)
        .select((inbox::channel, inbox::account, inbox::conversation, inbox::reply_to))
        .load::<(String, String, String, Option<String>)>(conn)
        .await?;
    let mut to: Vec<(Place, Option<String>)> = Vec::new();
    for (channel, account, conversation, reply_to) in inputs {
        let place = (channel, account, conversation);
        match to.iter_mut().find(|(known, _)| *known == place) {
            Some((_, newest)) => *newest = reply_to.or(newest.take()),
            None => to.push((place, reply_to)),
        }
    }
    let kept = previews::table.filter(previews::turn_id.eq(turn));
    let kept_as = (previews::channel, previews::account, previews::conversation, previews::platform_id);
    let shown = kept.select(kept_as).load::<(String, String, String, String)>(conn).await?;
    if !shown.is_empty() {
        diesel::delete(kept).execute(conn).await?;
    }
    let body = serde_json::to_string(&Content::of(&end.end, &end.agent))?;
    for ((channel, account, conversation), reply_to) in &to {
        let here = |shown: &&(String, String, String, String)| {
            (&shown.0, &shown.1, &shown.2) == (channel, account, conversation)
        };
        let item = OfferItem {
            session: end.session.as_str(),
            turn,
            channel,
            account,
            conversation,
            reply_to: reply_to.as_deref(),
            body: Json(body.clone()),
            preview: shown.iter().find(here).map(|shown| shown.3.as_str()),
            at: end.at.into(),
        };
        item.execute(conn).await?;
    }
    Ok(())
}

/// Takes up what is due in a channel.
pub(super) async fn take(conn: &mut Conn<'_>, take: &TakeItems) -> Result<Outcome, StoreError> {
    let (channel, limit) = (&*take.channel, i64::from(take.limit));
    let due = TakeDueItems { channel, holder: Id(take.holder), at: take.at.into(), limit };
    let records: Vec<ItemRecord> = due.load(conn).await?;
    let mut items = records.into_iter().map(Item::try_from).collect::<Result<Vec<_>, _>>()?;
    items.sort_unstable_by_key(|item| item.id);
    let next = match items.len() == take.limit as usize {
        true => None,
        false => NextDueItem { channel }.get_result::<Option<Ts>>(conn).await?.map(Timestamp::from),
    };
    Ok(Outcome::Taken { items, next })
}

/// Writes down what became of an item that is held.
pub(super) async fn settle(conn: &mut Conn<'_>, settle: &SettleItem) -> Result<Outcome, StoreError> {
    let Some(holder) = settle.holder else { return Ok(Outcome::Stale) };
    let at = Ts::from(settle.at);
    let closed = SettleHeldItem {
        id: settle.id,
        holder: Id(holder),
        part: settle.part.into(),
        attempt: settle.attempt.into(),
        state: ItemState::Sent.as_str(),
        platform_id: None,
        parts: 0,
        shown: None,
        due: None,
        why: None,
        called: 0,
        at,
    };
    let pending = ItemState::Pending.as_str();
    let change = match &settle.settled {
        Settled::Shown(Shown { platform_id, up_to: None }) => {
            SettleHeldItem { platform_id: platform_id.as_deref(), ..closed }
        }
        Settled::Shown(Shown { platform_id, up_to: Some(shown) }) => {
            let (platform_id, shown) = (platform_id.as_deref(), Some(i64::try_from(*shown).unwrap_or(i64::MAX)));
            SettleHeldItem { state: pending, platform_id, parts: 1, shown, due: Some(at), ..closed }
        }
        // Still held: only `pending` ones are taken up, whatever is due.
        Settled::Calling => SettleHeldItem { state: ItemState::Sending.as_str(), due: Some(at), called: 1, ..closed },
        Settled::Later { due } => SettleHeldItem { state: pending, due: Some((*due).into()), ..closed },
        Settled::Unknown { why } => {
            SettleHeldItem { state: ItemState::Unknown.as_str(), why: Some(why.as_str()), ..closed }
        }
        Settled::Dead { why } => SettleHeldItem { state: ItemState::Dead.as_str(), why: Some(why.as_str()), ..closed },
    };
    let open = change.due.is_some();
    let Some(place) = change.get_result::<Place>(conn).await.optional()? else { return Ok(Outcome::Stale) };
    let more = match &settle.settled {
        Settled::Calling | Settled::Later { .. } => false,
        _ if open => true,
        _ => advance(conn, &place, settle.at).await?,
    };
    Ok(Outcome::Settled { more })
}

/// Makes the first open item of a conversation due; whether it had waited.
async fn advance(
    conn: &mut Conn<'_>,
    (channel, account, conversation): &Place,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let next = AdvanceItem { channel, account, conversation, at: at.into() };
    Ok(next.get_result::<i64>(conn).await.optional()?.is_some())
}

/// The conversations in which items of a session are open: what waits behind them goes on when they are removed.
pub(super) async fn places_of(conn: &mut Conn<'_>, session: &str) -> Result<Vec<Place>, StoreError> {
    let first = outbox::table.filter(outbox::session_id.eq(session).and(outbox::due_at.is_not_null()));
    Ok(first.select((outbox::channel, outbox::account, outbox::conversation)).load(conn).await?)
}

/// Has what waited in these conversations go on.
pub(super) async fn advance_all(conn: &mut Conn<'_>, places: &[Place], at: Timestamp) -> Result<(), StoreError> {
    for place in places {
        advance(conn, place, at).await?;
    }
    Ok(())
}

/// Keeps the message that a turn is streamed into.
pub(super) async fn keep_preview(
    conn: &mut Conn<'_>,
    turn: TurnId,
    to: &Conversation,
    platform_id: &str,
    at: Timestamp,
) -> Result<Outcome, StoreError> {
    let (channel, account, conversation) = (&*to.channel, &*to.account, &*to.name);
    let found = turns::table.find(Id::from(turn)).select(turns::end_seq).get_result::<Option<Seq>>(conn).await;
    let Some(end) = found.optional()? else { return Ok(Outcome::Missing) };
    if end.is_none() {
        let made = diesel::insert_into(previews::table)
            .values((
                previews::turn_id.eq(Id::from(turn)),
                previews::channel.eq(channel),
                previews::account.eq(account),
                previews::conversation.eq(conversation),
                previews::platform_id.eq(platform_id),
                previews::at.eq(Ts::from(at)),
            ))
            .on_conflict_do_nothing()
            .execute(conn)
            .await?;
        let kept = previews::table.find((Id::from(turn), channel, account, conversation)).select(previews::platform_id);
        let same = made == 1 || kept.get_result::<String>(conn).await? == platform_id;
        return Ok(if same { Outcome::Written(Vec::new()) } else { Outcome::Exists });
    }
    let here = outbox::channel.eq(channel).and(outbox::account.eq(account)).and(outbox::conversation.eq(conversation));
    let item = outbox::table.filter(outbox::turn_id.eq(Id::from(turn)).and(here));
    let unsaid = outbox::state.eq(ItemState::Pending.as_str()).and(outbox::part.eq(0));
    let takes = item.filter(unsaid.and(outbox::preview.is_null().or(outbox::preview.eq(platform_id))));
    let taken = diesel::update(takes).set(outbox::preview.eq(platform_id)).execute(conn).await?;
    Ok(if taken > 0 { Outcome::Written(Vec::new()) } else { Outcome::Closed })
}

/// Removes what ended long ago.
pub(super) async fn prune(
    conn: &mut Conn<'_>,
    sent_before: Timestamp,
    lost_before: Timestamp,
    limit: u32,
) -> Result<Outcome, StoreError> {
    let mut removed = 0;
    for (state, before) in
        [(ItemState::Sent, sent_before), (ItemState::Unknown, lost_before), (ItemState::Dead, lost_before)]
    {
        let limit = i64::from(limit) - i64::try_from(removed).unwrap_or(i64::MAX);
        removed += PruneClosedItems { state: state.as_str(), before: before.into(), limit }.execute(conn).await?;
    }
    Ok(Outcome::Removed(removed))
}
