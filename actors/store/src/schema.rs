//! The tables in use, as every database shows them.
//!
//! Written by hand, since a generated file would know one database's types only; a test holds it against the live
//! schema. Tables that nothing reads yet are in the migrations alone.
#![allow(unreachable_pub)] // `table!` writes `pub`

use diesel::allow_tables_to_appear_in_same_query;

/// `table!` for each, and the same once more as plain words for the test.
macro_rules! tables {
    ($($table:ident ($($key:ident),+) { $($column:ident -> $type:ident $(<$inner:ident>)?,)+ })+) => {
        $(diesel::table! {
            use diesel::sql_types::*;
            use crate::sql_types::{Doc, Instant, Uid};

            $table ($($key),+) { $($column -> $type $(<$inner>)?,)+ }
        })+

        /// Each table with the names and the types of its columns.
        #[cfg(test)]
        pub const ALL: &[(&str, &[(&str, &str)])] = &[
            $((stringify!($table), &[
                $((stringify!($column), concat!(stringify!($type) $(, "<", stringify!($inner), ">")?)),)+
            ]),)+
        ];
    };
}

tables! {
    users (id) {
        id -> Uid,
        name -> Text,
        role -> Text,
        created_at -> Instant,
    }
    audit (id) {
        id -> Uid,
        at -> Instant,
        user_id -> Nullable<Uid>,
        action -> Text,
        subject -> Text,
        detail -> Nullable<Doc>,
    }
    tokens (id) {
        id -> Uid,
        user_id -> Uid,
        name -> Text,
        role -> Text,
        hash -> Binary,
        created_at -> Instant,
        revoked_at -> Nullable<Instant>,
        expires_at -> Nullable<Instant>,
    }
    browsers (hash) {
        hash -> Binary,
        user_id -> Uid,
        role -> Text,
        token_id -> Nullable<Uid>,
        created_at -> Instant,
        seen_at -> Instant,
        expires_at -> Instant,
    }
    links (hash) {
        hash -> Binary,
        user_id -> Uid,
        role -> Text,
        created_at -> Instant,
        expires_at -> Instant,
        spent_at -> Nullable<Instant>,
    }
    pairings (code_hash) {
        code_hash -> Binary,
        channel -> Text,
        account -> Text,
        sender -> Text,
        user_id -> Nullable<Uid>,
        created_at -> Instant,
        expires_at -> Instant,
        name -> Text,
    }
    cursors (channel, scope) {
        channel -> Text,
        scope -> Text,
        value -> Text,
        updated_at -> Instant,
    }
    sessions (id) {
        id -> Text,
        user_id -> Uid,
        channel -> Text,
        agent -> Text,
        title -> Text,
        state -> Text,
        epoch -> BigInt,
        last_seq -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
        archived -> BigInt,
        model -> Nullable<Text>,
    }
    turns (id) {
        id -> Uid,
        session_id -> Text,
        state -> Text,
        agent -> Text,
        model -> Nullable<Text>,
        attempt -> BigInt,
        charged -> BigInt,
        accepted_seq -> BigInt,
        end_seq -> Nullable<BigInt>,
        accepted_at -> Instant,
        started_at -> Nullable<Instant>,
        ended_at -> Nullable<Instant>,
        collects -> BigInt,
    }
    events (session_id, seq) {
        session_id -> Text,
        seq -> BigInt,
        turn_id -> Nullable<Uid>,
        body -> Doc,
        at -> Instant,
    }
    messages (session_id, seq) {
        session_id -> Text,
        seq -> BigInt,
        turn_id -> Uid,
        role -> Text,
        agent -> Nullable<Text>,
        text -> Text,
        created_at -> Instant,
        saw_seq -> Nullable<BigInt>,
        superseded_seq -> Nullable<BigInt>,
        attached -> BigInt,
    }
    attachments (session_id, id) {
        id -> Uid,
        session_id -> Text,
        seq -> BigInt,
        position -> BigInt,
        name -> Text,
        media_type -> Text,
        size_bytes -> BigInt,
        data -> Binary,
    }
    inbox (channel, account, conversation, event) {
        channel -> Text,
        account -> Text,
        conversation -> Text,
        event -> Text,
        turn_id -> Uid,
        at -> Instant,
        seq -> BigInt,
        body_hash -> Binary,
        reply_to -> Nullable<Text>,
    }
    outbox (id) {
        id -> BigInt,
        session_id -> Text,
        turn_id -> Uid,
        channel -> Text,
        account -> Text,
        conversation -> Text,
        reply_to -> Nullable<Text>,
        body -> Doc,
        preview -> Nullable<Text>,
        platform_id -> Nullable<Text>,
        part -> BigInt,
        shown -> BigInt,
        state -> Text,
        attempt -> BigInt,
        holder -> Nullable<Uid>,
        due_at -> Nullable<Instant>,
        why -> Nullable<Text>,
        created_at -> Instant,
        updated_at -> Instant,
        called -> BigInt,
    }
    previews (turn_id, channel, account, conversation) {
        turn_id -> Uid,
        channel -> Text,
        account -> Text,
        conversation -> Text,
        platform_id -> Text,
        at -> Instant,
    }
    bindings (channel, account, conversation) {
        channel -> Text,
        account -> Text,
        conversation -> Text,
        session_id -> Text,
        mirror -> BigInt,
        created_at -> Instant,
    }
    routing_rules (id) {
        id -> Uid,
        user_id -> Uid,
        position -> BigInt,
        rule -> Doc,
        created_at -> Instant,
        updated_at -> Instant,
    }
    tool_calls (session_id, turn_id, call_id) {
        session_id -> Text,
        turn_id -> Uid,
        call_id -> Text,
        seq -> BigInt,
        position -> BigInt,
        name -> Text,
        arguments -> Text,
        signature -> Nullable<Text>,
        state -> Text,
        result_seq -> Nullable<BigInt>,
        created_at -> Instant,
        ended_at -> Nullable<Instant>,
    }
    usage (turn_id) {
        turn_id -> Uid,
        session_id -> Text,
        user_id -> Uid,
        agent -> Text,
        provider -> Text,
        model -> Text,
        input_tokens -> BigInt,
        output_tokens -> BigInt,
        cost_usd -> Nullable<Double>,
        at -> Instant,
        turns -> BigInt,
        calls -> BigInt,
        of_turn -> Nullable<Uid>,
        estimated -> BigInt,
    }
}

allow_tables_to_appear_in_same_query!(users, tokens);
allow_tables_to_appear_in_same_query!(users, pairings);
allow_tables_to_appear_in_same_query!(turns, messages);
allow_tables_to_appear_in_same_query!(turns, events);
allow_tables_to_appear_in_same_query!(turns, inbox);
allow_tables_to_appear_in_same_query!(turns, usage);
allow_tables_to_appear_in_same_query!(messages, inbox);
allow_tables_to_appear_in_same_query!(messages, tool_calls);
allow_tables_to_appear_in_same_query!(bindings, sessions);
