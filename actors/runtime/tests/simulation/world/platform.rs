//! A platform that people look at, and the channel to it. It outlives the process, and keeps what is seen on it.
#![allow(dead_code)] // each test binary plays some of it

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use mosaic_messages::{Deliver, Reconcile};
use mosaic_supervise::{Mailbox, Tether, supervised};
use mosaic_types::outbox::{Delivery, Finding, Item, Shown};
use mosaic_types::{Point, TurnId};
use tokio::sync::Notify;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Show,
    /// Not now; for all conversations of the channel, where it says so.
    Later {
        after: Option<Duration>,
        all: bool,
    },
    Refuse,
    /// The connection is lost, before or after people can see it.
    Lost {
        seen: bool,
    },
    /// The channel's actor panics, before or after people can see it.
    Panic {
        seen: bool,
    },
    /// No answer ever comes, before or after people can see it.
    Hang {
        seen: bool,
    },
}

/// A message that people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) conversation: String,
    pub(crate) id: String,
    nonce: String,
    /// What it answers; `None`: a preview.
    pub(crate) turn: Option<TurnId>,
    pub(crate) text: String,
    pub(crate) reply_to: Option<String>,
}

#[derive(Default)]
struct Board {
    messages: Vec<Seen>,
    given: u64,
    script: VecDeque<Step>,
    /// Parts whose call ended without an answer, by nonce.
    cut: BTreeSet<String>,
    refused: BTreeSet<String>,
    /// What became visible, in the order of time.
    log: Vec<(String, TurnId)>,
    calls: u64,
    under_way: BTreeMap<String, usize>,
    most_at_once: usize,
}

pub(crate) struct Platform {
    /// Whether it can say what it shows.
    pub(crate) askable: bool,
    /// Bytes of a message, at the most.
    pub(crate) longest: usize,
    board: Mutex<Board>,
    /// Told of each message that is shown.
    news: Notify,
    /// What becomes of a call that the script says nothing of, and how many milliseconds its two halves take.
    draw: Box<dyn Fn() -> (Step, [u64; 2]) + Send + Sync>,
}

/// A call is under way until this is dropped.
struct Call {
    platform: Arc<Platform>,
    conversation: String,
    /// Until it is answered.
    nonce: Option<String>,
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut board = self.platform.board();
        if let Some(count) = board.under_way.get_mut(&self.conversation) {
            *count -= 1;
        }
        board.under_way.retain(|_, count| *count > 0);
        board.cut.extend(self.nonce.take());
    }
}

impl Platform {
    pub(crate) fn new(
        askable: bool,
        longest: usize,
        draw: impl Fn() -> (Step, [u64; 2]) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { askable, longest, board: Mutex::default(), news: Notify::new(), draw: Box::new(draw) })
    }

    /// A platform that shows everything after a moment.
    pub(crate) fn good(askable: bool, longest: usize) -> Arc<Self> {
        Self::new(askable, longest, || (Step::Show, [50, 50]))
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of the next calls.
    pub(crate) fn script(&self, steps: impl IntoIterator<Item = Step>) {
        self.board().script.extend(steps);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.board().messages.clone()
    }

    /// The texts of a conversation, in the order in which they can be seen.
    pub(crate) fn texts(&self, conversation: &str) -> Vec<String> {
        let here = |seen: &&Seen| seen.conversation == conversation;
        self.board().messages.iter().filter(here).map(|seen| seen.text.clone()).collect()
    }

    /// Waits until what is shown is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            news.as_mut().enable();
            if wanted(self) {
                return;
            }
            news.await;
        }
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.board().calls
    }

    /// Calls at once, at the most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.board().most_at_once
    }

    pub(crate) fn is_cut(&self, nonce: &str) -> bool {
        self.board().cut.contains(nonce)
    }

    pub(crate) fn is_refused(&self, nonce: &str) -> bool {
        self.board().refused.contains(nonce)
    }

    /// In which conversation an answer became visible, in the order of time.
    pub(crate) fn log(&self) -> Vec<(String, TurnId)> {
        self.board().log.clone()
    }

    /// A message that a turn is to be streamed into.
    pub(crate) fn preview(&self, conversation: &str) -> String {
        let mut board = self.board();
        board.given += 1;
        let id = board.given.to_string();
        board.messages.push(Seen {
            conversation: conversation.to_owned(),
            id: id.clone(),
            nonce: String::new(),
            turn: None,
            text: "…".to_owned(),
            reply_to: None,
        });
        id
    }

    fn begin(self: &Arc<Self>, item: &Item) -> (Call, Step, [Duration; 2]) {
        let (drawn, halves) = (self.draw)();
        let mut board = self.board();
        board.calls += 1;
        let step = board.script.pop_front().unwrap_or(drawn);
        let conversation = item.to.name.to_string();
        let here = board.under_way.entry(conversation.clone()).or_default();
        *here += 1;
        assert_eq!(*here, 1, "two deliveries at once in {conversation}");
        board.most_at_once = board.most_at_once.max(board.under_way.values().sum());
        if step == Step::Refuse {
            board.refused.insert(item.nonce());
        }
        let call = Call { platform: self.clone(), conversation, nonce: Some(item.nonce()) };
        (call, step, halves.map(Duration::from_millis))
    }

    /// Where the part ends: as much as a message takes.
    fn cut(&self, item: &Item) -> (String, Option<usize>) {
        let rest = item.rest();
        let end = (0..=self.longest.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(0);
        let up_to = item.shown + end;
        (rest[..end].to_owned(), (end < rest.len()).then_some(up_to))
    }

    fn show(&self, item: &Item) -> Shown {
        let (text, up_to) = self.cut(item);
        let mut board = self.board();
        board.given += 1;
        let fresh = board.given.to_string();
        let id = item.preview.as_deref().filter(|_| item.part == 0).map_or(fresh, ToOwned::to_owned);
        let seen = Seen {
            conversation: item.to.name.to_string(),
            id: id.clone(),
            nonce: item.nonce(),
            turn: Some(item.turn),
            text,
            reply_to: item.reply_to.as_deref().map(ToOwned::to_owned),
        };
        board.log.push((seen.conversation.clone(), item.turn));
        match board.messages.iter_mut().find(|shown| shown.id == id) {
            Some(shown) => *shown = seen,
            None => board.messages.push(seen),
        }
        self.news.notify_waiters();
        Shown { platform_id: Some(id), up_to }
    }

    fn asked(&self, item: &Item) -> Finding {
        let is_edit = item.part == 0 && item.preview.is_some();
        if !self.askable {
            return if is_edit || !item.called { Finding::Repeat } else { Finding::CannotSay };
        }
        let shown = self.board().messages.iter().find(|seen| seen.nonce == item.nonce()).cloned();
        match shown {
            Some(seen) => Finding::Done(Shown { platform_id: Some(seen.id), up_to: self.cut(item).1 }),
            None => Finding::Repeat,
        }
    }
}

/// The channel to a platform.
pub(crate) struct Bridge {
    platform: Arc<Platform>,
    _tether: Tether,
}

impl Bridge {
    pub(crate) const MAILBOX: Mailbox = Mailbox { capacity: 64, patience: Duration::from_secs(5) };

    pub(crate) fn new(platform: Arc<Platform>, tether: Tether) -> Self {
        Self { platform, _tether: tether }
    }
}

impl Actor for Bridge {
    type Context = Context<Self>;
}
supervised!(Bridge);

impl Handler<Deliver> for Bridge {
    type Result = ResponseActFuture<Self, Delivery>;
    fn handle(&mut self, ask: Deliver, _: &mut Self::Context) -> Self::Result {
        let platform = self.platform.clone();
        let work = async move {
            let item = ask.item;
            let (mut call, step, [there, back]) = platform.begin(&item);
            // From here on nobody can tell, where the platform does not.
            let edits = item.part == 0 && item.preview.is_some();
            if !platform.askable && !edits && !ask.calling.note().await {
                call.nonce = None;
                return (Delivery::Later { after: None, all: false }, false);
            }
            tokio::time::sleep(there).await;
            Point::DeliverInCall.pass();
            let seen = match step {
                Step::Show => true,
                Step::Lost { seen } | Step::Panic { seen } | Step::Hang { seen } => seen,
                Step::Later { .. } | Step::Refuse => false,
            };
            let shown = seen.then(|| platform.show(&item));
            tokio::time::sleep(back).await;
            let answer = match (step, shown) {
                (Step::Later { after, all }, _) => Delivery::Later { after, all },
                (Step::Refuse, _) => Delivery::Refused { why: "the chat is closed".into() },
                (Step::Lost { .. }, _) => return (Delivery::NotKnown, false),
                (Step::Panic { .. }, _) => return (Delivery::NotKnown, true),
                (Step::Hang { .. }, _) => {
                    // Nothing comes of it any more.
                    drop(call);
                    return std::future::pending().await;
                }
                (Step::Show, shown) => Delivery::Done(shown.unwrap_or_default()),
            };
            call.nonce = None;
            (answer, false)
        };
        Box::pin(work.into_actor(self).map(|(answer, falls), _, _| {
            assert!(!falls, "planted in a channel");
            answer
        }))
    }
}

impl Handler<Reconcile> for Bridge {
    type Result = ResponseFuture<Finding>;
    fn handle(&mut self, ask: Reconcile, _: &mut Self::Context) -> Self::Result {
        let platform = self.platform.clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            platform.asked(&ask.item)
        })
    }
}

/// So long the halves of a call take, in milliseconds.
pub(crate) const HALF: RangeInclusive<u64> = 0..=400;
