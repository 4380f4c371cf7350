//! Ground floor: the words every room shares.
//!
//! Ids, chat content, events, failures, journal writes, and the doors through which time and chance come in. Nothing
//! here does I/O or knows actix; the one rule is that whatever two rooms must agree on is said here, once.

pub mod attachment;
mod by_text;
pub mod chat;
pub mod command;
pub mod event;
pub mod failure;
pub mod ids;
pub mod journal;
pub mod ledger;
pub mod limits;
pub mod metric;
pub mod outbox;
pub mod outside;
pub mod page;
pub mod pairing;
pub mod point;
pub mod poison;
pub mod principal;
pub mod queue;
pub mod routing;
mod schema;
pub mod secret;
pub mod settings;
pub mod signin;
pub mod tool;
pub mod usage;

pub use attachment::{Attachment, AttachmentRow, Files};
pub use chat::{ChatEvent, ChatMessage, ChatRequest, Role, StopReason, ToolCall};
pub use event::{EventBody, FinishedTurn, SessionEvent};
pub use failure::{Classify, Code, ErrorClass, Failure};
pub use ids::{
    AgentName, AttachmentId, ChannelName, Epoch, ModelRef, ProviderName, RuleId, RuleName, Seq, SessionId, TokenId,
    TurnId, UserId, UserName,
};
pub use outside::{Chance, Clock, Outside, Timestamp};
pub use point::Point;
pub use principal::{Principal, UserRole};
pub use queue::QueueMode;
pub use secret::Secret;
pub use tool::{ToolResult, ToolState};
pub use usage::{Price, Spent, Usage};
