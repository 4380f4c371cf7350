//! Rows as they are read and written, and what they are to the rest of the house.

mod access;
mod message;
mod new;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use mosaic_types::journal::{OpenTurn, Said, SessionPhase, SessionRow, TurnState};
use mosaic_types::outbox::{Content, Conversation, Item, ItemState};
use mosaic_types::routing::Route;
use mosaic_types::tool::AskedTool;
use mosaic_types::{
    AgentName, AttachmentRow, EventBody, Files, ModelRef, Role, Seq, SessionEvent, SessionId, Spent, ToolCall,
    ToolState, Usage, UserRole,
};

use crate::StoreError;
use crate::schema::{attachments, events, messages, outbox, sessions, tool_calls, turns, usage};
use crate::sql_types::{Id, Json, Ts};

pub(crate) use access::{
    AuditRecord, BrowserRecord, LinkRecord, PairingRecord, RuleRecord, SpeakerRecord, TokenRecord, UserRecord,
};
pub(crate) use message::{ListedMessage, MessageRecord};
pub(crate) use new::{NewAttachment, NewCall, NewEvent, NewInbox, NewMessage, NewTurn, NewUsage};

/// A name in the database that its own type does not allow.
fn corrupt(what: &str, text: &str) -> StoreError {
    StoreError::Corrupt(format!("{text:?} is no {what}"))
}

fn agent(name: &str) -> Result<AgentName, StoreError> {
    name.parse().map_err(|_| corrupt("agent's name", name))
}

fn model(name: &str) -> Result<ModelRef, StoreError> {
    name.parse().map_err(|_| corrupt("model", name))
}

pub(crate) fn session_id(id: &str) -> Result<SessionId, StoreError> {
    id.parse().map_err(|_| corrupt("session id", id))
}

fn role(name: &str) -> Result<UserRole, StoreError> {
    name.parse().map_err(|_| corrupt("role", name))
}

fn speaker(name: &str) -> Result<Role, StoreError> {
    Role::parse(name).ok_or_else(|| corrupt("role of a message", name))
}

fn turn_state(name: &str) -> Result<TurnState, StoreError> {
    TurnState::parse(name).ok_or_else(|| corrupt("state of a turn", name))
}

pub(crate) fn item_state(name: &str) -> Result<ItemState, StoreError> {
    ItemState::parse(name).ok_or_else(|| corrupt("state of an item", name))
}

fn count(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| corrupt("count", &number.to_string()))
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg, Sqlite))]
pub(crate) struct SessionRecord {
    id: String,
    user_id: Id,
    channel: String,
    agent: String,
    title: String,
    state: String,
    archived: i64,
    model: Option<String>,
    created_at: Ts,
    updated_at: Ts,
}

impl TryFrom<SessionRecord> for SessionRow {
    type Error = StoreError;
    fn try_from(record: SessionRecord) -> Result<Self, StoreError> {
        Ok(Self {
            id: session_id(&record.id)?,
            user: record.user_id.into(),
            agent: agent(&record.agent)?,
            state: SessionPhase::parse(&record.state).ok_or_else(|| corrupt("state of a session", &record.state))?,
            title: record.title,
            channel: record.channel,
            archived: record.archived != 0,
            model: record.model.as_deref().map(model).transpose()?,
            created_at: record.created_at.into(),
            updated_at: record.updated_at.into(),
        })
    }
}

/// A file of a message, without what is in it.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = attachments, check_for_backend(Pg, Sqlite))]
pub(crate) struct AttachmentRecord {
    pub seq: i64,
    id: Id,
    name: String,
    media_type: String,
    size_bytes: i64,
}

impl From<AttachmentRecord> for AttachmentRow {
    fn from(record: AttachmentRecord) -> Self {
        let AttachmentRecord { id, name, media_type, size_bytes, .. } = record;
        Self { id: id.into(), name, media_type, size_bytes: size_bytes.unsigned_abs() }
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = events, check_for_backend(Pg, Sqlite))]
pub(crate) struct EventRecord {
    session_id: String,
    seq: i64,
    turn_id: Option<Id>,
    body: Json,
}

impl TryFrom<EventRecord> for SessionEvent {
    type Error = StoreError;
    fn try_from(record: EventRecord) -> Result<Self, StoreError> {
        Ok(Self {
            body: serde_json::from_str::<EventBody>(&record.body.0)?,
            session: session_id(&record.session_id)?,
            turn: record.turn_id.map(Into::into),
            seq: Some(record.seq),
        })
    }
}

/// A message as a part of its turn's dialogue.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = messages, check_for_backend(Pg, Sqlite))]
pub(crate) struct SaidRecord {
    pub seq: i64,
    pub turn_id: Id,
    saw_seq: Option<i64>,
    role: String,
    pub text: String,
    pub attached: i64,
}

impl SaidRecord {
    /// Whether it is neither an input nor the answer that ended its turn.
    pub(crate) fn is_step(&self) -> bool {
        self.saw_seq.is_some()
    }
}

/// A message with the files that came with it, and with the tools that it asks for or answers.
#[derive(Debug)]
pub(crate) struct Heard {
    pub said: SaidRecord,
    pub files: Files,
    pub asked: Vec<ToolCall>,
    /// The message that asked for what this one answers, the place of that among its calls, and its id.
    pub answers: Option<(Seq, i64, String)>,
}

impl Heard {
    pub(crate) fn new(said: SaidRecord, files: Files) -> Self {
        Self { said, files, asked: Vec::new(), answers: None }
    }

    /// Its place among the messages of its turn, in the order in which the model sees them: what it said comes after
    /// the newest input that it had seen, and before those that were stored while it spoke. What tools said comes right
    /// behind what asked for them, in the order of the calls.
    fn place(&self) -> (Seq, Seq, i64) {
        let seen = self.said.saw_seq.unwrap_or(self.said.seq);
        match &self.answers {
            Some((asked, position, _)) => (seen, *asked, position + 1),
            None => (seen, self.said.seq, 0),
        }
    }

    /// What it takes of a model's window, in bytes of text.
    pub(crate) fn weight_bytes(&self) -> usize {
        let files: usize = self.files.iter().map(AttachmentRow::weight_bytes).sum();
        let asked: usize = self.asked.iter().map(|call| call.name.len() + call.arguments.len()).sum();
        self.said.text.len() + files + asked
    }
}

/// A tool that a message asked for.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = tool_calls, check_for_backend(Pg, Sqlite))]
pub(crate) struct CallRecord {
    pub call_id: String,
    pub seq: i64,
    pub position: i64,
    pub name: String,
    arguments: String,
    signature: Option<String>,
    state: String,
    pub result_seq: Option<i64>,
}

impl CallRecord {
    pub(crate) fn call(self) -> ToolCall {
        ToolCall { id: self.call_id, name: self.name, arguments: self.arguments, signature: self.signature }
    }

    pub(crate) fn shown(self) -> Result<AskedTool, StoreError> {
        let state = ToolState::parse(&self.state).ok_or_else(|| corrupt("state of a call", &self.state))?;
        Ok(AskedTool { id: self.call_id, name: self.name, arguments: self.arguments, state })
    }
}

/// The messages of one turn, put in order.
pub(crate) fn dialogue(mut heard: Vec<Heard>) -> Result<Vec<Said>, StoreError> {
    heard.sort_by_key(Heard::place);
    let said = |Heard { said, files, asked, answers }: Heard| {
        let answers = answers.map(|(.., call)| call);
        Ok(Said { files, asked, answers, ..Said::new(said.seq, speaker(&said.role)?, said.text) })
    };
    heard.into_iter().map(said).collect()
}

/// A turn as a reader of its state sees it.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = turns, check_for_backend(Pg, Sqlite))]
pub(crate) struct TurnRecord {
    session_id: String,
    state: String,
    pub end_seq: Option<i64>,
}

impl TurnRecord {
    pub(crate) fn session(&self) -> Result<SessionId, StoreError> {
        session_id(&self.session_id)
    }

    pub(crate) fn state(&self) -> Result<TurnState, StoreError> {
        turn_state(&self.state)
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = turns, check_for_backend(Pg, Sqlite))]
pub(crate) struct OpenTurnRecord {
    pub id: Id,
    state: String,
    agent: String,
    model: Option<String>,
    attempt: i64,
    charged: i64,
    collects: i64,
}

impl OpenTurnRecord {
    /// `delivers`: some of its inputs came from platforms.
    pub(crate) fn with(
        self,
        said: Vec<Heard>,
        spent: Option<SpentRecord>,
        delivers: bool,
        beside: Vec<SpentRecord>,
        route: Option<Box<Route>>,
        parts: Vec<EventBody>,
    ) -> Result<OpenTurn, StoreError> {
        Ok(OpenTurn {
            id: self.id.into(),
            state: turn_state(&self.state)?,
            attempt: count(self.attempt)?,
            charged: count(self.charged)?,
            agent: agent(&self.agent)?,
            model: self.model.as_deref().map(model).transpose()?,
            route,
            collects: self.collects != 0,
            delivers,
            said: dialogue(said)?,
            spent: spent.map_or_else(Spent::default, Spent::from),
            beside: beside.into_iter().map(Spent::from).fold(Spent::default(), Spent::and),
            parts,
        })
    }
}

/// An item, as it is read and as the statements that change one answer it: in this order.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = outbox, check_for_backend(Pg, Sqlite))]
pub(crate) struct ItemRecord {
    id: i64,
    session_id: String,
    turn_id: Id,
    channel: String,
    account: String,
    conversation: String,
    reply_to: Option<String>,
    body: Json,
    preview: Option<String>,
    part: i64,
    shown: i64,
    attempt: i64,
    holder: Option<Id>,
    created_at: Ts,
    called: i64,
}

impl TryFrom<ItemRecord> for Item {
    type Error = StoreError;
    fn try_from(record: ItemRecord) -> Result<Self, StoreError> {
        Ok(Self {
            id: record.id,
            session: session_id(&record.session_id)?,
            turn: record.turn_id.into(),
            to: Conversation {
                channel: record.channel.into(),
                account: record.account.into(),
                name: record.conversation.into(),
            },
            reply_to: record.reply_to.map(Into::into),
            content: serde_json::from_str::<Content>(&record.body.0)?,
            preview: record.preview.map(Into::into),
            part: count(record.part)?,
            shown: usize::try_from(record.shown).map_err(|_| corrupt("count", &record.shown.to_string()))?,
            attempt: count(record.attempt)?,
            holder: record.holder.map(|holder| holder.0),
            called: record.called != 0,
            created_at: record.created_at.into(),
        })
    }
}

/// What a turn used so far.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = usage, check_for_backend(Pg, Sqlite))]
pub(crate) struct SpentRecord {
    input_tokens: i64,
    output_tokens: i64,
    cost_usd: Option<f64>,
}

impl From<SpentRecord> for Spent {
    fn from(record: SpentRecord) -> Self {
        let usage = Usage::new(record.input_tokens.unsigned_abs(), record.output_tokens.unsigned_abs());
        Self { usage, cost_usd: record.cost_usd }
    }
}
