//! Rows as they are inserted.
//!
//! Inserts bind every column, also what is null, so that their SQL never varies and stays prepared.

use diesel::prelude::*;

use crate::schema::{attachments, events, inbox, messages, tool_calls, turns, usage};
use crate::sql_types::{Digest, Id, Json, Ts};

#[derive(Debug, Insertable)]
#[diesel(table_name = turns, treat_none_as_default_value = false, check_for_backend(Pg, Sqlite))]
pub(crate) struct NewTurn<'a> {
    pub id: Id,
    pub session_id: &'a str,
    pub state: &'a str,
    pub agent: &'a str,
    pub model: Option<String>,
    pub attempt: i64,
    pub charged: i64,
    pub accepted_seq: i64,
    pub accepted_at: Ts,
    pub started_at: Option<Ts>,
    pub collects: i64,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false, check_for_backend(Pg, Sqlite))]
pub(crate) struct NewEvent<'a> {
    pub session_id: &'a str,
    pub seq: i64,
    pub turn_id: Option<Id>,
    pub body: Json,
    pub at: Ts,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = messages, treat_none_as_default_value = false, check_for_backend(Pg, Sqlite))]
pub(crate) struct NewMessage<'a> {
    pub session_id: &'a str,
    pub seq: i64,
    pub turn_id: Id,
    pub role: &'a str,
    pub agent: Option<&'a str>,
    pub text: &'a str,
    pub created_at: Ts,
    pub saw_seq: Option<i64>,
    pub attached: i64,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = tool_calls, treat_none_as_default_value = false, check_for_backend(Pg, Sqlite))]
pub(crate) struct NewCall<'a> {
    pub session_id: &'a str,
    pub turn_id: Id,
    pub call_id: &'a str,
    pub seq: i64,
    pub position: i64,
    pub name: &'a str,
    pub arguments: &'a str,
    pub signature: Option<&'a str>,
    pub state: &'a str,
    pub result_seq: Option<i64>,
    pub created_at: Ts,
    pub ended_at: Option<Ts>,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = attachments, treat_none_as_default_value = false, check_for_backend(Pg, Sqlite))]
pub(crate) struct NewAttachment<'a> {
    pub id: Id,
    pub session_id: &'a str,
    pub seq: i64,
    pub position: i64,
    pub name: &'a str,
    pub media_type: &'a str,
    pub size_bytes: i64,
    pub data: &'a [u8],
}

#[derive(Debug, Insertable)]
#[diesel(table_name = inbox, treat_none_as_default_value = false, check_for_backend(Pg, Sqlite))]
pub(crate) struct NewInbox<'a> {
    pub channel: &'a str,
    pub account: &'a str,
    pub conversation: &'a str,
    pub event: &'a str,
    pub turn_id: Id,
    pub at: Ts,
    pub seq: i64,
    pub body_hash: Digest,
    pub reply_to: Option<&'a str>,
}

#[derive(Debug, Insertable, AsChangeset)]
#[diesel(table_name = usage, treat_none_as_default_value = false, treat_none_as_null = true)]
#[diesel(check_for_backend(Pg, Sqlite))]
pub(crate) struct NewUsage<'a> {
    pub turn_id: Id,
    pub session_id: &'a str,
    pub user_id: Id,
    pub agent: &'a str,
    pub provider: &'a str,
    pub model: &'a str,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cost_usd: Option<f64>,
    pub at: Ts,
    pub turns: i64,
    pub calls: i64,
    pub of_turn: Option<Id>,
    pub estimated: i64,
}
