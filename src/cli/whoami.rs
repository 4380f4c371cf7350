//! `mosaic whoami`: whom the daemon takes the caller for, and which daemon that is.

use clap::Args;
use mosaic_types::{UserId, UserRole};
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::output::{Out, one_line};
use super::{CliError, Common};

#[derive(Debug, Args)]
pub(super) struct Whoami {}

/// Who the daemon says one is.
#[derive(Serialize, Deserialize)]
pub(super) struct Me {
    pub(super) user: UserId,
    /// What they are called, where the daemon tells.
    #[serde(default)]
    pub(super) name: Option<String>,
    pub(super) role: UserRole,
    /// Of the daemon; empty where it does not tell.
    #[serde(default)]
    pub(super) version: String,
}

/// The same, and how the daemon was found.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    me: Me,
    url: &'a str,
    url_from: &'static str,
    token_from: &'static str,
}

pub(super) async fn run(common: Common, _: Whoami) -> Result<(), CliError> {
    let client = Client::need(&common)?;
    let me: Me = client.get("/api/v1/me").await?;
    let (url_from, token_from) = client.sources();
    let mut out = Out::new();
    if common.json {
        out.json(&Whole { me, url: client.base(), url_from: url_from.name(), token_from: token_from.name() })?;
        return out.end();
    }
    match &me.name {
        Some(name) => out.line(&format!("user    {} ({})", one_line(name), me.user))?,
        None => out.line(&format!("user    {}", me.user))?,
    }
    out.line(&format!("role    {}", me.role))?;
    out.line(&format!("daemon  {}, Mosaic {}", client.base(), one_line(&me.version)))?;
    out.line(&format!("found   {}", url_from.describe("--url or MOSAIC_URL")))?;
    out.line(&format!("token   {}", token_from.describe("--token or MOSAIC_TOKEN")))?;
    out.end()
}
