//! Statements of the outbox: in words also because its partial indexes are used only by a query that says what they say.

use diesel::sql_types::{BigInt, Nullable, Text};

use super::statement;
use crate::sql_types::{Doc, Id, Instant, Json, Ts, Uid};

statement! {
    /// Writes an item; it is due at once where it is the first that is open in its conversation.
    OfferItem {
        session: &'a str => Text,
        turn: Id => Uid,
        channel: &'a str => Text,
        account: &'a str => Text,
        conversation: &'a str => Text,
        reply_to: Option<&'a str> => Nullable<Text>,
        body: Json => Doc,
        preview: Option<&'a str> => Nullable<Text>,
        at: Ts => Instant,
    } -> ();
    "INSERT INTO outbox (session_id, turn_id, channel, account, conversation, reply_to, body, preview, part, shown, \
     state, attempt, due_at, created_at, updated_at) VALUES (" (session: Text)
    ", " (turn: Uid)
    ", " (channel: Text)
    ", " (account: Text)
    ", " (conversation: Text)
    ", " (reply_to: Nullable<Text>)
    ", " (body: Doc)
    ", " (preview: Nullable<Text>)
    ", 0, 0, 'pending', 0, CASE WHEN EXISTS (SELECT 1 FROM outbox WHERE channel = " (channel: Text)
    " AND account = " (account: Text)
    " AND conversation = " (conversation: Text)
    " AND state IN ('pending', 'sending')) THEN NULL ELSE " (at: Instant)
    " END, " (at: Instant)
    ", " (at: Instant)
    ")"
}

statement! {
    /// Makes the first open item of a conversation due, where it waited behind another one.
    AdvanceItem {
        channel: &'a str => Text,
        account: &'a str => Text,
        conversation: &'a str => Text,
        at: Ts => Instant,
    } -> BigInt;
    "UPDATE outbox SET due_at = " (at: Instant)
    ", updated_at = " (at: Instant)
    " WHERE due_at IS NULL AND id = (SELECT min(id) FROM outbox WHERE channel = " (channel: Text)
    " AND account = " (account: Text)
    " AND conversation = " (conversation: Text)
    " AND state IN ('pending', 'sending')) RETURNING id"
}

/// The columns of an `ItemRecord`.
type ItemRow = (
    BigInt,
    Text,
    Uid,
    Text,
    Text,
    Text,
    Nullable<Text>,
    Doc,
    Nullable<Text>,
    BigInt,
    BigInt,
    BigInt,
    Nullable<Uid>,
    Instant,
    BigInt,
);

statement! {
    /// Takes up items that are due. One that was never tried is due whatever its moment says, and so is one that was put
    /// back at a moment that is yet to come: the clock was set back since.
    TakeDueItems {
        channel: &'a str => Text,
        holder: Id => Uid,
        at: Ts => Instant,
        limit: i64 => BigInt,
    } -> ItemRow;
    "UPDATE outbox SET state = 'sending', attempt = attempt + 1, holder = " (holder: Uid)
    ", updated_at = " (at: Instant)
    " WHERE id IN (SELECT id FROM outbox WHERE channel = " (channel: Text)
    " AND due_at IS NOT NULL AND state = 'pending' AND (attempt = 0 OR due_at <= " (at: Instant)
    " OR updated_at > " (at: Instant)
    ") ORDER BY due_at, id LIMIT " (limit: BigInt)
    ") RETURNING id, session_id, turn_id, channel, account, conversation, reply_to, body, preview, part, shown, \
     attempt, holder, created_at, called"
}

statement! {
    /// When the next item of a channel is due.
    NextDueItem {
        channel: &'a str => Text,
    } -> Nullable<Instant>;
    "SELECT min(due_at) FROM outbox WHERE channel = " (channel: Text)
    " AND due_at IS NOT NULL AND state = 'pending'"
}

statement! {
    /// Settles an item that is held under a name, as it was taken up.
    SettleHeldItem {
        id: i64 => BigInt,
        holder: Id => Uid,
        part: i64 => BigInt,
        attempt: i64 => BigInt,
        state: &'a str => Text,
        platform_id: Option<&'a str> => Nullable<Text>,
        /// 1 where a part was delivered and more follow.
        parts: i64 => BigInt,
        shown: Option<i64> => Nullable<BigInt>,
        due: Option<Ts> => Nullable<Instant>,
        why: Option<&'a str> => Nullable<Text>,
        /// 1 where its platform is about to be called.
        called: i64 => BigInt,
        at: Ts => Instant,
    } -> (Text, Text, Text);
    "UPDATE outbox SET state = " (state: Text)
    ", platform_id = coalesce(" (platform_id: Nullable<Text>)
    ", platform_id), part = part + " (parts: BigInt)
    ", shown = coalesce(" (shown: Nullable<BigInt>)
    ", shown), attempt = CASE WHEN " (parts: BigInt)
    " > 0 THEN 0 ELSE attempt END, due_at = " (due: Nullable<Instant>)
    ", why = " (why: Nullable<Text>)
    ", called = " (called: BigInt)
    ", updated_at = " (at: Instant)
    " WHERE id = " (id: BigInt)
    " AND state = 'sending' AND holder = " (holder: Uid)
    " AND part = " (part: BigInt)
    " AND attempt = " (attempt: BigInt)
    " RETURNING channel, account, conversation"
}

statement! {
    /// Removes items that ended in a state before a moment, so many at the most.
    PruneClosedItems {
        state: &'a str => Text,
        before: Ts => Instant,
        limit: i64 => BigInt,
    } -> ();
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state IN ('sent', 'unknown', 'dead') AND state = "
    (state: Text)
    " AND updated_at < " (before: Instant)
    " LIMIT " (limit: BigInt)
    ")"
}
