//! `mosaic whoami`: whom the daemon takes the caller for.

use clap::Args;
use mosaic_types::{UserId, UserRole};
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::output::{Out, print};
use super::{CliError, Common};

#[derive(Debug, Args)]
pub(super) struct Whoami {}

#[derive(Serialize, Deserialize)]
struct Me {
    user: UserId,
    role: UserRole,
}

pub(super) async fn run(common: Common, _: Whoami) -> Result<(), CliError> {
    let client = Client::need(&common)?;
    let me: Me = client.get("/api/v1/me").await?;
    if common.json {
        let mut out = Out::new();
        out.json(&me)?;
        return out.end();
    }
    print(&format!("{} with the role {}, at {}\n", me.user, me.role, client.base()))
}
