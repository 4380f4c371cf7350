//! Crashes under seeds: the real binary is killed at random times and at points between two things that must not come
//! apart, and started again, while people who repeat what was not acknowledged talk to it over real sockets.
//!
//! `cargo bench --bench crash --features chaos -- --seeds 300 --from 0 --store sqlite --jobs 2`
//!
//! After each seed everything is looked at, from outside and in the database. Where something is off, the seed, the
//! home and the command that runs it again are told, and the exit code is 1.

#![allow(clippy::disallowed_methods)] // a bench reads the real clock

#[cfg(feature = "chaos")]
mod seed;

#[cfg(not(feature = "chaos"))]
fn main() -> std::process::ExitCode {
    println!("crash: this build has no kill points; run `cargo bench --bench crash --features chaos`.");
    std::process::ExitCode::FAILURE
}

#[cfg(feature = "chaos")]
fn main() -> std::process::ExitCode {
    sweep::main()
}

#[cfg(feature = "chaos")]
mod sweep {
    use std::path::PathBuf;
    use std::process::ExitCode;

    use clap::Parser;
    use futures_util::{StreamExt, stream};
    use mosaic_testkit::postgres::Server;
    use tokio::time::Instant;

    use crate::seed::{Store, Tally, run};

    #[derive(Debug, Clone, Copy, clap::ValueEnum)]
    enum Kind {
        Sqlite,
        Postgres,
    }

    #[derive(Debug, Parser)]
    struct Args {
        /// How many seeds
        #[arg(long, default_value_t = 20)]
        seeds: u64,
        /// The first of them
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Where the daemon keeps everything
        #[arg(long, value_enum, default_value = "sqlite")]
        store: Kind,
        /// The server for --store postgres; without one it is made by tests/postgres, for this run alone
        #[arg(long, env = "TEST_DATABASE_URL")]
        server: Option<String>,
        /// Seeds at a time
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// The daemon, in place of the one that was built with this
        #[arg(long)]
        binary: Option<PathBuf>,
        /// Given by cargo
        #[arg(long, hide = true)]
        bench: bool,
    }

    pub(super) fn main() -> ExitCode {
        let args = Args::parse();
        let store = format!("{:?}", args.store).to_lowercase();
        println!(
            "cargo bench --bench crash --features chaos -- --seeds {} --from {} --store {store} --jobs {}",
            args.seeds, args.from, args.jobs
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (tally, bad) = tokio::task::LocalSet::new().block_on(&runtime, all(&args));
        println!("{tally}");
        if bad.is_empty() {
            return ExitCode::SUCCESS;
        }
        println!("off: {} of {} seeds, {bad:?}", bad.len(), args.seeds);
        println!("again: cargo bench --bench crash --features chaos -- --seeds 1 --from {} --store {store}", bad[0]);
        ExitCode::FAILURE
    }

    async fn all(args: &Args) -> (Tally, Vec<u64>) {
        let binary = args.binary.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mosaic").into());
        // It runs until all seeds are done.
        let (server, store) = match (args.store, &args.server) {
            (Kind::Sqlite, _) => (None, Store::Sqlite),
            (Kind::Postgres, Some(url)) => (None, Store::Postgres(url.clone())),
            (Kind::Postgres, None) => {
                let server = Server::start().await;
                let url = server.url().to_owned();
                (Some(server), Store::Postgres(url))
            }
        };
        let began = Instant::now();
        let (mut tally, mut bad) = (Tally::default(), Vec::new());
        let runs = (args.from..args.from + args.seeds).map(|seed| {
            let (binary, store) = (&binary, &store);
            async move { (seed, run(seed, binary, store).await) }
        });
        let mut runs = stream::iter(runs).buffer_unordered(args.jobs.max(1));
        while let Some((seed, ended)) = runs.next().await {
            match ended {
                Ok(one) => tally.add(one),
                Err(why) => {
                    eprintln!("off: {why:#}");
                    bad.push(seed);
                }
            }
            let done = tally.seeds + bad.len() as u64;
            eprintln!("{done:>6} of {}  {:>7.1?}  {} deaths", args.seeds, began.elapsed(), tally.deaths());
        }
        drop(server);
        (tally, bad)
    }
}
