//! `mosaic config`: the settings checked, shown and explained.

use clap::{Args, Subcommand};

use super::output::{note, print};
use super::{CliError, Common};
use crate::config::{Config, FILE, SAMPLE};
use crate::home::Home;

/// Check and show the settings
#[derive(Debug, Args)]
pub(super) struct Settings {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell every mistake in the settings, one a line; exit code 64 if there is one
    #[command(after_help = "Before a restart:  mosaic config check && systemctl restart mosaic")]
    Check,
    /// Print the settings in force as TOML, each with where it comes from
    Show,
    /// Print a config file in which everything is explained
    #[command(after_help = "Example:  mosaic config sample > config.toml")]
    Sample,
}

pub(super) fn run(common: &Common, Settings { command }: Settings) -> Result<(), CliError> {
    if matches!(command, Command::Sample) {
        return print(SAMPLE);
    }
    // Looking at the settings makes no home.
    let home = Home::locate(common.home.as_deref(), &common.env())?;
    let config = common.config(&home)?;
    match command {
        Command::Check => {
            config.doubts(&common.env()).iter().for_each(|doubt| note(&format!("warning: {doubt}")));
            print(&format!("config ok: {}\n", source(&config, &home)))
        }
        Command::Show | Command::Sample => print(&config.to_toml()),
    }
}

/// Where the settings come from.
pub(super) fn source(config: &Config, home: &Home) -> String {
    match &config.file {
        Some(file) => file.display().to_string(),
        None => format!("built-in defaults ({} is not there)", home.path().join(FILE).display()),
    }
}
