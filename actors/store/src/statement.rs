//! Updates that stay prepared.
//!
//! diesel prepares an `UPDATE` anew each time, since its changeset may leave columns out (`unsafe_to_cache_prepared`
//! in `update_statement`). The few on the path of every turn are written here in words, each a type of its own: bound
//! by type for either database, prepared once per connection.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Nullable, Text};

use crate::sql_types::{Doc, Id, Instant, Json, Ts, Uid};

macro_rules! statement {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $value:ty => $sql:ty),+ $(,)? } -> $row:ty; $($part:tt)+) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name<'a> {
            $($(#[$about])* pub $field: $value,)+
        }

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl Query for $name<'_> {
            type SqlType = $row;
        }

        impl<Conn> RunQueryDsl<Conn> for $name<'_> {}

        impl<'a, DB> QueryFragment<DB> for $name<'a>
        where
            DB: Backend,
            $(DB: HasSqlType<$sql>, $value: ToSql<$sql, DB>,)+
        {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
                $(statement!(@part self, out, $part);)+
                Ok(())
            }
        }
    };
    (@part $self:ident, $out:ident, $words:literal) => {
        $out.push_sql($words)
    };
    (@part $self:ident, $out:ident, ($field:ident: $sql:ty)) => {
        $out.push_bind_param::<$sql, _>(&$self.$field)?
    };
}

statement! {
    /// Fences and numbers an accepted input: no row means that the writer no longer owns the session. One that was put
    /// away is active again.
    AcceptInSession {
        id: &'a str => Text,
        epoch: i64 => BigInt,
        events: i64 => BigInt,
        at: Ts => Instant,
        /// What the session becomes, unless a turn runs.
        state: &'a str => Text,
        /// What the session is called, unless it has a title.
        title: &'a str => Text,
    } -> BigInt;
    "UPDATE sessions SET last_seq = last_seq + " (events: BigInt)
    ", updated_at = " (at: Instant)
    ", state = CASE state WHEN 'running' THEN state ELSE " (state: Text)
    " END, archived = 0, title = CASE title WHEN '' THEN " (title: Text)
    " ELSE title END WHERE id = " (id: Text)
    " AND epoch = " (epoch: BigInt)
    " RETURNING last_seq"
}

statement! {
    /// Fences and numbers an input that joins a turn: no row means that the writer no longer owns the session, or that
    /// the turn is not open.
    JoinInSession {
        id: &'a str => Text,
        epoch: i64 => BigInt,
        turn: Id => Uid,
        at: Ts => Instant,
    } -> BigInt;
    "UPDATE sessions SET last_seq = last_seq + 1, archived = 0, updated_at = " (at: Instant)
    " WHERE id = " (id: Text)
    " AND epoch = " (epoch: BigInt)
    " AND EXISTS (SELECT 1 FROM turns WHERE id = " (turn: Uid)
    " AND session_id = sessions.id AND end_seq IS NULL) RETURNING last_seq"
}

statement! {
    /// Fences and numbers the end of a turn: no row means that the writer no longer owns the session, that the turn
    /// has ended before, that it holds an input after `saw`, or that the next one does not wait.
    ///
    /// Where no turn is next, the session falls to the state of the turns that are still open; `max` finds a running
    /// one before a queued one by their spelling.
    EndInSession {
        id: &'a str => Text,
        epoch: i64 => BigInt,
        turn: Id => Uid,
        /// Above every number where inputs that were not seen are no matter.
        saw: i64 => BigInt,
        next: Option<Id> => Nullable<Uid>,
        /// `running` where a turn is next.
        state: Option<&'a str> => Nullable<Text>,
        events: i64 => BigInt,
        at: Ts => Instant,
    } -> (BigInt, Uid);
    "UPDATE sessions SET last_seq = last_seq + " (events: BigInt)
    ", updated_at = " (at: Instant)
    ", state = coalesce(" (state: Nullable<Text>)
    ", (SELECT max(state) FROM turns WHERE session_id = sessions.id AND end_seq IS NULL AND id <> " (turn: Uid)
    "), 'idle') WHERE id = " (id: Text)
    " AND epoch = " (epoch: BigInt)
    " AND EXISTS (SELECT 1 FROM turns WHERE id = " (turn: Uid)
    " AND session_id = sessions.id AND end_seq IS NULL) AND NOT EXISTS (SELECT 1 FROM messages WHERE session_id = \
     sessions.id AND seq > " (saw: BigInt)
    " AND turn_id = " (turn: Uid)
    " AND role = 'user') AND (" (next: Nullable<Uid>)
    " IS NULL OR EXISTS (SELECT 1 FROM turns WHERE id = " (next: Nullable<Uid>)
    " AND session_id = sessions.id AND state = 'queued')) RETURNING last_seq, user_id"
}

statement! {
    /// Fences and numbers the start of a turn that waits: no row means that the writer no longer owns the session, that
    /// the turn does not wait, or that another one runs.
    StartInSession {
        id: &'a str => Text,
        epoch: i64 => BigInt,
        turn: Id => Uid,
        at: Ts => Instant,
    } -> BigInt;
    "UPDATE sessions SET last_seq = last_seq + 1, state = 'running', updated_at = " (at: Instant)
    " WHERE id = " (id: Text)
    " AND epoch = " (epoch: BigInt)
    " AND EXISTS (SELECT 1 FROM turns WHERE id = " (turn: Uid)
    " AND session_id = sessions.id AND state = 'queued') AND NOT EXISTS (SELECT 1 FROM turns WHERE session_id = \
     sessions.id AND state = 'running') RETURNING last_seq"
}

statement! {
    /// Fences and numbers the restart of a turn or a step of it, as [`EndInSession`] does for its end.
    GoOnInSession {
        id: &'a str => Text,
        epoch: i64 => BigInt,
        turn: Id => Uid,
        events: i64 => BigInt,
        at: Ts => Instant,
    } -> BigInt;
    "UPDATE sessions SET last_seq = last_seq + " (events: BigInt)
    ", state = 'running', updated_at = " (at: Instant)
    " WHERE id = " (id: Text)
    " AND epoch = " (epoch: BigInt)
    " AND EXISTS (SELECT 1 FROM turns WHERE id = " (turn: Uid)
    " AND session_id = sessions.id AND end_seq IS NULL) RETURNING last_seq"
}

statement! {
    /// Raises a session's epoch; no row means that there is no such session.
    ClaimSession {
        id: &'a str => Text,
    } -> BigInt;
    "UPDATE sessions SET epoch = epoch + 1 WHERE id = " (id: Text)
    " RETURNING epoch"
}

statement! {
    /// Begins a turn again that its session's fence has let through.
    RestartOfTurn {
        id: Id => Uid,
        state: &'a str => Text,
        attempt: i64 => BigInt,
        charged: i64 => BigInt,
    } -> ();
    "UPDATE turns SET state = " (state: Text)
    ", attempt = " (attempt: BigInt)
    ", charged = " (charged: BigInt)
    " WHERE id = " (id: Uid)
}

statement! {
    /// Closes a turn that its session's fence has let through.
    EndOfTurn {
        id: Id => Uid,
        state: &'a str => Text,
        end_seq: i64 => BigInt,
        at: Ts => Instant,
    } -> ();
    "UPDATE turns SET state = " (state: Text)
    ", end_seq = " (end_seq: BigInt)
    ", ended_at = " (at: Instant)
    " WHERE id = " (id: Uid)
}

statement! {
    /// Begins a turn that waited. Its agent is the session's of today, not of when it was accepted.
    StartOfTurn {
        id: Id => Uid,
        agent: &'a str => Text,
        at: Ts => Instant,
    } -> ();
    "UPDATE turns SET state = 'running', agent = " (agent: Text)
    ", started_at = " (at: Instant)
    " WHERE id = " (id: Uid)
}

// Of the outbox: in words also because its partial indexes are used only by a query that says what they say.

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
     attempt, holder, created_at"
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
        at: Ts => Instant,
    } -> (Text, Text, Text);
    "UPDATE outbox SET state = " (state: Text)
    ", platform_id = coalesce(" (platform_id: Nullable<Text>)
    ", platform_id), part = part + " (parts: BigInt)
    ", shown = coalesce(" (shown: Nullable<BigInt>)
    ", shown), attempt = CASE WHEN " (parts: BigInt)
    " > 0 THEN 0 ELSE attempt END, due_at = " (due: Nullable<Instant>)
    ", why = " (why: Nullable<Text>)
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

statement! {
    /// Copies a turn to another session, as over; one that was not is cancelled.
    CopyTurn {
        old: Id => Uid,
        id: Id => Uid,
        session: &'a str => Text,
        state: &'a str => Text,
        end_seq: i64 => BigInt,
        at: Ts => Instant,
    } -> ();
    "INSERT INTO turns (id, session_id, state, agent, model, attempt, charged, accepted_seq, end_seq, accepted_at, \
     started_at, ended_at, collects) SELECT " (id: Uid)
    ", " (session: Text)
    ", " (state: Text)
    ", agent, model, attempt, charged, accepted_seq, " (end_seq: BigInt)
    ", accepted_at, started_at, coalesce(ended_at, " (at: Instant)
    "), collects FROM turns WHERE id = " (old: Uid)
}

statement! {
    /// Copies events up to a number to another session that has the turns already.
    CopyEvents {
        source: &'a str => Text,
        new: &'a str => Text,
        through: i64 => BigInt,
    } -> ();
    "INSERT INTO events (session_id, seq, turn_id, body, at) SELECT " (new: Text)
    ", events.seq, copies.id, events.body, events.at FROM events LEFT JOIN turns ON turns.id = events.turn_id \
     LEFT JOIN turns AS copies ON copies.session_id = " (new: Text)
    " AND copies.accepted_seq = turns.accepted_seq WHERE events.session_id = " (source: Text)
    " AND events.seq <= " (through: BigInt)
}

statement! {
    /// Copies the messages of a dialogue up to a number to another session that has the turns already.
    CopyMessages {
        source: &'a str => Text,
        new: &'a str => Text,
        through: i64 => BigInt,
    } -> ();
    "INSERT INTO messages (session_id, seq, turn_id, role, agent, text, created_at, saw_seq, attached) SELECT "
    (new: Text)
    ", messages.seq, copies.id, messages.role, messages.agent, messages.text, messages.created_at, messages.saw_seq, \
     messages.attached FROM messages JOIN turns ON turns.id = messages.turn_id JOIN turns AS copies ON \
     copies.session_id = " (new: Text)
    " AND copies.accepted_seq = turns.accepted_seq WHERE messages.session_id = " (source: Text)
    " AND messages.superseded_seq IS NULL AND messages.seq <= " (through: BigInt)
}

statement! {
    /// Copies what is attached to those messages.
    CopyAttachments {
        source: &'a str => Text,
        new: &'a str => Text,
        through: i64 => BigInt,
    } -> ();
    "INSERT INTO attachments (id, session_id, seq, position, name, media_type, size_bytes, data) SELECT \
     attachments.id, " (new: Text)
    ", attachments.seq, position, name, media_type, size_bytes, data FROM attachments JOIN messages ON \
     messages.session_id = attachments.session_id AND messages.seq = attachments.seq WHERE attachments.session_id = "
    (source: Text)
    " AND messages.superseded_seq IS NULL AND attachments.seq <= " (through: BigInt)
}
