//! Where calls are paid for that are no turn's own answer: they are gathered here and entered into the ledger in
//! passing, so that no answer waits for it. Until they are, a file holds what a death of the process must not lose.

mod slips;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
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
use slips::{Slip, Slips};

/// What was gathered is entered so often.
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

/// A stateless call that is under way, by its number.
pub type CallNumber = u64;

#[derive(Default)]
struct Due {
    sums: BTreeMap<Key, Beside>,
    /// Taken, and not known to be entered.
    unsure: Vec<Beside>,
    /// Stateless calls under way, each as it may cost.
    open: BTreeMap<CallNumber, Beside>,
    begun: CallNumber,
    /// Where they are noted; `None`: nowhere.
    slips: Option<Slips>,
}

fn key(entry: &Beside) -> Key {
    let id = entry.of.as_ref().map(|_| entry.id);
    (id, entry.user, entry.agent.clone(), entry.model.clone(), entry.known)
}

impl Due {
    /// Takes an entry in; answers the id of the one that it is part of now.
    fn add(&mut self, beside: Beside) -> Uuid {
        let of = if self.sums.len() < SUMS { beside.of.clone() } else { None };
        let beside = Beside { of, ..beside };
        let key = key(&beside);
        match self.sums.get_mut(&key) {
            Some(sum) if beside.of.is_none() => {
                sum.join(&beside);
                sum.id
            }
            // What was heard last of a call is what holds.
            _ => {
                let id = beside.id;
                self.sums.insert(key, beside);
                id
            }
        }
    }

    /// Leaves in the file what is still needed of it.
    fn tidy(&mut self) {
        let Some(slips) = &mut self.slips else { return };
        let alone = |sum: &&Beside| sum.of.is_none();
        let mut sums = self.sums.values().chain(&self.unsure).filter(alone).peekable();
        if self.open.is_empty() && sums.peek().is_none() {
            slips.clear();
        } else if slips.is_long() {
            let open = self.open.iter().map(|(call, entry)| Slip::Begun(*call, Cow::Borrowed(entry)));
            slips.anew(sums.map(|sum| Slip::Sum(Cow::Borrowed(sum))).chain(open));
        }
    }
}

impl Till {
    /// A till that notes stateless calls in this file; and what a life before had noted there, for [`Till::enter_left`].
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn noted_at(path: &Path) -> io::Result<(Self, Vec<Beside>)> {
        let (slips, left, last) = Slips::open(path)?;
        let till = Self::default();
        let mut due = till.due();
        (due.slips, due.begun) = (Some(slips), last);
        drop(due);
        Ok((till, left))
    }

    /// Enters what a life before has left, before anybody asks what was spent. Where that fails, it stays due.
    pub async fn enter_left(doors: &Doors, left: Vec<Beside>) {
        if !left.is_empty() {
            let unsure = left.iter().filter(|entry| entry.known == Known::Foreseen).map(|entry| entry.calls);
            let (calls, unsure) = (left.iter().map(|entry| entry.calls).sum::<u64>(), unsure.sum::<u64>());
            tracing::info!(
                calls,
                unsure,
                "calls of a process that died are entered, those that had not ended by an estimate"
            );
        }
        for entries in left.chunks(ENTRIES) {
            if let Err(failure) = doors.commit(Write::Spend(entries.to_vec())).await {
                tracing::warn!(%failure, "what a process that died has spent could not be entered; it is tried again");
                let mut due = doors.till.due();
                due.unsure.extend_from_slice(entries);
            }
        }
        // What is due was noted under its own ids before: where the file is kept, it is so still.
        let mut due = doors.till.due();
        if due.unsure.is_empty() {
            due.tidy();
        } else {
            drop(due);
            doors.till.some.notify_one();
        }
    }

    /// A stateless call is about to be made, and may cost so much.
    pub fn begin(&self, entry: Beside) -> CallNumber {
        let mut due = self.due();
        due.begun += 1;
        let call = due.begun;
        if let Some(slips) = &mut due.slips {
            slips.write(&Slip::Begun(call, Cow::Borrowed(&entry)));
        }
        due.open.insert(call, entry);
        call
    }

    /// A stateless call has ended; `None`: it used nothing.
    pub fn end(&self, call: CallNumber, entry: Option<Beside>) {
        let mut due = self.due();
        if due.open.remove(&call).is_none() {
            return;
        }
        let some = entry.is_some();
        let noted = entry.as_ref().filter(|_| due.slips.is_some()).cloned();
        let sum = entry.map(|entry| due.add(entry));
        if let Some(slips) = &mut due.slips {
            slips.write(&Slip::Ended(call, sum.zip(noted.map(Cow::Owned))));
            // Not only when something was entered: the store may be away, and calls may come to nothing for days.
            if slips.is_long() {
                due.tidy();
            }
        }
        drop(due);
        if some {
            self.some.notify_one();
        }
    }

    /// A stateless call of which nobody heard the end: it may have cost what it was to be sent.
    pub fn lose(&self, call: CallNumber) {
        let entry = self.due().open.get(&call).cloned();
        self.end(call, entry);
    }

    /// Takes an entry of a turn in.
    pub fn owe(&self, beside: Beside) {
        self.due().add(beside);
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
        let mut due = self.due();
        due.unsure.clear();
        due.tidy();
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
