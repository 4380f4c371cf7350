//! What a supervisor decides, without doing any of it: what happened goes in, [`Effect`]s come out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::{Backoff, Dice, Window};
use crate::effect::{Effect, Kin, Wake};
use crate::scope::{Scope, Strategy};
use crate::spec::Restart;
use crate::tether::{ChildId, Exit};
use crate::tree::ChildState;

/// What the supervisor is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// All from this child on are stopped, the youngest first, then wait, then are started, the oldest first.
    Regrouping {
        from: ChildId,
        delay: Duration,
        /// All are stopped, and the delay runs.
        waiting: bool,
    },
    Ending,
    Ended,
}

/// The supervisor's memory.
#[derive(Debug)]
pub(crate) struct State {
    scope: Scope,
    strategy: Strategy,
    backoff: Backoff,
    dice: Dice,
    shared: Window,
    pub(crate) children: BTreeMap<ChildId, Kin>,
    /// Children whose last life is waited for; empty once they are taken in.
    late: BTreeSet<ChildId>,
    phase: Phase,
    /// Children that were told to stop and have not ended.
    stopping: usize,
    regroups: u64,
}

impl State {
    pub(crate) fn new(scope: Scope, strategy: Strategy, seed: u64) -> Self {
        Self {
            scope,
            strategy: if matches!(scope, Scope::Each(_)) { Strategy::OneForOne } else { strategy },
            backoff: Backoff::default(),
            dice: Dice::new(seed),
            shared: Window::default(),
            children: BTreeMap::new(),
            late: BTreeSet::new(),
            phase: Phase::Running,
            stopping: 0,
            regroups: 0,
        }
    }

    pub(crate) fn strategy(&self) -> Strategy {
        self.strategy
    }

    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// Before any child is taken in: this one's last life, under the last life of this supervisor, has not ended. All
    /// children wait for it.
    pub(crate) fn await_end(&mut self, id: ChildId) {
        self.late.insert(id);
        self.phase = Phase::Regrouping { from: ChildId(0), delay: Duration::ZERO, waiting: false };
    }

    /// Takes in a child that has had `lives` before, and begins its next one unless a regroup or the end is under way.
    pub(crate) fn adopt(
        &mut self,
        id: ChildId,
        name: Arc<str>,
        restart: Restart,
        lives: u64,
        now: Instant,
    ) -> Vec<Effect> {
        if matches!(self.phase, Phase::Ending | Phase::Ended) {
            return vec![Effect::Forget { child: id }];
        }
        let late = self.late.remove(&id);
        self.stopping += usize::from(late);
        let kin = Kin {
            name,
            restart,
            state: if late { ChildState::Stopping } else { ChildState::Restarting },
            incarnation: lives,
            window: Window::default(),
            last_error: None,
            since: now,
        };
        self.children.insert(id, kin);
        match self.phase {
            // It is the youngest, so it starts with the others.
            Phase::Regrouping { .. } => Vec::new(),
            _ => self.begin(id, now).into_iter().collect(),
        }
    }

    fn begin(&mut self, id: ChildId, now: Instant) -> Option<Effect> {
        let kin = self.children.get_mut(&id)?;
        kin.incarnation += 1;
        kin.enter(ChildState::Up, now);
        Some(Effect::Start { child: id, incarnation: kin.incarnation })
    }

    /// A life ended: what next?
    pub(crate) fn exited(&mut self, id: ChildId, incarnation: u64, exit: &Exit, now: Instant) -> Vec<Effect> {
        let Some(kin) = self.children.get_mut(&id) else { return Vec::new() };
        if kin.incarnation != incarnation || !kin.lives() {
            return Vec::new();
        }
        let asked = kin.state == ChildState::Stopping;
        self.stopping -= usize::from(asked);
        if exit.is_abnormal() {
            kin.last_error = Some(exit.describe());
        }
        let returns = match kin.restart {
            Restart::Permanent => true,
            Restart::Transient => exit.is_abnormal() || asked,
            Restart::Temporary => false,
        };
        kin.enter(ChildState::Restarting, now);
        let affected = matches!(self.phase, Phase::Regrouping { from, .. } if id >= from);
        let ending = matches!(self.phase, Phase::Ending | Phase::Ended);
        if !returns || ending {
            self.children.remove(&id);
            let mut effects = vec![Effect::Forget { child: id }];
            effects.extend(self.proceed(now));
            return effects;
        }
        if affected {
            // Its stop was the supervisor's own wish, or would have been: it is not charged.
            let mut effects = vec![Effect::Away { child: id }];
            effects.extend(self.proceed(now));
            return effects;
        }
        self.charge(id, exit, now)
    }

    /// A child must return: who pays, and who returns with it?
    fn charge(&mut self, id: ChildId, exit: &Exit, now: Instant) -> Vec<Effect> {
        let Some(kin) = self.children.get_mut(&id) else { return Vec::new() };
        let budget = *self.scope.budget();
        let spent = match &self.scope {
            Scope::Each(_) => kin.window.spend(&budget, now),
            Scope::Shared(_) => {
                kin.window.note(&budget, now);
                self.shared.spend(&budget, now)
            }
        };
        let Some(nth) = spent else {
            let name = kin.name.clone();
            if matches!(self.scope, Scope::Each(_)) {
                kin.enter(ChildState::Down, now);
                let why = format!("{name} ended {} times within {:?}", budget.restarts + 1, budget.period);
                let wake = Wake::Child { child: id, incarnation: kin.incarnation, rested: true };
                return vec![Effect::Down { child: id, why: why.into() }, Effect::Wake { after: budget.rest, wake }];
            }
            let why = format!(
                "the budget of {} restarts in {:?} is spent; the last to end was {name}: {}",
                budget.restarts,
                budget.period,
                exit.describe()
            );
            let mut effects = vec![Effect::Escalate { why: why.into() }];
            effects.extend(self.stop(now));
            return effects;
        };
        let delay = self.backoff.delay(nth, self.dice.roll());
        let from = match self.strategy {
            Strategy::OneForOne => {
                if delay.is_zero() {
                    return self.begin(id, now).into_iter().collect();
                }
                let wake = Wake::Child { child: id, incarnation: kin.incarnation, rested: false };
                return vec![Effect::Away { child: id }, Effect::Wake { after: delay, wake }];
            }
            Strategy::OneForAll => ChildId(0),
            Strategy::RestForOne => id,
        };
        self.phase = Phase::Regrouping { from, delay, waiting: false };
        let mut effects = vec![Effect::Away { child: id }];
        effects.extend(self.proceed(now));
        effects
    }

    /// Goes on with a regroup or with the end, as far as that goes without waiting.
    fn proceed(&mut self, now: Instant) -> Vec<Effect> {
        let from = match self.phase {
            Phase::Running | Phase::Ended => return Vec::new(),
            Phase::Regrouping { from, .. } => from,
            Phase::Ending => ChildId(0),
        };
        if self.stopping > 0 {
            return Vec::new(); // one at a time
        }
        if let Some((id, kin)) = self.children.range_mut(from..).rev().find(|(_, kin)| kin.lives()) {
            kin.enter(ChildState::Stopping, now);
            self.stopping += 1;
            return vec![Effect::Stop { child: *id, incarnation: kin.incarnation }];
        }
        match &mut self.phase {
            Phase::Regrouping { waiting, .. } if *waiting => Vec::new(),
            Phase::Regrouping { delay, waiting, .. } => {
                *waiting = true;
                self.regroups += 1;
                let (after, number) = (*delay, self.regroups);
                if after.is_zero() {
                    return self.woken(Wake::Regroup(number), now);
                }
                vec![Effect::Wake { after, wake: Wake::Regroup(number) }]
            }
            Phase::Ending => {
                self.phase = Phase::Ended;
                vec![Effect::End]
            }
            Phase::Running | Phase::Ended => Vec::new(),
        }
    }

    /// A timer that was asked for is over; late ones change nothing.
    pub(crate) fn woken(&mut self, wake: Wake, now: Instant) -> Vec<Effect> {
        match (wake, self.phase) {
            (Wake::Child { child, incarnation, rested }, Phase::Running) => {
                let Some(kin) = self.children.get_mut(&child) else { return Vec::new() };
                let due = if rested { ChildState::Down } else { ChildState::Restarting };
                if kin.incarnation != incarnation || kin.state != due {
                    return Vec::new();
                }
                if rested {
                    kin.window.clear();
                }
                self.begin(child, now).into_iter().collect()
            }
            (Wake::Regroup(number), Phase::Regrouping { from, waiting: true, .. }) if number == self.regroups => {
                self.phase = Phase::Running;
                let all: Vec<_> = self.children.range(from..).map(|(id, _)| *id).collect();
                all.into_iter().filter_map(|id| self.begin(id, now)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The time of a child that was told to stop is over.
    pub(crate) fn overdue(&mut self, id: ChildId, incarnation: u64, now: Instant) -> Vec<Effect> {
        let held = |kin: &Kin| kin.incarnation == incarnation && kin.state == ChildState::Stopping;
        if !self.children.get(&id).is_some_and(held) {
            return Vec::new();
        }
        let mut effects = vec![Effect::Abandon { child: id }];
        effects.extend(self.exited(id, incarnation, &Exit::Failed("it did not stop in time".into()), now));
        effects
    }

    /// From now on no child returns; those that live are stopped, the youngest first.
    pub(crate) fn stop(&mut self, now: Instant) -> Vec<Effect> {
        if matches!(self.phase, Phase::Ending | Phase::Ended) {
            return Vec::new();
        }
        self.phase = Phase::Ending;
        let away: Vec<_> = self.children.iter().filter(|(_, kin)| !kin.lives()).map(|(id, _)| *id).collect();
        self.children.retain(|_, kin| kin.lives());
        let mut effects: Vec<_> = away.into_iter().map(|child| Effect::Forget { child }).collect();
        effects.extend(self.proceed(now));
        effects
    }

    /// How long a child that ended with these effects waits for its next life; `None` where that does not come by
    /// itself.
    pub(crate) fn wait_of(&self, id: ChildId, effects: &[Effect]) -> Option<Duration> {
        if let Phase::Regrouping { from, delay, .. } = self.phase
            && id >= from
        {
            return Some(delay);
        }
        effects.iter().find_map(|effect| match effect {
            Effect::Start { child, .. } if *child == id => Some(Duration::ZERO),
            Effect::Wake { after, wake: Wake::Child { child, rested: false, .. } } if *child == id => Some(*after),
            _ => None,
        })
    }

    /// Whether this is the present life of a child, or its last one.
    pub(crate) fn knows(&self, id: ChildId, incarnation: u64) -> bool {
        self.children.get(&id).is_some_and(|kin| kin.incarnation == incarnation)
    }

    /// Charged restarts of one child in the period that ends at `now`.
    pub(crate) fn restarts(&mut self, id: ChildId, now: Instant) -> usize {
        let budget = *self.scope.budget();
        self.children.get_mut(&id).map_or(0, |kin| kin.window.count(&budget, now))
    }

    /// Restarts charged to the shared budget in the period that ends at `now`.
    pub(crate) fn spent(&mut self, now: Instant) -> usize {
        let budget = *self.scope.budget();
        self.shared.count(&budget, now)
    }
}
