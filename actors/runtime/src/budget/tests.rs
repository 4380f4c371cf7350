use mosaic_types::{AgentName, Code, UserId};
use proptest::prelude::*;
use uuid::Uuid;

use super::config::{Budget, BudgetConfig};
use super::state::{Account, Notice, State};
use super::{Payer, billionths};

fn payer(user: u128, agent: &str, session: &str) -> Payer {
    let agent: AgentName = agent.parse().expect("valid");
    Payer { user: UserId(Uuid::from_u128(user)), agent, session: Some(session.parse().expect("valid")) }
}

fn hard(usd: f64) -> Option<Budget> {
    Some(Budget { usd, hard: true })
}

fn cents(cents: u32) -> u64 {
    billionths(f64::from(cents) / 100.0)
}

#[test]
fn what_is_spent_is_refused_by_the_account_that_spent_it_and_by_no_other() {
    let config = BudgetConfig { agent: hard(1.0), session: hard(0.5), ..BudgetConfig::default() };
    let mut state = State::new(&config);
    let accounts = Account::of(&payer(1, "poet", "s1"));
    let (held, _) = state.reserve(&accounts, 0, cents(60)).expect("there is money");
    assert_eq!(held.len(), 2, "where there is no budget, nothing is kept");
    state.settle(&held, 0, cents(60), cents(55));
    let refused = state.reserve(&accounts, 0, cents(1)).expect_err("the session has spent its own");
    assert_eq!(refused.code, Code::BudgetExceeded);
    assert!(refused.message.contains("session s1") && refused.message.contains("[budgets.session]"), "{refused}");
    state.reserve(&Account::of(&payer(1, "poet", "s2")), 0, cents(50)).expect("another session, the same agent");
    let refused =
        state.reserve(&Account::of(&payer(2, "poet", "s3")), 0, cents(1)).expect_err("the agent's may be spent");
    assert!(refused.message.contains("calls under way") && refused.retry_after_ms.is_some(), "{refused}");
    state.reserve(&Account::of(&payer(2, "clerk", "s4")), 0, cents(1)).expect("another agent");
}

#[test]
fn what_is_left_is_the_least_of_all_accounts_that_are_paid_from() {
    let config = BudgetConfig { agent: hard(2.0), session: hard(0.5), ..BudgetConfig::default() };
    let mut state = State::new(&config);
    let accounts = Account::of(&payer(1, "poet", "s1"));
    assert_eq!(state.least(&accounts, 0), None, "nothing is known to be spent");
    let (held, _) = state.reserve(&accounts, 0, cents(10)).expect("there is money");
    let near = |left: Option<f64>, part: f64| left.is_some_and(|left| (left - part).abs() < 1e-6);
    assert!(near(state.least(&accounts, 0), 0.8), "what is set aside is gone");
    state.settle(&held, 0, cents(10), cents(40));
    assert!(near(state.least(&accounts, 0), 0.2) && near(state.least(&accounts[1..2], 0), 0.8));
    assert!(near(state.least(&accounts, 1), 0.2), "a session has its budget for ever");
    assert_eq!(state.least(&accounts[1..2], 1), None, "a new day");
}

#[test]
fn most_of_a_budget_is_told_once_and_a_soft_one_refuses_nothing() {
    let config = BudgetConfig { day: Some(Budget { usd: 1.0, hard: false }), ..BudgetConfig::default() };
    let mut state = State::new(&config);
    let accounts = [Account::Day];
    let mut spend = |cost| {
        let (held, _) = state.reserve(&accounts, 0, cents(5)).expect("it is soft");
        state.settle(&held, 0, cents(5), cents(cost))
    };
    assert_eq!(spend(79), []);
    assert!(matches!(spend(1)[..], [Notice::Low { .. }]));
    assert_eq!(spend(19), []);
    assert!(matches!(spend(1)[..], [Notice::Over { .. }]));
    assert_eq!(spend(50), []);
}

#[test]
fn a_new_day_begins_with_nothing_spent_but_for_sessions() {
    let config = BudgetConfig { day: hard(1.0), session: hard(3.0), ..BudgetConfig::default() };
    let mut state = State::new(&config);
    let accounts = Account::of(&payer(1, "poet", "s1"));
    assert!(state.wants(&Account::Day, 7));
    state.open(&Account::Day, 7, cents(99));
    assert!(!state.wants(&Account::Day, 7));
    let (held, _) = state.reserve(&accounts, 7, cents(200)).expect("there is a cent left");
    state.settle(&held, 8, cents(200), cents(200));
    assert!(state.reserve(&accounts, 8, cents(1)).is_err(), "what ended today is today's");
    let (held, _) = state.reserve(&accounts, 9, cents(200)).expect("a new day");
    state.settle(&held, 9, cents(200), cents(100));
    let refused = state.reserve(&accounts, 10, cents(1)).expect_err("the session has spent its own");
    assert!(refused.message.contains("new session"), "{refused}");
}

proptest! {
    /// I6: whatever order calls begin and end in, and whatever they cost of what was set aside.
    #[test]
    fn no_budget_is_ever_passed_by_more_than_one_reservation(
        steps in proptest::collection::vec((any::<bool>(), 1..100_u64, 0..=100_u64, 0..8_usize), 1..200),
    ) {
        let config = BudgetConfig { day: hard(0.000_001), ..BudgetConfig::default() };
        let (mut state, limit) = (State::new(&config), billionths(0.000_001));
        let (mut spent, mut largest, mut running) = (0, 0, Vec::new());
        for (begins, amount, part, which) in steps {
            if begins {
                if let Ok((held, _)) = state.reserve(&[Account::Day], 0, amount) {
                    largest = largest.max(amount);
                    running.push((held, amount));
                }
            } else if !running.is_empty() {
                let (held, amount) = running.remove(which % running.len());
                spent += amount * part / 100;
                state.settle(&held, 0, amount, amount * part / 100);
            }
            let reserved: u64 = running.iter().map(|(_, amount)| amount).sum();
            prop_assert!(spent + reserved < limit + largest.max(1), "{spent} + {reserved} of {limit}");
        }
    }
}
