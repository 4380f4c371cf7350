//! `mosaic providers`: the places that answer model calls.

mod add;
mod list;
mod models;
mod test;

use clap::{Args, Subcommand};

use super::{CliError, Common};

pub(super) use test::{Spinner, ask};

/// List, try and add the places that answer model calls
#[derive(Debug, Args)]
pub(super) struct Providers {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List providers; without a daemon, those of the config, or what is found where it names none
    List {
        /// The models instead, those that agents and config name and those that providers list: their windows and what
        /// they cost; takes a daemon
        #[arg(long)]
        models: bool,
    },
    /// Try a provider: the daemon makes one tiny call; without a daemon it is asked for its models, which costs nothing
    #[command(after_help = "mosaic providers test openai\n\
                            mosaic providers test openai --model gpt-5-mini\n\n\
                            Proves key and model where the turns are made, so also for a daemon elsewhere. The tiny call\n\
                            costs a few tokens.")]
    Test {
        /// Its name, as `mosaic providers list` shows it
        name: String,
        /// One of its models [default: the one that an agent asks first]
        #[arg(long)]
        model: Option<String>,
    },
    /// Add a provider: asks for its key, tries it, and writes both to the home
    Add(add::Add),
}

pub(super) async fn run(common: Common, providers: Providers) -> Result<(), CliError> {
    match providers.command {
        Command::List { models: false } => list::run(common).await,
        Command::List { models: true } => models::run(common).await,
        Command::Test { name, model } => test::run(common, name, model).await,
        Command::Add(add) => add::run(common, add).await,
    }
}
