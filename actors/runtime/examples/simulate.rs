//! Runs seeds of the simulation and reports: `cargo run --release -p mosaic-runtime --example simulate -- --seeds 100000`.

#[path = "../tests/simulation/world/mod.rs"]
mod world;

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;
use world::plan::Plan;
use world::run::{Broken, Ran, replayed, run};
use world::tally::Tally;

const USAGE: &str =
    "simulate [--seeds N] [--from SEED] [--once] [--trace] [--plain | --tools | --hours H | --chaos MINUTES]

  --seeds N         seeds to run, one after the other; 1000
  --from SEED       the first of them; 0
  --once            run each seed once; otherwise each is run twice, and all that happened is compared
  --trace           print what happens, line by line
  --tools           models ask for tools, between what they say
  --plain           each message is a turn of its own, and no session is removed
  --hours H         each seed is so many hours of mixed traffic with faults
  --chaos MINUTES   each seed is so many minutes of load with one kill a second
";

struct Wish {
    seeds: u64,
    from: u64,
    once: bool,
    trace: bool,
    plain: bool,
    tools: bool,
    hours: Option<u32>,
    chaos: Option<u32>,
}

fn wish() -> Result<Wish, String> {
    let mut wish =
        Wish { seeds: 1_000, from: 0, once: false, trace: false, plain: false, tools: false, hours: None, chaos: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || {
            let text = args.next().ok_or_else(|| format!("{arg} wants a number"))?;
            text.parse::<u64>().map_err(|_| format!("{arg} wants a number, not {text:?}"))
        };
        match arg.as_str() {
            "--seeds" => wish.seeds = number()?,
            "--from" => wish.from = number()?,
            "--hours" => wish.hours = u32::try_from(number()?).ok(),
            "--chaos" => wish.chaos = u32::try_from(number()?).ok(),
            "--once" => wish.once = true,
            "--plain" => wish.plain = true,
            "--tools" => wish.tools = true,
            "--trace" => wish.trace = true,
            _ => return Err(format!("{arg} is not known")),
        }
    }
    Ok(wish)
}

fn one(wish: &Wish, seed: u64) -> Result<Ran, Broken> {
    let plan = match (wish.hours, wish.chaos) {
        (Some(hours), _) => Plan::hours(seed, hours),
        (None, Some(minutes)) => Plan::chaos(seed, minutes),
        (None, None) if wish.plain => Plan::plain(seed),
        (None, None) if wish.tools => Plan::with_tools(seed),
        (None, None) => Plan::of(seed),
    };
    if wish.once || wish.trace { run(&plan, wish.trace) } else { replayed(&plan) }
}

fn main() -> ExitCode {
    let wish = match wish() {
        Ok(wish) => wish,
        Err(why) => {
            eprintln!("{why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let (began, mut told) = (Instant::now(), Instant::now());
    let (mut tally, mut broken) = (Tally::default(), Vec::new());
    for seed in wish.from..wish.from.saturating_add(wish.seeds) {
        match one(&wish, seed) {
            Ok(ran) => {
                ran.lines.iter().for_each(|line| println!("{line}"));
                tally.merge(&ran.tally);
            }
            Err(found) => {
                eprintln!("{found}");
                broken.push(seed);
            }
        }
        if told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            let done = seed + 1 - wish.from;
            eprintln!("{done} seeds, {:.0} a minute", per_minute(done, began.elapsed()));
        }
    }
    let rate = per_minute(wish.seeds, began.elapsed());
    println!("{tally}");
    let turns = ["turns: finished", "turns: failed", "turns: cancelled", "turns: given up after three deaths"];
    println!(
        "{} turns in {} lives of the process",
        turns.iter().map(|how| tally.of(how)).sum::<u64>(),
        tally.of("lives of the process")
    );
    println!("{} seeds in {:.1} s, {rate:.0} a minute", wish.seeds, began.elapsed().as_secs_f64());
    if broken.is_empty() {
        println!("0 lost, 0 doubled, 0 out of order");
        return ExitCode::SUCCESS;
    }
    println!("{} seeds went wrong: {broken:?}", broken.len());
    ExitCode::FAILURE
}

#[allow(clippy::cast_precision_loss)] // a rate for people
fn per_minute(seeds: u64, took: Duration) -> f64 {
    seeds as f64 / took.as_secs_f64() * 60.0
}
