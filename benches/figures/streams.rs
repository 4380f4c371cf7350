//! What do a thousand answers cost that stream at once, each at 50 tokens a second, and how late is a token?

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mosaic_testkit::http::Client;
use mosaic_testkit::{StandIn, Step};
use serde_json::json;

use crate::bed::{Bed, block_on, home};
use crate::report::{Report, Tries, float, ms};

const STREAMS: usize = 1_000;
const EVERY: Duration = Duration::from_millis(20);
/// 10 s of each stream.
const TOKENS: usize = 500;

pub(crate) fn measure(report: &mut Report) {
    let say = Step::SayTimes { pieces: TOKENS, delay: EVERY };
    let (mut direct, _, _) = run(&say, false);
    let (mut through, cpu, took) = run(&say, true);
    let tokens = through.len();
    let each = cpu.as_secs_f64() / (float(STREAMS) * took.as_secs_f64()) * 1e3;
    let added =
        |direct: &mut Tries, through: &mut Tries, part| through.quantile(part).saturating_sub(direct.quantile(part));
    let [p50, p99] = [0.5, 0.99].map(|part| added(&mut direct, &mut through, part));
    let value = format!(
        "{each:.2} ms of the daemon's CPU a second and stream; a token comes p50 {}, p99 {} later",
        ms(p50),
        ms(p99)
    );
    let baseline = format!(
        "straight from the stand-in a token takes p50 {}, p99 {}; {tokens} tokens in {:.1} s",
        ms(direct.quantile(0.5)),
        ms(direct.quantile(0.99)),
        took.as_secs_f64()
    );
    report.row(&format!("{STREAMS} streams at once, 50 tokens/s each"), value, baseline, "none");
}

/// How long each token was under way, the daemon's CPU, and how long it all took.
fn run(say: &Step, through: bool) -> (Tries, Duration, Duration) {
    let upstream = StandIn::builder().always(say.clone()).keep(0).start();
    let bed = Bed::start(home(&upstream));
    block_on(async {
        let bearer = format!("Bearer {}", bed.token);
        let (address, model) = if through { (bed.address, "up/stand-in") } else { (upstream.address(), "stand-in") };
        let body = json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "hi"}]}).to_string();
        let (before, began) = (bed.cpu(), Instant::now());
        let mut readers = Vec::new();
        for number in 0..STREAMS {
            let (bearer, body) = (bearer.clone(), body.clone());
            readers.push(tokio::task::spawn_local(async move {
                // Not all at the same moment: nobody's tokens come in step.
                tokio::time::sleep(
                    EVERY.mul_f64(number as f64 / float(STREAMS)) + Duration::from_millis(number as u64),
                )
                .await;
                let mut client = Client::connect(address).await.expect("a connection");
                let headers = [("authorization", bearer.as_str())];
                client.send("POST", "/v1/chat/completions", &headers, body.as_bytes()).await.expect("it is sent");
                let mut answer = client.receive(false).await.expect("it begins");
                let mut tries = Tries::default();
                while let Some(bytes) = answer.next().await.expect("it goes on") {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_nanos();
                    for said in times(&bytes) {
                        tries.push(Duration::from_nanos(u64::try_from(now.saturating_sub(said)).unwrap_or(u64::MAX)));
                    }
                }
                tries
            }));
        }
        let mut all = Tries::default();
        for reader in readers {
            all.append(reader.await.expect("a reader ends well"));
        }
        (all, bed.cpu() - before, began.elapsed())
    })
}

/// The times that a piece of a stream tells: 19 digits each.
fn times(bytes: &[u8]) -> Vec<u128> {
    let digits = bytes.split(|byte| !byte.is_ascii_digit()).filter(|run| run.len() == 19);
    digits.filter_map(|run| std::str::from_utf8(run).ok()?.parse().ok()).collect()
}
