//! `mosaic link`: a new link that signs a browser in.

use std::io::IsTerminal;

use clap::Args;
use mosaic_types::{Timestamp, UserName};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::Client;
use super::output::{Out, note, print};
use super::{CliError, Common};

/// Print a link that signs a browser in, once
#[derive(Debug, Args)]
#[command(after_help = "mosaic link --user bob   signs bob's browser in, whom `mosaic users add bob` made")]
pub(super) struct Link {
    /// Whose browser it signs in; an owner may name another [default: you]
    #[arg(long, value_name = "NAME")]
    user: Option<UserName>,
}

#[derive(Serialize, Deserialize)]
struct New {
    url: String,
    expires_at: Timestamp,
}

pub(super) async fn run(common: Common, Link { user }: Link) -> Result<(), CliError> {
    let wish = user.map_or_else(|| json!({}), |user| json!({"user": user}));
    let link: New = Client::need(&common)?.post("/api/v1/links", &wish).await?;
    if common.json {
        let mut out = Out::new();
        out.json(&link)?;
        return out.end();
    }
    print(&format!("{}\n", link.url))?;
    if std::io::stdout().is_terminal() {
        note("It works once, within an hour, and instead of any link before it.");
    }
    Ok(())
}
