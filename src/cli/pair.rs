//! `mosaic pair`: strangers on channels, let in and forgotten.

use clap::{Args, Subcommand};
use mosaic_types::{Failure, Timestamp, UserName};
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
    #[command(after_help = "mosaic pair approve ABCD2345\n\
                            mosaic pair approve ABCD2345 --user bob   as bob, whom `mosaic users add bob` made")]
    Approve {
        /// The code that they were told, good for an hour
        code: String,
        /// As whom they speak: their sessions, budgets and sums are that user's [default: you]
        #[arg(long, value_name = "NAME")]
        user: Option<UserName>,
    },
    /// Say as whom somebody speaks, also if the channel's own list lets them in
    #[command(
        after_help = "The session of their private chat goes along with their next message. What is said in a group\n\
                            stays the channel's, whoever says it."
    )]
    Link {
        /// The channel, as in [channels.NAME]
        channel: String,
        /// The platform's number of them, as the list shows it
        sender: String,
        /// The user
        #[arg(long, value_name = "NAME")]
        user: UserName,
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
    #[serde(default)]
    user: Option<String>,
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
        Command::Approve { code, user } => {
            let wish = match user {
                Some(user) => json!({"code": code, "user": user}),
                None => json!({"code": code}),
            };
            told(&common, &client.post("/api/v1/pairings", &wish).await?)
        }
        Command::Link { channel, sender, user } => {
            let path = place(&channel, &sender)?;
            told(&common, &client.put(&path, &json!({"user": user})).await?)
        }
        Command::Revoke { channel, sender } => {
            client.delete(&place(&channel, &sender)?).await?;
            note(&format!("{sender} is a stranger to {channel} again."));
            Ok(())
        }
    }
}

/// The path of somebody; what could be another path is no name.
fn place(channel: &str, sender: &str) -> Result<String, CliError> {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !(plain(channel) && plain(sender)) {
        return Err(CliError::from(Failure::not_found("pairing")));
    }
    Ok(format!("/api/v1/pairings/{channel}/{sender}"))
}

/// Says who may talk now, and as whom.
fn told(common: &Common, paired: &Pairing) -> Result<(), CliError> {
    if common.json {
        let mut out = Out::new();
        out.json(paired)?;
        return out.end();
    }
    let Pairing { channel, sender, name, user, .. } = paired;
    let who = if name.is_empty() { one_line(sender) } else { format!("{} ({})", one_line(name), one_line(sender)) };
    let as_whom = user.as_ref().map_or_else(String::new, |user| format!(", as {}", one_line(user)));
    print(&format!("{who} may talk to {} now{as_whom}.\n", one_line(channel)))
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
                pairing.user.as_deref().map_or_else(|| "-".to_owned(), one_line),
                ago(pairing.created_at, now),
            ]
        };
        let rows: Vec<_> = pairings.iter().map(cells).collect();
        out.table(&["CHANNEL", "SENDER", "NAME", "STATE", "AS", "SINCE"], &rows)?;
    }
    out.end()
}
