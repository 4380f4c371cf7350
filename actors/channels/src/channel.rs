//! What a platform's adapter does, and the words it does it in.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use mosaic_messages::channel::Calling;
use mosaic_types::outbox::{Conversation, Delivery, Finding, Item};
use mosaic_types::{AgentName, Timestamp, TurnId};

use crate::allow::Mark;
use crate::talk::Talk;

/// One platform, by one account. It never tries again by itself and keeps no conversation: what it says of a call decides
/// what becomes of it. All its futures end within [`PATIENCE`](mosaic_messages::channel::PATIENCE), but for
/// [`hear`](Self::hear).
pub trait Channel: 'static {
    /// The account of ours, as it stands in the keys of inputs: known before anyone is connected.
    fn account(&self) -> Arc<str>;

    /// How long a text of that agent's may be that one message shows, in units of UTF-16.
    fn room(&self, agent: Option<&AgentName>) -> usize;

    /// Connects, and tells `talk` what is said until the connection is cut. It says to the [`Status`](crate::Status) of
    /// `talk` when it hears, and lets the platform forget only what `talk` is done with.
    fn hear(&self, talk: Rc<Talk>) -> LocalBoxFuture<'static, Cut>;

    /// Takes in what the platform says where it calls us, whose secret was looked at. By default it is not expected to.
    fn called(&self, _talk: Rc<Talk>, _body: Vec<u8>) -> LocalBoxFuture<'static, Hearing> {
        Box::pin(std::future::ready(Hearing::Done))
    }

    /// Shows one part of an item. Where the platform cannot be asked what it shows, and seeing it twice is possible, that the
    /// call is about to be made is noted by `calling` before.
    fn deliver(&self, item: Arc<Item>, calling: Arc<dyn Calling>) -> LocalBoxFuture<'static, Delivery>;

    /// Finds out what became of a part that was cut off. What its conversation was told `before` was told by these messages.
    fn reconcile(&self, item: Arc<Item>, before: Vec<String>) -> LocalBoxFuture<'static, Finding>;

    /// Shows for a few seconds that an answer is being made. Failing costs nothing.
    fn typing(&self, to: Conversation) -> LocalBoxFuture<'static, ()>;

    /// Shows how far an answer is, where the platform's limits leave room for it. Answers the message's id.
    fn preview(&self, preview: Preview) -> LocalBoxFuture<'static, Result<Arc<str>, Unshown>>;

    /// Takes a preview away that nothing will take the place of. Failing costs a stale message.
    fn remove(&self, to: Conversation, platform_id: Arc<str>) -> LocalBoxFuture<'static, ()>;

    /// Opens a place of its own for what begins with that message, called so: the [`branch`](Heard::branch) that was heard of
    /// with it. Asked again, it is the same place. By default a platform has no such places.
    fn open(
        &self,
        _at: Conversation,
        _message: Arc<str>,
        _title: String,
    ) -> LocalBoxFuture<'static, Result<(), Unopened>> {
        Box::pin(std::future::ready(Err(Unopened::Never)))
    }

    /// Fetches a file that was heard of, of `limit` bytes at the most.
    fn fetch(&self, file: Arc<str>, limit: usize) -> LocalBoxFuture<'static, Result<Vec<u8>, Unfetched>>;

    /// Looks at all that it takes to hear and to be heard, and sends a test message to the first of `allow` that it can.
    fn check(&self, allow: Vec<Mark>, mention: bool) -> LocalBoxFuture<'static, Vec<Note>>;

    /// Says something that is no turn's answer: what a command came to, why nothing was taken in. Said once, at the best.
    fn say(&self, to: Conversation, reply_to: Option<Arc<str>>, text: String) -> LocalBoxFuture<'static, ()>;
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub ok: bool,
    /// A sentence: how it is and, where it is not well, what to do and where.
    pub text: String,
}

impl Note {
    /// It is well.
    pub fn good(text: impl Into<String>) -> Self {
        Self { ok: true, text: text.into() }
    }

    /// It is not.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { ok: false, text: text.into() }
    }
}

/// Why hearing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// For people: what happened and what to do about it. No secret stands in it.
    pub why: String,
    /// When it is worth trying again; `None`: soon, and later each time it fails.
    pub after: Option<Duration>,
    /// The connection had gone on where the one before it was cut, and cost nothing that is scarce: it did not fail.
    pub stood: bool,
}

impl Cut {
    /// Cut off, and to be tried again soon.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), after: None, stood: false }
    }

    /// Cut off, and not worth a try before `wait` is over.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.after = Some(wait);
        self
    }
}

/// Something that was said on the platform.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// What the platform calls the place; with a thread of its own, that too.
    pub conversation: Arc<str>,
    /// What names this message within the conversation for good.
    pub event: Arc<str>,
    /// The event of the message of which this is a later wording.
    pub edits: Option<Arc<str>>,
    pub files: Vec<HeardFile>,
    /// It holds something that cannot be read here, and no words: a picture, a voice.
    pub wordless: bool,
    /// The message's id where an answer is to refer to it: among several people.
    pub reply_to: Option<Arc<str>>,
    /// The name of the place that can be opened for what begins with this message, where one can.
    pub branch: Option<Arc<str>>,
    pub from: Sender,
    /// By what the sender may be let in.
    pub marks: Vec<Mark>,
    /// Nobody else is there.
    pub direct: bool,
    /// It is meant for us: it names us, answers us, or is a command of ours.
    pub addressed: bool,
    /// It was not typed but pressed: what comes of it is seen anyway, and told is only why nothing does.
    pub pressed: bool,
    /// What was said, without our name.
    pub text: String,
    pub at: Timestamp,
}

/// A file that came with something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardFile {
    /// What it is fetched by.
    pub id: Arc<str>,
    /// As its sender calls it.
    pub name: String,
    /// As in `image/png`.
    pub media_type: String,
    pub size_bytes: u64,
}

/// Why a place was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// Not now; so long the platform wants to be left alone, where it says.
    Later(Option<Duration>),
    /// There is none to be had there.
    Never,
}

/// Why a file is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfetched {
    /// The platform could not give it now.
    Later,
    /// It never will, or the file is too large.
    Never,
}

/// Who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The platform's id.
    pub id: Arc<str>,
    /// As people call them.
    pub name: String,
    /// A program.
    pub bot: bool,
}

/// What became of something that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// It is stored, or needs not be: the platform may forget it.
    Done,
    /// It could not be taken in now. The platform must keep it and tell it again after so long.
    Again(Duration),
}

/// How far an answer is.
#[derive(Debug, Clone)]
pub struct Preview {
    pub to: Conversation,
    pub turn: TurnId,
    pub reply_to: Option<Arc<str>>,
    /// The message to change; `None`: a new one.
    pub platform_id: Option<Arc<str>>,
    /// Whose it is, where that is known.
    pub agent: Option<AgentName>,
    /// The text so far, within the channel's [`room`](Channel::room).
    pub text: String,
}

/// Why a preview is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unshown {
    /// Not now.
    Later,
    /// Nor later: there will be no more previews of this turn.
    Never,
}
