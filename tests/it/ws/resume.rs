//! Cut anywhere, a reader that comes back has each journaled event once and the whole text.

use std::time::Duration;

use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Said, Testbed, Wire, heard};

const TEXT: &str = "one two three four five six seven eight";

/// Says the text in pieces, slowly enough to be cut between them.
fn model() -> mosaic_testkit::provider::Builder {
    StandIn::builder().always(Step::say_in(TEXT, 8, Duration::from_millis(5)))
}

fn seqs(frames: &[Value]) -> Vec<i64> {
    frames.iter().filter_map(|frame| frame["seq"].as_i64()).collect()
}

fn has_end(frames: &[Value]) -> bool {
    frames.iter().any(|frame| frame["type"] == "turn.finished")
}

/// Begins a turn, reads `cut` frames of it and goes; comes back, perhaps to another life of the daemon, and reads to
/// the end. Answers what was read before and after.
async fn cut_and_come_back(bed: &mut Testbed, cut: usize, kill: bool) -> (Vec<Value>, Vec<Value>) {
    let session = bed.api().session().await;
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.subscribe(&session, 0).await;
    wire.send(json!({"type": "message.send", "id": "k", "session": session, "text": "count"})).await;
    let mut before = Vec::new();
    while before.len() < cut && !has_end(&before) {
        before.push(wire.frame().await);
    }
    wire.cut();
    if kill {
        bed.kill9().await;
        bed.restart().await;
    }
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    // Sent again as it was: it is the same turn, whether the first one arrived or not.
    wire.send(json!({"type": "message.send", "id": "k", "session": session, "text": "count"})).await;
    let last = seqs(&before).last().copied().unwrap_or(0);
    wire.send(json!({"type": "subscribe", "session": session, "after": last})).await;
    let mut after = Vec::new();
    while !has_end(&before) && !has_end(&after) {
        after.push(wire.frame().await);
    }
    (before, after)
}

/// Each journaled event was seen once and in order, and the text that was shown is the final one.
fn check(before: &[Value], after: &[Value]) {
    let all = [before, after].concat();
    let seen = seqs(&all);
    assert_eq!(seen, (1..=seen.len() as i64).collect::<Vec<_>>(), "{all:#?}");
    let ends: Vec<&Value> = all.iter().filter(|frame| frame["type"] == "turn.finished").collect();
    assert_eq!((ends.len(), &ends[0]["text"]), (1, &json!(TEXT)));
    // A reader that comes back begins with the text so far, and one for whom nothing was left hears none.
    heard(before);
    let text = heard(after);
    assert!(text.is_empty() || text == TEXT, "{text:?} in {after:#?}");
}

#[tokio::test]
async fn a_reader_cut_at_any_frame_of_a_turn_misses_nothing_and_hears_nothing_twice() {
    let mut bed = Testbed::with(model()).await;
    let mut resumed = 0;
    for cut in 0.. {
        let (before, after) = cut_and_come_back(&mut bed, cut, false).await;
        check(&before, &after);
        resumed += usize::from(after.iter().any(|frame| frame["type"] == "turn.delta"));
        if has_end(&before) {
            assert!(cut > 10, "a turn has more frames than {cut}");
            break;
        }
    }
    assert!(resumed >= 5, "{resumed} came back in mid-stream");
}

#[tokio::test]
async fn a_reader_whose_daemon_is_killed_at_any_frame_misses_nothing_and_hears_nothing_twice() {
    let mut bed = Testbed::with(model()).await;
    let mut restarted = 0;
    for cut in [0, 1, 2, 3, 4, 6, 8, 10, 11, 12, 13, 14] {
        let (before, after) = cut_and_come_back(&mut bed, cut, true).await;
        check(&before, &after);
        restarted += after.iter().filter(|frame| frame["type"] == "turn.restarted").count();
    }
    assert!(restarted >= 3, "{restarted} turns began again");
}

#[tokio::test]
async fn a_long_journal_is_replayed_whole_before_what_happens_now() {
    let bed = Testbed::start().await;
    let session = bed.api().session().await;
    let long = "x".repeat(90_000);
    for _ in 0..40 {
        bed.api().ask(&session, &long).await;
    }
    let whole = bed.api().journal(&session).await;
    assert!(whole.len() >= 160, "{}", whole.len());
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.send(json!({"type": "subscribe", "session": session})).await;
    bed.api().say(&session, "now").await;
    let mut seen = Vec::new();
    let mut caught_up = None;
    while caught_up.is_none() || seqs(&seen).last() < Some(&(whole.len() as i64 + 4)) {
        let Said::Frame(frame) = wire.next().await else { panic!("the socket ended") };
        if frame["type"] == "subscribed" {
            caught_up = frame["after"].as_i64();
        }
        seen.push(frame);
    }
    assert!(caught_up >= Some(whole.len() as i64), "{caught_up:?}");
    let journaled: Vec<Value> = seen.into_iter().filter(|frame| frame["seq"].is_i64()).collect();
    assert_eq!(journaled[..whole.len()], whole[..]);
    assert_eq!(journaled, bed.api().journal(&session).await);
}
