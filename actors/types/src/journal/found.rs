//! What is read back from the store.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{SessionPhase, TurnState};
use crate::attachment::{AttachmentRow, Files};
use crate::chat::{ChatMessage, Role, ToolCall};
use crate::event::{EventBody, SessionEvent};
use crate::ids::{AgentName, ModelRef, Seq, SessionId, TokenId, TurnId, UserId};
use crate::outside::Timestamp;
use crate::principal::UserRole;
use crate::routing::Route;
use crate::tool::AskedTool;
use crate::usage::Spent;

/// A session as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionRow {
    pub id: SessionId,
    #[serde(skip, default = "nobody")]
    pub user: UserId,
    /// Who answers in it.
    pub agent: AgentName,
    /// The first words of the first message, unless somebody gave another.
    pub title: String,
    /// Where it was made: `api`, or a channel's name.
    pub channel: String,
    pub state: SessionPhase,
    /// Put away: lists leave it out unless they are asked for it. A message makes it active again.
    #[serde(default)]
    pub archived: bool,
    /// Answers in place of its agent's models until it is taken back; null: those.
    #[serde(default)]
    #[schema(required)]
    pub model: Option<ModelRef>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

fn nobody() -> UserId {
    UserId(uuid::Uuid::nil())
}

/// Which sessions are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionQuery {
    /// Only theirs; `None`: all.
    pub user: Option<UserId>,
    /// Beside theirs those of platforms too, whoever's they are: what an owner sees.
    pub platforms: bool,
    /// Only those that are put away, or only those that are not; `None`: both.
    pub archived: Option<bool>,
    /// Only those with this text, whatever the case of its letters from A to Z: in their title, or in one of their
    /// newest [`SEARCHED_MESSAGES`](crate::limits::SEARCHED_MESSAGES) messages where they are among the
    /// [`SEARCHED_SESSIONS`](crate::limits::SEARCHED_SESSIONS) that changed last.
    pub text: Option<String>,
}

/// What cut an answer short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Somebody stopped it.
    Cancelled,
    /// It broke off.
    Failed,
}

impl Cut {
    /// What cut the last words of a turn short that stands so; `None`: they are whole.
    pub fn of(state: TurnState) -> Option<Self> {
        match state {
            TurnState::Cancelled => Some(Self::Cancelled),
            TurnState::Failed => Some(Self::Failed),
            TurnState::Queued | TurnState::Running | TurnState::Finished => None,
        }
    }
}

/// A message of a transcript.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessageRow {
    /// `SESSION.SEQ`: unique in the whole store.
    pub id: String,
    pub seq: Seq,
    pub turn: TurnId,
    pub role: Role,
    /// Who answered; not there on what people wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    pub text: String,
    /// On an answer that is not whole: how its turn ended. The event with the same `seq` says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Cut>,
    /// Tools that an assistant asked for, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<AskedTool>,
    /// On what a tool said: the call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// On what a tool said: its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The files that came with it, in the order in which they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentRow>,
    pub created_at: Timestamp,
}

/// A turn with its end, if it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnRow {
    pub id: TurnId,
    pub session: SessionId,
    pub state: TurnState,
    /// The event that ended it.
    pub end: Option<SessionEvent>,
}

/// A turn that has not ended, as recovery finds it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenTurn {
    pub id: TurnId,
    pub state: TurnState,
    pub attempt: u32,
    pub charged: u32,
    pub agent: AgentName,
    pub model: Option<ModelRef>,
    /// What a rule decided for it when it began.
    pub route: Option<Box<Route>>,
    /// Later inputs may join it while it waits.
    pub collects: bool,
    /// Some of its inputs came from platforms.
    pub delivers: bool,
    /// Its inputs and finished steps, in the order in which the model sees them.
    pub said: Vec<Said>,
    /// By its finished steps.
    pub spent: Spent,
    /// By calls beside them.
    pub beside: Spent,
    /// The parts that are known of the step that comes next, each as the `step.finished` that told of it.
    pub parts: Vec<EventBody>,
}

/// A message of an open turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub seq: Seq,
    pub role: Role,
    pub text: Arc<str>,
    pub files: Files,
    /// Tools that it asked for, in the model's order.
    pub asked: Vec<ToolCall>,
    /// Of what a tool said: the call that it answers.
    pub answers: Option<String>,
}

impl Said {
    /// A message without files.
    pub fn new(seq: Seq, role: Role, text: impl Into<Arc<str>>) -> Self {
        Self { seq, role, text: text.into(), files: Files::default(), asked: Vec::new(), answers: None }
    }

    /// The message as a part of a dialogue.
    pub fn message(&self) -> ChatMessage {
        let (tool_calls, tool_call_id) = (self.asked.clone(), self.answers.clone());
        let message = ChatMessage::new(self.role, self.text.clone()).with(self.files.clone());
        ChatMessage { tool_calls, tool_call_id, ..message }
    }
}

/// All that a session actor needs to live again.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub row: SessionRow,
    /// Oldest first, in the order of acceptance.
    pub open: Vec<OpenTurn>,
    /// The newest messages of ended turns, oldest first, as many as fit the asked size.
    pub context: Vec<ChatMessage>,
    /// The newest input of all: its turn and the hash of its body.
    pub last_input: Option<(TurnId, [u8; 32])>,
}

/// A token as the gateway needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRow {
    pub id: TokenId,
    pub user: UserId,
    pub user_name: String,
    pub name: String,
    pub role: UserRole,
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked: bool,
}

/// A person known to Mosaic.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRow {
    pub id: UserId,
    pub name: String,
    pub role: UserRole,
    pub created_at: Timestamp,
}

/// Something that was done to the house.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    pub at: Timestamp,
    pub by: Option<UserId>,
    pub action: String,
    pub subject: String,
}
