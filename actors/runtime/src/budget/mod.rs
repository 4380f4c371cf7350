//! What may be spent: a reservation before each call, its settlement after it.
//!
//! Accounts are kept in memory, in billionths of a dollar; what was spent before this process began is read from the
//! ledger when an account is first touched. Where no budget is set, nothing is kept and nothing is asked.

pub mod config;
mod quote;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mosaic_store::Store;
use mosaic_types::ledger::{Beside, UsageBy, UsageQuery};
use mosaic_types::page::Limit;
use mosaic_types::{AgentName, Failure, Outside, SessionId, Timestamp, TurnId, UserId};

use crate::meters::meters;

pub use config::{Budget, BudgetConfig};
pub use quote::Quote;
use state::{Account, Held, State};
pub use state::{Left, Notice};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Who pays for a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Payer {
    pub user: UserId,
    pub agent: AgentName,
    pub session: Option<SessionId>,
}

/// The budgets of this process; clones share them.
#[derive(Clone, Default)]
pub struct Budgets {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    state: Mutex<State>,
    /// Turns that had a run in this process: what that has set aside, it settles itself.
    seen: Mutex<HashSet<TurnId>>,
    store: Arc<dyn Store>,
    outside: Outside,
}

/// Money that is set aside for a call. Dropping it settles the call as if it had cost nothing.
pub struct Reservation {
    held: Option<(Arc<Shared>, Held)>,
}

/// Billionths of a dollar.
fn billionths(usd: f64) -> u64 {
    whole((usd * 1e9).round())
}

/// US dollars. Exact up to nine million; beyond, to a part of a quadrillion.
#[allow(clippy::cast_precision_loss)] // see above
fn dollars(billionths: u64) -> f64 {
    billionths as f64 / 1e9
}

/// The whole part of a number; 0 of one below it, the largest there is of one above.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` does just that
fn whole(number: f64) -> u64 {
    number as u64
}

impl Budgets {
    /// Budgets as configured, on what the ledger of `store` holds.
    pub fn new(config: &BudgetConfig, store: Arc<dyn Store>, outside: Outside) -> Self {
        let shared = config.any().then(|| {
            let state = Mutex::new(State::new(config));
            Arc::new(Shared { state, seen: Mutex::default(), store, outside })
        });
        Self { shared }
    }

    /// What is left of each budget that `payer` pays from: whose it is, its US dollars, and what is left of them.
    ///
    /// # Errors
    /// The store's own where an account had to be read and could not be.
    pub async fn left(&self, payer: &Payer) -> Result<Vec<Left>, Failure> {
        let Some(shared) = &self.shared else { return Ok(Vec::new()) };
        let accounts = Account::of(payer);
        let day = shared.open(&accounts, payer).await?;
        Ok(shared.state().left(&accounts, day))
    }

    /// Sets aside what a call may cost at the most; what costs nothing, or has no price (`None`), is let through. `quote`
    /// is asked only where there are budgets.
    ///
    /// # Errors
    /// `budget_exceeded` where an account is spent, or too little is left of it; the store's own where it had to be read
    /// and could not be.
    pub async fn reserve(&self, payer: &Payer, quote: impl FnOnce() -> Option<Quote>) -> Result<Reservation, Failure> {
        let free = Ok(Reservation { held: None });
        let Some(shared) = &self.shared else { return free };
        let Some(quote) = quote().filter(|quote| !quote.is_free()) else { return free };
        let accounts = Account::of(payer);
        let held = loop {
            let day = shared.open(&accounts, payer).await?;
            let mut state = shared.state();
            // What another has made room with since, or is another day's, would count as unspent.
            if state.knows(&accounts, day) {
                break state.reserve(&accounts, day, &quote);
            }
        };
        let held = held.inspect_err(|_| meters().budget_refused.increment(1))?;
        Ok(Reservation { held: Some((shared.clone(), held)) })
    }
}

impl Budgets {
    /// A run of a turn begins in this process.
    pub fn begins(&self, turn: TurnId) {
        if let Some(shared) = &self.shared {
            shared.seen().insert(turn);
        }
    }

    /// A turn has ended.
    pub fn ended(&self, turn: TurnId) {
        if let Some(shared) = &self.shared {
            shared.seen().remove(&turn);
        }
    }

    /// What turns may have spent that died with another process, before it is written into the ledger: accounts begin with
    /// what that holds, so those that are open already are told here, and those that are not are opened first. What a run
    /// of this process has spent is known here.
    pub async fn lost(&self, entries: &[Beside]) {
        let Some(shared) = &self.shared else { return };
        for entry in entries {
            let Some((session, turn)) = entry.of.as_ref().filter(|(_, turn)| !shared.seen().contains(turn)) else {
                continue;
            };
            let payer = Payer { user: entry.user, agent: entry.agent.clone(), session: Some(session.clone()) };
            let accounts = Account::of(&payer);
            if let Err(failure) = shared.open(&accounts, &payer).await {
                // Those that could not be read are read when a call is to be paid, and the entry with the rest.
                tracing::warn!(%failure, %turn, "what a turn may have spent is not known to all budgets yet");
            }
            let cost = billionths(entry.spent.cost_usd.unwrap_or_default());
            tell(&shared.state().lost(&accounts, shared.day(), cost));
        }
        // A write that is tried again tells nothing twice.
        shared.seen().extend(entries.iter().filter_map(|entry| entry.of.as_ref()).map(|(_, turn)| *turn));
    }

    /// The least part that is left of an account that `payer` pays from, from 0 to 1; `None`: no budget is set, or nothing
    /// is known to be spent. Asks nobody.
    pub fn least(&self, payer: &Payer) -> Option<f64> {
        let shared = self.shared.as_ref()?;
        shared.state().least(&Account::of(payer), shared.day())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, HashSet<TurnId>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Today as the clock has it, in days of UTC since 1970.
    fn day(&self) -> i64 {
        self.outside.now().0.div_euclid(DAY)
    }

    /// Reads what was spent before from those accounts of which that is not known. Answers the day that it is.
    async fn open(&self, accounts: &[Account], payer: &Payer) -> Result<i64, Failure> {
        let now = self.day();
        let day = self.state().today(now);
        for account in accounts {
            if self.state().wants(account, day) {
                let spent = self.spent(account, payer, day).await?;
                self.state().open(account, day, billionths(spent));
            }
        }
        Ok(day)
    }

    /// What the ledger says was spent from an account, in US dollars.
    async fn spent(&self, account: &Account, payer: &Payer, day: i64) -> Result<f64, Failure> {
        let since = Some(Timestamp(day * DAY));
        let all = UsageQuery { by: UsageBy::Agent, since, ..UsageQuery::default() };
        let ask = match account {
            Account::Day => all,
            Account::Agent(agent) => UsageQuery { agent: Some(agent.clone()), ..all },
            Account::User(user) => UsageQuery { user: Some(*user), ..all },
            Account::Session(_) => UsageQuery { since: None, session: payer.session.clone(), ..all },
        };
        let (mut sum, mut cursor) = (0.0, None);
        loop {
            let page = self.store.usage(ask.clone(), cursor, Limit::default()).await?;
            sum += page.items.iter().filter_map(|item| item.cost_usd).sum::<f64>();
            cursor = page.next;
            if cursor.is_none() {
                return Ok(sum);
            }
        }
    }
}

impl Reservation {
    /// Tokens that the answer may have, where a hard budget is paid from.
    pub fn answer(&self) -> Option<u64> {
        self.held.as_ref()?.1.answer.as_ref().map(|(tokens, _)| *tokens)
    }

    /// The answer wanted more than that. Answers what whoever asked for it should know.
    pub fn cut_short(&self) -> Option<Notice> {
        let (_, cut) = self.held.as_ref()?.1.answer.as_ref()?;
        tell(std::slice::from_ref(cut));
        Some(cut.clone())
    }

    /// The call is over, and cost so much. Answers what whoever asked for it should know.
    pub fn settle(mut self, usd: f64) -> Vec<Notice> {
        self.pay(usd)
    }

    fn pay(&mut self, usd: f64) -> Vec<Notice> {
        if let Some((shared, held)) = self.held.take() {
            let notices = shared.state().settle(&held, shared.day(), billionths(usd));
            tell(&notices);
            return notices;
        }
        Vec::new()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.pay(0.0);
    }
}

/// Says what an owner should know of the budgets.
fn tell(notices: &[Notice]) {
    for notice in notices {
        meters().told(notice);
        tracing::warn!(budget = notice.account(), "{notice}");
    }
}
