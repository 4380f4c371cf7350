//! What does group commit bring, and how soon are unfinished turns at work again?

use std::process::Stdio;
use std::time::{Duration, Instant};

use mosaic_testkit::{StandIn, Step};

use crate::bed::{Bed, block_on, home};
use crate::report::{Report, float, spread};
use crate::stock::Stock;
use crate::turns;

/// Clients of which each talks in sessions of its own.
const CLIENTS: usize = 256;
/// Each figure is taken so often; the middle one counts, and the others are its spread.
const ROUNDS: usize = 3;
const UNFINISHED: [usize; 3] = [1, 100, 10_000];
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn measure(report: &mut Report) {
    commits(report);
    for count in UNFINISHED {
        recovery(report, count);
    }
}

/// Durable turns with group commit, and with one commit for each write, by turns.
fn commits(report: &mut Report) {
    if !cfg!(feature = "chaos") {
        eprintln!("  skipped: one commit for each write is only in builds for tests, with --features chaos");
        return;
    }
    let (mut single, mut group) = (Vec::new(), Vec::new());
    let (mut rates, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        single.push(load(&[("MOSAIC_COMMIT_BATCH", "1")]).turns);
        let load = load(&[]);
        group.push(load.turns);
        rates.push(load.batches);
        sizes.push(load.writes / load.batches);
    }
    let [single, group] = [single, group].map(|rates| spread(rates, 0));
    let value = format!("{}/s; {:.1}x", group.text, group.middle / single.middle);
    let baseline = format!("a commit for each write: {}/s", single.text);
    report.row(&format!("durable turns, {CLIENTS} sessions at once, group commit"), value, baseline, "none");
    let value = format!("{}/s, {} writes each", spread(rates, 0).text, spread(sizes, 1).text);
    report.row("commits of that load", value, "none".to_owned(), "none");
}

/// What a second of load brought.
struct Load {
    turns: f64,
    batches: f64,
    writes: f64,
}

fn load(env: &[(&str, &str)]) -> Load {
    let upstream = StandIn::builder().always(Step::say("one two three four five")).keep(0).start();
    let bed = Bed::start_in(home(&upstream), Stdio::inherit(), env);
    let began = Instant::now();
    let turns = block_on(turns::run(&bed, CLIENTS)).len();
    let took = began.elapsed().as_secs_f64();
    let page = block_on(async {
        let bearer = format!("Bearer {}", bed.token);
        let headers = [("authorization", bearer.as_str())];
        bed.client().await.request("GET", "/metrics", &headers, b"").await.expect("an answer").text().to_owned()
    });
    let of = |name: &str| {
        let line = page.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).expect("a number")
    };
    let turns = float(turns) / took;
    let writes = "mosaic_commit_batch_writes";
    Load { turns, batches: of(&format!("{writes}_count")) / took, writes: of(&format!("{writes}_sum")) / took }
}

/// From the start of the process until every turn that was not finished is at its model, and answered.
fn recovery(report: &mut Report, count: usize) {
    let (mut ready, mut asked, mut answered) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let upstream = StandIn::builder().always(Step::say("one two three four five")).keep(0).start();
        let home = home(&upstream);
        actix::System::new().block_on(async { Stock::open(home.path(), count).await.begin_all().await });
        let began = Instant::now();
        let bed = Bed::start(home);
        ready.push(bed.ready_after.as_secs_f64() * 1e3);
        let all = upstream.wait_for_calls_blocking(count, PATIENCE);
        assert!(all, "all of them are asked, not {} of {count}", upstream.progress().calls);
        asked.push(began.elapsed().as_secs_f64() * 1e3);
        while upstream.progress().answered < count {
            assert!(began.elapsed() < PATIENCE, "all of them are answered");
            std::thread::sleep(Duration::from_millis(1));
        }
        answered.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let [ready, asked, answered] = [ready, asked, answered].map(|times| spread(times, 0).text);
    let value = format!("{asked} ms, answered after {answered} ms");
    let figure = format!("from the start until {count} unfinished turns are at their model");
    report.row(&figure, value, format!("ready after {ready} ms"), "none");
}
