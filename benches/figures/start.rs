//! How soon is it ready, and how much room does it take?

use std::time::{Duration, Instant};

use mosaic_testkit::{StandIn, Step};
use serde_json::Value;

use crate::bed::{Bed, block_on, command, home};
use crate::report::{Report, ms};

const SESSIONS: usize = 1_000;

pub(crate) fn measure(report: &mut Report) {
    let upstream = StandIn::builder().always(Step::say("one two three four five")).keep(0).start();
    let bed = Bed::start(home(&upstream));
    let idle = bed.resident();
    block_on(async {
        let mut client = bed.client().await;
        let bearer = format!("Bearer {}", bed.token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        for _ in 0..SESSIONS {
            let made = client.request("POST", "/api/v1/sessions", &headers, b"{}").await.expect("an answer");
            let path =
                format!("/api/v1/sessions/{}/messages?wait=true", made.json::<Value>()["id"].as_str().expect("an id"));
            let answer = client.request("POST", &path, &headers, br#"{"text":"hello"}"#).await.expect("an answer");
            assert_eq!(answer.status(), 200);
        }
    });
    let awake = bed.resident();
    let each = (awake.saturating_sub(idle)) as f64 / SESSIONS as f64;
    let mut homes = bed.stop();

    let plain = median(|| {
        let began = Instant::now();
        let done = command(std::path::Path::new("/nonexistent"), &["--version"]).output().expect("the binary runs");
        assert!(done.status.success());
        began.elapsed()
    });
    let baseline = format!("`mosaic --version` {}", ms(plain));
    let empty = median(|| Bed::start(home(&upstream)).ready_after);
    report.row("start to ready, new home", ms(empty), baseline.clone(), "none");
    let full = median(|| {
        let bed = Bed::start(std::mem::replace(&mut homes, tempfile::tempdir().expect("a folder")));
        let took = bed.ready_after;
        homes = bed.stop();
        took
    });
    report.row("start to ready, 1,000 sessions stored", ms(full), baseline, "<= 100 ms");
    let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1_024.0);
    report.row("resident memory, idle", mib(idle), "no channels yet".to_owned(), "<= 30 MB, all channels on");
    let value = format!("{} in all, {each:.1} KiB a session", mib(awake));
    report.row("resident memory, 1,000 awake sessions", value, format!("idle {}", mib(idle)), "<= 16 KB a session");
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_mosaic")).expect("the binary").len();
    report.row("release binary, stripped", format!("{:.1} MB", size as f64 / 1e6), "none".to_owned(), "<= 40 MB");
}

fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    let mut all: Vec<_> = (0..5).map(|_| measure()).collect();
    all.sort_unstable();
    all[2]
}
