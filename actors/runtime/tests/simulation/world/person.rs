//! People: they say something, say it again until it is acknowledged, and wait for the answer. They outlive the process.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use mosaic_types::journal::{API_CHANNEL, InboxKey};
use mosaic_types::{AgentName, Code, Failure, QueueMode, SessionEvent, SessionId, TurnId};

use super::World;
use super::dice::Dice;
use super::house::{House, agent};
use super::store::lock;
use super::view::View;

/// Every request is answered within this long, whatever happens beside a process that goes on: four tries of the
/// router, each with 5 s of patience for a session and 5 s for the writer, and the slowest reads and writes.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(90);

/// Something that was said.
pub(super) struct Message {
    pub(super) text: Arc<str>,
    /// What becomes of it while a turn runs; `None`: what its agent does.
    pub(super) mode: Option<QueueMode>,
    /// As its acknowledgement, or the first that was lost, named it.
    pub(super) turn: Option<TurnId>,
    pub(super) acknowledged: bool,
    pub(super) end: Option<SessionEvent>,
    /// Its session was removed before it ended.
    pub(super) removed: bool,
}

impl Message {
    pub(super) fn is_open(&self) -> bool {
        self.end.is_none() && !self.removed
    }
}

/// Somebody who talks in a session.
pub(crate) struct Person {
    pub(super) session: SessionId,
    pub(super) agent: AgentName,
    pub(super) name: String,
    pub(super) said: RefCell<Vec<Message>>,
    pub(super) dice: RefCell<Dice>,
    /// Says several things at once.
    eager: bool,
}

impl Person {
    pub(crate) fn new(world: &World, session: usize, number: usize) -> Self {
        let stream = 100 + u64::try_from(session * 100 + number).expect("few");
        let mut dice = Dice::new(world.plan.seed, stream);
        let eager = dice.happens(300);
        Self {
            session: format!("s{session}").parse().expect("a valid id"),
            agent: agent(session % world.plan.agents),
            name: format!("s{session}.p{number}"),
            said: RefCell::default(),
            dice: RefCell::new(dice),
            eager,
        }
    }

    /// Whether nothing more will be said and all was answered.
    pub(crate) fn is_done(&self, world: &World) -> bool {
        let said = self.said.borrow();
        let silent = said.len() >= world.plan.messages || world.age() >= world.plan.last_word;
        silent && !said.iter().any(Message::is_open)
    }

    /// Takes part in one life of the process.
    pub(crate) async fn live(self: Rc<Self>, house: Rc<House>, world: Arc<World>) {
        let view = &View { person: &self, house: &house, world: &world };
        let open = || -> Vec<usize> {
            let said = self.said.borrow();
            said.iter().enumerate().filter(|(_, message)| message.is_open()).map(|(index, _)| index).collect()
        };
        // What an earlier life of the process left open is repeated first.
        join_all(open().into_iter().map(|index| view.take(index))).await;
        while self.said.borrow().len() < world.plan.messages && world.age() < world.plan.last_word {
            let pause = self.dice.borrow_mut().millis(world.plan.pause.clone());
            tokio::time::sleep(pause).await;
            let most = world.plan.messages - self.said.borrow().len();
            let burst = if self.eager { self.dice.borrow_mut().within(1..=world.plan.breath) } else { 1 };
            let echo = self.old(&world);
            for _ in 0..burst.min(u64::try_from(most).unwrap_or(u64::MAX)) {
                let text = format!("{}.{}", self.name, self.said.borrow().len()).into();
                let mode = world.plan.mode(&mut self.dice.borrow_mut());
                let (turn, acknowledged, end, removed) = (None, false, None, false);
                self.said.borrow_mut().push(Message { text, mode, turn, acknowledged, end, removed });
            }
            // The old one first: those after it may join a turn that it makes, and that is then not made.
            let echo = async {
                if let Some((index, mode)) = echo {
                    view.echo(index, mode).await;
                }
            };
            join(echo, join_all(open().into_iter().map(|index| view.take(index)))).await;
        }
    }

    /// One of the messages that were acknowledged, to be said again, in whatever mode.
    fn old(&self, world: &World) -> Option<(usize, Option<QueueMode>)> {
        let (dice, said) = (&mut *self.dice.borrow_mut(), self.said.borrow());
        if world.plan.echoes == 0 || said.is_empty() || !dice.happens(world.plan.echoes) {
            return None;
        }
        let (index, mode) = (dice.below(said.len()), world.plan.mode(dice));
        said[index].acknowledged.then_some((index, mode))
    }

    /// What this person has a right to, against what is stored: I1 and I2.
    pub(crate) fn check(&self, world: &World) {
        for message in self.said.borrow().iter() {
            world.count("people: messages");
            let disk = lock(&world.tables);
            if message.turn.is_some_and(|turn| disk.removed.holds(turn)) {
                world.count("people: messages to a session that was removed");
                continue;
            }
            let known = disk.known(&self.key(&message.text)).map(|(turn, _)| turn);
            let stored = known.and_then(|turn| disk.end_of(turn));
            let wrong = match (message.turn, &message.end) {
                _ if !message.acknowledged => Some("was never acknowledged"),
                _ if message.removed => Some("is gone, and its session was never removed"),
                (turn, _) if turn != known => Some("names another turn than its acknowledgement"),
                (_, end) if *end != stored => Some("ended otherwise than its person saw"),
                _ => None,
            };
            let part = known
                .and_then(|turn| disk.turn(turn))
                .is_some_and(|(_, turn)| turn.asked().any(|text| *text == *message.text));
            let wrong = wrong.or((!part).then_some("is no part of its turn"));
            drop(disk);
            if let Some(wrong) = wrong {
                world.broken(&format_args!("I1: {} {wrong}: {:?}", message.text, message.end));
            }
        }
    }

    pub(super) fn key(&self, text: &str) -> InboxKey {
        InboxKey {
            channel: API_CHANNEL.into(),
            account: "ada".into(),
            conversation: self.session.as_str().into(),
            event: format!("key:{text}").into(),
        }
    }
}

/// Whether a refusal says that the same request may be taken later.
pub(super) fn passes(failure: &Failure) -> bool {
    matches!(failure.code, Code::Busy | Code::Unavailable | Code::Storage | Code::StorageDefect | Code::Draining)
}
