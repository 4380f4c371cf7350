//! Gathers the tables of all rooms: defaults, then the file, then the environment.
//!
//! Each room owns its table beside the code it configures; here they are only put together and checked against one
//! another. Everything that is wrong is told at once.

mod doubts;
pub mod edit;
mod env;
mod keys;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use mosaic_channels::ChannelConfig;
use mosaic_channels::config::TokenSource;
use mosaic_providers::config::ProviderConfig;
use mosaic_runtime::ReuseConfig;
use mosaic_runtime::agent::config::AgentConfig;
use mosaic_runtime::budget::BudgetConfig;
use mosaic_runtime::routing::config::RoutingConfig;
use mosaic_runtime::session::config::SessionConfig;
use mosaic_types::journal::API_CHANNEL;
use mosaic_types::settings::{Effective, Mistakes, Section, Settings, nearest};
use mosaic_types::{AgentName, ProviderName};

use crate::gateway::config::GatewayConfig;

pub use env::Env;
pub(crate) use keys::clean as clean_key;
pub use tables::{BusConfig, LogConfig, LogFormat, ShutdownConfig, StoreConfig};

/// The documented sample, as `mosaic config sample` prints it.
pub const SAMPLE: &str = include_str!("../../config.toml");

/// The agent that is there when none is configured.
pub const ASSISTANT: &str = "assistant";

/// Why an agent answers by default that nobody chose.
const UNNAMED: &str = "default: the first agent of the file";

/// The file's name in the home.
pub const FILE: &str = "config.toml";

/// Why there is no configuration to start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no config file {0}")]
    Missing(PathBuf),
    #[error("cannot read the config file {path}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    /// One line for each mistake.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
}

/// Everything that can be set, read and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Answers where nobody else was asked for; one of `agents`.
    pub default_agent: AgentName,
    /// Look for providers at start when none is configured.
    pub detect: bool,
    pub gateway: GatewayConfig,
    pub store: StoreConfig,
    pub bus: BusConfig,
    pub log: LogConfig,
    pub shutdown: ShutdownConfig,
    pub session: SessionConfig,
    pub providers: BTreeMap<ProviderName, ProviderConfig>,
    /// At least one.
    pub agents: BTreeMap<AgentName, AgentConfig>,
    /// In the order of their names.
    pub channels: Vec<ChannelConfig>,
    /// The folder in which relative paths begin.
    pub home: PathBuf,
    /// What may be spent.
    pub budgets: BudgetConfig,
    /// Which models answer, for everyone.
    pub routing: RoutingConfig,
    /// Answers that are given again.
    pub reuse: ReuseConfig,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    effective: Effective,
}

impl Config {
    /// Loads the configuration. A `file` that was named must exist; `HOME/config.toml` need not. The working folder is
    /// never looked at.
    pub fn load(file: Option<&Path>, home: &Path, env: &Env) -> Result<Self, ConfigError> {
        let path = file.map_or_else(|| home.join(FILE), Path::to_owned);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let settings = Settings::parse(&text, &path.display().to_string())?;
                Ok(Self { file: Some(path), ..Self::gather(settings, home, env)? })
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ConfigError::Unreadable { path, source: error })
            }
            Err(_) if file.is_some() => Err(ConfigError::Missing(path)),
            Err(_) => Ok(Self::gather(Settings::empty(), home, env)?),
        }
    }

    /// Reads every table, then looks at them together.
    fn gather(mut settings: Settings, home: &Path, env: &Env) -> Result<Self, Mistakes> {
        settings.override_env(env.iter());
        let root = settings.root();
        let default_agent = root.opt_parsed::<AgentName>("default_agent", "the name of an agent is wanted");
        let detect = root.flag("detect", true);
        let gateway = GatewayConfig::read(&root.section("gateway"), home);
        let store = StoreConfig::read(&root.section("store"), home, env);
        let bus = BusConfig::read(&root.section("bus"));
        let log = LogConfig::read(&root.section("log"));
        let shutdown = ShutdownConfig::read(&root.section("shutdown"));
        let session = SessionConfig::read(&root.section("session"));
        let budgets = BudgetConfig::read(&root.section("budgets"));
        let routing = RoutingConfig::read(&root.section("routing"));
        let reuse = ReuseConfig::read(&root.section("reuse"));
        let fetch = |source: &_| keys::fetch(source, home, env);
        let providers = named(&root, "providers", |section| ProviderConfig::read(section, &fetch));
        let mut agents = named(&root, "agents", AgentConfig::read);
        let channels = read_channels(&root, &|source| keys::fetch_token(source, home, env));
        let given = root.given("default_agent");
        drop(root);
        if agents.is_empty() {
            agents.insert(ASSISTANT.parse().expect("a valid name"), AgentConfig::default());
        }
        check_models(&settings, &agents, &providers);
        check_tools(&settings, &agents);
        check_channels(&settings, &channels, &agents);
        check_rules(&settings, &routing, &agents, &providers, &channels);
        let default_agent = if given {
            check_default_agent(&settings, default_agent, &agents)
        } else {
            usual_agent(&settings, &agents)
        };
        let effective = settings.finish()?;
        Ok(Self {
            default_agent: default_agent.expect("an agent that is missing is a mistake"),
            detect,
            gateway,
            store,
            bus,
            log,
            shutdown,
            session,
            budgets,
            routing,
            reuse,
            providers,
            agents,
            channels,
            home: home.to_owned(),
            file: None,
            effective,
        })
    }

    /// What is in force, as TOML, each value with its origin; for `mosaic config show`. Holds no secrets.
    pub fn to_toml(&self) -> String {
        self.effective.to_toml()
    }

    /// Whether nobody chose where the gateway listens.
    pub fn bind_is_default(&self) -> bool {
        self.effective.iter().any(|shown| shown.path == ["gateway", "bind"] && shown.origin == "default")
    }
}

/// Reads the tables under `key` by their names; one with a bad name is told and left out.
fn named<N: FromStr<Err: Display> + Ord, T>(
    root: &Section<'_>,
    key: &str,
    read: impl Fn(&Section<'_>) -> T,
) -> BTreeMap<N, T> {
    let mut tables = BTreeMap::new();
    for (name, section) in root.sections(key) {
        let table = read(&section);
        match name.parse::<N>() {
            Ok(name) => drop(tables.insert(name, table)),
            Err(right) => section.wrong_here("the name cannot be used", right.to_string()),
        }
    }
    tables
}

/// The channels that can be made of their tables; what is wrong with the others is noted.
fn read_channels(
    root: &Section<'_>,
    fetch: &dyn Fn(&TokenSource) -> Result<mosaic_types::Secret, String>,
) -> Vec<ChannelConfig> {
    let read = |(name, section): (String, Section<'_>)| ChannelConfig::read(&name, &section, fetch);
    root.sections("channels").into_iter().filter_map(read).collect()
}

/// Every agent of a channel is there, and no two channels are one and the same bot: each would take the other's messages.
fn check_channels(settings: &Settings, channels: &[ChannelConfig], agents: &BTreeMap<AgentName, AgentConfig>) {
    for (number, channel) in channels.iter().enumerate() {
        let path = ["channels", channel.name.as_str()];
        if let Some(agent) = channel.agent.as_ref().filter(|agent| !agents.contains_key(*agent)) {
            settings.wrong(&[path[0], path[1], "agent"], format!("found \"{agent}\""), no_agent(agent, agents));
        }
        let same = |other: &&ChannelConfig| other.kind == channel.kind && other.account() == channel.account();
        if let Some(other) = channels[..number].iter().find(same) {
            let right =
                format!("this bot is the channel \"{}\" already; give each channel a bot of its own", other.name);
            settings.wrong(&path, "the same bot twice", right);
        }
    }
}

/// Every model of an agent is at a provider that is configured.
fn check_models(
    settings: &Settings,
    agents: &BTreeMap<AgentName, AgentConfig>,
    providers: &BTreeMap<ProviderName, ProviderConfig>,
) {
    for (name, agent) in agents {
        let models = agent.models.iter().map(|model| ("models", model));
        let judge = agent.fanout.judge.iter().map(|model| ("judge", model));
        for (key, model) in models.chain(judge).filter(|(_, model)| !providers.contains_key(&model.provider)) {
            let right = no_provider(&model.provider, providers);
            settings.wrong(&["agents", name.as_str(), key], format!("found \"{model}\""), right);
        }
    }
}

/// Every tool of an agent is there, once.
fn check_tools(settings: &Settings, agents: &BTreeMap<AgentName, AgentConfig>) {
    for (agent, config) in agents {
        let wrong = |tool: &str, right| {
            settings.wrong(&["agents", agent.as_str(), "tools"], format!("found \"{tool}\""), right);
        };
        for (number, tool) in config.tools.allowed.iter().enumerate() {
            let known: Vec<_> = mosaic_tools::registry::names().collect();
            if config.tools.allowed[..number].contains(tool) {
                wrong(tool, "it is listed twice; once is enough".to_owned());
            } else if !known.contains(&tool.as_str()) {
                let right = match nearest(tool, known.iter().copied()) {
                    Some(near) => format!("there is no such tool; did you mean \"{near}\"?"),
                    None => format!("there is no such tool; those there are: {}", known.join(", ")),
                };
                wrong(tool, right);
            }
        }
    }
}

/// Every rule speaks of providers, agents and channels that are configured.
fn check_rules(
    settings: &Settings,
    routing: &RoutingConfig,
    agents: &BTreeMap<AgentName, AgentConfig>,
    providers: &BTreeMap<ProviderName, ProviderConfig>,
    channels: &[ChannelConfig],
) {
    let wrong = |index, key, found: &dyn Display, right| {
        settings.wrong_in(&["routing", "rules"], index, key, format!("found \"{found}\""), right);
    };
    for (index, rule) in routing.rules.iter().enumerate() {
        for model in rule.models.iter().filter(|model| !providers.contains_key(&model.provider)) {
            wrong(index, "models", model, no_provider(&model.provider, providers));
        }
        for agent in rule.agent.iter().filter(|agent| !agents.contains_key(*agent)) {
            wrong(index, "agent", agent, no_agent(agent, agents));
        }
        let known = || channels.iter().map(|channel| channel.name.as_str()).chain([API_CHANNEL]);
        for channel in rule.channel.iter().filter(|channel| !known().any(|known| known == channel.as_str())) {
            let right = match nearest(channel.as_str(), known()) {
                Some(near) => format!("there is no such channel; did you mean \"{near}\"?"),
                None => format!("there is no such channel; \"{API_CHANNEL}\" is HTTP, sockets, terminal and browser"),
            };
            wrong(index, "channel", channel, right);
        }
    }
}

/// What is to be done about a provider that is named and not there.
fn no_provider(wanted: &ProviderName, providers: &BTreeMap<ProviderName, ProviderConfig>) -> String {
    match nearest(wanted.as_str(), providers.keys().map(ProviderName::as_str)) {
        Some(near) => format!("no provider \"{wanted}\" is configured; did you mean \"{near}\"?"),
        None => format!("no provider \"{wanted}\" is configured; add the table [providers.{wanted}]"),
    }
}

/// What is to be done about an agent that is named and not there.
fn no_agent(wanted: &AgentName, agents: &BTreeMap<AgentName, AgentConfig>) -> String {
    match nearest(wanted.as_str(), agents.keys().map(AgentName::as_str)) {
        Some(near) => format!("there is no such agent; did you mean \"{near}\"?"),
        None => format!("there is no such agent; add the table [agents.{wanted}]"),
    }
}

/// The default agent that was named is there.
fn check_default_agent(
    settings: &Settings,
    default_agent: Option<AgentName>,
    agents: &BTreeMap<AgentName, AgentConfig>,
) -> Option<AgentName> {
    let name = default_agent?;
    if !agents.contains_key(&name) {
        settings.wrong(&["default_agent"], format!("found \"{name}\""), no_agent(&name, agents));
    }
    Some(name)
}

/// The default agent where none is named: the only one there is, the one called `assistant`, or the first of the file.
fn usual_agent(settings: &Settings, agents: &BTreeMap<AgentName, AgentConfig>) -> Option<AgentName> {
    // Those that only the environment makes have no line, and come last.
    let line = |name: &&AgentName| settings.line(&["agents", name.as_str()]).unwrap_or(usize::MAX);
    let (name, why) = match agents.keys().find(|name| name.as_str() == ASSISTANT) {
        _ if agents.len() == 1 => (agents.keys().next()?, "default: the only agent there is"),
        Some(name) => (name, "default: the agent of that name"),
        None => (agents.keys().min_by_key(line)?, UNNAMED),
    };
    settings.show(&["default_agent"], name.as_str(), why);
    Some(name.clone())
}
