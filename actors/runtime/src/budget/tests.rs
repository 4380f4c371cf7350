use mosaic_types::{AgentName, Code, UserId};
use proptest::prelude::*;
use uuid::Uuid;

use super::config::{Budget, BudgetConfig};
use super::quote::Quote;
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

/// A call that costs so many cents and not one more or less.
fn of(cents: u32) -> Quote {
    let input = f64::from(cents) / 100.0;
    Quote { input, input_most: input, token: 0.0, asked: None, limit: 1 }
}

#[test]
fn what_is_spent_is_refused_by_the_account_that_spent_it_and_by_no_other() {
    let config = BudgetConfig { agent: hard(1.0), session: hard(0.5), ..BudgetConfig::default() };
    let mut state = State::new(&config);
    let accounts = Account::of(&payer(1, "poet", "s1"));
    let held = state.reserve(&accounts, 0, &of(50)).expect("there is money");
    assert_eq!(held.accounts.len(), 2, "where there is no budget, nothing is kept");
    state.settle(&held, 0, cents(55));
    let refused = state.reserve(&accounts, 0, &of(1)).expect_err("the session has spent its own");
    assert_eq!(refused.code, Code::BudgetExceeded);
    assert!(refused.message.contains("session s1") && refused.message.contains("[budgets.session]"), "{refused}");
    state.reserve(&Account::of(&payer(1, "poet", "s2")), 0, &of(45)).expect("another session, the same agent");
    let refused =
        state.reserve(&Account::of(&payer(2, "poet", "s3")), 0, &of(1)).expect_err("the agent's may be spent");
    assert!(refused.message.contains("calls under way") && refused.retry_after_ms.is_some(), "{refused}");
    state.reserve(&Account::of(&payer(2, "clerk", "s4")), 0, &of(1)).expect("another agent");
}

#[test]
fn what_is_left_is_the_least_of_all_accounts_that_are_paid_from() {
    let config = BudgetConfig { agent: hard(2.0), session: hard(0.5), ..BudgetConfig::default() };
    let mut state = State::new(&config);
    let accounts = Account::of(&payer(1, "poet", "s1"));
    assert_eq!(state.least(&accounts, 0), None, "nothing is known to be spent");
    let held = state.reserve(&accounts, 0, &of(10)).expect("there is money");
    let near = |left: Option<f64>, part: f64| left.is_some_and(|left| (left - part).abs() < 1e-6);
    assert!(near(state.least(&accounts, 0), 1.0), "what is set aside is not spent");
    state.settle(&held, 0, cents(40));
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
        let held = state.reserve(&accounts, 0, &of(5)).expect("it is soft");
        state.settle(&held, 0, cents(cost))
    };
    assert_eq!(spend(79), []);
    assert!(matches!(spend(1)[..], [Notice::Low { .. }]));
    assert_eq!(spend(19), []);
    assert!(matches!(spend(1)[..], [Notice::Over { .. }]));
    assert_eq!(spend(50), []);
}

#[test]
fn a_new_day_begins_with_nothing_spent_but_for_sessions() {
    let config = BudgetConfig { day: hard(2.0), session: hard(4.0), ..BudgetConfig::default() };
    let mut state = State::new(&config);
    let accounts = Account::of(&payer(1, "poet", "s1"));
    assert!(state.wants(&Account::Day, 7));
    state.open(&Account::Day, 7, cents(99));
    assert!(!state.wants(&Account::Day, 7));
    let held = state.reserve(&accounts, 7, &of(100)).expect("there is a dollar left");
    let other = state.reserve(&accounts[..1], 8, &of(150)).expect("a new day");
    state.settle(&held, 8, cents(40));
    let refused = state.reserve(&accounts, 8, &of(20)).expect_err("what ended today is today's, and more is set aside");
    assert!(refused.message.contains("calls under way"), "{refused}");
    state.settle(&other, 8, cents(160));
    let held = state.reserve(&accounts, 9, &of(200)).expect("a new day");
    state.settle(&held, 9, cents(360));
    let refused = state.reserve(&accounts, 10, &of(1)).expect_err("the session has spent its own");
    assert!(refused.message.contains("new session"), "{refused}");
}

#[test]
fn an_account_that_was_forgotten_is_never_taken_for_unspent() {
    let config = BudgetConfig { day: hard(1.0), user: hard(1.0), session: hard(1.0), ..BudgetConfig::default() };
    let mut state = State::new(&config);
    let first = Account::of(&payer(1, "poet", "first"));
    first.iter().for_each(|account| state.open(account, 0, cents(100)));
    for number in 0..20_000 {
        state.open(&Account::Session(format!("s{number}").parse().expect("valid")), 0, 0);
    }
    assert!(state.len() <= 10_000, "it is bounded");
    assert!(!state.wants(&Account::Day, 0), "the day's is paid from by all");
    assert!(!state.knows(&first, 0), "the others are read anew");
    let newest = Account::Session("s19999".parse().expect("valid"));
    assert!(state.knows(&[Account::Day, newest], 0), "what was used a moment ago stays");
    let refused = state.reserve(&[Account::Day], 0, &of(1)).expect_err("all is spent");
    assert!(refused.message.contains("for today is spent"), "{refused}");
}

#[test]
fn where_all_others_are_paid_from_just_now_who_comes_last_is_remembered() {
    let mut state = State::new(&BudgetConfig { user: hard(1.0), session: hard(1.0), ..BudgetConfig::default() });
    let of_session = |number: u32| Account::Session(format!("s{number}").parse().expect("valid"));
    for number in 0..10_000 {
        state.open(&of_session(number), 0, 0);
        drop(state.reserve(&[of_session(number)], 0, &of(1)).expect("there is money"));
    }
    let last = Account::of(&payer(7, "poet", "last"));
    last[2..].iter().for_each(|account| state.open(account, 0, 0));
    assert!(state.knows(&last, 0));
}

#[test]
fn what_was_read_of_a_day_that_is_over_is_not_of_the_new_one() {
    let mut state = State::new(&BudgetConfig { day: hard(1.0), session: hard(1.0), ..BudgetConfig::default() });
    let accounts = Account::of(&payer(1, "poet", "s1"));
    assert!(state.wants(&Account::Day, 7) && !state.knows(&[], 6));
    assert!(!state.knows(&accounts, 8), "midnight, while the ledger was read");
    accounts.iter().for_each(|account| state.open(account, 7, cents(100)));
    assert!(state.wants(&Account::Day, 8) && !state.wants(&accounts[3], 8), "a session has its budget for ever");
    assert_eq!(
        (state.today(7), state.today(9), state.today(8)),
        (8, 9, 9),
        "a clock that is set back begins no day again"
    );
}

#[test]
fn what_nobody_bounds_does_not_overflow_a_soft_budget() {
    let mut state =
        State::new(&BudgetConfig { day: Some(Budget { usd: 1.0, hard: false }), ..BudgetConfig::default() });
    let endless = Quote { token: 10.0, asked: Some(u64::MAX), ..of(1) };
    state.open(&Account::Day, 0, cents(1));
    let held = [(); 2].map(|()| state.reserve(&[Account::Day], 0, &endless).expect("it is soft"));
    held.iter().for_each(|held| drop(state.settle(held, 0, 0)));
}

/// A cent of input that may be four, and a tenth of a cent for each token of the answer.
fn talk(asked: Option<u64>) -> Quote {
    Quote { input: 0.01, input_most: 0.04, token: 0.001, asked, limit: 10_000 }
}

#[test]
fn an_answer_has_the_tokens_that_what_is_left_pays_for() {
    let config = BudgetConfig { day: hard(1.0), agent: hard(20.0), ..BudgetConfig::default() };
    let accounts = Account::of(&payer(1, "poet", "s1"));
    let asked = |spent: f64, asked| {
        let mut state = State::new(&config);
        state.open(&Account::Day, 0, billionths(spent));
        let held = state.reserve(&accounts, 0, &talk(asked)).map_err(|refused| refused.message.to_string())?;
        Ok::<_, String>((held.amount, held.answer.expect("it is bounded").0))
    };
    assert_eq!(asked(0.0, Some(100)), Ok((cents(14), 100)), "what was asked for");
    assert_eq!(asked(0.0, Some(5_000)), Ok((cents(103), 990)), "all that is left");
    assert_eq!(asked(0.0, None).map(|held| held.1), Ok(990), "enough of an answer is more than that");
    assert_eq!(asked(0.974, None).map(|held| held.1), Ok(16));
    let refused = asked(0.975, None).expect_err("fifteen tokens are no answer");
    let words = "Of the budget of $1 for today $0.025 are left, and this call may cost $0.026. It is full again";
    assert!(refused.starts_with(words), "{refused}");
    assert_eq!(asked(0.975, Some(15)).map(|held| held.1), Ok(15), "but where no more are wanted");
    assert!(asked(1.0, None).expect_err("all is spent").starts_with("The budget of $1 for today is spent. It is full"));
}

#[test]
fn who_does_not_bound_an_answer_leaves_half_to_others() {
    let config =
        BudgetConfig { day: hard(100.0), user: Some(Budget { usd: 0.01, hard: false }), ..BudgetConfig::default() };
    let mut state = State::new(&config);
    let accounts = Account::of(&payer(1, "poet", "s1"));
    let mut tokens = Vec::new();
    let refused = loop {
        match state.reserve(&accounts, 0, &talk(None)) {
            Ok(held) => tokens.push(held.answer.expect("it is bounded").0),
            Err(refused) => break refused,
        }
    };
    // Half of what is left once that is less than the model can write, and the last of it.
    assert_eq!(tokens[7..], [10_000, 9_834, 4_898, 2_429, 2_048, 301]);
    assert!(refused.message.contains("calls under way") && refused.retry_after_ms.is_some(), "{refused}");

    let soft = BudgetConfig { user: config.user, ..BudgetConfig::default() };
    let held = State::new(&soft).reserve(&accounts, 0, &talk(None)).expect("it is soft");
    assert!(held.answer.is_none(), "a soft budget bounds no answer");
}

proptest! {
    /// I6: whatever order calls begin and end in, and whatever they cost of what was set aside.
    #[test]
    fn no_budget_is_ever_passed_by_more_than_one_reservation(
        steps in proptest::collection::vec(
            (any::<bool>(), (1..60_u32, 0..4_u32, 0..9_u32, proptest::option::of(1..50_u64)), 0..=100_u64, 0..8_usize),
            1..200,
        ),
        // Whether prompts have no more tokens than was reckoned with caution.
        cautious in any::<bool>(),
    ) {
        let config = BudgetConfig { day: hard(1.0), ..BudgetConfig::default() };
        let (mut state, limit) = (State::new(&config), billionths(1.0));
        let (mut spent, mut beyond, mut calls, mut running) = (0, 0, 0, Vec::new());
        for (begins, (input, more, token, asked), part, which) in steps {
            if begins {
                let (input, token) = (f64::from(input) / 1e3, f64::from(token) / 1e3);
                let quote = Quote { input, input_most: input * f64::from(1 + more), token, asked, limit: 400 };
                if let Ok(held) = state.reserve(&[Account::Day], 0, &quote) {
                    let tokens = held.answer.as_ref().expect("it is hard").0;
                    let likely = Quote { input_most: input, ..quote }.most(tokens);
                    beyond = beyond.max(held.amount - likely);
                    calls += 1;
                    running.push((held, likely));
                }
            } else if !running.is_empty() {
                let (held, likely) = running.remove(which % running.len());
                let cost = if cautious { likely } else { held.amount } * part / 100;
                spent += cost;
                state.settle(&held, 0, cost);
            }
            let reserved: u64 = running.iter().map(|(held, _)| held.amount).sum();
            // Each call is rounded.
            prop_assert!(spent + reserved <= limit + beyond + calls, "{spent} + {reserved} of {limit}");
            prop_assert!(!cautious || spent <= limit + calls, "{spent} of {limit}");
        }
    }
}
