//! What do neighbours feel of messages that kill each run that takes them up? Wants the feature `chaos`.

use std::cell::Cell;
use std::process::Stdio;
use std::time::Duration;

use mosaic_testkit::{StandIn, Step};
use serde_json::json;

use crate::bed::{Bed, block_on, home};
use crate::neighbours::{load, post, session, talk};
use crate::report::{Report, Tries, ms};

/// Sessions beside the poisoned one.
const NEIGHBOURS: usize = 50;
/// Each load is taken so often, with and without poison by turns.
const ROUNDS: usize = 2;
const POISON: &str = "poison";

pub(crate) fn measure(report: &mut Report) {
    if !cfg!(feature = "chaos") {
        eprintln!("  skipped: faults are planted only in builds for it, with --features chaos");
        return;
    }
    let upstream = StandIn::builder().always(Step::say("one two three four five")).keep(0).start();
    let bed = Bed::start_in(home(&upstream), Stdio::null(), &[("MOSAIC_POISON", POISON)]);
    block_on(async {
        let victim = session(&bed, "assistant").await;
        let mut neighbours = Vec::new();
        for _ in 0..NEIGHBOURS {
            neighbours.push(session(&bed, "assistant").await);
        }
        load(&bed, &neighbours, async |_| ()).await; // warm
        let (mut quiet, mut loud, mut given_up) = (Tries::default(), Tries::default(), 0);
        for _ in 0..ROUNDS {
            quiet.append(load(&bed, &neighbours, async |_| ()).await.0);
            let (tries, dead) = load(&bed, &neighbours, async |over| poison(&bed, over, &victim).await).await;
            loud.append(tries);
            given_up += dead;
        }
        let [p50, p99] = [0.5, 0.99].map(|part| (loud.quantile(part), quiet.quantile(part)));
        let ratio = |(loud, quiet): (Duration, Duration)| loud.as_secs_f64() / quiet.as_secs_f64();
        let value = format!("p50 {}, p99 {}; {:.2}x and {:.2}x", ms(p50.0), ms(p99.0), ratio(p50), ratio(p99));
        let baseline = format!("without p50 {}, p99 {}; {} turns", ms(p50.1), ms(p99.1), quiet.len());
        let figure = format!(
            "turns of {NEIGHBOURS} sessions beside one that is sent poison all the time ({given_up} given up after 3 \
             deaths each)"
        );
        report.row(&figure, value, baseline, "none");
    });
}

/// The victim is sent poison, again when it was given up. Answers how often it was.
async fn poison(bed: &Bed, over: &Cell<bool>, victim: &str) -> usize {
    let (mut client, mut given_up) = (bed.client().await, 0);
    while !over.get() {
        let (status, body) = post(bed, &mut client, &talk(victim), &json!({"text": POISON})).await;
        assert_eq!((status, body["error"]["code"].as_str()), (502, Some("crashed")), "{body}");
        given_up += 1;
    }
    given_up
}
