//! The config, the daemon, the store, the providers and the agents that the config makes.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use mosaic_runtime::AgentProfile;
use mosaic_store::StoreError;
use mosaic_types::{Failure, ProviderName};
use serde_json::Value;

use super::Finding;
use crate::app;
use crate::cli::client::{Client, Source};
use crate::cli::config::source;
use crate::cli::providers::{Spinner, ask};
use crate::cli::{CliError, Common};
use crate::config::{Config, ConfigError};
use crate::detect::NO_PROVIDER;
use crate::home::{Home, HomeError};

/// For so long a daemon may take to say that it is ready, or another process to give the home free.
const PATIENCE: Duration = Duration::from_secs(5);

/// The config, if there is one to go on with, and what is to be said of it.
pub(super) fn config(common: &Common, home: &Home) -> (Option<Config>, Vec<Finding>) {
    match common.config(home) {
        Ok(config) => {
            let from = source(&config, home);
            let mut told = vec![Finding::ok("config", from)];
            told.extend(config.doubts(&common.env()).into_iter().map(|doubt| Finding::warn("config", doubt)));
            (Some(config), told)
        }
        Err(CliError::Config(ConfigError::Mistakes(mistakes))) => {
            (None, mistakes.iter().map(|mistake| Finding::fail("config", mistake.to_string())).collect())
        }
        Err(error) => (None, vec![Finding::fail("config", error.to_string())]),
    }
}

/// The daemon that commands talk to: that of `--url`, of the login, or of the home; and how to ask it more, where it
/// answers to us. `login`: there is one.
pub(super) async fn daemon(common: &Common, home: &Home, login: bool) -> (Vec<Finding>, Option<Client>) {
    let alone = |finding: Finding| (vec![finding], None);
    let running = home.daemon();
    if common.url.is_none() && !login && running.is_none() {
        return alone(Finding::ok("daemon", "none is running; `mosaic up` starts one"));
    }
    let client = match Client::find(common) {
        Ok(Some(client)) => client,
        Ok(None) => return alone(Finding::warn("daemon", "it has just ended").next("Ask again.")),
        Err(error) => return alone(Finding::fail("daemon", error.to_string())),
    };
    let at = match &running {
        Some(daemon) if client.sources().0 == Source::Home => format!("{} (pid {})", client.base(), daemon.pid),
        _ => client.base().to_owned(),
    };
    let asked = async {
        let ready: Value = client.get("/readyz").await?;
        let me = client.get::<Value>("/api/v1/me").await;
        Ok::<_, CliError>((ready, me))
    };
    let (ready, me) = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answers)) => answers,
        Ok(Err(error)) => return alone(Finding::fail("daemon", format!("{at} is not ready: {error}"))),
        Err(_) => {
            let finding = Finding::fail("daemon", format!("{at} did not answer for {} s", PATIENCE.as_secs()));
            return alone(finding.next("Its log says what it is doing; restart it if it says nothing."));
        }
    };
    let known = me.is_ok();
    let mut findings = vec![match me {
        Ok(_) => Finding::ok("daemon", format!("{at} is ready")),
        Err(error) => Finding::fail("daemon", format!("{at} is ready, but: {error}"))
            .next("Pass a token of that daemon with --token or MOSAIC_TOKEN."),
    }];
    if ready["hint"].is_string() {
        findings.push(Finding::fail("daemon", "it runs without a provider").next(NO_PROVIDER));
    }
    (findings, known.then_some(client))
}

/// The store. One that a daemon has open is the daemon's to judge: it is ready only while it can write.
pub(super) async fn store(home: &Home, config: &Config) -> Finding {
    let place = &config.store.place;
    if home.daemon().is_some() {
        return Finding::ok("store", format!("{place}, in use by the daemon"));
    }
    if place.file().is_some_and(|file| !file.exists()) {
        return Finding::ok("store", format!("{place} is not there yet; the first start makes it"));
    }
    let _lock = match home.lock(PATIENCE).await {
        Ok(lock) => lock,
        Err(error @ HomeError::InUse { .. }) => return Finding::warn("store", error.to_string()).next("Ask again."),
        Err(error) => return Finding::fail("store", error.to_string()),
    };
    let opened = async {
        let store = place.open().await?;
        store.writable().await
    };
    match opened.await {
        Ok(()) => Finding::ok("store", format!("{place} opens and takes writes")),
        Err(error) => {
            let finding = Finding::fail("store", format!("{place}: {error}"));
            finding.next(match error {
                StoreError::NewerSchema { .. } => {
                    "Run the newer Mosaic, or point store.url at another database.".into()
                }
                StoreError::Corrupt(_) => "Restore a backup of it, or move it away to begin anew.".into(),
                other => Failure::from(other).message,
            })
        }
    }
}

/// Every provider, asked at once, and whether the agents can be answered by them.
pub(super) async fn providers(common: &Common, config: &Config) -> Vec<Finding> {
    let (built, found, first) = match app::providers(config, &common.env()).await {
        Ok(providers) => providers,
        Err(error) => return vec![Finding::fail("providers", error.to_string())],
    };
    if built.is_empty() {
        return vec![Finding::fail("providers", "there is none, so no agent can answer").next(NO_PROVIDER)];
    }
    let spinner = Spinner::new(common, "asking the providers".to_owned());
    let answers = join_all(built.iter().map(|(provider, _)| ask(provider))).await;
    drop(spinner);
    let mut findings = Vec::new();
    let mut lists: HashMap<ProviderName, Vec<String>> = HashMap::new();
    for (at, ((provider, _), answer)) in built.iter().zip(answers).enumerate() {
        let check = format!("provider {}", provider.name());
        findings.push(match answer {
            Ok(reached) if reached.models.is_empty() => {
                let finding = Finding::warn(&check, "it answers, but lists no models");
                finding.next("Load or pull a model there, or name models in the agent.")
            }
            Ok(reached) => {
                let why = found.get(at).map(|sentence| format!("; {sentence}")).unwrap_or_default();
                let finding = Finding::ok(&check, format!("{}{why}", reached.describe()));
                lists.insert(provider.name().clone(), reached.models);
                finding
            }
            Err(failure) => Finding::fail(&check, failure.message),
        });
    }
    findings.extend(app::profiles(config, &first).iter().map(|agent| can_ask(agent, &lists)));
    findings
}

/// Whether one of the agent's models can be had. A list may know a model by another name, so what is not listed is only
/// doubtful.
fn can_ask(agent: &AgentProfile, lists: &HashMap<ProviderName, Vec<String>>) -> Finding {
    let check = format!("agent {}", agent.name);
    let models: Vec<_> = agent.models.iter().map(ToString::to_string).collect();
    let asks = format!("it asks {}", models.join(", then "));
    if !agent.models.iter().any(|model| lists.contains_key(&model.provider)) {
        return Finding::fail(&check, format!("{asks}, and no provider of these answers"));
    }
    let unlisted = agent.models.iter().find(|model| {
        let named = |id: &String| id.strip_prefix("models/").unwrap_or(id) == &*model.model;
        !model.is_auto() && lists.get(&model.provider).is_some_and(|list| !list.iter().any(named))
    });
    match unlisted {
        Some(model) => Finding::warn(&check, format!("{asks}, but {} does not list {}", model.provider, model.model))
            .next(format!("`mosaic providers test {} --json` shows what it lists.", model.provider)),
        None => Finding::ok(&check, asks),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    fn agent(models: &[&str]) -> AgentProfile {
        AgentProfile {
            tools: Default::default(),
            name: "ada".parse().expect("a name"),
            system: "".into(),
            models: models.iter().map(|model| model.parse().expect("a model")).collect(),
            fanout: Default::default(),
            queue: mosaic_types::QueueMode::Queue,
            context_tokens: 1,
            max_output_tokens: None,
            temperature: None,
            reuse: None,
        }
    }

    #[test]
    fn an_agent_is_as_well_as_its_models() {
        let lists = HashMap::from([("here".parse().expect("a name"), vec!["a".to_owned(), "models/b".to_owned()])]);
        let state = |models: &[&str]| can_ask(&agent(models), &lists).state;
        assert_eq!(state(&["here/a", "here/b", "here/auto"]), State::Ok);
        assert_eq!(state(&["gone/a", "here/a"]), State::Ok, "a later one answers");
        assert_eq!(state(&["here/a", "here/c"]), State::Warn);
        assert_eq!(state(&["gone/a"]), State::Fail);
        assert_eq!(state(&[]), State::Fail);
    }
}
