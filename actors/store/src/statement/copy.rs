//! Statements that copy a part of a session to another.

use diesel::sql_types::{BigInt, Text};

use super::statement;
use crate::sql_types::{Id, Instant, Ts, Uid};

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

/// A statement that copies what a session holds up to a number to another session that has the turns already.
macro_rules! copy {
    ($(#[$doc:meta])* $name:ident; $($part:tt)+) => {
        statement! {
            $(#[$doc])*
            $name {
                source: &'a str => Text,
                new: &'a str => Text,
                through: i64 => BigInt,
            } -> ();
            $($part)+
        }
    };
}

copy! {
    /// Copies events.
    CopyEvents;
    "INSERT INTO events (session_id, seq, turn_id, body, at) SELECT " (new: Text)
    ", events.seq, copies.id, events.body, events.at FROM events LEFT JOIN turns ON turns.id = events.turn_id \
     LEFT JOIN turns AS copies ON copies.session_id = " (new: Text)
    " AND copies.accepted_seq = turns.accepted_seq WHERE events.session_id = " (source: Text)
    " AND events.seq <= " (through: BigInt)
}

copy! {
    /// Copies the messages of a dialogue.
    CopyMessages;
    "INSERT INTO messages (session_id, seq, turn_id, role, agent, text, created_at, saw_seq, attached) SELECT "
    (new: Text)
    ", messages.seq, copies.id, messages.role, messages.agent, messages.text, messages.created_at, messages.saw_seq, \
     messages.attached FROM messages JOIN turns ON turns.id = messages.turn_id JOIN turns AS copies ON \
     copies.session_id = " (new: Text)
    " AND copies.accepted_seq = turns.accepted_seq WHERE messages.session_id = " (source: Text)
    " AND messages.superseded_seq IS NULL AND messages.seq <= " (through: BigInt)
}

copy! {
    /// Copies the tools that those messages asked for.
    CopyCalls;
    "INSERT INTO tool_calls (session_id, turn_id, call_id, seq, position, name, arguments, signature, state, result_seq, \
     created_at, ended_at) SELECT " (new: Text)
    ", copies.id, call_id, tool_calls.seq, position, name, arguments, signature, tool_calls.state, result_seq, \
     tool_calls.created_at, tool_calls.ended_at FROM tool_calls JOIN messages ON messages.session_id = \
     tool_calls.session_id AND messages.seq = tool_calls.seq JOIN turns ON turns.id = tool_calls.turn_id JOIN turns AS \
     copies ON copies.session_id = " (new: Text)
    " AND copies.accepted_seq = turns.accepted_seq WHERE tool_calls.session_id = " (source: Text)
    " AND messages.superseded_seq IS NULL AND tool_calls.seq <= " (through: BigInt)
}

copy! {
    /// Copies what is attached to those messages.
    CopyAttachments;
    "INSERT INTO attachments (id, session_id, seq, position, name, media_type, size_bytes, data) SELECT \
     attachments.id, " (new: Text)
    ", attachments.seq, position, name, media_type, size_bytes, data FROM attachments JOIN messages ON \
     messages.session_id = attachments.session_id AND messages.seq = attachments.seq WHERE attachments.session_id = "
    (source: Text)
    " AND messages.superseded_seq IS NULL AND attachments.seq <= " (through: BigInt)
}
