//! What a running daemon says of its channels, providers and agents.

use std::collections::BTreeSet;

use mosaic_types::{Code, ModelRef};
use serde::Deserialize;

use super::Finding;
use crate::cli::CliError;
use crate::cli::client::Client;
use crate::cli::output::span;
use crate::config::Config;
use crate::detect::NO_PROVIDER;

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Channel {
    name: String,
    state: String,
    health: String,
    identity: Option<String>,
    trouble: Option<String>,
    outbox: Option<Outbox>,
}

#[derive(Deserialize)]
struct Outbox {
    unknown: u64,
    dead: u64,
}

#[derive(Deserialize)]
struct Provider {
    name: String,
    state: String,
    last_call: Option<Ended>,
    #[serde(default)]
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Ended {
    /// As text: one of a later version is told all the same.
    code: Option<String>,
}

#[derive(Deserialize)]
struct Key {
    name: String,
    code: Option<String>,
    rests_ms: u64,
}

#[derive(Deserialize)]
struct Agent {
    name: String,
    state: String,
    models: Vec<ModelRef>,
}

/// Asks the daemon; `config`: that of its home, where it is at hand.
pub(super) async fn look(client: &Client, config: Option<&Config>) -> Vec<Finding> {
    match ask(client).await {
        Ok((channels, providers, agents)) => {
            let mut findings: Vec<Finding> = channels.iter().map(channel).collect();
            findings.extend(config.map(|config| unheard_of(config, &channels, &providers)).unwrap_or_default());
            findings.extend(providers.iter().flat_map(provider));
            findings.extend(can_answer(&agents, &providers));
            findings
        }
        Err(error) => vec![Finding::fail("daemon", format!("it does not say how its parts are: {error}"))],
    }
}

async fn ask(client: &Client) -> Result<(Vec<Channel>, Vec<Provider>, Vec<Agent>), CliError> {
    let channels = client.get::<List<Channel>>("/api/v1/channels").await?.items;
    let providers = client.get::<List<Provider>>("/api/v1/providers").await?.items;
    let agents = client.get::<List<Agent>>("/api/v1/agents").await?.items;
    Ok((channels, providers, agents))
}

fn channel(channel: &Channel) -> Finding {
    let check = format!("channel {}", channel.name);
    let test = format!("`mosaic channels test {}` says what is missing.", channel.name);
    let trouble = channel.trouble.as_deref();
    if channel.state != "up" || channel.health == "troubled" {
        return Finding::fail(&check, trouble.unwrap_or("it is cut off")).next(test);
    }
    if channel.health != "healthy" {
        return Finding::warn(&check, trouble.unwrap_or("it has not connected yet")).next(format!("Ask again; {test}"));
    }
    let known = channel.identity.as_deref().map(|name| format!(", known as {name}")).unwrap_or_default();
    match channel.outbox.as_ref().map(|outbox| (outbox.dead, outbox.unknown)).unwrap_or_default() {
        (0, 0) => Finding::ok(&check, format!("healthy{known}")),
        (dead, unknown) => {
            let what = format!("healthy{known}, but of its answers {dead} were lost, and of {unknown} it is not known");
            Finding::warn(&check, what).next("Its log says why; `mosaic sessions list` has what was said.")
        }
    }
}

/// What stands in the settings and is not in use: the daemon reads them when it starts.
fn unheard_of(config: &Config, channels: &[Channel], providers: &[Provider]) -> Vec<Finding> {
    let idle = |check: String| {
        Finding::warn(&check, "it stands in the settings, and the running daemon does not know it")
            .next("Restart the daemon: settings are read when it starts.")
    };
    let channels = config.channels.iter().filter(|one| !channels.iter().any(|known| known.name == one.name.as_str()));
    let providers = config.providers.keys().filter(|one| !providers.iter().any(|known| known.name == one.as_str()));
    let channels = channels.map(|one| idle(format!("channel {}", one.name)));
    channels.chain(providers.map(|one| idle(format!("provider {one}")))).collect()
}

fn provider(provider: &Provider) -> Vec<Finding> {
    let check = format!("provider {}", provider.name);
    let mut findings = Vec::new();
    if provider.state != "up" {
        let finding = Finding::fail(&check, "its actor is down in the daemon; it is tried again every minute");
        findings.push(finding.next("`mosaic tree` says why."));
    }
    let rests = |key: &&Key| key.code.is_some();
    for key in provider.keys.iter().filter(rests) {
        let (code, seconds) = (key.code.as_deref().unwrap_or_default(), key.rests_ms.div_ceil(1_000));
        let left = span(i64::try_from(seconds).unwrap_or(i64::MAX));
        let told = format!("its key {} rests for {left} ({code})", key.name);
        let alone = provider.keys.iter().all(|key| key.code.is_some());
        let finding = if alone { Finding::fail(&check, told) } else { Finding::warn(&check, told) };
        findings.push(finding.next(what_next(code, &provider.name)));
    }
    let failed = provider.last_call.as_ref().and_then(|last| last.code.as_deref());
    // What the caller or the question was to blame for says nothing of it.
    let own = |code: &&str| code.starts_with("provider_") && *code != Code::ProviderRejected.as_str();
    if let Some(code) = failed.filter(own).filter(|_| findings.is_empty()) {
        let finding = Finding::warn(&check, format!("the newest call of the daemon failed ({code})"));
        findings.push(finding.next(what_next(code, &provider.name)));
    }
    findings
}

/// What to do about the reason for which a provider or a key does not answer.
fn what_next(code: &str, provider: &str) -> String {
    let test = format!("`mosaic providers test {provider}` tries it again.");
    match code {
        "provider_auth" => format!("Put a good key in its place and restart the daemon; {test}"),
        "provider_quota" => format!("The provider wants to be paid: see to the account there; {test}"),
        _ => test,
    }
}

/// The agents that nobody could answer for, or that all is well.
fn can_answer(agents: &[Agent], providers: &[Provider]) -> Vec<Finding> {
    if providers.is_empty() {
        // Told already.
        return Vec::new();
    }
    let usable = |provider: &&Provider| {
        let resting = !provider.keys.is_empty() && provider.keys.iter().all(|key| key.code.is_some());
        provider.state == "up" && !resting
    };
    let usable: BTreeSet<&str> = providers.iter().filter(usable).map(|provider| provider.name.as_str()).collect();
    let check = |agent: &Agent| format!("agent {}", agent.name);
    let bad: Vec<Finding> = agents
        .iter()
        .filter_map(|agent| {
            let models: Vec<String> = agent.models.iter().map(ToString::to_string).collect();
            if agent.state != "up" {
                let finding = Finding::fail(&check(agent), "it is down in the daemon; it is tried again every minute");
                return Some(finding.next("`mosaic tree` says why."));
            }
            if models.is_empty() {
                return Some(Finding::fail(&check(agent), "it has no model to ask").next(NO_PROVIDER));
            }
            if agent.models.iter().any(|model| usable.contains(model.provider.as_str())) {
                return None;
            }
            let told = format!("it cannot answer: it asks {}, and none of these can be used", models.join(", then "));
            Some(Finding::fail(&check(agent), told).next("See what is said of its providers above."))
        })
        .collect();
    if bad.is_empty() {
        let names: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
        return vec![Finding::ok("agents", format!("the daemon has somebody to ask for {}", names.join(", ")))];
    }
    bad
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::doctor::State;

    fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).expect("as the daemon says it")
    }

    #[test]
    fn a_channel_is_as_well_as_the_daemon_says() {
        let told = |state: &str, health: &str, trouble: Value, dead: u64| {
            let outbox = json!({"pending": 0, "sending": 0, "unknown": 0, "dead": dead});
            let shown = json!({"name": "family", "state": state, "health": health, "identity": "@bot",
                "trouble": trouble, "outbox": outbox});
            channel(&read(shown))
        };
        assert_eq!(told("up", "healthy", Value::Null, 0), Finding::ok("channel family", "healthy, known as @bot"));
        let sick = told("up", "troubled", json!("Telegram refuses the token."), 0);
        assert_eq!((sick.state, sick.message.as_str()), (State::Fail, "Telegram refuses the token."));
        assert!(sick.next.is_some_and(|next| next.contains("mosaic channels test family")));
        assert_eq!(told("down", "healthy", Value::Null, 0).state, State::Fail);
        assert_eq!(told("up", "connecting", Value::Null, 0).state, State::Warn);
        assert_eq!(told("up", "healthy", Value::Null, 2).state, State::Warn);
    }

    #[test]
    fn an_agent_whose_providers_all_rest_cannot_answer() {
        let key = |name: &str, code: Value| json!({"name": name, "code": code, "rests_ms": 90_000});
        let lab = |keys: Vec<Value>, code: Value| {
            let last = json!({"at": "2026-11-23T00:00:00Z", "ok": code.is_null(), "code": code});
            vec![read::<Provider>(json!({"name": "lab", "state": "up", "last_call": last, "keys": keys}))]
        };
        let ada = vec![read::<Agent>(json!({"name": "ada", "state": "up", "models": ["lab/m"]}))];
        let one = lab(vec![key("A", json!("provider_auth")), key("B", Value::Null)], Value::Null);
        let told = provider(&one[0]);
        assert_eq!((told.len(), told[0].state), (1, State::Warn));
        assert!(told[0].message.contains("key A rests for 1 min (provider_auth)"), "{told:?}");
        assert_eq!(can_answer(&ada, &one)[0].state, State::Ok);
        let all = lab(vec![key("A", json!("provider_auth")), key("B", json!("provider_quota"))], Value::Null);
        assert!(provider(&all[0]).iter().all(|finding| finding.state == State::Fail));
        let told = can_answer(&ada, &all);
        assert!(told.len() == 1 && told[0].state == State::Fail && told[0].message.contains("lab/m"), "{told:?}");
        // One key, which is not told of: its newest call is.
        let told = provider(&lab(Vec::new(), json!("provider_auth"))[0]);
        assert!(told.len() == 1 && told[0].next.as_deref().is_some_and(|next| next.contains("good key")), "{told:?}");
        for innocent in [Value::Null, json!("provider_rejected"), json!("context_overflow")] {
            assert_eq!(provider(&lab(Vec::new(), innocent)[0]), []);
        }
        let nobody = vec![read::<Agent>(json!({"name": "bob", "state": "up", "models": ["gone/m"]}))];
        assert_eq!(can_answer(&nobody, &one)[0].state, State::Fail);
    }
}
