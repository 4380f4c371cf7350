//! The command line: what a person types, and what it does.

mod chat;
mod client;
mod exit;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing::Level;

use crate::config::{Config, Env, LogFormat};
use crate::home::Home;
use crate::telemetry;
pub use exit::CliError;

/// A daemon that runs a team of AI agents, and its tools.
///
/// `mosaic up` starts the daemon; `mosaic chat` talks to it, or runs one turn by itself where none is running.
#[derive(Debug, Parser)]
#[command(name = "mosaic", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Folder of the database, keys and config [default: the platform's data folder]
    #[arg(long, global = true, env = "MOSAIC_HOME", value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Config file [default: HOME/config.toml, then built-in values]
    #[arg(long, global = true, env = "MOSAIC_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Talk to the daemon at this address instead of the one of the home
    #[arg(long, global = true, env = "MOSAIC_URL")]
    pub(crate) url: Option<String>,
    /// Token for the daemon at --url
    #[arg(long, global = true, env = "MOSAIC_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// One JSON value a line instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log more: -v for debug, -vv for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log errors only
    #[arg(short, long, global = true)]
    quiet: bool,
}

impl Common {
    /// The environment, without what the flags already took from it.
    pub(crate) fn env(&self) -> Env {
        Env::of_process()
    }

    /// The home, made if it is not there.
    pub(crate) fn home(&self) -> Result<Home, CliError> {
        Ok(Home::open(self.home.as_deref(), &self.env())?)
    }

    /// The configuration in force.
    pub(crate) fn config(&self, home: &Home) -> Result<Config, CliError> {
        Ok(Config::load(self.config.as_deref(), home.path(), &self.env())?)
    }

    /// Starts logging: as the config says, unless the flags say otherwise.
    pub(crate) fn log(&self, level: Level, format: LogFormat) {
        let level = match (self.quiet, self.verbose) {
            (true, _) => Level::ERROR,
            (false, 0) => level,
            (false, 1) => Level::DEBUG,
            (false, _) => Level::TRACE,
        };
        telemetry::start(level, format);
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground
    Up(up::Up),
    /// Say something to an agent and print its answer as it comes
    Chat(chat::Chat),
}

/// Runs the command line to its end.
pub fn main() -> ExitCode {
    // A second provider of cryptography would make every TLS connection panic; this is the only one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Cli { common, command } = Cli::parse();
    let done = match command {
        Command::Up(up) => actix::System::new().block_on(up::run(common, up)),
        Command::Chat(chat) => actix::System::new().block_on(chat::run(common, chat)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            ExitCode::from(error.code())
        }
    }
}
