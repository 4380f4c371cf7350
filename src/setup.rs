//! A provider that is added: tried, written to the home, and, in a running house, used from then on.
//!
//! The command and the gateway share what is here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mosaic_providers::config::{Kind, ProviderConfig};
use mosaic_providers::{Provider, ProviderError, ProviderSpec, registry};
use mosaic_runtime::Doors;
use mosaic_types::settings::Settings;
use mosaic_types::{Code, Failure, ProviderName, Secret};
use tokio::time::Instant;

use crate::app;
use crate::config::edit::{EditError, NewProvider, add_model, add_provider};
use crate::config::{Config, Env, FILE};
use crate::detect::can_chat;

/// For so long a provider may take to list its models. It is a short list, asked for while somebody waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A provider that answered.
pub(crate) struct Reached {
    /// In its own order.
    pub(crate) models: Vec<String>,
    pub(crate) took: Duration,
}

impl Reached {
    /// `3 models in 40 ms`
    pub(crate) fn describe(&self) -> String {
        let (count, plural) = (self.models.len(), if self.models.len() == 1 { "" } else { "s" });
        format!("{count} model{plural} in {} ms", self.took.as_millis())
    }
}

/// Asks a provider for its models: costs nothing there and needs its key.
pub(crate) async fn ask(provider: &Arc<dyn Provider>) -> Result<Reached, Failure> {
    let begun = Instant::now();
    let stalled = || ProviderError::Stalled { provider: provider.name().clone(), idle: PATIENCE };
    let answer = tokio::time::timeout(PATIENCE, provider.models()).await.unwrap_or_else(|_| Err(stalled()));
    let models = answer.map_err(|error| error.failure())?;
    Ok(Reached { models: models.into_iter().map(|model| model.id).collect(), took: begun.elapsed() })
}

/// The address as the config would read it; else why it would not, without repeating it. `field`: what it is called
/// where it was given.
pub(crate) fn base_url(text: &str, field: &str) -> Result<String, String> {
    let settings = Settings::parse(&format!("base_url = {}", toml::Value::from(text)), field);
    let settings = settings.map_err(|mistakes| mistakes.to_string())?;
    let config = ProviderConfig::read(&settings.root(), &|_| Err(String::new()));
    match settings.finish() {
        Ok(_) => Ok(config.base_url),
        Err(mistakes) => {
            let said = mistakes.iter().next().map(|mistake| format!("{field}: {}; {}", mistake.found, mistake.right));
            Err(said.unwrap_or_default())
        }
    }
}

/// The model to name in the config, so that agents without models of their own do not take the provider's first, where
/// that is not one to begin with.
pub(crate) fn first_model<'a>(kind: Kind, base_url: &str, reached: Option<&'a Reached>) -> Option<&'a str> {
    let usual = kind.first_model.filter(|_| base_url == kind.base_url);
    let Some(reached) = reached else { return usual };
    let listed = |model: &str| reached.models.iter().any(|id| id == model);
    usual.filter(|model| listed(model)).or_else(|| {
        let first = reached.models.first().filter(|first| !can_chat(first));
        first.and_then(|_| reached.models.iter().find(|id| can_chat(id))).map(String::as_str)
    })
}

/// Adds providers to a running house.
pub struct Setup {
    home: PathBuf,
    /// The file of the settings, where it is not the home's own.
    elsewhere: Option<PathBuf>,
    env: Env,
    /// One at a time: each reads the file and writes it anew.
    busy: tokio::sync::Mutex<()>,
}

/// A provider to be added.
pub(crate) struct Wish {
    pub(crate) kind: Kind,
    pub(crate) name: ProviderName,
    /// `None`: the usual one of its kind.
    pub(crate) base_url: Option<String>,
    pub(crate) key: Option<Secret>,
}

fn bad(sentence: impl Into<String>) -> Failure {
    Failure::new(Code::BadRequest, sentence.into())
}

impl Setup {
    /// For a house that was started with this config.
    pub(crate) fn new(config: &Config, env: &Env) -> Self {
        let own = config.home.join(FILE);
        let whole = |path: &PathBuf| std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let elsewhere = config.file.clone().filter(|file| whole(file) != whole(&own));
        Self { home: config.home.clone(), elsewhere, env: env.clone(), busy: tokio::sync::Mutex::default() }
    }

    /// Tries a provider, keeps it in the home with its key, and has the house use it. Answers the models that it lists.
    ///
    /// # Errors
    /// The provider's own, after which nothing was changed; `exists`; or why the file cannot be written or used.
    pub(crate) async fn add(&self, doors: &Doors, wish: Wish) -> Result<Vec<String>, Failure> {
        if let Some(file) = &self.elsewhere {
            let file = file.display();
            return Err(bad(format!("The settings in force are {file}, which is not the home's own: add it there.")));
        }
        let _one = self.busy.lock().await;
        let exists = || {
            let sentence = format!("The provider {} is there already. Give this one another name.", wish.name);
            Failure::new(Code::Exists, sentence)
        };
        if doors.providers.get(&wish.name).is_some() {
            return Err(exists());
        }
        let base_url = base_url(wish.base_url.as_deref().unwrap_or(wish.kind.base_url), "base_url").map_err(bad)?;
        let spec = ProviderSpec::new(wish.name.clone(), base_url.clone(), wish.key.clone());
        let provider = registry::build(wish.kind.name, spec).map_err(bad)?;
        let reached = ask(&provider).await.map_err(|failure| {
            let sentence = format!("{} The provider was not added.", failure.message);
            Failure { message: sentence.into(), ..failure }
        })?;
        let new = NewProvider {
            name: &wish.name,
            kind: wish.kind.name,
            base_url: (base_url != wish.kind.base_url).then_some(base_url.as_str()),
            key: wish.key.as_ref(),
        };
        let written = add_provider(&self.home, &new, false).and_then(|added| {
            let model = first_model(wish.kind, &base_url, Some(&reached));
            model.map_or(Ok(()), |model| add_model(&added.config, &wish.name, model))
        });
        written.map_err(|error| match error {
            EditError::Exists(_) => exists(),
            other => bad(format!("The provider was not added: {other}.")),
        })?;
        self.take_up(doors, &wish.name)?;
        Ok(reached.models)
    }

    /// Reads the file as the next start would, and uses the provider and what agents have by it.
    fn take_up(&self, doors: &Doors, name: &ProviderName) -> Result<(), Failure> {
        let config = Config::load(None, &self.home, &self.env).map_err(|error| {
            tracing::warn!(%error, "a provider was added to settings that cannot be read");
            bad("The provider was added, but the settings have mistakes: `mosaic config check` tells them. Put them right and restart.")
        })?;
        let provider = config.providers.get(name).cloned().ok_or_else(|| bad("The provider was added and is gone."))?;
        let (adapter, settings) = app::build(name.clone(), provider).map_err(|error| bad(error.to_string()))?;
        doors.providers.add(adapter, settings);
        // Those that a start with this file would not find any more are not what agents turn to first.
        doors.agents.publish(app::profiles(&config, &app::first_models(&config)));
        Ok(())
    }
}
