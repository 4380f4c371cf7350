//! A platform and a house that do what they are told, and remember it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use futures_util::future::{LocalBoxFuture, pending, ready};
use mosaic_channels::allow::Mark;
use mosaic_channels::{
    Channel, ChannelConfig, Cut, Heard, House, Look, Note, Pairs, Preview, Reader, Sender, Status, Talk, Typed,
    Unfetched, Unshown, Work,
};
use mosaic_messages::channel::Calling;
use mosaic_messages::{Accepted, Kept, Receive, Received};
use mosaic_types::command::Line;
use mosaic_types::journal::TurnState;
use mosaic_types::outbox::{Conversation, Delivery, Finding, Item, Shown};
use mosaic_types::pairing::NewPairing;
use mosaic_types::settings::Settings;
use mosaic_types::{
    AgentName, Attachment, Chance, Clock, Code, Failure, Outside, Principal, Secret, SessionId, Timestamp, TurnId,
    UserId, UserRole,
};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

impl Chance for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(128);
    }
}

#[derive(Default)]
struct Memory {
    said: Vec<Receive>,
    commanded: Vec<String>,
    offered: Vec<NewPairing>,
    next: VecDeque<Result<(), Failure>>,
    known: bool,
    kept: Vec<(Arc<str>, Arc<str>, Arc<str>)>,
    comes_to: Option<&'static str>,
}

/// A house that takes everything in, unless it is told otherwise.
#[derive(Clone)]
pub(crate) struct Home(Arc<Mutex<Memory>>, Outside);

impl Default for Home {
    fn default() -> Self {
        Self(Arc::default(), Outside::new(Arc::new(Still), Arc::new(Still)))
    }
}

impl Home {
    pub(crate) fn house(&self) -> Arc<dyn House> {
        Arc::new(self.clone())
    }

    /// What becomes of the next message.
    pub(crate) fn next(&self, answer: Result<(), Failure>) {
        self.0.lock().expect("whole").next.push_back(answer);
    }

    /// From now on every message was taken in before.
    pub(crate) fn known(&self) {
        self.0.lock().expect("whole").known = true;
    }

    /// What the next command comes to.
    pub(crate) fn comes_to(&self, text: &'static str) {
        self.0.lock().expect("whole").comes_to = Some(text);
    }

    /// What was taken in.
    pub(crate) fn said(&self) -> Vec<Receive> {
        self.0.lock().expect("whole").said.clone()
    }

    /// Strangers who were given a code.
    pub(crate) fn offered(&self) -> Vec<NewPairing> {
        self.0.lock().expect("whole").offered.clone()
    }

    /// Names of the commands that were carried out.
    pub(crate) fn commanded(&self) -> Vec<String> {
        self.0.lock().expect("whole").commanded.clone()
    }
}

impl House for Home {
    fn outside(&self) -> &Outside {
        &self.1
    }

    fn guest(&self) -> Principal {
        Principal { user: UserId(uuid::Uuid::nil()), role: UserRole::Member }
    }

    fn receive(&self, said: Receive) -> Work<Received> {
        let mut kept = self.0.lock().expect("whole");
        let answer = kept.next.pop_front().unwrap_or(Ok(()));
        if answer.is_ok() {
            kept.said.push(said.clone());
        }
        let accepted = Accepted { turn: said.turn, state: TurnState::Finished, attached: kept.known };
        Box::pin(ready(answer.map(|()| Received { session: "s".parse().expect("valid"), accepted })))
    }

    fn command(&self, _: Typed, _: Option<AgentName>, line: Line) -> Work<String> {
        let name = line.command.name.to_owned();
        let mut kept = self.0.lock().expect("whole");
        kept.commanded.push(name.clone());
        Box::pin(ready(Ok(kept.comes_to.take().map_or_else(|| format!("{name} was done"), str::to_owned))))
    }

    fn look(&self, _: Conversation, _: Arc<str>) -> Work<Look> {
        Box::pin(ready(Ok(Look::default())))
    }

    fn move_on(&self, _: Conversation, _: Conversation, _: Arc<str>) -> Work<()> {
        Box::pin(ready(Ok(())))
    }

    fn keep_preview(&self, _: TurnId, _: Conversation, _: Arc<str>) -> Work<Kept> {
        Box::pin(ready(Ok(Kept::Kept)))
    }

    fn owes(&self, _: Conversation) -> Work<bool> {
        Box::pin(ready(Ok(false)))
    }

    fn file(&self, _: String, _: String, _: Vec<u8>) -> Result<Attachment, Failure> {
        Err(Failure::new(Code::BadRequest, "No file is good enough."))
    }

    fn offer(&self, pairing: NewPairing) -> Work<bool> {
        self.0.lock().expect("whole").offered.push(pairing);
        Box::pin(ready(Ok(true)))
    }

    fn cursors(&self, channel: Arc<str>) -> Work<Vec<(String, String)>> {
        let home = self.0.lock().expect("whole");
        let kept = home.kept.iter().rev().filter(|(known, _, _)| *known == channel);
        Box::pin(ready(Ok(kept.map(|(_, scope, value)| (scope.to_string(), value.to_string())).collect())))
    }

    fn keep_cursor(&self, channel: Arc<str>, scope: Arc<str>, value: Arc<str>) -> Work<()> {
        let mut home = self.0.lock().expect("whole");
        home.kept.retain(|(known, place, _)| (known, place) != (&channel, &scope));
        home.kept.push((channel, scope, value));
        Box::pin(ready(Ok(())))
    }

    fn read(&self, _: SessionId, _: TurnId) -> LocalBoxFuture<'static, Option<Box<dyn Reader>>> {
        Box::pin(ready(None))
    }
}

#[derive(Default)]
struct Seen {
    said: Vec<String>,
    connected: usize,
    cut: Option<Cut>,
}

/// A platform that shows everything at once.
#[derive(Clone, Default)]
pub(crate) struct Platform(Rc<RefCell<Seen>>);

impl Platform {
    pub(crate) fn channel(&self) -> Rc<dyn Channel> {
        Rc::new(self.clone())
    }

    /// From now on every connection is cut at once.
    pub(crate) fn cuts(&self, cut: Cut) {
        self.0.borrow_mut().cut = Some(cut);
    }

    /// How often it was connected to.
    pub(crate) fn connected(&self) -> usize {
        self.0.borrow().connected
    }

    /// Notices that were said.
    pub(crate) fn said(&self) -> Vec<String> {
        self.0.borrow().said.clone()
    }
}

impl Channel for Platform {
    fn account(&self) -> Arc<str> {
        "123".into()
    }

    fn room(&self, _: Option<&AgentName>) -> usize {
        4_096
    }

    fn hear(&self, _: Rc<Talk>) -> LocalBoxFuture<'static, Cut> {
        let mut seen = self.0.borrow_mut();
        seen.connected += 1;
        match seen.cut.clone() {
            Some(cut) => Box::pin(ready(cut)),
            None => Box::pin(pending()),
        }
    }

    fn deliver(&self, _: Arc<Item>, _: Arc<dyn Calling>) -> LocalBoxFuture<'static, Delivery> {
        Box::pin(ready(Delivery::Done(Shown::default())))
    }

    fn reconcile(&self, _: Arc<Item>, _: Vec<String>) -> LocalBoxFuture<'static, Finding> {
        Box::pin(ready(Finding::CannotSay))
    }

    fn typing(&self, _: Conversation) -> LocalBoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    fn preview(&self, _: Preview) -> LocalBoxFuture<'static, Result<Arc<str>, Unshown>> {
        Box::pin(ready(Err(Unshown::Never)))
    }

    fn remove(&self, _: Conversation, _: Arc<str>) -> LocalBoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    fn fetch(&self, file: Arc<str>, _: usize) -> LocalBoxFuture<'static, Result<Vec<u8>, Unfetched>> {
        Box::pin(ready(if &*file == "slow" { Err(Unfetched::Later) } else { Ok(Vec::new()) }))
    }

    fn check(&self, _: Vec<Mark>, _: bool) -> LocalBoxFuture<'static, Vec<Note>> {
        Box::pin(ready(Vec::new()))
    }

    fn say(&self, _: Conversation, _: Option<Arc<str>>, text: String) -> LocalBoxFuture<'static, ()> {
        self.0.borrow_mut().said.push(text);
        Box::pin(ready(()))
    }
}

/// A channel to which user 1 may talk.
pub(crate) fn config() -> ChannelConfig {
    let text = "kind = \"telegram\"\ntoken_env = \"T\"\nallow = [\"user:1\"]\n";
    let settings = Settings::parse(text, "config.toml").expect("valid TOML");
    let read = ChannelConfig::read("family", &settings.root(), &|_| Ok(Secret::new("123:abc")));
    read.expect("a channel")
}

/// A talk of which so much is kept that is said to others.
pub(crate) fn talk_keeping(home: &Home, platform: &Platform, context: usize) -> Talk {
    let config = ChannelConfig { context, ..config() };
    Talk::new(platform.channel(), home.house(), Status::default(), Pairs::default(), &config)
}

pub(crate) fn talk(home: &Home, platform: &Platform) -> Talk {
    talk_with(home, platform, Pairs::default())
}

pub(crate) fn talk_with(home: &Home, platform: &Platform, pairs: Pairs) -> Talk {
    Talk::new(platform.channel(), home.house(), Status::default(), pairs, &config())
}

/// Something that user 1 says to us, among others.
pub(crate) fn heard(event: &str, text: &str) -> Heard {
    Heard {
        conversation: "room".into(),
        event: event.into(),
        edits: None,
        wordless: false,
        files: Vec::new(),
        reply_to: Some(event.into()),
        branch: None,
        from: Sender { id: "1".into(), name: "Ada".into(), bot: false },
        marks: vec!["user:1".parse().expect("valid")],
        direct: true,
        addressed: true,
        pressed: false,
        text: text.to_owned(),
        at: Timestamp(0),
    }
}
