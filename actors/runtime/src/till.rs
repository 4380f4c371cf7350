//! Where calls are paid for that are no turn's own answer: they are gathered here and entered into the ledger in
//! passing, so that no answer waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use mosaic_supervise::{Mailbox, Tether, supervised};
use mosaic_types::journal::Write;
use mosaic_types::ledger::{Beside, Known};
use mosaic_types::{AgentName, Code, ModelRef, UserId};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::doors::Doors;

/// What was gathered is entered so often. What a death of the process costs is no more than this.
const EVERY: Duration = Duration::from_millis(250);

/// The pause after a try that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Sums that are kept apart; beyond them, turns are not told from one another any more.
const SUMS: usize = 10_000;

/// Entries of one write.
const ENTRIES: usize = 500;

/// Calls of turns are known by their ids; of others, which are of one kind.
type Key = (Option<Uuid>, UserId, AgentName, ModelRef, Known);

/// What is to be entered into the ledger; clones share it. Stateless calls of one kind are one entry: a thousand of a
/// second cost the store as much as one.
#[derive(Clone, Default)]
pub struct Till {
    due: Arc<Mutex<Due>>,
    /// Something is due.
    some: Arc<Notify>,
}

#[derive(Default)]
struct Due {
    sums: BTreeMap<Key, Beside>,
    /// Taken, and not known to be entered.
    unsure: Vec<Beside>,
}

impl Till {
    /// Takes an entry in.
    pub fn owe(&self, beside: Beside) {
        let mut due = self.due();
        let of = if due.sums.len() < SUMS { beside.of.clone() } else { None };
        let id = of.as_ref().map(|_| beside.id);
        let key = (id, beside.user, beside.agent.clone(), beside.model.clone(), beside.known);
        match due.sums.get_mut(&key) {
            Some(sum) if id.is_none() => {
                sum.calls += beside.calls;
                sum.spent = sum.spent.and(beside.spent);
            }
            // What was heard last of a call is what holds.
            _ => drop(due.sums.insert(key, Beside { of, ..beside })),
        }
        drop(due);
        self.some.notify_one();
    }

    /// What is to be entered next; it stays due until [`Till::entered`].
    pub fn take(&self) -> Vec<Beside> {
        let mut due = self.due();
        if due.unsure.is_empty() {
            while due.unsure.len() < ENTRIES {
                let Some((_, sum)) = due.sums.pop_first() else { break };
                due.unsure.push(sum);
            }
        }
        due.unsure.clone()
    }

    /// What was taken is in the ledger.
    pub fn entered(&self) {
        self.due().unsure.clear();
    }

    /// Entries that are not in the ledger yet.
    pub fn len(&self) -> usize {
        let due = self.due();
        due.sums.len() + due.unsure.len()
    }

    /// Whether all is in the ledger.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Empties the till into the ledger, again and again.
pub struct TillActor {
    doors: Arc<Doors>,
    _tether: Tether,
}

impl TillActor {
    /// Nobody writes to it.
    pub const MAILBOX: Mailbox = Mailbox { capacity: 16, patience: Duration::from_secs(5) };

    /// One that empties the till of `doors`.
    pub fn new(doors: Arc<Doors>, tether: Tether) -> Self {
        Self { doors, _tether: tether }
    }

    /// One of several entries is refused for good: the others need not wait for it. That one is let go, and the log keeps
    /// it.
    async fn one_by_one(doors: &Doors) {
        for entry in doors.till.take() {
            let of = entry.of.clone();
            let (model, calls, spent) = (entry.model.clone(), entry.calls, entry.spent);
            match doors.commit(Write::Spend(vec![entry])).await {
                Ok(_) => {}
                Err(failure) if failure.code == Code::StorageDefect => {
                    tracing::error!(%failure, ?of, %model, calls, ?spent, "what was spent cannot be entered");
                }
                // A second try enters nothing twice.
                Err(_) => return tokio::time::sleep(AGAIN).await,
            }
        }
        doors.till.entered();
    }

    /// Enters what is due, then waits for more.
    async fn empty(doors: Arc<Doors>) {
        loop {
            doors.till.some.notified().await;
            tokio::time::sleep(EVERY).await;
            while let entries = doors.till.take()
                && !entries.is_empty()
            {
                match doors.commit(Write::Spend(entries)).await {
                    Ok(_) => doors.till.entered(),
                    Err(failure) if failure.code == Code::StorageDefect => Self::one_by_one(&doors).await,
                    // A second try enters nothing twice; until then it stays where it is.
                    Err(failure) => {
                        tracing::warn!(%failure, "what was spent could not be entered; it is tried again");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
        }
    }
}

impl Actor for TillActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // What a life before has left.
        self.doors.till.some.notify_one();
        let work = Self::empty(self.doors.clone());
        ctx.spawn(work.into_actor(self));
    }
}
supervised!(TillActor);

#[cfg(test)]
mod tests {
    use mosaic_types::{Spent, Timestamp, TurnId, Usage};

    use super::*;

    fn call(of: Option<u8>, cost: f64) -> Beside {
        let id = |number: u8| Uuid::from_bytes([number; 16]);
        Beside {
            id: id(of.unwrap_or(9)),
            user: UserId(id(1)),
            agent: "assistant".parse().expect("valid"),
            of: of.map(|turn| ("s".parse().expect("valid"), TurnId(id(turn)))),
            model: "lab/m".parse().expect("valid"),
            calls: 1,
            spent: Spent { usage: Usage::new(2, 1), cost_usd: Some(cost) },
            known: Known::Said,
            at: Timestamp(0),
        }
    }

    #[test]
    fn calls_of_one_kind_are_one_entry_and_stay_due_until_they_are_entered() {
        let till = Till::default();
        (0..1_000).for_each(|_| till.owe(call(None, 0.5)));
        till.owe(call(Some(1), 0.25));
        assert_eq!(till.len(), 2);
        let taken = till.take();
        till.owe(call(None, 0.125));
        assert_eq!(till.take(), taken, "it is not known whether they were entered: the same once more");
        let calls: Vec<_> = taken.iter().map(|entry| (entry.calls, entry.spent.cost_usd)).collect();
        assert_eq!(calls, [(1_000, Some(500.0)), (1, Some(0.25))]);
        till.entered();
        assert_eq!(till.take().len(), 1, "what came meanwhile");
        till.entered();
        assert!(till.is_empty());
    }

    #[test]
    fn however_many_turns_there_are_what_is_due_is_bounded_and_no_cent_is_lost() {
        let till = Till::default();
        for turn in 0..=SUMS {
            let turn = u128::try_from(turn).expect("small");
            let of = Some(("s".parse().expect("valid"), TurnId(Uuid::from_u128(turn))));
            till.owe(Beside { id: Uuid::from_u128(turn), of, ..call(None, 1.0) });
            till.owe(call(None, 1.0));
        }
        assert!(till.len() <= SUMS + 1);
        let mut calls = 0;
        while let entries = till.take()
            && !entries.is_empty()
        {
            calls += entries.iter().map(|entry| entry.calls).sum::<u64>();
            till.entered();
        }
        assert_eq!(calls, 2 * (SUMS as u64 + 1));
    }
}
