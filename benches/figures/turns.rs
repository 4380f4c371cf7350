//! How many durable turns a second: each accepted and its answer stored with a sync, in sessions of 20 turns.

use std::io::Write as _;
use std::time::{Duration, Instant};

use mosaic_testkit::http::Client;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::bed::{Bed, block_on, home};
use crate::report::{Report, Tries, float, ms};

const SPAN: Duration = Duration::from_secs(6);
const TURNS_A_SESSION: usize = 20;

pub(crate) fn measure(report: &mut Report) {
    let syncs = syncs();
    for (sessions, goal) in [(1, "none"), (8, ">= 1,500/s"), (256, ">= 2,000/s, p99 <= 250 ms, <= 0.5 ms of CPU each")]
    {
        let upstream = StandIn::builder().always(Step::say("one two three four five")).keep(0).start();
        let bed = Bed::start(home(&upstream));
        let before = bed.cpu();
        let began = Instant::now();
        let mut tries = block_on(run(&bed, sessions));
        let (took, cpu) = (began.elapsed(), bed.cpu() - before);
        let count = float(tries.len());
        let rate = count / took.as_secs_f64();
        let value = format!(
            "{rate:.0}/s, p50 {}, p99 {}, {:.2} ms of the daemon's CPU each",
            ms(tries.quantile(0.5)),
            ms(tries.quantile(0.99)),
            cpu.as_secs_f64() * 1e3 / count
        );
        let baseline = format!("one 4 KiB append and sync at a time: {syncs:.0}/s, ratio {:.2}", rate / syncs);
        report.row(&format!("durable turns, {sessions} sessions at once"), value, baseline, goal);
    }
}

pub(crate) async fn run(bed: &Bed, sessions: usize) -> Tries {
    let until = Instant::now() + SPAN;
    let mut workers = Vec::new();
    for _ in 0..sessions {
        let client = bed.client().await;
        let bearer = format!("Bearer {}", bed.token);
        workers.push(tokio::task::spawn_local(talk(client, bearer, until)));
    }
    let mut all = Tries::default();
    for worker in workers {
        all.append(worker.await.expect("a worker ends well"));
    }
    all
}

async fn talk(mut client: Client, bearer: String, until: Instant) -> Tries {
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut tries = Tries::default();
    while Instant::now() < until {
        let made = client.request("POST", "/api/v1/sessions", &headers, b"{}").await.expect("an answer");
        let id = made.json::<Value>()["id"].as_str().expect("an id").to_owned();
        let path = format!("/api/v1/sessions/{id}/messages?wait=true");
        for turn in 0..TURNS_A_SESSION {
            let body = json!({"text": format!("message {turn}")}).to_string();
            let began = Instant::now();
            let response = client.request("POST", &path, &headers, body.as_bytes()).await.expect("an answer");
            tries.push(began.elapsed());
            assert_eq!(response.status(), 200, "{}", response.text());
        }
    }
    tries
}

/// What the disk gives: appends of 4 KiB, each with a sync, one after the other.
fn syncs() -> f64 {
    let mut file = tempfile::tempfile().expect("a file");
    let (began, mut count) = (Instant::now(), 0u32);
    while began.elapsed() < Duration::from_secs(2) {
        file.write_all(&[7; 4_096]).and_then(|()| file.sync_data()).expect("the disk takes writes");
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}
