//! What a channel may ask of the house. The top floor implements it; a test may too.

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use mosaic_messages::{Kept, Receive, Received};
use mosaic_types::command::Line;
use mosaic_types::outbox::Conversation;
use mosaic_types::pairing::NewPairing;
use mosaic_types::{AgentName, Attachment, Failure, Outside, Principal, SessionEvent, SessionId, TurnId};

/// An answer that the house owes.
pub type Work<T> = LocalBoxFuture<'static, Result<T, Failure>>;

/// What is known of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// It has a session.
    pub bound: bool,
    /// Inputs of that session, 200 at the most.
    pub inputs: usize,
    /// The message was taken in there.
    pub knows: bool,
}

/// The house, as its channels see it.
pub trait House: Send + Sync {
    /// Time and chance.
    fn outside(&self) -> &Outside;

    /// As whom people on channels speak who are linked to no user, and whose a conversation of several people is.
    fn guest(&self) -> Principal;

    /// Has what was said taken in. May be asked again as it is.
    fn receive(&self, said: Receive) -> Work<Received>;

    /// Carries out a command in the session of a conversation, which goes on where the command says. Answers what to show.
    fn command(&self, typed: Typed, agent: Option<AgentName>, line: Line) -> Work<String>;

    /// What is known of a conversation, and of a message in it.
    fn look(&self, at: Conversation, event: Arc<str>) -> Work<Look>;

    /// What was talked of in one conversation goes on in the other, in the same session, and the first begins anew; `event`
    /// names the message with which it does. Where the other one is bound to another session, nothing changes: may be asked
    /// again as it is.
    fn move_on(&self, from: Conversation, to: Conversation, event: Arc<str>) -> Work<()>;

    /// Keeps the platform's id of the message that a turn is streamed into.
    fn keep_preview(&self, turn: TurnId, conversation: Conversation, platform_id: Arc<str>) -> Work<Kept>;

    /// Whether an answer of before is on its way to that conversation.
    fn owes(&self, conversation: Conversation) -> Work<bool>;

    /// Checks a file that came with a message.
    ///
    /// # Errors
    /// What is wrong with it and what would be right, for its sender.
    fn file(&self, name: String, media_type: String, data: Vec<u8>) -> Result<Attachment, Failure>;

    /// Keeps a stranger's code; `false` where that is not to be: there is one already, or too many wait.
    fn offer(&self, pairing: NewPairing) -> Work<bool>;

    /// What the channel of that name keeps, by scope, what was kept last before the others.
    fn cursors(&self, channel: Arc<str>) -> Work<Vec<(String, String)>>;

    /// Keeps something for the channel of that name, in place of what was kept under that scope.
    fn keep_cursor(&self, channel: Arc<str>, scope: Arc<str>, value: Arc<str>) -> Work<()>;

    /// Reads along in a session while `turn` is open; `None` where it has ended.
    fn read(&self, session: SessionId, turn: TurnId) -> LocalBoxFuture<'static, Option<Box<dyn Reader>>>;
}

/// A message that a command was typed in.
#[derive(Debug, Clone)]
pub struct Typed {
    pub at: Conversation,
    /// Names the message there.
    pub event: Arc<str>,
    pub from: Principal,
    /// Nobody else speaks there.
    pub alone: bool,
}

/// One who reads along.
pub trait Reader {
    /// Who answers, as far as it is known before that is told.
    fn agent(&self) -> Option<AgentName> {
        None
    }

    /// What happens next; `None`: nothing more is told.
    fn next(&mut self) -> LocalBoxFuture<'_, Option<Arc<SessionEvent>>>;
}
