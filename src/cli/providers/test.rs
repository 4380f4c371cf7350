//! Whether a provider answers.

use std::time::Duration;

use indicatif::ProgressBar;
use mosaic_types::settings::nearest;
use mosaic_types::{Failure, ProviderName};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;

use super::list;

use crate::app;
use crate::cli::client::Client;
use crate::cli::output::{Out, one_line, print};
use crate::cli::{CliError, Common};
use crate::detect::NO_PROVIDER;
use crate::setup::PATIENCE;
pub(in crate::cli) use crate::setup::{Reached, ask};

/// Says on stderr that something is waited for; seen on a terminal only, and gone with its drop.
pub(in crate::cli) struct Spinner(ProgressBar);

impl Spinner {
    pub(in crate::cli) fn new(common: &Common, what: String) -> Self {
        let bar = if common.quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// How a daemon's trial went.
#[derive(Serialize, Deserialize)]
struct Trial {
    provider: String,
    model: String,
    ok: bool,
    latency_ms: Option<u64>,
    error: Option<Failure>,
}

pub(super) async fn run(common: Common, name: String, model: Option<String>) -> Result<(), CliError> {
    match (Client::find(&common)?, model) {
        (Some(client), model) => there(&common, &client, &name, model).await,
        (None, None) => here(common, name).await,
        (None, Some(_)) => {
            let sentence = "--model takes a daemon, which makes the call: start one with `mosaic up`.";
            Err(CliError::Unavailable(sentence.to_owned()))
        }
    }
}

/// Has a daemon make one tiny call.
async fn there(common: &Common, client: &Client, name: &str, model: Option<String>) -> Result<(), CliError> {
    // A name that could not be one must not become another path.
    let named: ProviderName = name.parse().map_err(|_| CliError::from(Failure::not_found("provider")))?;
    let spinner = Spinner::new(common, format!("{} asks {named}", client.base()));
    let wish = model.map_or_else(|| json!({}), |model| json!({"model": model}));
    let trial: Result<Trial, _> = client.post(&format!("/api/v1/providers/{named}/test"), &wish).await;
    drop(spinner);
    let trial = trial?;
    if common.json {
        let mut out = Out::new();
        out.json(&trial)?;
        out.end()?;
        return if trial.ok { Ok(()) } else { Err(CliError::Told) };
    }
    let mut told = Ok(());
    match trial.error {
        None => {
            let (model, took) = (one_line(&trial.model), trial.latency_ms.unwrap_or_default());
            print(&format!("{named} answers: {model} in {took} ms\n"))?;
        }
        Some(failure) => told = Err(CliError::Failed(failure.message.into_owned())),
    }
    for key in list::keys(client, &named).await? {
        print(&format!("  key {}\n", key.told()))?;
    }
    told
}

/// Asks for the models from here, where no daemon could.
async fn here(common: Common, name: String) -> Result<(), CliError> {
    let config = common.config(&common.home()?)?;
    let (built, ..) = app::providers(&config, &common.env()).await?;
    let known: Vec<_> = built.iter().map(|(provider, _)| provider.name().to_string()).collect();
    let Some((provider, _)) = built.iter().find(|(provider, _)| provider.name().as_str() == name) else {
        return Err(CliError::Failed(unknown(&name, &known)));
    };
    let spinner = Spinner::new(&common, format!("asking {name}"));
    let answer = ask(provider).await;
    let mut keys = Vec::new();
    for (number, key) in provider.keys().iter().enumerate().filter(|_| provider.keys().len() > 1) {
        let one = timeout(PATIENCE, provider.models_with(number)).await;
        let how = match one {
            Ok(Ok(_)) => "answers".to_owned(),
            Ok(Err(error)) => error.failure().code.as_str().to_owned(),
            Err(_) => "no answer".to_owned(),
        };
        keys.push((one_line(key), how));
    }
    drop(spinner);
    if common.json {
        let mut out = Out::new();
        match &answer {
            Ok(reached) => {
                let ms = u64::try_from(reached.took.as_millis()).unwrap_or(u64::MAX);
                out.json(&json!({"name": name, "ok": true, "ms": ms, "models": reached.models}))?;
            }
            Err(failure) => out.json(&json!({"name": name, "ok": false, "error": failure}))?,
        }
        out.end()?;
        return answer.map(drop).map_err(|_| CliError::Told);
    }
    for (key, how) in keys {
        print(&format!("  key {key}: {how}\n"))?;
    }
    // Whatever a provider did wrong, the test failed: never "unavailable", which is for the daemon.
    let reached = answer.map_err(|failure| CliError::Failed(failure.message.into_owned()))?;
    let first = match reached.models.first() {
        Some(first) => format!("; the first is {}", one_line(first)),
        None => String::new(),
    };
    print(&format!("{name} answers: {}{first}\n", reached.describe()))
}

fn unknown(name: &str, known: &[String]) -> String {
    if known.is_empty() {
        return NO_PROVIDER.to_owned();
    }
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("There is no provider {name}. Did you mean {near}?"),
        None => format!("There is no provider {name}. Those there are: {}.", known.join(", ")),
    }
}
