//! Budgets over the death of a process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use mosaic_runtime::Budgets;
use mosaic_runtime::budget::{Budget, BudgetConfig, Payer, Quote};
use mosaic_types::journal::Write;
use mosaic_types::ledger::{Beside, Known};
use mosaic_types::{Chance, Clock, Outside, Spent, Timestamp, TurnId, Usage, UserId};
use uuid::Uuid;

use crate::PATIENCE;
use crate::house::tick;

/// A call that was cut off, for a dollar.
fn cut_off(turn: u128) -> Beside {
    let turn = TurnId(Uuid::from_u128(turn));
    Beside {
        id: Beside::id_of(turn, 1, 1, 0),
        user: UserId(Uuid::from_u128(1)),
        agent: "poet".parse().expect("valid"),
        of: Some(("s".parse().expect("valid"), turn)),
        model: "lab/m".parse().expect("valid"),
        calls: 1,
        spent: Spent { usage: Usage::new(10, 0), cost_usd: Some(1.0) },
        known: Known::Foreseen,
        at: tick().now(),
    }
}

#[tokio::test]
async fn what_a_process_that_died_may_have_spent_is_in_the_accounts_that_are_open_and_once() {
    let store = mosaic_store::open("sqlite::memory:", Path::new(".")).await.expect("a database");
    let outside: Outside = tick();
    let hard = |usd| Some(Budget { usd, hard: true });
    let config = BudgetConfig { day: hard(10.0), user: hard(9.0), session: hard(8.0), ..BudgetConfig::default() };
    let budgets = Budgets::new(&config, store.clone(), outside);
    let payer = |session: &str| Payer {
        user: UserId(Uuid::from_u128(1)),
        agent: "poet".parse().expect("valid"),
        session: Some(session.parse().expect("valid")),
    };
    let left = async |session: &str| -> Vec<f64> {
        budgets.left(&payer(session)).await.expect("is read").iter().map(|left| left.left).collect()
    };
    assert_eq!(left("other").await, [10.0, 9.0, 8.0], "the day's and the user's are open before the turn is seen");
    let first = cut_off(1);
    budgets.lost(std::slice::from_ref(&first)).await;
    store.commit(vec![Write::Spend(vec![first.clone()])]).await.expect("a database").remove(0).expect("is entered");
    assert_eq!(left("s").await, [9.0, 8.0, 7.0], "also of a session whose account was not open");
    budgets.lost(&[first]).await;
    assert_eq!(left("s").await, [9.0, 8.0, 7.0], "a write that is tried again counts once");
    let second = cut_off(2);
    budgets.begins(TurnId(Uuid::from_u128(2)));
    budgets.lost(&[second]).await;
    assert_eq!(left("s").await, [9.0, 8.0, 7.0], "a run of this process has settled its calls itself");
}

/// A clock that somebody sets.
struct Set(AtomicI64);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

impl Chance for Set {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(1);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_over_midnight_keeps_nobody_waiting_and_gives_nobody_a_day_twice() {
    const DAY: i64 = 86_400_000_000;
    let store = mosaic_store::open("sqlite::memory:", Path::new(".")).await.expect("a database");
    let clock = Arc::new(Set(AtomicI64::new(20_000 * DAY)));
    let outside = Outside::new(clock.clone(), clock.clone());
    let config = BudgetConfig { day: Some(Budget { usd: 1.0, hard: true }), ..BudgetConfig::default() };
    let budgets = Budgets::new(&config, store, outside);
    let payer = Payer { user: UserId(Uuid::from_u128(1)), agent: "poet".parse().expect("valid"), session: None };
    let quote = || Some(Quote { input: 0.4, input_most: 0.4, token: 0.0, asked: None, limit: 1 });
    for back in [0, 1] {
        clock.0.fetch_sub(back, Ordering::SeqCst);
        let reserved = tokio::time::timeout(PATIENCE, budgets.reserve(&payer, quote)).await.expect("nobody waits");
        reserved.expect("there is money").settle(0.4);
    }
    budgets.reserve(&payer, quote).await.err().expect("both were paid on one day");
}
