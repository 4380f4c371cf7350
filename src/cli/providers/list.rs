//! Which providers there are.

use mosaic_types::{Code, ProviderName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::app;
use crate::cli::client::Client;
use crate::cli::output::{Out, ago, note, one_line};
use crate::cli::{CliError, Common};
use crate::detect::NO_PROVIDER;
use crate::outside;

/// A provider as lists show it.
#[derive(Serialize, Deserialize)]
struct Shown {
    name: ProviderName,
    /// Those that the config names; others work too.
    models: Vec<String>,
    max_in_flight: usize,
    state: String,
    /// `None`: no call was made since the daemon started, or none runs.
    #[serde(default)]
    last_call: Option<Ended>,
    /// Those that are used in turn.
    #[serde(default)]
    keys: Vec<Key>,
}

/// One of several keys.
#[derive(Serialize, Deserialize)]
pub(super) struct Key {
    name: String,
    code: Option<Code>,
    rests_ms: u64,
}

impl Key {
    /// `A: used`, `B: rests for 540 s (provider_auth)`
    pub(super) fn told(&self) -> String {
        match self.code {
            None => format!("{}: used", one_line(&self.name)),
            Some(code) => {
                format!("{}: rests for {} s ({})", one_line(&self.name), self.rests_ms.div_ceil(1_000), code.as_str())
            }
        }
    }
}

/// How a call ended.
#[derive(Serialize, Deserialize)]
struct Ended {
    at: Timestamp,
    ok: bool,
    code: Option<Code>,
}

impl Shown {
    /// `answered, 2 min ago`
    fn health(&self, now: Timestamp) -> String {
        match &self.last_call {
            None => "not asked yet".to_owned(),
            Some(Ended { at, code: None, .. }) => format!("answered, {}", ago(*at, now)),
            Some(Ended { at, code: Some(code), .. }) => format!("{}, {}", code.as_str(), ago(*at, now)),
        }
    }
}

#[derive(Deserialize)]
struct List {
    items: Vec<Shown>,
}

/// The keys of one provider of a daemon, where it has several.
pub(super) async fn keys(client: &Client, name: &ProviderName) -> Result<Vec<Key>, CliError> {
    let all = client.get::<List>("/api/v1/providers").await?.items;
    Ok(all.into_iter().find(|provider| provider.name == *name).map(|provider| provider.keys).unwrap_or_default())
}

pub(super) async fn run(common: Common) -> Result<(), CliError> {
    let providers = match Client::find(&common)? {
        Some(client) => client.get::<List>("/api/v1/providers").await?.items,
        None => configured(&common).await?,
    };
    let mut out = Out::new();
    if common.json {
        providers.iter().try_for_each(|provider| out.json(provider))?;
    } else if providers.is_empty() {
        note(NO_PROVIDER);
    } else {
        let now = outside::system().now();
        let cells = |provider: &Shown| {
            let models: Vec<_> = provider.models.iter().map(|model| one_line(model)).collect();
            let models = if models.is_empty() { "whatever it lists".to_owned() } else { models.join(", ") };
            vec![provider.name.to_string(), provider.state.clone(), provider.health(now), models]
        };
        let rows: Vec<_> = providers.iter().map(cells).collect();
        out.table(&["NAME", "STATE", "LAST CALL", "MODELS"], &rows)?;
        for provider in providers.iter().filter(|provider| !provider.keys.is_empty()) {
            let keys: Vec<_> = provider.keys.iter().map(Key::told).collect();
            out.line(&format!("keys of {}: {}", provider.name, keys.join(", ")))?;
        }
    }
    out.end()
}

/// The providers that a daemon would have if it started now.
async fn configured(common: &Common) -> Result<Vec<Shown>, CliError> {
    let config = common.config(&common.home()?)?;
    let (built, found, _) = app::providers(&config, &common.env()).await?;
    if !common.json {
        found.iter().for_each(|sentence| note(sentence));
    }
    let state = if config.providers.is_empty() { "found" } else { "configured" };
    let shown = built.into_iter().map(|(adapter, settings)| {
        let mut models: Vec<_> = settings.models.keys().map(ToString::to_string).collect();
        models.sort();
        Shown {
            name: adapter.name().clone(),
            models,
            max_in_flight: settings.max_in_flight,
            state: state.to_owned(),
            last_call: None,
            keys: Vec::new(),
        }
    });
    Ok(shown.collect())
}
