//! Readers of sessions: what they are told must be the journal, without a gap, and the text of answers as it grows.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mosaic_runtime::events::{Interest, Missed};
use mosaic_types::page::Limit;
use mosaic_types::{EventBody, Seq, SessionEvent, SessionId, TurnId};
use tokio::time::{Instant, timeout_at};

use super::World;
use super::dice::Dice;
use super::house::House;
use super::store::lock;

/// The text of a step as it was heard from its beginning.
struct Heard {
    turn: TurnId,
    attempt: u32,
    step: u32,
    text: String,
}

/// Reads along in a session, over all lives of the process: after a pause it reads in the journal what it missed.
pub(crate) struct Follower {
    session: SessionId,
    /// How often the session was removed before the one that is read.
    removals: Cell<u32>,
    seen: Cell<Seq>,
    heard: RefCell<Option<Heard>>,
    dice: RefCell<Dice>,
}

impl Follower {
    pub(crate) fn new(world: &World, session: usize) -> Self {
        let dice = Dice::new(world.plan.seed, 50 + u64::try_from(session).expect("few"));
        let session = format!("s{session}").parse().expect("a valid id");
        Self {
            session,
            removals: Cell::new(0),
            seen: Cell::new(0),
            heard: RefCell::default(),
            dice: RefCell::new(dice),
        }
    }

    /// Whether it was told all that is in the journal.
    pub(crate) fn is_up_to_date(&self, world: &World) -> bool {
        let events = lock(&world.tables).sessions.get(&self.session).map_or(0, |table| table.events.len());
        !self.is_of_another(world) && usize::try_from(self.seen.get()) == Ok(events)
    }

    /// Whether the session that it reads was removed.
    fn is_of_another(&self, world: &World) -> bool {
        lock(&world.tables).removed.times(&self.session) != self.removals.get()
    }

    /// Where its session was removed, it reads the one that is made in its place from the beginning.
    fn turn_to(&self, world: &World) {
        if self.is_of_another(world) {
            self.removals.set(lock(&world.tables).removed.times(&self.session));
            self.seen.set(0);
        }
    }

    /// Takes part in one life of the process.
    pub(crate) async fn live(self: Rc<Self>, house: Rc<House>, world: Arc<World>) {
        loop {
            let stays = self.dice.borrow_mut().millis(100..=60_000);
            let leaves = Instant::now() + stays;
            let mut reader = house.doors.hub.subscribe(&self.session, Interest::All);
            *self.heard.borrow_mut() = None;
            self.turn_to(&world);
            self.catch_up(&house, &world).await;
            loop {
                match timeout_at(leaves, reader.next()).await {
                    Ok(Ok(event)) => self.hear(&event, true, &world),
                    Ok(Err(Missed::Unannounced)) if !self.is_of_another(&world) => self.catch_up(&house, &world).await,
                    Ok(Err(_)) => break,
                    // Once faults are over it stays: all that comes then must be told.
                    Err(_) if world.is_calm() => match reader.next().await {
                        Ok(event) => self.hear(&event, true, &world),
                        Err(Missed::Unannounced) if !self.is_of_another(&world) => {
                            self.catch_up(&house, &world).await;
                        }
                        Err(_) => break,
                    },
                    Err(_) => break,
                }
            }
            drop(reader);
            let away = self.dice.borrow_mut().millis(50..=1_000);
            tokio::time::sleep(away).await;
        }
    }

    async fn catch_up(&self, house: &House, world: &World) {
        let limit = Limit::new(Some(200)).expect("within bounds");
        loop {
            match house.doors.store.events(&self.session, self.seen.get(), limit).await {
                Ok(events) => {
                    events.iter().for_each(|event| self.hear(event, false, world));
                    if events.len() < limit.rows() {
                        return;
                    }
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
    }

    fn hear(&self, event: &SessionEvent, live: bool, world: &World) {
        match (&event.body, event.seq) {
            (EventBody::TurnDelta { attempt, step, offset, text }, None) => {
                self.piece(event.turn, (*attempt, *step), *offset, text, world);
            }
            (_, None) => {}
            // What is left to be told of a session that is no more. Its readers are cut off.
            _ if self.is_of_another(world)
                || event.turn.is_some_and(|turn| lock(&world.tables).removed.holds(turn)) => {}
            // Told by the journal before.
            (_, Some(seq)) if seq <= self.seen.get() => {}
            (_, Some(seq)) => {
                if seq != self.seen.get() + 1 {
                    let (session, seen) = (&self.session, self.seen.get());
                    world.broken(&format_args!("I2: a reader of {session} was told {seq} after {seen}"));
                }
                let index = usize::try_from(seq - 1).expect("a position");
                let journaled =
                    lock(&world.tables).sessions.get(&self.session).map(|table| table.events.get(index).cloned());
                if journaled.flatten().as_ref() != Some(event) {
                    world.broken(&format_args!("I2: a reader was told what is not in the journal: {event:?}"));
                }
                self.seen.set(seq);
                // What is read in the journal may run ahead of the text that is still on its way.
                if live {
                    self.whole(event, world);
                }
            }
        }
    }

    /// A piece of text goes on where the last one ended, or begins anew.
    fn piece(&self, turn: Option<TurnId>, step: (u32, u32), offset: usize, text: &str, world: &World) {
        let Some(turn) = turn else { return };
        let heard = &mut *self.heard.borrow_mut();
        if offset == 0 {
            *heard = Some(Heard { turn, attempt: step.0, step: step.1, text: text.to_owned() });
            return;
        }
        match heard {
            Some(heard)
                if (heard.turn, heard.attempt, heard.step) == (turn, step.0, step.1)
                    && heard.text.chars().count() == offset =>
            {
                heard.text.push_str(text);
            }
            _ => world.broken(&format_args!("I2: a piece of {turn} at {offset} follows none that ends there")),
        }
    }

    /// What was heard of an answer that is finished is the answer.
    fn whole(&self, event: &SessionEvent, world: &World) {
        let heard = self.heard.borrow_mut().take_if(|heard| event.body.is_end() && Some(heard.turn) == event.turn);
        let (Some(heard), EventBody::TurnFinished(finished)) = (heard, &event.body) else { return };
        if heard.text != finished.text {
            world.broken(&format_args!("I2: {:?} was heard of {:?}", heard.text, finished.text));
        }
    }
}
