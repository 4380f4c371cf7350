//! Who waits for a place: one queue for each asker, served in turn, so that nobody's many calls go before another's one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Calls that wait, by who asks.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    /// Askers with something in `waiting`, the next one first.
    turns: VecDeque<Arc<str>>,
    /// In an order that holds: where the actor dies, those who wait are told one after the other as this is dropped.
    waiting: BTreeMap<Arc<str>, VecDeque<T>>,
    len: usize,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), waiting: BTreeMap::new(), len: 0 }
    }
}

impl<T> FairQueue<T> {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a call behind those of the same asker.
    pub(super) fn push(&mut self, asker: &Arc<str>, call: T) {
        let calls = self.waiting.entry(asker.clone()).or_default();
        if calls.is_empty() {
            self.turns.push_back(asker.clone());
        }
        calls.push_back(call);
        self.len += 1;
    }

    /// The call whose turn it is.
    pub(super) fn peek(&self) -> Option<&T> {
        self.waiting.get(self.turns.front()?)?.front()
    }

    /// Takes it; its asker goes to the end of the line.
    pub(super) fn pop(&mut self) -> Option<T> {
        let asker = self.turns.pop_front()?;
        let calls = self.waiting.get_mut(&asker)?;
        let call = calls.pop_front();
        if calls.is_empty() {
            self.waiting.remove(&asker);
        } else {
            self.turns.push_back(asker);
        }
        self.len -= usize::from(call.is_some());
        call
    }
}
