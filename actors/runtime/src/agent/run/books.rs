//! What a run spends, and what it has to tell of it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use mosaic_messages::{Dues, Late, PartEnded};
use mosaic_types::event::{Part, StepKind};
use mosaic_types::journal::Write;
use mosaic_types::ledger::{Beside, Known};
use mosaic_types::{Code, EventBody, ModelRef, Outside, SessionId, Spent, Timestamp, TurnId};

use super::actor::tell;
use super::foresee;
use super::order::RunOrder;
use super::sink::Sink;
use crate::agent::AgentProfile;
use crate::budget::Payer;
use crate::doors::Doors;
use crate::till::{CallNumber, Till};

/// Times that the store refuses an entry before its call is made without.
const REFUSALS: u32 = 3;

/// The pause between two tries to write an entry.
const AGAIN: Duration = Duration::from_secs(1);

/// Places of calls that nobody could foresee begin here.
const BEYOND: u32 = 64;

/// A call's place in the books: with attempt and step, what its entry is known by.
pub(super) type Place = u32;

/// The session that a run works for.
struct Keeper {
    parts: Recipient<PartEnded>,
    doors: Arc<Doors>,
    attempt: u32,
    step: u32,
}

/// The books of one run.
pub(super) struct Books {
    till: Till,
    outside: Outside,
    payer: Payer,
    asker: Arc<str>,
    of: Option<(SessionId, TurnId)>,
    keeper: Option<Keeper>,
    /// Known from an earlier life.
    known: Vec<EventBody>,
    /// Calls whose intent is the journaled start of the step.
    foreseen: BTreeMap<Place, ModelRef>,
    /// Calls of a session so far, but for parts that were told: what each has used, as far as that is known.
    calls: RefCell<BTreeMap<Place, Beside>>,
    /// Calls of no session that are under way, or not paid for yet.
    open: RefCell<BTreeMap<Place, CallNumber>>,
    begun: Cell<Place>,
    /// Places of a session's calls so far, with those of parts that were told: none is given away twice, since entries are
    /// known by them.
    given: RefCell<BTreeSet<Place>>,
    /// The call that answered.
    answer: Cell<Option<Place>>,
    /// Entries were written ahead of calls.
    ahead: Cell<bool>,
    closed: Cell<bool>,
    beside: Cell<Spent>,
    /// To be told with the run's end.
    parts: RefCell<Vec<EventBody>>,
}

impl Books {
    pub(super) fn open(order: &RunOrder, keeper: Option<&super::Keeper>, profile: &AgentProfile) -> Self {
        let (of, step) = match &order.sink {
            Sink::Session { session, turn, step, .. } => (Some((session.clone(), *turn)), *step),
            Sink::Caller(_) => (None, 0),
        };
        let asker = match &of {
            Some((session, _)) => session.as_str().into(),
            None => order.payer.to_string().into(),
        };
        let keeper = keeper.map(|keeper| Keeper {
            parts: keeper.parts.clone(),
            doors: keeper.doors.clone(),
            attempt: keeper.attempt,
            step,
        });
        Self {
            till: order.till.clone(),
            outside: order.outside.clone(),
            payer: Payer {
                user: order.payer,
                agent: profile.name.clone(),
                session: of.as_ref().map(|(session, _)| session.clone()),
            },
            asker,
            of,
            keeper,
            known: order.parts.clone(),
            foreseen: foresee::first_calls(profile, order.model.as_ref(), &order.parts),
            calls: RefCell::default(),
            open: RefCell::default(),
            begun: Cell::new(foresee::FIRST),
            given: RefCell::default(),
            answer: Cell::new(None),
            ahead: Cell::new(false),
            closed: Cell::new(false),
            beside: Cell::new(Spent::default()),
            parts: RefCell::default(),
        }
    }

    fn entry(&self, place: Place, model: &ModelRef, spent: Spent, known: Known) -> Beside {
        let id = match (&self.of, &self.keeper) {
            (Some((_, turn)), Some(keeper)) => Beside::id_of(*turn, keeper.attempt, keeper.step, place),
            _ => self.outside.uuid(),
        };
        let (agent, of, model) = (self.payer.agent.clone(), self.of.clone(), model.clone());
        Beside { id, user: self.payer.user, agent, of, model, calls: 1, spent, known, at: self.outside.now() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.outside.now()
    }

    pub(super) fn payer(&self) -> &Payer {
        &self.payer
    }

    /// Who waits in turn with others: the session, or the user where there is none.
    pub(super) fn asker(&self) -> Arc<str> {
        self.asker.clone()
    }

    /// A call is wanted, which is to be sent so much; `lane`: that of several it belongs to. Where the step's start is not
    /// its intent, its entry is written first, and what is known by then of those before it.
    pub(super) async fn intend(&self, lane: Option<u32>, called: &ModelRef, sent: Spent) -> Place {
        let Some(keeper) = self.keeper.as_ref() else { return self.begun.replace(self.begun.get() + 1) };
        let place = {
            let mut given = self.given.borrow_mut();
            let first = lane.map_or(foresee::FIRST, |number| number.saturating_sub(1));
            let place = std::iter::once(first).chain(BEYOND..).find(|place| !given.contains(place)).unwrap_or(first);
            given.insert(place);
            self.calls.borrow_mut().insert(place, self.entry(place, called, sent, Known::Foreseen));
            place
        };
        let as_foreseen = |model: &ModelRef| model == called || (model.is_auto() && model.provider == called.provider);
        if !self.foreseen.get(&place).is_some_and(as_foreseen) {
            self.ahead.set(true);
            self.write_ahead(&keeper.doors).await;
        }
        place
    }

    /// Writes what is known of all calls, before another one is made. While the store is away that one waits: what is spent
    /// must be known, and the turn could not end either.
    async fn write_ahead(&self, doors: &Doors) {
        let shield = |entry: &Beside| {
            if entry.calls == 0 { Beside { known: Known::Foreseen, ..entry.clone() } } else { entry.clone() }
        };
        let (mut refusals, mut told) = (0, false);
        loop {
            let entries: Vec<_> = self.calls.borrow().values().map(shield).collect();
            let Err(failure) = doors.commit(Write::Spend(entries.clone())).await else { return };
            refusals += u32::from(failure.code == Code::StorageDefect);
            if refusals >= REFUSALS {
                tracing::error!(%failure, "the entry of a call is refused for good; the call is made without");
                return entries.into_iter().for_each(|entry| self.till.owe(entry));
            }
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(%failure, "the entry of a call could not be written before the call, which waits for it");
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// A call is made now.
    pub(super) fn begin(&self, place: Place, called: &ModelRef, sent: Spent) {
        if self.keeper.is_none() {
            let call = self.till.begin(self.entry(place, called, sent, Known::Foreseen));
            self.open.borrow_mut().insert(place, call);
        }
    }

    /// A call of no session is paid for.
    fn ended(&self, place: Place, entry: Option<Beside>) {
        if let Some(call) = self.open.borrow_mut().remove(&place) {
            self.till.end(call, entry);
        }
    }

    /// A call came to nothing, and used so much.
    pub(super) fn pay(&self, place: Place, model: &ModelRef, spent: Spent) {
        let used = spent.usage != mosaic_types::Usage::default();
        let entry = self.entry(place, model, spent, Known::Reckoned);
        let entry = if used { entry } else { entry.void() };
        if self.keeper.is_some() {
            self.calls.borrow_mut().insert(place, entry);
        } else {
            self.ended(place, used.then_some(entry));
        }
        if used {
            self.beside.set(self.beside.get().and(spent));
        }
    }

    /// A call is the run's answer. Where there is a session, its turn pays for it.
    pub(super) fn pay_answer(&self, place: Place, model: &ModelRef, spent: Spent) {
        let entry = self.entry(place, model, spent, Known::Said);
        if self.keeper.is_some() {
            self.calls.borrow_mut().insert(place, entry);
            self.answer.set(Some(place));
        } else {
            self.ended(place, Some(entry));
        }
    }

    /// A part is known: it is stored at once, so that it is not asked for again.
    pub(super) fn keep_part(&self, place: Place, model: &ModelRef, part: Part) {
        let spent = part.spent();
        let event = told(model, Some(part));
        let beside = self.entry(place, model, spent, Known::Said);
        match (&self.keeper, &self.of) {
            (Some(keeper), Some((_, turn))) => {
                self.calls.borrow_mut().remove(&place);
                let end = PartEnded { turn: *turn, attempt: keeper.attempt, event, beside };
                tell(&keeper.parts, end);
            }
            _ => {
                self.ended(place, Some(beside));
                self.beside.set(self.beside.get().and(spent));
            }
        }
    }

    /// A part came to nothing; it is told of with the run's end. Paid for already.
    pub(super) fn note_part(&self, model: &ModelRef, part: Part) {
        self.parts.borrow_mut().push(told(model, Some(part)));
    }

    /// What an earlier life learned of a part, where it was about this model.
    pub(super) fn known(&self, number: u32, model: &ModelRef) -> Option<(ModelRef, Part)> {
        self.known.iter().find_map(|event| match event {
            EventBody::StepFinished { name, part: Some(part), ok: true, .. } if part.number == number => {
                let named: ModelRef = name.parse().ok()?;
                let same = named == *model || (model.is_auto() && named.provider == model.provider);
                same.then(|| (named, Part::clone(part)))
            }
            _ => None,
        })
    }

    /// What was spent beside the answer, the parts that were not told of, and the entries of all calls.
    pub(super) fn close(self) -> (Spent, Vec<EventBody>, Dues) {
        self.closed.set(true);
        let parts = self.parts.take();
        (self.beside.get(), parts, self.dues())
    }

    /// The entries of all calls.
    fn dues(&self) -> Dues {
        let mut calls = self.calls.take();
        let answer = self.answer.take().and_then(|place| calls.remove(&place));
        if self.keeper.is_some() {
            for (place, model) in &self.foreseen {
                let void = || self.entry(*place, model, Spent::default(), Known::Foreseen);
                calls.entry(*place).or_insert_with(void);
            }
        }
        // One that is only foreseen was never made: who made it paid for it.
        let ended = |entry: Beside| if entry.known == Known::Foreseen { entry.void() } else { entry };
        let all = calls.into_values().map(ended);
        let (mut entries, mut void): (Vec<_>, Vec<_>) = all.partition(|entry| entry.calls > 0);
        if self.ahead.get() {
            // The turn is to strike out what was written ahead.
            entries.append(&mut void);
            entries.extend(answer.clone().map(Beside::void));
        }
        let till = self.till.clone();
        let late: Late = Arc::new(move |entry| till.owe(entry));
        Dues::new(entries, answer, void, late)
    }
}

impl Drop for Books {
    /// A run that was ended early, or died: its session has written what was foreseen, and this puts it right.
    fn drop(&mut self) {
        if !self.closed.get() {
            drop(self.dues());
        }
        // Answered, and dropped before it was paid for.
        self.open.take().into_values().for_each(|call| self.till.lose(call));
    }
}

/// The event of a model's call that ended; with a part, it is good where that has a text.
fn told(model: &ModelRef, part: Option<Part>) -> EventBody {
    let ok = part.as_ref().is_some_and(|part| part.code.is_none());
    EventBody::StepFinished { kind: StepKind::Model, name: model.to_string(), ok, part: part.map(Box::new), tool: None }
}
