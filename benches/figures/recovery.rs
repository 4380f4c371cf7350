//! After a kill with many turns under way: how soon are all of them at work again?

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use mosaic_testkit::postgres::Database;
use mosaic_testkit::{Gate, StandIn, Step};
use serde_json::Value;
use tempfile::TempDir;

use crate::bed::{Bed, block_on, home};
use crate::report::{Report, ms};

const TURNS: usize = 1_000;
/// Clients that send at once.
const CLIENTS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn measure(report: &mut Report) {
    measure_on(report, "SQLite", None);
    if std::env::var_os("TEST_DATABASE_URL").is_none() {
        return eprintln!("  PostgreSQL is left out: TEST_DATABASE_URL names no server (tests/postgres starts one)");
    }
    let database = block_on(Database::create());
    measure_on(report, "PostgreSQL", Some(&database));
}

fn measure_on(report: &mut Report, kind: &str, database: Option<&Database>) {
    let gate = Gate::new();
    let upstream = StandIn::builder().always(Step::hold_after(&gate, "one two", 1)).keep(0).start();
    let home = home(&upstream);
    if let Some(database) = database {
        let path = home.path().join("config.toml");
        let settings = std::fs::read_to_string(&path).expect("the config was written");
        std::fs::write(path, format!("[store]\nurl = {:?}\n{settings}", database.url())).expect("it is written again");
    }
    let bed = Bed::start(home);
    block_on(stream::iter(0..TURNS).for_each_concurrent(CLIENTS, |_| begin(&bed)));
    assert!(upstream.wait_for_calls_blocking(TURNS, PATIENCE), "every turn is in mid-stream");
    let home: TempDir = bed.stop();
    let began = Instant::now();
    let bed = Bed::start(home);
    assert!(upstream.wait_for_calls_blocking(2 * TURNS, PATIENCE), "every turn is at work again");
    let (all, cpu) = (began.elapsed(), bed.cpu().as_secs_f64());
    let value = format!("{}, of which {} to ready; {cpu:.2} s of the daemon's CPU", ms(all), ms(bed.ready_after));
    let question = format!("{kind}: {TURNS} turns in mid-stream, kill -9, start: all asked again after");
    report.row(&question, value, "none".to_owned(), "<= 10 s");
    gate.open();
}

/// Makes a session and has a turn accepted there.
async fn begin(bed: &Bed) {
    let mut client = bed.client().await;
    let bearer = format!("Bearer {}", bed.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let made = client.request("POST", "/api/v1/sessions", &headers, b"{}").await.expect("an answer");
    let path = format!("/api/v1/sessions/{}/messages", made.json::<Value>()["id"].as_str().expect("an id"));
    let answer = client.request("POST", &path, &headers, br#"{"text":"count"}"#).await.expect("an answer");
    assert_eq!(answer.status(), 202, "{}", answer.text());
}
