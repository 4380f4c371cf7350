//! What a supervisor decides, without doing any of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::{Backoff, Dice, Window};
use crate::spec::Restart;
use crate::supervisor::Scope;
use crate::tether::{ChildId, Exit};
use crate::tree::ChildState;

/// One child as the supervisor remembers it.
#[derive(Debug)]
pub(crate) struct Kin {
    pub(crate) name: Arc<str>,
    pub(crate) restart: Restart,
    pub(crate) state: ChildState,
    /// Lives so far; the first is 1.
    pub(crate) incarnation: u64,
    pub(crate) window: Window,
    pub(crate) last_error: Option<Arc<str>>,
    pub(crate) since: Instant,
}

/// What follows from an end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// An end that was already answered, or of a life before the present one.
    Nothing,
    /// Make it anew after this long.
    Restart { after: Duration },
    /// It is not coming back.
    Forget,
    /// It spent its own budget: take it down, and try again after this long.
    Rest { after: Duration, why: Arc<str> },
    /// The shared budget is spent: the supervisor ends.
    Escalate { why: Arc<str> },
}

/// The supervisor's memory.
#[derive(Debug)]
pub(crate) struct State {
    scope: Scope,
    backoff: Backoff,
    dice: Dice,
    shared: Window,
    pub(crate) children: BTreeMap<ChildId, Kin>,
    next: u64,
    stopping: bool,
}

impl State {
    pub(crate) fn new(scope: Scope, seed: u64) -> Self {
        Self {
            scope,
            backoff: Backoff::default(),
            dice: Dice::new(seed),
            shared: Window::default(),
            children: BTreeMap::new(),
            next: 1,
            stopping: false,
        }
    }

    /// Takes in a child; it is not running yet.
    pub(crate) fn adopt(&mut self, name: Arc<str>, restart: Restart, now: Instant) -> ChildId {
        let id = ChildId(self.next);
        self.next += 1;
        let kin = Kin {
            name,
            restart,
            state: ChildState::Restarting,
            incarnation: 0,
            window: Window::default(),
            last_error: None,
            since: now,
        };
        self.children.insert(id, kin);
        id
    }

    /// A life begins; answers which.
    pub(crate) fn started(&mut self, id: ChildId, now: Instant) -> Option<u64> {
        if self.stopping {
            return None;
        }
        let kin = self.children.get_mut(&id)?;
        kin.incarnation += 1;
        kin.state = ChildState::Up;
        kin.since = now;
        Some(kin.incarnation)
    }

    /// A life ended: what next?
    pub(crate) fn exited(&mut self, id: ChildId, incarnation: u64, exit: &Exit, now: Instant) -> Verdict {
        let Some(kin) = self.children.get_mut(&id) else { return Verdict::Nothing };
        if kin.incarnation != incarnation || kin.state != ChildState::Up {
            return Verdict::Nothing;
        }
        kin.since = now;
        if exit.is_abnormal() {
            kin.last_error = Some(exit.describe());
        }
        let returns = match kin.restart {
            Restart::Permanent => true,
            Restart::Transient => exit.is_abnormal(),
            Restart::Temporary => false,
        };
        if self.stopping || !returns {
            self.children.remove(&id);
            return Verdict::Forget;
        }
        kin.state = ChildState::Restarting;
        let (budget, spent) = match &self.scope {
            Scope::Shared(budget) => (*budget, self.shared.spend(budget, now)),
            Scope::Each(budget) => (*budget, kin.window.spend(budget, now)),
        };
        match (spent, &self.scope) {
            (Some(nth), _) => Verdict::Restart { after: self.backoff.delay(nth, self.dice.roll()) },
            (None, Scope::Each(_)) => {
                kin.state = ChildState::Down;
                let why = format!("{} ended {} times within {:?}", kin.name, budget.restarts + 1, budget.period);
                Verdict::Rest { after: budget.rest, why: why.into() }
            }
            (None, Scope::Shared(_)) => {
                let why = format!(
                    "the budget of {} restarts in {:?} is spent; the last to end was {}: {}",
                    budget.restarts,
                    budget.period,
                    kin.name,
                    exit.describe()
                );
                Verdict::Escalate { why: why.into() }
            }
        }
    }

    /// A rested child is tried again, with a full budget.
    pub(crate) fn rested(&mut self, id: ChildId) {
        if let Some(kin) = self.children.get_mut(&id) {
            kin.window.clear();
        }
    }

    /// From now on no child returns.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        self.children.retain(|_, kin| kin.state == ChildState::Up);
    }

    /// Restarts of one child in the period that ends at `now`.
    pub(crate) fn restarts(&mut self, id: ChildId, now: Instant) -> usize {
        match (&self.scope, self.children.get_mut(&id)) {
            (Scope::Each(budget), Some(kin)) => kin.window.count(budget, now),
            (Scope::Shared(budget), Some(_)) => self.shared.count(budget, now),
            (_, None) => 0,
        }
    }
}
