//! `mosaic channels`: the bridges to people.

use clap::{Args, Subcommand};
use mosaic_types::{AgentName, ChannelName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::Client;
use super::output::{Out, note, one_line};
use super::providers::Spinner;
use super::{CliError, Common};

/// List the bridges to people that a running daemon keeps
#[derive(Debug, Args)]
pub(super) struct Channels {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List channels: who answers there, whether people are heard, and what waits to be sent
    List,
    /// Prove a channel's token and rights, and send a test message to the first that may talk to it
    Test {
        /// As in [channels.NAME]
        name: ChannelName,
    },
}

/// How a trial went.
#[derive(Serialize, Deserialize)]
struct Trial {
    channel: String,
    ok: bool,
    notes: Vec<Note>,
}

#[derive(Serialize, Deserialize)]
struct Note {
    ok: bool,
    text: String,
}

/// A channel as lists show it.
#[derive(Serialize, Deserialize)]
struct Shown {
    name: String,
    kind: String,
    agent: Option<AgentName>,
    state: String,
    health: String,
    identity: Option<String>,
    proven_at: Option<Timestamp>,
    trouble: Option<String>,
    outbox: Option<Waiting>,
}

/// Answers that did not go out.
#[derive(Serialize, Deserialize)]
struct Waiting {
    pending: u64,
    sending: u64,
    unknown: u64,
    dead: u64,
}

impl Waiting {
    /// In words: what waits, and what was lost.
    fn words(&self) -> String {
        let Self { pending, sending, unknown, dead } = self;
        let told = [(pending + sending, "waiting"), (*unknown, "unknown"), (*dead, "lost")];
        let told: Vec<String> =
            told.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        if told.is_empty() { "all sent".to_owned() } else { told.join(", ") }
    }
}

#[derive(Deserialize)]
struct List {
    items: Vec<Shown>,
}

pub(super) async fn run(common: Common, channels: Channels) -> Result<(), CliError> {
    let client = Client::need(&common)?;
    if let Command::Test { name } = channels.command {
        return test(&common, &client, &name).await;
    }
    let channels = client.get::<List>("/api/v1/channels").await?.items;
    let mut out = Out::new();
    if common.json {
        channels.iter().try_for_each(|channel| out.json(channel))?;
    } else if channels.is_empty() {
        note("There are no channels. Add a table [channels.NAME] to config.toml, as `mosaic config sample` shows.");
    } else {
        let cells = |shown: &Shown| {
            vec![
                one_line(&shown.name),
                one_line(&shown.kind),
                one_line(shown.identity.as_deref().unwrap_or("-")),
                shown.agent.as_ref().map_or_else(|| "-".to_owned(), AgentName::to_string),
                if shown.state == "up" { one_line(&shown.health) } else { one_line(&shown.state) },
                shown.outbox.as_ref().map_or_else(|| "-".to_owned(), Waiting::words),
            ]
        };
        let rows: Vec<_> = channels.iter().map(cells).collect();
        out.table(&["NAME", "KIND", "KNOWN AS", "AGENT", "HEALTH", "ANSWERS"], &rows)?;
        for shown in &channels {
            if let Some(trouble) = &shown.trouble {
                out.line(&format!("{}: {}", one_line(&shown.name), one_line(trouble)))?;
            }
        }
    }
    out.end()
}

async fn test(common: &Common, client: &Client, name: &ChannelName) -> Result<(), CliError> {
    let spinner = Spinner::new(common, format!("{} tries {name}", client.base()));
    let trial: Result<Trial, _> = client.post(&format!("/api/v1/channels/{name}/test"), &json!({})).await;
    drop(spinner);
    let trial = trial?;
    let mut out = Out::new();
    if common.json {
        out.json(&trial)?;
    } else {
        for note in &trial.notes {
            out.line(&format!("{}  {}", if note.ok { "ok " } else { "BAD" }, one_line(&note.text)))?;
        }
    }
    out.end()?;
    if trial.ok { Ok(()) } else { Err(CliError::Told) }
}
