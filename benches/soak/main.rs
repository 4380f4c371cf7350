//! A long run under faults (FAULTS C55): clients take turns with the real binary while its children are killed at random.
//!
//! `cargo bench --bench soak --features chaos -- --minutes 60 --rate 1 --seed 11`; without arguments, one minute.
//!
//! Panics and stops are drawn by the seed over provider, agents and sessions, now and then a child of root. At the end
//! every accepted turn must have ended once and in order, nothing may run or wait, and memory must not have drifted.
//! Where something is off it says so in a sentence, keeps the home, and ends with code 1.

#![allow(clippy::disallowed_methods)] // a bench reads the real clock

mod check;
mod client;
mod daemon;
mod faults;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use mosaic_testkit::{StandIn, Step};
use tokio::time::{Instant, sleep};

use client::Client;
use daemon::Daemon;

/// Sessions of each client.
const SESSIONS: usize = 4;
/// Looks at memory and descriptors between start and end.
const LOOKS: u32 = 10;

#[derive(Debug, Parser)]
struct Args {
    /// How long faults are planted
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Faults a second
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    /// What is drawn
    #[arg(long, default_value_t = 11)]
    seed: u64,
    /// Clients that take turns, each in sessions of its own
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// The daemon, in place of the one that was built with this
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What all parts of the run share.
pub(crate) struct World {
    pub(crate) daemon: Daemon,
    /// No new work is begun, and no fault planted.
    pub(crate) over: Cell<bool>,
    pub(crate) tally: RefCell<Tally>,
}

/// What happened so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    /// Turns that were answered.
    pub(crate) finished: u64,
    /// Turns that were given up with a typed reason.
    pub(crate) failed: u64,
    /// Requests that were refused or cut off, and sent again.
    pub(crate) repeated: u64,
    pub(crate) panics: u64,
    pub(crate) stops: u64,
    /// Faults that were drawn for a child that did not live just then.
    pub(crate) missed: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !cfg!(feature = "chaos") {
        println!("soak: this build plants no faults; run `cargo bench --bench soak --features chaos`.");
        return ExitCode::FAILURE;
    }
    let (minutes, rate, seed, clients) = (args.minutes, args.rate, args.seed, args.clients);
    println!(
        "cargo bench --bench soak --features chaos -- --minutes {minutes} --rate {rate} --seed {seed} --clients {clients}"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match tokio::task::LocalSet::new().block_on(&runtime, soak(&args)) {
        Ok(()) => {
            println!("well: every accepted turn ended once and in order, and nothing was left behind");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("off: {why:#}");
            ExitCode::FAILURE
        }
    }
}

async fn soak(args: &Args) -> Result<()> {
    ensure!(args.minutes > 0.0 && args.minutes <= 10_000.0, "--minutes is above 0 and at most 10000");
    ensure!(args.rate > 0.0 && args.rate <= 100.0, "--rate is above 0 and at most 100 a second");
    ensure!((1..=256).contains(&args.clients), "--clients is from 1 to 256");
    // Long enough that many a fault strikes a turn in mid-stream.
    let answer = Step::say_in("one two three four", 4, Duration::from_millis(30));
    let model = StandIn::builder().always(answer).keep(0).start();
    let binary = args.binary.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mosaic").into());
    let daemon = Daemon::start(&binary, &model.base_url())?;
    let world = World { daemon, over: Cell::new(false), tally: RefCell::default() };
    let judged = tokio::select! {
        judged = run(args, &world) => judged,
        why = world.daemon.dies() => Err(why),
    };
    let World { mut daemon, .. } = world;
    let ended = match judged {
        Ok(()) => daemon.stop().await,
        Err(why) => Err(why),
    };
    ended.with_context(|| format!("the home is kept in {}", daemon.keep().display()))
}

async fn run(args: &Args, world: &World) -> Result<()> {
    let mut clients: Vec<Client<'_>> = (0..args.clients).map(|number| Client::new(world, number, args.seed)).collect();
    let mut sessions = Vec::new();
    for client in &mut clients {
        sessions.extend(client.make_sessions(SESSIONS).await.context("the sessions could not be made")?);
    }
    let length = Duration::from_secs_f64(args.minutes * 60.0);
    let first = world.daemon.size();
    let talks = async {
        let talks = futures_util::future::join_all(clients.iter_mut().map(Client::talk)).await;
        talks.into_iter().collect::<Result<Vec<u64>>>()
    };
    let looks = async {
        let began = Instant::now();
        let mut early = first;
        for look in 1..=LOOKS {
            sleep((began + length / LOOKS * look).duration_since(Instant::now())).await;
            let size = world.daemon.size();
            println!("{:>6.1} min  {size}  {:?}", began.elapsed().as_secs_f64() / 60.0, world.tally.borrow());
            if look == 2 {
                early = size;
            }
        }
        world.over.set(true);
        early
    };
    println!("   start    {first}");
    let (sent, faults, early) = tokio::join!(talks, faults::plant(world, args, &sessions), looks);
    faults?;
    let sent: u64 = sent?.iter().sum();
    check::settled(world, &sessions).await?;
    check::journals(world, &sessions, sent).await?;
    let last = world.daemon.size();
    println!("     end    {last}  {sent} turns");
    last.drifted(&early)
}
