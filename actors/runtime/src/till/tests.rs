use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// A call of no session, with an id of its own.
fn alone(cost: f64) -> Beside {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Beside { id: Uuid::from_u64_pair(1, NEXT.fetch_add(1, Ordering::Relaxed)), ..call(None, cost) }
}

/// What the next life finds in the file.
fn left(path: &std::path::Path) -> Vec<(u64, Option<f64>, Known)> {
    let (_, left) = Till::noted_at(path).expect("it is read");
    left.into_iter().map(|entry| (entry.calls, entry.spent.cost_usd, entry.known)).collect()
}

#[test]
fn a_death_loses_no_stateless_call_and_enters_none_twice() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("till");
    let (till, nothing) = Till::noted_at(&path).expect("it is made");
    assert_eq!(nothing, []);
    let numbers: Vec<_> = (0..6).map(|_| till.begin(alone(0.5))).collect();
    assert_eq!(left(&path), [(6, Some(3.0), Known::Foreseen)], "nothing is known but that they were begun");
    till.end(numbers[0], Some(alone(0.25)));
    till.end(numbers[1], Some(alone(0.25)));
    till.end(numbers[2], None);
    till.end(numbers[2], Some(alone(9.0)));
    till.lose(numbers[3]);
    let taken = till.take();
    assert_eq!(taken.iter().map(|entry| entry.calls).sum::<u64>(), 3);
    // It died before it heard that they were entered: the same entries once more, under the same ids.
    let (_, again) = Till::noted_at(&path).expect("it is read");
    assert!(taken.iter().all(|entry| again.contains(entry)), "{taken:?} in {again:?}");
    assert_eq!(again.len(), taken.len() + 1, "and the two of which nobody knows");
    till.end(numbers[4], Some(alone(0.25)));
    let (_, again) = Till::noted_at(&path).expect("it is read");
    assert!(taken.iter().all(|entry| again.contains(entry)), "what ends later is part of another entry");
    till.entered();
    till.end(numbers[5], None);
    till.take();
    till.entered();
    assert_eq!(std::fs::metadata(&path).expect("is there").len(), 0, "what is in the ledger needs no note");
}

#[test]
fn notes_of_calls_are_bounded_and_half_a_line_spoils_no_other() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("till");
    let (till, _) = Till::noted_at(&path).expect("it is made");
    let held = till.begin(alone(0.5));
    for _ in 0..20_000 {
        till.end(till.begin(alone(0.125)), Some(alone(0.25)));
        if !till.is_empty() && till.due().begun % 1_000 == 0 {
            till.take();
            till.entered();
        }
    }
    let bytes = std::fs::metadata(&path).expect("is there").len();
    assert!(bytes < 5 << 20, "{bytes} bytes");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("is there");
    file.write_all(b"{\"b\":[7,{\"id\":\"01").expect("is written");
    let (foreseen, known): (Vec<_>, Vec<_>) = left(&path).into_iter().partition(|left| left.2 == Known::Foreseen);
    assert_eq!(foreseen, [(1, Some(0.5), Known::Foreseen)], "the one that is held");
    assert!(known.iter().map(|left| left.0).sum::<u64>() >= till.len() as u64, "{known:?}");
    till.end(held, None);
}

#[test]
fn notes_are_bounded_while_the_store_is_away_and_where_every_call_comes_to_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    for entered in [Some(0.25), None] {
        let path = home.path().join(format!("till {entered:?}"));
        let (till, _) = Till::noted_at(&path).expect("it is made");
        for _ in 0..20_000 {
            till.end(till.begin(alone(0.125)), entered.map(alone));
        }
        let bytes = std::fs::metadata(&path).expect("is there").len();
        assert!(bytes < 5 << 20, "{bytes} bytes");
        let calls = left(&path).iter().map(|left| left.0).sum::<u64>();
        assert_eq!(calls, entered.map_or(0, |_| 20_000), "and none of it is lost");
    }
}
