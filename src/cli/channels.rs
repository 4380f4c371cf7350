//! `mosaic channels`: the bridges to people.

use clap::{Args, Subcommand};
use mosaic_types::AgentName;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::output::{Out, note, one_line};
use super::{CliError, Common};

/// List the bridges to people that a running daemon keeps
#[derive(Debug, Args)]
pub(super) struct Channels {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List channels, who answers there, and whether they are up
    List,
}

/// A channel as lists show it.
#[derive(Serialize, Deserialize)]
struct Shown {
    name: String,
    kind: String,
    agent: AgentName,
    state: String,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Shown>,
}

pub(super) async fn run(common: Common, channels: Channels) -> Result<(), CliError> {
    let Command::List = channels.command;
    let channels = Client::need(&common)?.get::<List>("/api/v1/channels").await?.items;
    let mut out = Out::new();
    if common.json {
        channels.iter().try_for_each(|channel| out.json(channel))?;
    } else if channels.is_empty() {
        note("There are no channels. People reach the agents with `mosaic chat` and over HTTP.");
    } else {
        let cells = |shown: &Shown| {
            vec![one_line(&shown.name), one_line(&shown.kind), shown.agent.to_string(), one_line(&shown.state)]
        };
        let rows: Vec<_> = channels.iter().map(cells).collect();
        out.table(&["NAME", "KIND", "AGENT", "STATE"], &rows)?;
    }
    out.end()
}
