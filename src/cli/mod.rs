//! The command line: what a person types, and what it does.

mod agents;
mod channels;
#[cfg(feature = "chaos")]
mod chaos;
mod chat;
mod client;
mod completions;
mod config;
mod doctor;
mod exit;
mod house;
mod link;
mod login;
mod migrate;
mod output;
mod pair;
mod providers;
mod reach;
mod route;
mod sessions;
mod token;
mod tree;
mod trust;
mod tui;
mod unreached;
mod up;
mod usage;
mod users;
mod whoami;
mod wrap;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing::Level;

use crate::config::{Config, Env, LogFormat};
use crate::home::Home;
use crate::telemetry;
pub(crate) use client::Client;
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
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Common {
    /// Folder of the database, keys and config [default: the platform's data folder]
    #[arg(long, global = true, env = "MOSAIC_HOME", value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Config file [default: HOME/config.toml, then built-in values]
    #[arg(long, global = true, env = "MOSAIC_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Talk to the daemon at this address, not to that of the login or of the home
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
        telemetry::start_log(self.level(level), format);
    }

    /// As [`Common::log`], and tracing too where the environment names a collector.
    pub(crate) fn observe(&self, level: Level, format: LogFormat) {
        telemetry::start(self.level(level), format);
    }

    fn level(&self, level: Level) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::ERROR,
            (false, 0) => level,
            (false, 1) => Level::DEBUG,
            (false, _) => Level::TRACE,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground
    Up(up::Up),
    /// Say something to an agent and print its answer as it comes
    #[command(after_help = "mosaic chat \"What is a monad?\"\n\
                            git diff | mosaic chat -\n\
                            mosaic chat --continue \"and shorter?\"")]
    Chat(chat::Chat),
    /// Talk to the agents on a full screen; starts a daemon of its own where none runs
    Tui(tui::Tui),
    Sessions(sessions::Sessions),
    Agents(agents::Agents),
    Providers(providers::Providers),
    Channels(channels::Channels),
    Users(users::Users),
    Pair(pair::Pair),
    Token(token::Token),
    Link(link::Link),
    Route(route::Route),
    Usage(usage::Usage),
    Config(config::Settings),
    /// Look at everything a turn needs, and say what to do where something is missing
    Doctor(doctor::Doctor),
    /// Show the supervisors of a running daemon and how their children are
    Tree(tree::Tree),
    /// Panic, stall or stop children of a running daemon, to see what becomes of the rest
    #[cfg(feature = "chaos")]
    Chaos(chaos::Chaos),
    /// Talk to a daemon elsewhere from now on: tries the token there and keeps both in the home
    Login(login::LogIn),
    /// Forget the daemon elsewhere
    Logout(login::LogOut),
    /// Say whom the daemon takes this token for, which daemon that is and how it was found
    Whoami(whoami::Whoami),
    /// Bring the database up to date without starting anything
    Migrate(migrate::Migrate),
    /// Print the script that completes commands in a shell
    Completions(completions::Completions),
}

impl Command {
    fn run(self, common: Common) -> Result<(), CliError> {
        match self {
            Self::Up(up) => actix::System::new().block_on(up::run(common, up)),
            Self::Chat(chat) => actix::System::new().block_on(chat::run(common, chat)),
            Self::Tui(tui) => tui::run(common, tui),
            Self::Sessions(sessions) => here(&common.clone(), sessions::run(common, sessions)),
            Self::Agents(agents) => here(&common.clone(), agents::run(common, agents)),
            Self::Providers(providers) => here(&common.clone(), providers::run(common, providers)),
            Self::Channels(channels) => here(&common.clone(), channels::run(common, channels)),
            Self::Route(route) => here(&common.clone(), route::run(common, route)),
            Self::Users(users) => here(&common.clone(), users::run(common, users)),
            Self::Pair(pair) => here(&common.clone(), pair::run(common, pair)),
            Self::Usage(usage) => here(&common.clone(), usage::run(common, usage)),
            Self::Login(login) => here(&common.clone(), login::log_in(common, login)),
            Self::Logout(logout) => here(&common.clone(), login::log_out(common, logout)),
            Self::Token(token) => here(&common.clone(), token::run(common, token)),
            Self::Link(link) => here(&common.clone(), link::run(common, link)),
            Self::Config(config) => config::run(&common, config),
            Self::Doctor(doctor) => here(&common.clone(), doctor::run(common, doctor)),
            Self::Tree(tree) => here(&common.clone(), tree::run(common, tree)),
            #[cfg(feature = "chaos")]
            Self::Chaos(chaos) => here(&common.clone(), chaos::run(common, chaos)),
            Self::Whoami(whoami) => here(&common.clone(), whoami::run(common, whoami)),
            Self::Migrate(migrate) => here(&common.clone(), migrate::run(common, migrate)),
            Self::Completions(completions) => completions::run(completions),
        }
    }
}

/// Runs a command that needs no actors, on this thread.
fn here(common: &Common, work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    common.log(Level::WARN, LogFormat::Text);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| CliError::Failed(format!("cannot begin to work: {error}")))?.block_on(work)
}

/// Runs the command line to its end.
pub fn main() -> ExitCode {
    // A second provider of cryptography would make every TLS connection panic; this is the only one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Cli { common, command } = Cli::parse();
    #[cfg(feature = "chaos")]
    let ended = chaos::arm().and_then(|()| command.run(common));
    #[cfg(not(feature = "chaos"))]
    let ended = command.run(common);
    telemetry::stop();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            ExitCode::from(error.code())
        }
    }
}
