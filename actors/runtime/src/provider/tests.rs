use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::CallResult;
use mosaic_types::ErrorClass;
use tokio::time::{Instant, advance};

use super::health::{Change, Health, Verdict};
use super::queue::FairQueue;
use super::rate::{Limits, Rate};

const FAILED: CallResult = CallResult::Failed(ErrorClass::Transient { retry_after: None });

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn asked(wait: Duration) -> CallResult {
    CallResult::Failed(ErrorClass::Transient { retry_after: Some(wait) })
}

/// Lets a model fail so often in a row; answers what the last failure changed.
fn fail(health: &mut Health, model: &Arc<str>, times: u32) -> Option<Change> {
    (0..times).map(|_| health.ended(model, FAILED, Instant::now())).last().flatten()
}

#[actix::test]
async fn a_pause_holds_one_model_for_as_long_as_was_asked() {
    tokio::time::pause();
    let mut health = Health::default();
    let (big, small): (Arc<str>, Arc<str>) = ("big".into(), "small".into());
    assert_eq!(health.ended(&big, asked(secs(7)), Instant::now()), Some(Change::Rests(secs(7))));
    assert_eq!(health.ask(&big, Instant::now()), Verdict::Rests(secs(7)));
    assert_eq!(health.ask(&small, Instant::now()), Verdict::Go);
    advance(secs(7)).await;
    assert_eq!(health.ask(&big, Instant::now()), Verdict::Go);
    health.ended(&big, asked(secs(3600)), Instant::now());
    assert_eq!(health.ask(&big, Instant::now()), Verdict::Rests(secs(600)), "then it is tried once more");
}

#[actix::test]
async fn an_answer_ends_the_pause_and_a_plain_failure_begins_none() {
    tokio::time::pause();
    let mut health = Health::default();
    let model: Arc<str> = "m".into();
    health.ended(&model, asked(secs(5)), Instant::now());
    assert_eq!(health.ended(&model, CallResult::Answered, Instant::now()), None);
    for plain in [FAILED, CallResult::Failed(ErrorClass::Overloaded), CallResult::Failed(ErrorClass::Defect)] {
        health.ended(&model, plain, Instant::now());
        assert_eq!(health.ask(&model, Instant::now()), Verdict::Go);
    }
}

#[actix::test]
async fn a_model_that_failed_five_times_in_a_row_is_left_alone_and_then_tried_with_one_call() {
    tokio::time::pause();
    let mut health = Health::default();
    let (model, other): (Arc<str>, Arc<str>) = ("m".into(), "other".into());
    assert_eq!(fail(&mut health, &model, 4), None);
    assert_eq!(health.ask(&model, Instant::now()), Verdict::Go);
    assert_eq!(fail(&mut health, &model, 1), Some(Change::Opened(secs(5))));
    assert_eq!(fail(&mut health, &model, 3), None, "calls that were under way change nothing");
    assert_eq!(health.ask(&model, Instant::now()), Verdict::Broken(secs(5)));
    assert_eq!(health.ask(&other, Instant::now()), Verdict::Go);

    advance(secs(5)).await;
    assert_eq!(health.ask(&model, Instant::now()), Verdict::Probe);
    assert_eq!(health.ask(&model, Instant::now()), Verdict::Broken(secs(1)), "one call, and no more");
    assert_eq!(fail(&mut health, &model, 1), Some(Change::Opened(secs(10))), "twice as long");
    for lasts in [20, 40, 60, 60] {
        advance(secs(60)).await;
        assert_eq!(health.ask(&model, Instant::now()), Verdict::Probe);
        assert_eq!(fail(&mut health, &model, 1), Some(Change::Opened(secs(lasts))));
    }
    advance(secs(60)).await;
    assert_eq!(health.ask(&model, Instant::now()), Verdict::Probe);
    assert_eq!(health.ended(&model, CallResult::Answered, Instant::now()), Some(Change::Closed));
    assert_eq!(health.ask(&model, Instant::now()), Verdict::Go);
    assert!(!health.is_troubled(Instant::now()), "nothing is remembered of one that is well");
}

#[actix::test]
async fn a_probe_that_was_given_up_leaves_room_for_another() {
    tokio::time::pause();
    let mut health = Health::default();
    let model: Arc<str> = "m".into();
    fail(&mut health, &model, 5);
    for _ in 0..3 {
        advance(secs(5)).await;
        assert_eq!(health.ask(&model, Instant::now()), Verdict::Probe);
        assert_eq!(health.ended(&model, CallResult::Abandoned, Instant::now()), None);
    }
    advance(secs(1)).await;
    assert_eq!(health.ask(&model, Instant::now()), Verdict::Probe);
    advance(secs(121)).await;
    assert_eq!(health.ask(&model, Instant::now()), Verdict::Probe, "one of which nothing was ever heard");
}

#[actix::test]
async fn what_is_over_is_forgotten_though_nobody_asks_for_its_model_again() {
    tokio::time::pause();
    let mut health = Health::default();
    for name in ["once", "never again"] {
        health.ended(&name.into(), asked(secs(5)), Instant::now());
        fail(&mut health, &name.into(), 5);
    }
    assert!(health.is_troubled(Instant::now()));
    advance(secs(121)).await;
    assert!(!health.is_troubled(Instant::now()), "so that calls take their places without asking the actor again");
}

#[test]
fn those_who_wait_are_served_in_turn_however_much_one_of_them_asks_for() {
    let mut queue = FairQueue::default();
    let (greedy, modest): (Arc<str>, Arc<str>) = ("greedy".into(), "modest".into());
    for number in 0..4 {
        queue.push(&greedy, ("greedy", number));
    }
    queue.push(&modest, ("modest", 0));
    queue.push(&"late".into(), ("late", 0));
    assert_eq!((queue.len(), queue.peek()), (6, Some(&("greedy", 0))));
    let served: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
    let expected = [("greedy", 0), ("modest", 0), ("late", 0), ("greedy", 1), ("greedy", 2), ("greedy", 3)];
    assert_eq!(served, expected);
    assert!(queue.is_empty());
}

#[actix::test]
async fn a_rate_lets_a_minutes_worth_through_and_then_as_much_as_comes_in() {
    tokio::time::pause();
    let now = Instant::now;
    let limits = Limits { requests_per_minute: Some(60), tokens_per_minute: Some(6_000) };
    let mut rate = Rate::new(limits, now());
    for _ in 0..60 {
        assert_eq!(rate.wait(10, now()), Duration::ZERO);
        rate.take(10);
    }
    assert_eq!(rate.wait(10, now()).as_secs_f64().round(), 1.0, "a request a second");
    advance(secs(60)).await;
    assert_eq!(rate.wait(6_000, now()), Duration::ZERO);
    rate.take(6_000);
    assert_eq!(rate.wait(100, now()).as_secs_f64().round(), 1.0, "a hundred tokens a second");
    rate.settle(6_000, 1_000);
    assert_eq!(rate.wait(100, now()), Duration::ZERO, "less was used than was foreseen");
    rate.settle(0, 50_000);
    assert!(rate.wait(100, now()) > secs(400), "more was used");
    advance(secs(3_600)).await;
    assert_eq!(
        rate.wait(1_000_000, now()),
        Duration::ZERO,
        "what is more than a minute's worth goes when all is there"
    );
    assert_eq!(Rate::new(Limits::default(), now()).wait(u64::MAX, now()), Duration::ZERO);
}
