//! Decides what becomes of what was heard: taken in, carried out, answered, or passed over. The same on every platform.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::Receive;
use mosaic_types::command::Line;
use mosaic_types::outbox::Conversation;
use mosaic_types::pairing::NewPairing;
use mosaic_types::{AgentName, Attachment, Code, Failure, Principal, Timestamp, TurnId, UserRole, limits};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::allow::{Mark, is_allowed};
use crate::aside::Asides;
use crate::bots::Bots;
use crate::branch;
use crate::channel::{Channel, Heard, Hearing, Unfetched};
use crate::config::ChannelConfig;
use crate::deeds::{self, Deeds};
use crate::house::{House, Typed};
use crate::late::{self, Age, Lateness};
use crate::pairs::{self, Pairs};
use crate::status::Status;
use crate::voice::{Showing, Voices};

/// The pause before the platform is asked again for what could not be taken in.
const AGAIN: Duration = Duration::from_secs(1);

/// For so long a message waits for a session that is down; then its sender is told. Longer than the rest of a child that
/// spent its restarts, so that one bad session holds up its own conversation only, and not for ever.
const WAITED: Duration = Duration::from_secs(120);

/// Messages that wait in that way, at the most; the oldest is forgotten, and begins to wait anew.
const WAITING: usize = 1_000;

/// Characters of a stranger's name that are kept.
const NAME_CHARS: usize = 64;

/// A message that waits, by conversation and event, and since when.
type Waits = ((Arc<str>, Arc<str>), Instant);

/// What is said on one channel, and what comes of it.
pub struct Talk {
    channel: Rc<dyn Channel>,
    house: Arc<dyn House>,
    status: Status,
    name: Arc<str>,
    account: Arc<str>,
    agent: Option<AgentName>,
    allow: Vec<Mark>,
    mention: bool,
    pairs: Pairs,
    voices: Rc<Voices>,
    /// When a message was first refused for the time being.
    waiting: RefCell<VecDeque<Waits>>,
    bots: Bots,
    late: Lateness,
    asides: Asides,
    deeds: Deeds,
    /// From which input on a talk has a place of its own; 0: it never has.
    thread_after: usize,
}

impl Talk {
    /// The talk of a channel.
    pub fn new(
        channel: Rc<dyn Channel>,
        house: Arc<dyn House>,
        status: Status,
        pairs: Pairs,
        config: &ChannelConfig,
    ) -> Self {
        let account = channel.account();
        Self {
            deeds: Deeds::new(config.name.as_str(), account.clone()),
            account,
            channel,
            house,
            status,
            name: config.name.as_str().into(),
            agent: config.agent.clone(),
            allow: config.allow.clone(),
            mention: config.mention,
            pairs,
            voices: Rc::default(),
            waiting: RefCell::default(),
            bots: Bots::default(),
            late: Lateness::new(config.catch_up),
            asides: Asides::new(config.context),
            thread_after: config.thread_after,
        }
    }

    /// Where the channel says how it is.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Says that the platform was heard just now.
    pub fn proven(&self) {
        self.status.proven(self.house.outside().now());
    }

    /// The platform has told all that it kept: what was too old to be answered is summed up, once a conversation.
    pub async fn caught_up(&self) {
        for old in self.late.passed_over() {
            let to = self.conversation(&old.conversation);
            self.channel.say(to, None, self.late.sentence(old.count)).await;
        }
    }

    /// One byte of chance.
    pub fn chance(&self) -> u8 {
        self.house.outside().bytes::<1>()[0]
    }

    /// Has the turn's preview stand still.
    pub(crate) async fn hush(&self, turn: TurnId, conversation: &Arc<str>) {
        self.voices.hush(turn, conversation).await;
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.house.outside().now()
    }

    /// What the channel keeps, by scope, what was kept last before the others.
    pub async fn kept(&self) -> Result<Vec<(String, String)>, Failure> {
        self.house.cursors(self.name.clone()).await
    }

    /// Keeps something under a scope, in place of what was kept there.
    pub async fn keep(&self, scope: Arc<str>, value: Arc<str>) -> Result<(), Failure> {
        self.house.keep_cursor(self.name.clone(), scope, value).await
    }

    /// Whether its sender may talk there.
    pub fn admits(&self, heard: &Heard) -> bool {
        is_allowed(&self.allow, &heard.marks) || self.pairs.has(&heard.from.id)
    }

    fn speaker(&self, heard: &Heard) -> Principal {
        self.pairs.speaker(&heard.from.id, heard.direct, self.house.guest())
    }

    /// Does with a message what is to be done with it.
    pub async fn hear(&self, heard: Heard) -> Hearing {
        let ours = heard.direct || heard.addressed || !self.mention;
        if !ours && is_allowed(&self.allow, &heard.marks) {
            self.asides.keep(&heard);
        }
        if !ours || (heard.text.trim().is_empty() && !heard.wordless) {
            return Hearing::Done;
        }
        if !self.admits(&heard) {
            if heard.direct && !heard.from.bot && !heard.pressed {
                self.offer(&heard).await;
            }
            return Hearing::Done;
        }
        if heard.from.bot && !self.bots.admit(&heard.conversation) {
            tracing::warn!(channel.name = %self.name, "another bot says too much here; it is not answered for a while");
            return Hearing::Done;
        }
        let age = self.late.age(&heard, self.house.outside().now());
        if age == Age::Old {
            self.late.pass_over(&heard.conversation);
            return Hearing::Done;
        }
        let to = self.place(&heard);
        if heard.wordless {
            self.tell(&to, &heard, "Only words, text files and pictures can be read here.".to_owned()).await;
            return Hearing::Done;
        }
        match command(&heard.text) {
            // It was carried out as it was first typed.
            Some(_) if heard.edits.is_some() => Hearing::Done,
            Some(line) => self.carry_out(&to, &heard, line).await,
            None if self.speaker(&heard).role < UserRole::Member => {
                self.tell(&to, &heard, pairs::ONLY_READS.to_owned()).await;
                Hearing::Done
            }
            None => self.take_in(&to, &heard, age).await,
        }
    }

    /// Gives a stranger a code, where there is room for one more; a crowd is not answered.
    async fn offer(&self, heard: &Heard) {
        let (outside, sender) = (self.house.outside(), &heard.from.id);
        let at = outside.now();
        let Some(expires_at) = self.pairs.offer(sender, at) else { return };
        let code = pairs::code(outside);
        let hash = pairs::hash(&code).expect("it was just made");
        let to = self.place(heard);
        let name =
            heard.from.name.chars().filter(|char| !char.is_control()).take(NAME_CHARS).collect::<String>().into();
        let (channel, account) = (to.channel.clone(), to.account.clone());
        let pairing = NewPairing { hash, channel, account, sender: sender.clone(), name, at, expires_at };
        match self.house.offer(pairing).await {
            Ok(true) => {
                let text = format!(
                    "I do not know you yet. Whoever runs this bot can let you in, within an hour, with:\n\nmosaic pair \
                     approve {code}"
                );
                self.tell(&to, heard, text).await;
            }
            Ok(false) => {}
            // Nothing was kept: their next message tries again.
            Err(_) => self.pairs.forget(sender),
        }
    }

    fn place(&self, heard: &Heard) -> Conversation {
        self.conversation(&heard.conversation)
    }

    fn conversation(&self, name: &Arc<str>) -> Conversation {
        Conversation { channel: self.name.clone(), account: self.account.clone(), name: name.clone() }
    }

    async fn take_in(&self, to: &Conversation, heard: &Heard, age: Age) -> Hearing {
        let attachments = match self.fetch(heard).await {
            Ok(attachments) => attachments,
            Err(failure) => return self.refused(to, heard, failure).await,
        };
        let place = branch::follow(&*self.channel, &*self.house, to, heard, self.thread_after).await;
        let to = match &place {
            Ok(place) => place,
            Err(failure) => return self.refused(to, heard, failure.clone()).await,
        };
        // In another place there is nothing to refer to.
        let reply_to = heard.reply_to.clone().filter(|_| to.name == heard.conversation);
        let outside = self.house.outside();
        // A file is named for good by what it is fetched by.
        let mut hash = Sha256::new_with_prefix(heard.text.as_bytes());
        heard.files.iter().for_each(|file| hash.update(file.id.as_bytes()));
        // By its hash it is what was said: told again at another age, it is the same.
        let text = self.asides.behind(&heard.conversation, heard.text.clone());
        let text: Arc<str> = match age {
            Age::Late(age) => late::mark(&text, age).into(),
            _ => text.into(),
        };
        let said = Receive {
            conversation: to.clone(),
            from: self.speaker(heard),
            alone: heard.direct,
            turn: outside.turn_id(),
            event: heard.event.clone(),
            edits: heard.edits.clone(),
            reply_to: reply_to.clone(),
            body_hash: hash.finalize().into(),
            text,
            attachments,
            model: None,
            mode: None,
            agent: self.agent.clone(),
            span: tracing::debug_span!(parent: None, "channel.receive", channel.name = %self.name),
        };
        match self.house.receive(said).await {
            Ok(received) => {
                self.no_longer_waits(heard);
                self.asides.forget(&heard.conversation);
                self.tell_late(to, heard, age, received.accepted.attached).await;
                if !received.accepted.state.is_end() {
                    let showing =
                        Showing { to: to.clone(), session: received.session, turn: received.accepted.turn, reply_to };
                    self.voices.begin(showing, self.channel.clone(), self.house.clone());
                }
                Hearing::Done
            }
            Err(failure) => self.refused(to, heard, failure).await,
        }
    }

    /// Says that what was taken in is late, where that is news.
    async fn tell_late(&self, to: &Conversation, heard: &Heard, age: Age, known: bool) {
        if let Age::Late(age) = age
            && !known
            && self.late.tells(&heard.conversation)
        {
            let text = format!("I was away. This was written {} ago; I answer it now.", late::span(age));
            self.tell(to, heard, text).await;
        }
    }

    /// The files that came with a message, checked.
    async fn fetch(&self, heard: &Heard) -> Result<Arc<[Attachment]>, Failure> {
        if heard.files.len() > limits::ATTACHMENTS {
            let sentence = format!("A message takes {} files at the most. Send several.", limits::ATTACHMENTS);
            return Err(Failure::new(Code::BadRequest, sentence));
        }
        let mut files = Vec::new();
        for file in &heard.files {
            let name: String =
                file.name.chars().filter(|char| !char.is_control()).take(limits::FILE_NAME_CHARS).collect();
            let fetched = self.channel.fetch(file.id.clone(), limits::PICTURE_BYTES).await;
            let data = fetched.map_err(|unfetched| match unfetched {
                Unfetched::Later => {
                    Failure::new(Code::Unavailable, format!("{name} could not be fetched. Send it again in a moment."))
                }
                Unfetched::Never => {
                    let sentence = format!("{name} cannot be fetched: it is gone, or larger than 5 MiB.");
                    Failure::new(Code::TooLarge, sentence)
                }
            })?;
            files.push(self.house.file(name, file.media_type.clone(), data)?);
        }
        Ok(files.into())
    }

    async fn carry_out(&self, to: &Conversation, heard: &Heard, line: Result<Line, Failure>) -> Hearing {
        match self.deeds.know(heard, &*self.house).await {
            Ok(false) => {}
            Ok(true) => return Hearing::Done,
            Err(failure) => return self.refused(to, heard, failure).await,
        }
        let seen = line.as_ref().map_or("", |line| deeds::seen(&line.request, heard.pressed));
        let done = match line {
            Ok(line) => {
                let (from, alone) = (self.speaker(heard), heard.direct);
                let typed = Typed { at: to.clone(), event: heard.event.clone(), from, alone };
                self.house.command(typed, self.agent.clone(), line).await
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &done
            && let Some(again) = self.again(heard, failure)
        {
            return again;
        }
        self.deeds.note(heard, &*self.house).await;
        match done {
            Ok(text) => {
                self.no_longer_waits(heard);
                if text != seen {
                    self.tell(to, heard, text).await;
                }
                Hearing::Done
            }
            Err(failure) => self.refused(to, heard, failure).await,
        }
    }

    /// What passes by itself is waited for.
    fn again(&self, heard: &Heard, failure: &Failure) -> Option<Hearing> {
        let waits = match failure.code {
            Code::Draining | Code::Storage => true,
            Code::Unavailable => self.waits_still(heard),
            _ => false,
        };
        let asked = failure.retry_after_ms.map(Duration::from_millis);
        waits.then(|| Hearing::Again(asked.unwrap_or(AGAIN).clamp(AGAIN / 4, AGAIN * 10)))
    }

    /// What passes by itself is waited for; the rest is said to whoever asked.
    async fn refused(&self, to: &Conversation, heard: &Heard, failure: Failure) -> Hearing {
        if let Some(again) = self.again(heard, &failure) {
            return again;
        }
        self.no_longer_waits(heard);
        // It was taken in before, as another text: an edit that was told as if it were new.
        if failure.code != Code::IdempotencyConflict {
            self.tell(to, heard, failure.message.into_owned()).await;
        }
        Hearing::Done
    }

    async fn tell(&self, to: &Conversation, heard: &Heard, text: String) {
        self.channel.say(to.clone(), heard.reply_to.clone(), text).await;
    }

    fn waits_still(&self, heard: &Heard) -> bool {
        let (key, now) = ((heard.conversation.clone(), heard.event.clone()), Instant::now());
        let mut waiting = self.waiting.borrow_mut();
        if let Some((_, since)) = waiting.iter().find(|(known, _)| *known == key) {
            return now - *since < WAITED;
        }
        if waiting.len() >= WAITING {
            waiting.pop_front();
        }
        waiting.push_back((key, now));
        true
    }

    fn no_longer_waits(&self, heard: &Heard) {
        self.waiting.borrow_mut().retain(|((place, event), _)| (place, event) != (&heard.conversation, &heard.event));
    }
}

/// The command that a text is, if it is one: a slash and a word. A path is none.
fn command(text: &str) -> Option<Result<Line, Failure>> {
    let word = text.strip_prefix('/')?.split_whitespace().next()?;
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then(|| text.parse())
}
