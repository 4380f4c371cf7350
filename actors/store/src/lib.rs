//! First floor: the durable journal and its tables.
//!
//! [`Store`] is what the house knows of a database; `sqlite` is the one that is inside the binary, `postgres` the one
//! that is a server. Both ask the queries of `sql/`, and are held by one contract suite.

// The queries of sql/ are compiled once for each database, with its own types.
#![allow(clippy::duplicate_mod)]

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod cursor;
pub mod error;
mod expression;
mod migrate;
#[cfg(test)]
mod model;
mod place;
#[cfg(test)]
mod planted;
mod postgres;
mod probe;
mod rows;
mod schema;
mod sql_types;
mod sqlite;
mod statement;

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use mosaic_types::journal::{
    AuditRow, InboxKey, MessageRow, Outcome, SessionQuery, SessionRow, Snapshot, TokenRow, TurnRow, UserRow, Write,
};
use mosaic_types::ledger::{UsageQuery, UsageSum};
use mosaic_types::outbox::{Conversation, Item, ItemCount};
use mosaic_types::page::{Limit, Page};
use mosaic_types::pairing::PairingRow;
use mosaic_types::routing::OwnRule;
use mosaic_types::signin::{Browser, LinkRow};
use mosaic_types::{Attachment, AttachmentId, ChatMessage, Seq, SessionEvent, SessionId, TurnId, UserId};

pub use error::StoreError;
pub use place::Place;

/// A future that may be run on any thread.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A database that holds what was accepted.
pub trait Store: Send + Sync {
    /// Carries out `batch` in order, in one transaction with one sync at its end, as one job that is never cancelled:
    /// it starts with the call, and dropping the future does not stop it. Answers one result per write. Where the
    /// transaction as a whole fails, each write is tried in a transaction of its own, so that one bad write costs only
    /// itself; a lock held elsewhere is waited for once and answers them all. Call it within a tokio runtime.
    fn commit(&self, batch: Vec<Write>) -> Work<'static, Vec<Result<Outcome, StoreError>>>;

    /// A session as lists show it.
    fn session(&self, id: &SessionId) -> Work<'_, Option<SessionRow>>;

    /// Newest change first.
    fn sessions(&self, ask: SessionQuery, cursor: Option<String>, limit: Limit) -> Work<'_, Page<SessionRow>>;

    /// Oldest first.
    fn messages(&self, id: &SessionId, cursor: Option<String>, limit: Limit) -> Work<'_, Page<MessageRow>>;

    /// The newest messages with a seq below `before`, oldest first, `limit` at the most.
    fn latest(&self, id: &SessionId, before: Seq, limit: Limit) -> Work<'_, Vec<MessageRow>>;

    /// A file that came with a message of a session, with what is in it.
    fn attachment(&self, session: &SessionId, id: AttachmentId) -> Work<'_, Option<Attachment>>;

    /// Journaled events with a seq above `after`, oldest first, `limit` at the most.
    fn events(&self, id: &SessionId, after: Seq, limit: Limit) -> Work<'_, Vec<SessionEvent>>;

    /// The turn that an input's key names already, with the hash of its body.
    fn known(&self, key: &InboxKey) -> Work<'_, Option<(TurnId, [u8; 32])>>;

    /// A turn, with the event that ended it.
    fn turn(&self, id: TurnId) -> Work<'_, Option<TurnRow>>;

    /// What session actors need to live again, in the order of `ids`, each named once; `None` where there is no such
    /// session.
    /// `context_bytes`: how much text of finished turns to bring of each, newest first, never a part of a turn; the cost
    /// does not grow with the age of the sessions. Many at once cost less than each by itself.
    fn snapshots(&self, ids: Vec<SessionId>, context_bytes: usize) -> Work<'_, Vec<Option<Snapshot>>>;

    /// The same of one session.
    fn snapshot(&self, id: &SessionId, context_bytes: usize) -> Work<'_, Option<Snapshot>> {
        let one = self.snapshots(vec![id.clone()], context_bytes);
        Box::pin(async move { Ok(one.await?.pop().flatten()) })
    }

    /// What was said in finished turns before an input, as a snapshot would bring it if the input and all after it were
    /// not there. Empty where it is no input of the session.
    fn context_before(&self, id: &SessionId, input: Seq, context_bytes: usize) -> Work<'_, Vec<ChatMessage>>;

    /// Sessions with turns that have not ended.
    fn unfinished(&self) -> Work<'_, Vec<SessionId>>;

    /// What answered turns used, summed by day (newest first) or by agent, model or session (in the order of their
    /// names). Outlives the sessions.
    fn usage(&self, ask: UsageQuery, cursor: Option<String>, limit: Limit) -> Work<'_, Page<UsageSum>>;

    /// All tokens, revoked ones too.
    fn tokens(&self) -> Work<'_, Vec<TokenRow>>;

    /// The browsers that are signed in, those that have expired too; the one not used for longest first.
    fn browsers(&self) -> Work<'_, Vec<Browser>>;

    /// The links there are, oldest first: of each user one that was spent at the most, and one that was not.
    fn links(&self) -> Work<'_, Vec<LinkRow>>;

    /// Everybody who is known, in the order in which they came.
    fn users(&self) -> Work<'_, Vec<UserRow>>;

    /// What was done to the house, newest first, `limit` at the most.
    fn audit(&self, limit: Limit) -> Work<'_, Vec<AuditRow>>;

    /// The first owner, if there is one.
    fn owner(&self) -> Work<'_, Option<UserId>>;

    /// The items that somebody has taken up and not settled, in the order of their numbers.
    fn held_items(&self) -> Work<'_, Vec<Item>>;

    /// How many items there are that did not go out, by channel and state.
    fn item_counts(&self) -> Work<'_, Vec<ItemCount>>;

    /// The platform's id of the message that an open turn is streamed into.
    fn preview(&self, turn: TurnId, conversation: &Conversation) -> Work<'_, Option<String>>;

    /// The platform's ids of messages that items of that conversation were shown by, those of the newest items first; 16 at
    /// the most.
    fn shown(&self, conversation: &Conversation) -> Work<'_, Vec<String>>;

    /// Whether something is on its way to that conversation.
    fn owes(&self, conversation: &Conversation) -> Work<'_, bool>;

    /// The session of a conversation, and whose it is.
    fn binding(&self, conversation: &Conversation) -> Work<'_, Option<(SessionId, UserId)>>;

    /// Strangers who wait and those who were let in, by channel, oldest first. Codes that expired may be among them.
    fn pairings(&self) -> Work<'_, Vec<PairingRow>>;

    /// What a channel keeps, by scope, what was kept last before the others, `limit` at the most.
    fn cursors(&self, channel: &str, limit: Limit) -> Work<'_, Vec<(String, String)>>;

    /// The routing rules of everyone, each person's in their order.
    fn rules(&self) -> Work<'_, Vec<(UserId, OwnRule)>>;

    /// A write and its undoing went through: the disk takes writes. Callers at the same time share one probe.
    fn writable(&self) -> Work<'_, ()>;
}

/// [`Place::open`] of what [`Place::parse`] reads.
pub async fn open(url: &str, home: &Path) -> Result<Arc<dyn Store>, StoreError> {
    Place::parse(url, home)?.open().await
}

/// [`Place::migrate`] of what [`Place::parse`] reads.
pub async fn migrate(url: &str, home: &Path) -> Result<Vec<String>, StoreError> {
    Place::parse(url, home)?.migrate().await
}
