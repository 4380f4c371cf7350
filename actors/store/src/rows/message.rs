//! A message of a transcript.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use mosaic_types::Role;
use mosaic_types::journal::{Cut, MessageRow};

use super::{agent, speaker, turn_state};
use crate::StoreError;
use crate::schema::messages;
use crate::sql_types::{Id, Ts};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = messages, check_for_backend(Pg, Sqlite))]
pub(crate) struct MessageRecord {
    session_id: String,
    pub seq: i64,
    turn_id: Id,
    role: String,
    agent: Option<String>,
    text: String,
    created_at: Ts,
    pub attached: i64,
    saw_seq: Option<i64>,
}

/// A message with the state of its turn.
#[derive(Debug, Queryable)]
pub(crate) struct ListedMessage {
    pub message: MessageRecord,
    turn_state: Option<String>,
}

impl ListedMessage {
    /// Its turn, where it is neither an input nor what the turn ended with.
    pub(crate) fn step_of(&self) -> Option<Id> {
        self.message.saw_seq.map(|_| self.message.turn_id)
    }
}

impl TryFrom<ListedMessage> for MessageRow {
    type Error = StoreError;
    fn try_from(listed: ListedMessage) -> Result<Self, StoreError> {
        let is_step = listed.step_of().is_some();
        let ListedMessage { message: record, turn_state: state } = listed;
        let role = speaker(&record.role)?;
        let state = state.as_deref().map(turn_state).transpose()?;
        Ok(Self {
            id: format!("{}.{}", record.session_id, record.seq),
            seq: record.seq,
            turn: record.turn_id.into(),
            role,
            agent: record.agent.as_deref().map(agent).transpose()?,
            text: record.text,
            ended: state.filter(|_| role == Role::Assistant && !is_step).and_then(Cut::of),
            tool_calls: Vec::new(),
            tool_call_id: None,
            tool: None,
            attachments: Vec::new(),
            created_at: record.created_at.into(),
        })
    }
}
