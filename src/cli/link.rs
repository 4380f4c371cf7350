//! `mosaic link`: a new link that signs a browser in.

use std::io::IsTerminal;

use clap::Args;
use mosaic_types::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::Client;
use super::output::{Out, note, print};
use super::{CliError, Common};

/// Print a link that signs a browser in, once
#[derive(Debug, Args)]
pub(super) struct Link {}

#[derive(Serialize, Deserialize)]
struct New {
    url: String,
    expires_at: Timestamp,
}

pub(super) async fn run(common: Common, _: Link) -> Result<(), CliError> {
    let link: New = Client::need(&common)?.post("/api/v1/links", &json!({})).await?;
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
