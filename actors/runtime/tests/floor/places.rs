//! What a provider's actor decides: who may call, who waits, and in which order.

use std::time::Duration;

use mosaic_runtime::agent::config::Fanout;
use mosaic_runtime::agent::run::Piece;
use mosaic_runtime::provider::Limits;
use tokio::sync::mpsc;

use crate::models::{Act, Bench};

async fn hear_out(mut pieces: mpsc::Receiver<Piece>) {
    while pieces.recv().await.is_some() {}
}

fn calls(bench: &Bench, model: &str) -> usize {
    bench.asked().iter().filter(|asked| asked.model == model).count()
}

#[actix::test]
async fn a_model_that_asks_for_an_hour_is_called_once_and_all_are_answered_by_the_next() {
    tokio::time::pause();
    let bench = Bench::start(Fanout::default(), &[("a", &[Act::Pause(3_600)]), ("b", &[Act::Say(10, "here")])]);
    for _ in 0..20 {
        assert_eq!(bench.ask("hi").await.text, "here");
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    assert_eq!((calls(&bench, "a"), calls(&bench, "b")), (1, 20));
    tokio::time::sleep(Duration::from_secs(600)).await;
    bench.ask("hi").await;
    assert_eq!(calls(&bench, "a"), 2, "after ten minutes it is tried once more, whatever it asked for");
}

#[actix::test]
async fn a_model_that_fails_again_and_again_is_left_alone_and_then_tried_with_one_call_of_many() {
    tokio::time::pause();
    let mut acts = vec![Act::Refuse(1); 6];
    acts.push(Act::Say(50, "well again"));
    let bench = Bench::start(Fanout::default(), &[("a", &acts), ("b", &[Act::Say(1, "here")])]);
    for _ in 0..20 {
        assert_eq!(bench.ask("hi").await.text, "here", "whatever becomes of the first, the next one answers");
    }
    assert_eq!(calls(&bench, "a"), 5, "then it is left alone");
    // It is still not well when it is tried, and then it is.
    for (wait, answered) in [(5, 0), (10, 1)] {
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let before = calls(&bench, "a");
        let many: Vec<_> = futures_util::future::join_all((0..50).map(|_| bench.ask("hi"))).await;
        assert_eq!(calls(&bench, "a") - before, 1, "one call of many");
        assert_eq!(many.iter().filter(|heard| heard.text == "well again").count(), answered);
        assert!(many.iter().all(|heard| heard.failed.is_none()));
    }
    for _ in 0..3 {
        assert_eq!(bench.ask("hi").await.text, "well again");
    }
}

#[actix::test]
async fn an_only_model_is_called_exactly_three_times_for_one_question() {
    tokio::time::pause();
    let bench = Bench::start(Fanout::default(), &[("a", &[Act::Refuse(1)])]);
    assert!(bench.ask("hi").await.failed.is_some());
    let times: Vec<u64> = bench.asked().iter().map(|asked| asked.at / 1_000).collect();
    assert!(matches!(times[..], [0, 1..=2, 4..=7]), "after 2 and 4 s, jittered: {times:?}");
}

#[actix::test]
async fn one_who_asks_once_is_not_kept_waiting_by_one_who_asks_without_end() {
    tokio::time::pause();
    let bench = Bench::limited(Fanout::default(), 1, Limits::default(), &[("a", &[Act::Say(100, "so")])]);
    let mut waiting = Vec::new();
    for number in 0..10 {
        waiting.push(bench.begin_for(1, &format!("greedy {number}"), Vec::new()).await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    waiting.push(bench.begin_for(2, "modest", Vec::new()).await);
    futures_util::future::join_all(waiting.into_iter().map(hear_out)).await;
    let asked: Vec<_> = bench.asked().into_iter().map(|asked| asked.text).collect();
    assert_eq!(asked.len(), 11);
    assert_eq!(asked[..4], ["greedy 0", "greedy 1", "modest", "greedy 2"]);
}

#[actix::test]
async fn who_leaves_the_queue_holds_nobody_up() {
    tokio::time::pause();
    let bench = Bench::limited(Fanout::default(), 1, Limits::default(), &[("a", &[Act::Say(100, "so")])]);
    let first = bench.begin_for(1, "first", Vec::new()).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let gone = bench.begin_for(2, "gone", Vec::new()).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let last = bench.begin_for(3, "last", Vec::new()).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(gone);
    hear_out(first).await;
    hear_out(last).await;
    let asked: Vec<_> = bench.asked().into_iter().map(|asked| asked.text).collect();
    assert_eq!(asked, ["first", "last"]);
}

#[actix::test]
async fn more_than_a_minutes_worth_of_calls_is_spread_over_time_and_none_is_refused() {
    tokio::time::pause();
    let limits = Limits { requests_per_minute: Some(60), tokens_per_minute: None };
    let bench = Bench::limited(Fanout::default(), 64, limits, &[("a", &[Act::Say(1, "so")])]);
    let heard = futures_util::future::join_all((0..63).map(|_| bench.ask("hi"))).await;
    assert!(heard.iter().all(|heard| heard.failed.is_none()));
    let seconds: Vec<u64> = bench.asked().iter().map(|asked| asked.at / 1_000).collect();
    assert_eq!(seconds[..60], [0; 60]);
    assert_eq!(seconds[60..], [1, 2, 3], "one a second");
}

#[actix::test]
async fn tokens_that_a_call_did_not_use_are_there_for_the_next() {
    tokio::time::pause();
    // A call is reckoned at 5 tokens and an answer of 1,024, and uses 15.
    let limits = Limits { requests_per_minute: None, tokens_per_minute: Some(1_200) };
    let bench = Bench::limited(Fanout::default(), 64, limits, &[("a", &[Act::Say(1, "so")])]);
    for _ in 0..10 {
        bench.ask("hi").await;
    }
    let last = bench.asked().last().expect("it was asked").at;
    assert!(last < 1_000, "one after the other none has to wait: {last} ms");
    futures_util::future::join_all((0..2).map(|_| bench.ask("hi"))).await;
    let last = bench.asked().last().expect("it was asked").at;
    assert!(last > 40_000, "two at once might use more than there is: {last} ms");
}
