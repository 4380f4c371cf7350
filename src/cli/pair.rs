//! `mosaic pair`: strangers on channels, let in and forgotten.

use clap::{Args, Subcommand};
use mosaic_types::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::Client;
use super::output::{Out, ago, note, one_line, print};
use super::{CliError, Common};
use crate::outside;

/// Let strangers talk to a channel
#[derive(Debug, Args)]
pub(super) struct Pair {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List strangers who wait, and those who were let in
    List,
    /// Let in whoever was given this code
    Approve {
        /// The code that they were told, good for an hour
        code: String,
    },
    /// Make somebody a stranger again
    Revoke {
        /// The channel, as in [channels.NAME]
        channel: String,
        /// The platform's id of them, as the list shows it
        sender: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Pairing {
    channel: String,
    sender: String,
    name: String,
    paired: bool,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Pairing>,
}

pub(super) async fn run(common: Common, pair: Pair) -> Result<(), CliError> {
    let client = Client::need(&common)?;
    match pair.command {
        Command::List => list(&common, client.get::<List>("/api/v1/pairings").await?.items),
        Command::Approve { code } => {
            let paired: Pairing = client.post("/api/v1/pairings", &json!({"code": code})).await?;
            if common.json {
                let mut out = Out::new();
                out.json(&paired)?;
                return out.end();
            }
            let Pairing { channel, sender, name, .. } = &paired;
            print(&format!("{} ({}) may talk to {} now.\n", one_line(name), one_line(sender), one_line(channel)))
        }
        Command::Revoke { channel, sender } => {
            // What could be another path is no name.
            let plain =
                |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            if !(plain(&channel) && plain(&sender)) {
                return Err(CliError::from(Failure::not_found("pairing")));
            }
            client.delete(&format!("/api/v1/pairings/{channel}/{sender}")).await?;
            note(&format!("{sender} is a stranger to {channel} again."));
            Ok(())
        }
    }
}

fn list(common: &Common, pairings: Vec<Pairing>) -> Result<(), CliError> {
    let mut out = Out::new();
    if common.json {
        pairings.iter().try_for_each(|pairing| out.json(pairing))?;
    } else if pairings.is_empty() {
        note("Nobody waits, and nobody was let in. Whoever writes to a channel's bot in private is given a code.");
    } else {
        let now = outside::system().now();
        let cells = |pairing: &Pairing| {
            vec![
                one_line(&pairing.channel),
                one_line(&pairing.sender),
                one_line(&pairing.name),
                if pairing.paired { "may talk" } else { "waits" }.to_owned(),
                ago(pairing.created_at, now),
            ]
        };
        let rows: Vec<_> = pairings.iter().map(cells).collect();
        out.table(&["CHANNEL", "SENDER", "NAME", "STATE", "SINCE"], &rows)?;
    }
    out.end()
}
