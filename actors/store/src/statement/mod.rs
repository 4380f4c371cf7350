//! Updates that stay prepared.
//!
//! diesel prepares an `UPDATE` anew each time, since its changeset may leave columns out (`unsafe_to_cache_prepared`
//! in `update_statement`). The few on the path of every turn are written here in words, each a type of its own: bound
//! by type for either database, prepared once per connection.

mod copy;
mod outbox;

use diesel::sql_types::{BigInt, Nullable, Text};

use crate::sql_types::{Id, Instant, Ts, Uid};

pub(crate) use copy::{CopyAttachments, CopyCalls, CopyEvents, CopyMessages, CopyTurn};
pub(crate) use outbox::{AdvanceItem, NextDueItem, OfferItem, PruneClosedItems, SettleHeldItem, TakeDueItems};

macro_rules! statement {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $value:ty => $sql:ty),+ $(,)? } -> $row:ty; $($part:tt)+) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name<'a> {
            $($(#[$about])* pub $field: $value,)+
        }

        impl diesel::query_builder::QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::Query for $name<'_> {
            type SqlType = $row;
        }

        impl<Conn> diesel::RunQueryDsl<Conn> for $name<'_> {}

        impl<'a, DB> diesel::query_builder::QueryFragment<DB> for $name<'a>
        where
            DB: diesel::backend::Backend,
            $(DB: diesel::sql_types::HasSqlType<$sql>, $value: diesel::serialize::ToSql<$sql, DB>,)+
        {
            fn walk_ast<'b>(&'b self, mut out: diesel::query_builder::AstPass<'_, 'b, DB>) -> diesel::QueryResult<()> {
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
use statement;

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
