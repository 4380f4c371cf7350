//! `mosaic agents`: the personas that answer.

use clap::{Args, Subcommand};
use mosaic_types::{AgentName, ModelRef};
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::output::Out;
use super::{CliError, Common};
use crate::app;

/// List the agents that answer; without a daemon, as the config has them
#[derive(Debug, Args)]
pub(super) struct Agents {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List agents and the models they ask, in order of preference
    #[command(after_help = "Talk to one of them:  mosaic chat --agent NAME \"hello\"")]
    List,
}

/// An agent as lists show it.
#[derive(Serialize, Deserialize)]
struct Shown {
    name: AgentName,
    models: Vec<ModelRef>,
    strategy: String,
    default: bool,
    state: String,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Shown>,
}

pub(super) async fn run(common: Common, agents: Agents) -> Result<(), CliError> {
    let Command::List = agents.command;
    let agents = match Client::find(&common)? {
        Some(client) => client.get::<List>("/api/v1/agents").await?.items,
        None => configured(&common).await?,
    };
    let mut out = Out::new();
    if common.json {
        agents.iter().try_for_each(|agent| out.json(agent))?;
        return out.end();
    }
    let cells = |agent: &Shown| {
        let models: Vec<_> = agent.models.iter().map(ToString::to_string).collect();
        vec![
            agent.name.to_string(),
            agent.state.clone(),
            if agent.default { "yes" } else { "" }.to_owned(),
            if models.is_empty() { "none: no provider is set up".to_owned() } else { models.join(", ") },
        ]
    };
    let rows: Vec<_> = agents.iter().map(cells).collect();
    out.table(&["NAME", "STATE", "DEFAULT", "MODELS"], &rows)?;
    out.end()
}

/// The agents that a daemon would have if it started now.
async fn configured(common: &Common) -> Result<Vec<Shown>, CliError> {
    let config = common.config(&common.home()?)?;
    let (_, _, first) = app::providers(&config, &common.env()).await?;
    let shown = app::profiles(&config, &first).into_iter().map(|agent| Shown {
        default: agent.name == config.default_agent,
        name: agent.name,
        models: agent.models,
        strategy: "fallback".to_owned(),
        state: "configured".to_owned(),
    });
    Ok(shown.collect())
}
