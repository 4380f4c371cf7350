//! The accounts alone: amounts in, verdicts out.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use mosaic_types::{AgentName, Code, Failure, SessionId, UserId};

use super::config::{Budget, BudgetConfig};
use super::quote::Quote;
use super::{Payer, dollars};

/// Accounts that are remembered; beyond them, the half that was used longest ago is read from the ledger anew.
const ACCOUNTS: usize = 10_000;

/// Of a budget, in hundredths: when so much of it is spent, that is told once.
const WARN_AT: u64 = 80;

/// Whose money.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Account {
    Day,
    Agent(AgentName),
    User(UserId),
    Session(SessionId),
}

impl Account {
    /// All that a call is paid from.
    pub(super) fn of(payer: &Payer) -> Vec<Self> {
        let session = payer.session.clone().map(Self::Session);
        [Self::Day, Self::Agent(payer.agent.clone()), Self::User(payer.user)].into_iter().chain(session).collect()
    }

    /// The key of the config's table.
    fn kind(&self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Agent(_) => "agent",
            Self::User(_) => "user",
            Self::Session(_) => "session",
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day => f.write_str("today"),
            Self::Agent(agent) => write!(f, "the agent {agent} today"),
            Self::User(_) => f.write_str("one user today"),
            Self::Session(session) => write!(f, "session {session}"),
        }
    }
}

/// What an owner should know.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// Most of a budget is spent.
    Low { account: String, usd: f64 },
    /// A budget is spent, and goes on.
    Over { account: String, usd: f64 },
    /// What is left of a budget did not pay for the whole of an answer.
    Cut { account: String, usd: f64 },
}

impl Notice {
    pub(super) fn account(&self) -> &str {
        match self {
            Self::Low { account, .. } | Self::Over { account, .. } | Self::Cut { account, .. } => account,
        }
    }
}

impl Notice {
    /// The same for a person.
    pub fn sentence(&self) -> String {
        match self {
            Self::Low { account, usd } => {
                format!("{WARN_AT} % of the budget of ${usd} for {account} are spent. /cost shows what is left.")
            }
            Self::Over { account, usd } => format!("The budget of ${usd} for {account} is spent; calls go on."),
            Self::Cut { account, usd } => {
                format!(
                    "The answer ends here: what is left of the budget of ${usd} for {account} pays for no more of it."
                )
            }
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Low { account, usd } => write!(f, "{WARN_AT} % of the budget of ${usd} for {account} are spent"),
            Self::Over { account, usd } => write!(f, "the budget of ${usd} for {account} is spent; calls go on"),
            Self::Cut { account, usd } => {
                write!(f, "an answer was cut short by what is left of the budget of ${usd} for {account}")
            }
        }
    }
}

/// What is left of a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// Whose it is, in words.
    pub account: String,
    /// US dollars.
    pub usd: f64,
    pub left: f64,
}

/// What was set aside for a call.
#[derive(Debug)]
pub(super) struct Held {
    /// From where.
    pub(super) accounts: Vec<Account>,
    /// Billionths of a dollar, in each of them.
    pub(super) amount: u64,
    day: i64,
    /// Tokens that the answer may have, so that no more than that is spent, and what to say where it wanted more; `None`:
    /// no hard budget is paid from.
    pub(super) answer: Option<(u64, Notice)>,
}

#[derive(Debug, Default)]
struct Standing {
    spent: u64,
    reserved: u64,
    /// When it was used last, in uses of all.
    used: u64,
    warned: bool,
    told_over: bool,
}

/// All accounts for which there is a budget.
#[derive(Debug)]
pub(super) struct State {
    config: BudgetConfig,
    day: i64,
    standings: HashMap<Account, Standing>,
    uses: u64,
}

impl State {
    pub(super) fn new(config: &BudgetConfig) -> Self {
        Self { config: config.clone(), day: i64::MIN, standings: HashMap::new(), uses: 0 }
    }

    fn budget(&self, account: &Account) -> Option<Budget> {
        match account {
            Account::Day => self.config.day,
            Account::Agent(_) => self.config.agent,
            Account::User(_) => self.config.user,
            Account::Session(_) => self.config.session,
        }
    }

    /// A new day: what was spent on the day before does not count, but for sessions.
    fn turn_to(&mut self, day: i64) {
        if day > self.day {
            self.day = day;
            self.standings.retain(|account, _| matches!(account, Account::Session(_)));
        }
    }

    /// The day that it is, where the clock says this one: a clock that was set back begins no day again.
    pub(super) fn today(&mut self, day: i64) -> i64 {
        self.turn_to(day);
        self.day
    }

    /// Whether what was spent from an account before must be read first.
    pub(super) fn wants(&mut self, account: &Account, day: i64) -> bool {
        self.turn_to(day);
        self.budget(account).is_some() && !self.standings.contains_key(account)
    }

    /// Whether nothing must be read before these accounts are paid from on that day: none was forgotten meanwhile.
    pub(super) fn knows(&mut self, accounts: &[Account], day: i64) -> bool {
        self.turn_to(day);
        day == self.day && !accounts.iter().any(|account| self.wants(account, day))
    }

    /// What was spent from an account before is known. Who asked at the same time and was slower changes nothing; nor does
    /// who asked for a day that is over.
    pub(super) fn open(&mut self, account: &Account, day: i64, spent: u64) {
        self.turn_to(day);
        if day < self.day && !matches!(account, Account::Session(_)) {
            return;
        }
        self.forget_some();
        // What was passed before this process began was told then.
        let budget = self.budget(account).map_or(u64::MAX, |budget| budget.billionths());
        let (warned, told_over) = (spent >= low(budget), spent >= budget);
        self.uses += 1;
        let standing = Standing { spent, reserved: 0, used: self.uses, warned, told_over };
        self.standings.entry(account.clone()).or_insert(standing);
    }

    /// Accounts that are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.standings.len()
    }

    /// Makes room. The day's and the agents' accounts are few, and all are paid from them; what was spent a moment ago is
    /// not in the ledger yet.
    fn forget_some(&mut self) {
        if self.standings.len() < ACCOUNTS {
            return;
        }
        let may_go = |account: &Account, standing: &Standing| {
            standing.reserved == 0 && matches!(account, Account::User(_) | Account::Session(_))
        };
        let mut used: Vec<u64> = self
            .standings
            .iter()
            .filter(|(account, known)| may_go(account, known))
            .map(|(_, known)| known.used)
            .collect();
        // The newest stays in any case: whoever is about to pay has just had it read.
        if let Some(older) = (used.len() / 2).checked_sub(1) {
            let last = *used.select_nth_unstable(older).1;
            self.standings.retain(|account, known| !may_go(account, known) || known.used > last);
        }
    }

    /// What is left of the budgets of these accounts.
    pub(super) fn left(&mut self, accounts: &[Account], day: i64) -> Vec<Left> {
        self.turn_to(day);
        let left = |account: &Account| {
            let budget = self.budget(account)?;
            let spent = self.standings.get(account).map_or(0, |standing| standing.spent);
            let spent = dollars(spent);
            Some(Left { account: account.to_string(), usd: budget.usd, left: (budget.usd - spent).max(0.0) })
        };
        accounts.iter().filter_map(left).collect()
    }

    /// The least part that is left of these accounts, from 0 to 1, as far as is known here.
    pub(super) fn least(&mut self, accounts: &[Account], day: i64) -> Option<f64> {
        self.turn_to(day);
        let left = |account: &Account| {
            let (budget, standing) = (self.budget(account)?, self.standings.get(account)?);
            // What is set aside for calls under way is far more than most of them cost.
            let gone = dollars(standing.spent) / dollars(budget.billionths().max(1));
            Some((1.0 - gone).max(0.0))
        };
        accounts.iter().filter_map(left).min_by(f64::total_cmp)
    }

    /// Sets aside what a call costs at the most, in all accounts that have a budget, or in none. It goes where what it
    /// needs is left of all that are hard, and its answer is bounded by what remains: so no hard budget is passed but by
    /// what is sent, where that is more than was reckoned with caution, and never by more than one reservation.
    pub(super) fn reserve(&mut self, accounts: &[Account], day: i64, quote: &Quote) -> Result<Held, Failure> {
        self.turn_to(day);
        self.uses += 1;
        let (mut held, mut least) = (Vec::new(), None::<(u64, Notice)>);
        for account in accounts {
            let Some(budget) = self.budget(account) else { continue };
            let standing = self.standings.entry(account.clone()).or_default();
            standing.used = self.uses;
            let left = budget.billionths().saturating_sub(standing.spent.saturating_add(standing.reserved));
            if budget.hard && (left == 0 || left < quote.needs()) {
                return Err(refusal(account, budget, standing, quote));
            }
            if budget.hard && least.as_ref().is_none_or(|(least, _)| left < *least) {
                least = Some((left, Notice::Cut { account: account.to_string(), usd: budget.usd }));
            }
            held.push(account.clone());
        }
        let tokens = quote.tokens(least.as_ref().map(|(left, _)| *left));
        let amount = quote.most(tokens);
        for account in &held {
            let standing = self.standings.entry(account.clone()).or_default();
            standing.reserved = standing.reserved.saturating_add(amount);
        }
        Ok(Held { accounts: held, amount, day, answer: least.map(|(_, cut)| (tokens, cut)) })
    }

    /// A call is over: what was set aside is free again, and what it cost is spent.
    pub(super) fn settle(&mut self, held: &Held, day: i64, cost: u64) -> Vec<Notice> {
        self.turn_to(day);
        for account in &held.accounts {
            // It may be of the day before: then it was forgotten, and what it cost is today's.
            let known = held.day == self.day || matches!(account, Account::Session(_));
            let standing = self.standings.entry(account.clone()).or_default();
            standing.reserved = standing.reserved.saturating_sub(if known { held.amount } else { 0 });
            standing.spent = standing.spent.saturating_add(cost);
        }
        self.notices(&held.accounts)
    }

    /// So much may have been spent from those accounts that are open, by a call that nobody set anything aside for.
    pub(super) fn lost(&mut self, accounts: &[Account], day: i64, cost: u64) -> Vec<Notice> {
        self.turn_to(day);
        for account in accounts {
            if let Some(standing) = self.standings.get_mut(account) {
                standing.spent = standing.spent.saturating_add(cost);
            }
        }
        self.notices(accounts)
    }

    fn notices(&mut self, accounts: &[Account]) -> Vec<Notice> {
        let mut notices = Vec::new();
        for account in accounts {
            let Some(budget) = self.budget(account) else { continue };
            let Some(standing) = self.standings.get_mut(account) else { continue };
            let (limit, usd, name) = (budget.billionths(), budget.usd, account.to_string());
            if standing.spent >= low(limit) && !std::mem::replace(&mut standing.warned, true) {
                notices.push(Notice::Low { account: name.clone(), usd });
            }
            if !budget.hard && standing.spent >= limit && !std::mem::replace(&mut standing.told_over, true) {
                notices.push(Notice::Over { account: name, usd });
            }
        }
        notices
    }
}

/// When so much is spent, most of a budget is.
fn low(limit: u64) -> u64 {
    limit / 100 * WARN_AT
}

fn refusal(account: &Account, budget: Budget, standing: &Standing, quote: &Quote) -> Failure {
    let (usd, limit) = (budget.usd, budget.billionths());
    let fits = |spent: u64| spent < limit && limit - spent >= quote.needs();
    if fits(standing.spent) {
        let sentence = format!(
            "What is left of the budget of ${usd} for {account} may be spent by calls under way. Try again when they have ended."
        );
        return Failure::new(Code::BudgetExceeded, sentence).after(Duration::from_secs(1));
    }
    let when = match account {
        Account::Session(_) => "Go on in a new session",
        _ => "It is full again at midnight UTC",
    };
    // Four digits behind the point, and never less than it is.
    let told = |billionths: u64| dollars(billionths.div_ceil(100_000).saturating_mul(100_000));
    let what = if standing.spent < limit {
        let left = told(limit - standing.spent);
        format!(
            "Of the budget of ${usd} for {account} ${left} are left, and this call may cost ${}",
            told(quote.needs())
        )
    } else {
        format!("The budget of ${usd} for {account} is spent")
    };
    let sentence = format!("{what}. {when}, or raise usd in [budgets.{}].", account.kind());
    Failure::new(Code::BudgetExceeded, sentence)
}
