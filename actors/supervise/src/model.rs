//! The rules once more, as plainly as they can be said: the reference that the supervisors are held against.
//!
//! Here nothing is sent and nothing waits to be heard. A stop is over at once, an end is followed to its last
//! consequence before the next thing happens, and time is a number of milliseconds.

use std::collections::BTreeSet;

use crate::budget::Dice;
use crate::{ChildState, Restart, Strategy};

/// A tree to be grown.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    Leaf(Restart),
    Home {
        restart: Restart,
        strategy: Strategy,
        /// Each child pays for itself; else all pay together.
        each: bool,
        forgiven: usize,
        kids: Vec<Plan>,
    },
}

/// Milliseconds for which a restart is remembered, and for which one that is down rests.
pub(crate) const PERIOD: u64 = 2_000;
pub(crate) const REST: u64 = 3_000;

/// What becomes of a leaf, in the words of both sides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) at: u64,
    pub(crate) leaf: usize,
    /// It started its so-many-th life, or it ended.
    pub(crate) life: Option<u64>,
}

#[derive(Debug)]
struct Home {
    strategy: Strategy,
    each: bool,
    forgiven: usize,
    kids: Vec<usize>,
    seed: u64,
    dice: Dice,
    paid: Vec<u64>,
    /// Stopped from this child on, to be started together.
    gap: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Node {
    parent: Option<usize>,
    restart: Restart,
    pub(crate) state: ChildState,
    pub(crate) lives: u64,
    paid: Vec<u64>,
    home: Option<Home>,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    at: u64,
    node: usize,
    /// The whole gap of a home, or one child.
    gap: bool,
}

/// A tree and its clock.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: u64,
    pub(crate) nodes: Vec<Node>,
    due: Vec<Due>,
    pub(crate) log: Vec<Line>,
    pub(crate) gave_up: bool,
    /// Moments at which two timers ran out, in an order that nobody promises.
    pub(crate) ties: BTreeSet<u64>,
}

impl Model {
    /// Grows the tree and starts it. Nodes are numbered in the order in which the plan names them, the root first; a
    /// home's number is the seed of its dice.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut model = Self::default();
        model.grow(plan, None);
        model.start(0);
        model
    }

    fn grow(&mut self, plan: &Plan, parent: Option<usize>) -> usize {
        let id = self.nodes.len();
        let restart = match plan {
            Plan::Leaf(restart) | Plan::Home { restart, .. } => *restart,
        };
        let state = ChildState::Restarting;
        self.nodes.push(Node { parent, restart, state, lives: 0, paid: Vec::new(), home: None });
        if let Plan::Home { strategy, each, forgiven, kids, .. } = plan {
            let kids = kids.iter().map(|kid| self.grow(kid, Some(id))).collect();
            let (seed, strategy) = (id as u64, if *each { Strategy::OneForOne } else { *strategy });
            let (each, forgiven, dice) = (*each, *forgiven, Dice::new(seed));
            self.nodes[id].home =
                Some(Home { strategy, each, forgiven, kids, seed, dice, paid: Vec::new(), gap: None });
        }
        id
    }

    fn home(&mut self, id: usize) -> &mut Home {
        self.nodes[id].home.as_mut().expect("only homes are asked")
    }

    fn kids(&self, id: usize) -> Vec<usize> {
        self.nodes[id].home.as_ref().map(|home| home.kids.clone()).unwrap_or_default()
    }

    pub(crate) fn is_up(&self, id: usize) -> bool {
        self.nodes[id].state == ChildState::Up
    }

    pub(crate) fn is_home(&self, id: usize) -> bool {
        self.nodes[id].home.is_some()
    }

    /// Whether all above it live, so that the tree shows it.
    pub(crate) fn shown(&self, id: usize) -> bool {
        self.nodes[id].parent.is_none_or(|parent| self.is_up(parent) && self.shown(parent))
    }

    /// The home of a leaf.
    pub(crate) fn home_of(&self, leaf: usize) -> usize {
        self.nodes[leaf].parent.expect("a leaf has a home")
    }

    fn start(&mut self, id: usize) {
        let node = &mut self.nodes[id];
        node.lives += 1;
        node.state = ChildState::Up;
        let (lives, at) = (node.lives, self.now);
        let Some(home) = &mut node.home else {
            return self.log.push(Line { at, leaf: id, life: Some(lives) });
        };
        // A new life of a home remembers nothing of the old one.
        (home.dice, home.gap) = (Dice::new(home.seed), None);
        home.paid.clear();
        for kid in self.kids(id) {
            self.nodes[kid].paid.clear();
            if self.nodes[kid].state != ChildState::Gone {
                self.start(kid);
            }
        }
    }

    /// Stopped from above: it pays nothing, and returns when whoever stopped it says so.
    fn halt(&mut self, id: usize) {
        for kid in self.kids(id).into_iter().rev() {
            self.halt(kid);
        }
        self.due.retain(|due| due.node != id);
        let node = &mut self.nodes[id];
        if node.state == ChildState::Up && node.home.is_none() {
            self.log.push(Line { at: self.now, leaf: id, life: None });
        }
        if node.state != ChildState::Gone {
            let temporary = node.restart == Restart::Temporary;
            node.state = if temporary { ChildState::Gone } else { ChildState::Restarting };
        }
    }

    /// It ended by itself.
    pub(crate) fn end(&mut self, id: usize, normally: bool) {
        self.halt(id);
        let Some(parent) = self.nodes[id].parent else {
            self.gave_up = !normally;
            return;
        };
        let returns = match self.nodes[id].restart {
            Restart::Permanent => true,
            Restart::Transient => !normally,
            Restart::Temporary => false,
        };
        if !returns {
            self.nodes[id].state = ChildState::Gone;
            return self.lose(id);
        }
        let Some(delay) = self.pay(id, parent) else {
            if self.home(parent).each {
                self.nodes[id].state = ChildState::Down;
                return self.plan(REST, id, false);
            }
            return self.end(parent, false);
        };
        let home = self.home(parent);
        let place = home.kids.iter().position(|kid| *kid == id).expect("a kid of its parent");
        let from = match home.strategy {
            Strategy::OneForOne => {
                self.plan(delay, id, false);
                return self.pass(0);
            }
            Strategy::OneForAll => 0,
            Strategy::RestForOne => home.gap.map_or(place, |gap| gap.min(place)),
        };
        home.gap = Some(from);
        for kid in self.kids(parent)[from..].iter().rev() {
            self.halt(*kid);
        }
        self.due.retain(|due| due.node != parent);
        self.plan(delay, parent, true);
        self.pass(0);
    }

    /// What hangs below something that is gone is gone.
    fn lose(&mut self, id: usize) {
        for kid in self.kids(id) {
            self.nodes[kid].state = ChildState::Gone;
            self.lose(kid);
        }
    }

    /// Milliseconds to wait, or nothing left to pay with.
    fn pay(&mut self, id: usize, parent: usize) -> Option<u64> {
        let now = self.now;
        let (each, forgiven) = (self.home(parent).each, self.home(parent).forgiven);
        let purse = if each { &mut self.nodes[id].paid } else { &mut self.home(parent).paid };
        purse.retain(|at| now - at < PERIOD);
        if purse.len() == forgiven {
            return None;
        }
        purse.push(now);
        let nth = purse.len();
        let roll = self.home(parent).dice.roll();
        if nth == 1 {
            return Some(0);
        }
        let plain = [50.0, 100.0, 200.0, 400.0, 800.0].get(nth - 2).copied().unwrap_or(1_000.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // up to 1,200
        Some((plain * (0.8 + 0.4 * roll)) as u64)
    }

    fn plan(&mut self, after: u64, node: usize, gap: bool) {
        let at = self.now + after;
        if self.due.iter().any(|due| due.at == at) {
            self.ties.insert(at);
        }
        self.due.push(Due { at, node, gap });
    }

    /// Whether something is due in exactly that many milliseconds.
    pub(crate) fn due_in(&self, millis: u64) -> bool {
        self.due.iter().any(|due| due.at == self.now + millis)
    }

    /// Lets time pass, and does what falls due.
    pub(crate) fn pass(&mut self, millis: u64) {
        let until = self.now + millis;
        while let Some(next) = (0..self.due.len()).min_by_key(|n| self.due[*n].at).filter(|n| self.due[*n].at <= until)
        {
            let due = self.due.remove(next);
            self.now = due.at;
            if due.gap {
                let from = self.home(due.node).gap.take().expect("a gap is due once");
                for kid in self.kids(due.node)[from..].to_vec() {
                    if self.nodes[kid].state != ChildState::Gone {
                        self.start(kid);
                    }
                }
            } else {
                if self.nodes[due.node].state == ChildState::Down {
                    self.nodes[due.node].paid.clear();
                }
                self.start(due.node);
            }
        }
        self.now = until;
    }
}
