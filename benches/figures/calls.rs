//! What does a stateless call cost that goes through Mosaic instead of straight to its provider?

use std::rc::Rc;
use std::time::{Duration, Instant};

use mosaic_testkit::http::Client;
use mosaic_testkit::{StandIn, Step};
use serde_json::json;

use crate::bed::{Bed, block_on, home};
use crate::report::{Report, Tries, ms};

const WARM: usize = 300;
const CALLS: usize = 3_000;
const CONNECTIONS: usize = 16;
const SPAN: Duration = Duration::from_secs(4);

pub(crate) fn measure(report: &mut Report) {
    let say = Step::say("one two three four five six seven eight nine ten");
    latency(report, "added latency, whole answer, 1 connection", "p50 <= 0.25 ms, p99 <= 1 ms", &say, false);
    let stream = Step::say_in("word ".repeat(20), 20, Duration::ZERO);
    latency(report, "added latency, 20-chunk stream, 1 connection", "p50 <= 0.4 ms", &stream, true);
    throughput(report, &say);
}

struct Target {
    client: Client,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Target {
    fn new(client: Client, token: Option<&str>, model: &str, stream: bool) -> Self {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(token.map(|token| ("authorization", format!("Bearer {token}"))));
        let body = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]});
        Self { client, headers, body: body.to_string().into_bytes() }
    }

    async fn call(&mut self) -> Duration {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let began = Instant::now();
        let response = self.client.request("POST", "/v1/chat/completions", &headers, &self.body).await;
        let took = began.elapsed();
        let response = response.expect("an answer");
        assert_eq!(response.status(), 200, "{}", response.text());
        took
    }
}

fn latency(report: &mut Report, figure: &str, goal: &str, step: &Step, stream: bool) {
    let upstream = StandIn::builder().always(step.clone()).keep(0).start();
    let bed = Bed::start(home(&upstream));
    let (mut direct, mut through) = (Tries::default(), Tries::default());
    block_on(async {
        let client = Client::connect(upstream.address()).await.expect("the stand-in accepts");
        let mut straight = Target::new(client, None, "stand-in", stream);
        let mut mosaic = Target::new(bed.client().await, Some(&bed.token), "up/stand-in", stream);
        for _ in 0..WARM {
            straight.call().await;
            mosaic.call().await;
        }
        for _ in 0..CALLS {
            direct.push(straight.call().await);
            through.push(mosaic.call().await);
        }
    });
    let added = |part| through_minus(&mut through, &mut direct, part);
    let [p50, p99] = [0.5, 0.99].map(added);
    let baseline = format!("direct p50 {}, p99 {}", ms(direct.quantile(0.5)), ms(direct.quantile(0.99)));
    report.row(figure, format!("p50 {}, p99 {}", ms(p50), ms(p99)), baseline, goal);
}

fn through_minus(through: &mut Tries, direct: &mut Tries, part: f64) -> Duration {
    through.quantile(part).saturating_sub(direct.quantile(part))
}

fn throughput(report: &mut Report, step: &Step) {
    let upstream = StandIn::builder().always(step.clone()).keep(0).start();
    let bed = Bed::start(home(&upstream));
    let (direct, mosaic, cpu) = block_on(async {
        let straight = || async {
            let client = Client::connect(upstream.address()).await.expect("the stand-in accepts");
            Target::new(client, None, "stand-in", false)
        };
        let direct = rate(straight).await;
        let through = || async { Target::new(bed.client().await, Some(&bed.token), "up/stand-in", false) };
        let before = bed.cpu();
        let mosaic = rate(through).await;
        (direct, mosaic, (bed.cpu() - before).as_secs_f64() / (mosaic * SPAN.as_secs_f64()))
    });
    let value = format!("{mosaic:.0}/s, {:.0} µs of the daemon's CPU each", cpu * 1e6);
    let baseline = format!("direct {direct:.0}/s, ratio {:.2}", mosaic / direct);
    report.row("stateless calls, 16 connections", value, baseline, ">= 8,000/s");
}

async fn rate<F, W>(target: F) -> f64
where
    F: Fn() -> W,
    W: Future<Output = Target>,
{
    let count = Rc::new(std::cell::Cell::new(0u32));
    let until = Instant::now() + SPAN;
    let mut workers = Vec::new();
    for _ in 0..CONNECTIONS {
        let (mut target, count) = (target().await, count.clone());
        workers.push(tokio::task::spawn_local(async move {
            while Instant::now() < until {
                target.call().await;
                count.set(count.get() + 1);
            }
        }));
    }
    for worker in workers {
        worker.await.expect("a worker ends well");
    }
    f64::from(count.get()) / SPAN.as_secs_f64()
}
