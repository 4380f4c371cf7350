//! `mosaic providers`: the places that answer model calls.

mod add;
mod list;
mod preset;
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
    List,
    /// Ask a provider of this home for its models; a call that costs nothing
    #[command(after_help = "It is asked from here and with this home's config, also where a daemon runs.")]
    Test {
        /// Its name, as `mosaic providers list` shows it
        name: String,
    },
    /// Add a provider: asks for its key, tries it, and writes both to the home
    Add(add::Add),
}

pub(super) async fn run(common: Common, providers: Providers) -> Result<(), CliError> {
    match providers.command {
        Command::List => list::run(common).await,
        Command::Test { name } => test::run(common, name).await,
        Command::Add(add) => add::run(common, add).await,
    }
}
