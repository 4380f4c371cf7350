//! What does a platform cost: a message on its way to the model, many conversations at once, a crowd that nobody knows?

use std::process::Stdio;
use std::time::{Duration, Instant};

use mosaic_testkit::telegram::{Saying, TOKEN};
use mosaic_testkit::{StandIn, Step, Telegram};
use serde_json::json;

use crate::bed::{Bed, block_on, home};
use crate::neighbours::{post, session, talk};
use crate::report::{Report, Tries, float, ms};

/// Those who may talk; their numbers begin with 1.
const FRIENDS: i64 = 500;
/// Messages whose way is timed.
const MESSAGES: usize = 200;
/// Those who may not, and how many of them write before each message of the owner's.
const STRANGERS: i64 = 10_000;
const CROWD: i64 = STRANGERS / 100;
/// An answer's pieces, and the pause between two.
const PIECES: (usize, Duration) = (50, Duration::from_millis(100));
/// How long the busy conversations may take: Telegram takes 30 messages a second of one bot.
const PATIENCE: Duration = Duration::from_secs(180);
/// How exactly it is seen when an answer came.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn measure(report: &mut Report) {
    to_the_model(report);
    crowd(report);
    busy(report);
}

fn bed(upstream: &StandIn, telegram: &Telegram) -> Bed {
    let home = home(upstream);
    let path = home.path().join("config.toml");
    let friends: Vec<String> = (1..=FRIENDS).map(|number| format!("\"user:{number}\"")).collect();
    let table = format!(
        "[channels.family]\nkind = \"telegram\"\ntoken_env = \"BOT_TOKEN\"\napi_url = \"{}\"\nallow = [{}]\n",
        telegram.url(),
        friends.join(", ")
    );
    let config = std::fs::read_to_string(&path).expect("it was written") + &table;
    std::fs::write(&path, config).expect("the config is written");
    Bed::start_in(home, Stdio::null(), &[("BOT_TOKEN", TOKEN)])
}

/// Says something and waits until the model is asked.
async fn asked(upstream: &StandIn, telegram: &Telegram, from: i64) -> Duration {
    let before = upstream.progress().calls;
    let began = Instant::now();
    telegram.say(&Saying::private(from, "hello"));
    upstream.wait_until(move |progress| progress.calls > before).await;
    began.elapsed()
}

fn to_the_model(report: &mut Report) {
    let (upstream, telegram) = (StandIn::builder().keep(0).start(), Telegram::start());
    let bed = bed(&upstream, &telegram);
    block_on(async {
        asked(&upstream, &telegram, 1).await; // warm
        let (mut tries, mut direct) = (Tries::default(), Tries::default());
        for from in (2..=FRIENDS).take(MESSAGES) {
            tries.push(asked(&upstream, &telegram, from).await);
        }
        let (mut client, session) = (bed.client().await, session(&bed, "assistant").await);
        for _ in 0..MESSAGES {
            let began = Instant::now();
            let (status, _) = post(&bed, &mut client, &talk(&session), &json!({"text": "hello"})).await;
            direct.push(began.elapsed());
            assert_eq!(status, 200);
        }
        let times = |tries: &mut Tries| format!("p50 {}, p99 {}", ms(tries.quantile(0.5)), ms(tries.quantile(0.99)));
        let baseline = format!("a whole turn by HTTP {}", times(&mut direct));
        report.row("a message on Telegram until the model is asked", times(&mut tries), baseline, "none");
    });
}

fn crowd(report: &mut Report) {
    let (upstream, telegram) = (StandIn::builder().keep(0).start(), Telegram::start());
    let bed = bed(&upstream, &telegram);
    block_on(async {
        asked(&upstream, &telegram, 1).await; // warm
        let (mut alone, mut beside) = (Tries::default(), Tries::default());
        let (resident, calls) = (bed.resident(), upstream.progress().calls);
        for number in 0..100 {
            alone.push(asked(&upstream, &telegram, 2 + number).await);
            for stranger in 0..CROWD {
                telegram.say(&Saying::private(1_000_000 + number * CROWD + stranger, "let me in"));
            }
            beside.push(asked(&upstream, &telegram, 102 + number).await);
        }
        assert_eq!(upstream.progress().calls - calls, 200, "a stranger costs no call");
        let [p50, p99] = [0.5, 0.99].map(|part| (beside.quantile(part), alone.quantile(part)));
        let ratio = |(beside, alone): (Duration, Duration)| beside.as_secs_f64() / alone.as_secs_f64();
        let value = format!("p50 {}, p99 {}; {:.2}x and {:.2}x", ms(p50.0), ms(p99.0), ratio(p50), ratio(p99));
        let grown = bed.resident().saturating_sub(resident);
        let figure = format!("a message until the model is asked, {CROWD} strangers before it, {STRANGERS} in all");
        let baseline = format!("without p50 {}, p99 {}; {grown} KiB more", ms(p50.1), ms(p99.1));
        report.row(&figure, value, baseline, "1x");
    });
}

fn busy(report: &mut Report) {
    let (pieces, delay) = PIECES;
    let text: Vec<String> = (0..pieces).map(|number| format!("word{number}")).collect();
    let text = text.join(" ");
    let upstream = StandIn::builder().always(Step::say_in(text.clone(), pieces, delay)).keep(0).start();
    let telegram = Telegram::start();
    let bed = bed(&upstream, &telegram);
    block_on(async {
        let (cpu, began) = (bed.cpu(), Instant::now());
        for from in 1..=FRIENDS {
            telegram.say(&Saying::private(from, "hello"));
        }
        let (mut left, mut late, mut most) = ((1..=FRIENDS).collect::<Vec<_>>(), Tries::default(), 0);
        let said = delay * u32::try_from(pieces).expect("few");
        while !left.is_empty() {
            assert!(began.elapsed() < PATIENCE, "{} answers are missing", left.len());
            tokio::time::sleep(LOOK).await;
            let before = left.len();
            left.retain(|chat| telegram.texts(*chat).last().is_none_or(|shown| *shown != text));
            (left.len()..before).for_each(|_| late.push(began.elapsed().saturating_sub(said)));
            most = most.max(bed.resident());
        }
        let (took, cpu) = (began.elapsed(), bed.cpu() - cpu);
        let (sends, edits) = (telegram.calls("sendMessage"), telegram.calls("editMessageText"));
        let deltas = float(pieces) * float(usize::try_from(FRIENDS).expect("few"));
        let value = format!(
            "finals late by p50 {}, p99 {}; {:.2} s of CPU in {:.1} s, {} MiB",
            ms(late.quantile(0.5)),
            ms(late.quantile(0.99)),
            cpu.as_secs_f64(),
            took.as_secs_f64(),
            most >> 10
        );
        let saved = 100.0 * (1.0 - float(sends + edits) / deltas);
        let baseline =
            format!("{deltas} pieces of text, {sends} messages and {edits} edits: {saved:.1} % saved by pacing");
        let figure = format!("{FRIENDS} conversations that all ask at once, 30 messages a second allowed");
        report.row(&figure, value, baseline, "none");
    });
}
