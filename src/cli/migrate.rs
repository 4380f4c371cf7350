//! `mosaic migrate`: brings the database up to date without starting anything.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::output::Out;
use super::{CliError, Common};
use crate::home::HomeError;

/// For so long another process on the same home may take to leave.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct Migrate {}

pub(super) async fn run(common: Common, _: Migrate) -> Result<(), CliError> {
    let home = common.home()?;
    let config = common.config(&home)?;
    let _lock = home.lock(LOCK_PATIENCE).await.map_err(|error| match error {
        HomeError::InUse { .. } => {
            CliError::Unavailable(format!("{error}. Stop it first; a daemon migrates by itself when it starts."))
        }
        other => other.into(),
    })?;
    let applied = config.store.place.migrate().await?;
    let mut out = Out::new();
    if common.json {
        applied.iter().try_for_each(|name| out.json(&json!({"applied": name})))?;
    } else if applied.is_empty() {
        out.line(&format!("nothing to do: {} is up to date", config.store.place))?;
    } else {
        applied.iter().try_for_each(|name| out.line(&format!("applied {name}")))?;
    }
    out.end()
}
