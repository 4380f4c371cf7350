//! Any sequence of writes, cut into batches anywhere, does what a model of a few lines says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mosaic_types::journal::{Entry, Outcome, SessionPhase, TurnEnd, TurnState, Write};
use mosaic_types::page::Limit;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::Store;
use crate::contract::Hand;

/// One write, roughly.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Claim,
    /// Which input, and how far behind its writer's epoch is.
    Ask(u8, i64),
    /// Which input, and which turn it joins.
    Join(u8, u8, i64),
    /// Which turn, with the next one that waits or without.
    End(u8, i64, bool),
}

/// One session as it should be.
#[derive(Debug, Default)]
struct Model {
    epoch: i64,
    seq: i64,
    turns: BTreeMap<u8, TurnState>,
    inputs: BTreeSet<u8>,
    order: Vec<u8>,
}

impl Model {
    fn first(&self, state: TurnState, but: u8) -> Option<u8> {
        self.order.iter().copied().find(|number| *number != but && self.turns[number] == state)
    }

    fn runs(&self) -> bool {
        self.first(TurnState::Running, 0).is_some()
    }

    fn phase(&self) -> SessionPhase {
        match (self.runs(), self.first(TurnState::Queued, 0)) {
            (true, _) => SessionPhase::Running,
            (false, Some(_)) => SessionPhase::Queued,
            (false, None) => SessionPhase::Idle,
        }
    }

    /// The write of `step`, and how many events it should journal; `None`: it should change nothing.
    fn take(&mut self, hand: &Hand, step: Step) -> (Write, Option<i64>) {
        match step {
            Step::Claim => {
                self.epoch += 1;
                (Write::Claim { session: hand.session.clone() }, None)
            }
            Step::Ask(number, behind) => {
                let mut accept = hand.accept(number, !self.runs());
                accept.epoch = self.epoch - behind;
                // A key that joined a turn is spent, and so is its number's turn.
                let done = behind == 0 && !self.inputs.contains(&number);
                let starts = accept.entry == Entry::Starts;
                let events = done.then(|| 1 + i64::from(starts));
                if done {
                    self.inputs.insert(number);
                    let state = if starts { TurnState::Running } else { TurnState::Queued };
                    self.turns.insert(number, state);
                    self.order.push(number);
                }
                (Write::Accept(Box::new(accept)), self.number(events))
            }
            Step::Join(number, into, behind) => {
                let mut join = hand.join(number, into);
                join.epoch = self.epoch - behind;
                let open = self.turns.get(&into).is_some_and(|state| !state.is_end());
                let done = behind == 0 && open && self.inputs.insert(number);
                (Write::Accept(Box::new(join)), self.number(done.then_some(1)))
            }
            Step::End(number, behind, with_next) => {
                let open = self.turns.get(&number).is_some_and(|state| !state.is_end());
                let other_runs = self.first(TurnState::Running, number).is_some();
                let next = self.first(TurnState::Queued, number).filter(|_| with_next && !other_runs);
                let write = hand.end_at(self.epoch - behind, number, TurnEnd::cancelled(), next);
                let done = open && behind == 0;
                if done {
                    self.turns.insert(number, TurnState::Cancelled);
                    self.turns.extend(next.map(|next| (next, TurnState::Running)));
                }
                (write, self.number(done.then(|| 2 + i64::from(next.is_some()))))
            }
        }
    }

    fn number(&mut self, events: Option<i64>) -> Option<i64> {
        self.seq += events.unwrap_or(0);
        events
    }
}

/// Batches of writes to one session.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let behind = || prop_oneof![4 => Just(0), 1 => Just(1)];
    let step = prop_oneof![
        1 => Just(Step::Claim),
        6 => (1..8u8, behind()).prop_map(|(number, behind)| Step::Ask(number, behind)),
        3 => (1..12u8, 1..8u8, behind()).prop_map(|(number, into, behind)| Step::Join(number, into, behind)),
        6 => (1..8u8, behind(), any::<bool>()).prop_map(|(number, behind, next)| Step::End(number, behind, next)),
    ];
    vec(vec(step, 1..6), 1..8)
}

/// Carries out `batches` on an empty store and holds every answer against the model.
pub(crate) async fn agrees(store: Arc<dyn Store>, batches: Vec<Vec<Step>>) {
    let hand = Hand::on(store.clone()).await;
    let mut model = Model { epoch: 1, ..Model::default() };
    for batch in batches {
        let (writes, expected): (Vec<_>, Vec<_>) = batch.iter().map(|step| model.take(&hand, *step)).unzip();
        let outcomes = hand.commit(writes).await;
        for ((step, expected), outcome) in batch.iter().zip(expected).zip(outcomes) {
            let journaled = match outcome.expect("no write fails") {
                Outcome::Written(events) => Some(events.len() as i64),
                _ => None,
            };
            assert_eq!(journaled, expected, "{step:?}");
        }
    }
    let snapshot = store.snapshot(&hand.session, 0).await.expect("reads").expect("is there");
    assert_eq!(snapshot.row.state, model.phase());
    let open = model.order.iter().filter(|number| !model.turns[number].is_end());
    let expected: Vec<_> = open.map(|number| hand.accept(*number, false).turn).collect();
    assert_eq!(snapshot.open.iter().map(|open| open.id).collect::<Vec<_>>(), expected);
    let limit = Limit::new(Some(200)).expect("within bounds");
    let events = store.events(&hand.session, 0, limit).await.expect("reads");
    let seqs: Vec<_> = events.iter().filter_map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=model.seq).collect::<Vec<_>>(), "without gaps");
}
