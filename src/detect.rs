//! Looks for providers when none is configured: keys in the environment, then model servers on this machine.
//!
//! Keys go first, since whoever sets one wants it used; then nothing is asked over the network and the start is not
//! held up. What is found is real or it is nothing: Mosaic never answers with a made-up model.

mod probe;
#[cfg(test)]
mod tests;

use mosaic_providers::config::{Kind, ProviderConfig};
use mosaic_providers::{anthropic, gemini, ollama, openai};
use mosaic_types::{ModelRef, ProviderName, Secret};

use crate::config::{Env, clean_key};

pub use mosaic_types::failure::NO_PROVIDER;

/// A provider that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    pub name: ProviderName,
    /// The name of its kind.
    pub kind: &'static str,
    pub base_url: String,
    pub api_key: Option<Secret>,
    /// The model to begin with.
    pub model: String,
    /// A whole sentence on why it is used.
    pub found_by: String,
}

impl Detected {
    /// The provider as if it were configured.
    pub fn provider(&self) -> ProviderConfig {
        let kind = Kind::find(self.kind).expect("candidates are of kinds that there are");
        ProviderConfig::new(kind, &self.base_url, self.api_key.clone())
    }

    /// Its model, for agents that name none.
    pub fn model_ref(&self) -> ModelRef {
        ModelRef { provider: self.name.clone(), model: self.model.as_str().into() }
    }
}

/// A model server that may run on this machine.
#[derive(Debug, Clone, Copy)]
pub struct LocalCandidate<'a> {
    /// As people call it.
    pub product: &'a str,
    pub name: &'a str,
    /// What it is configured as.
    pub kind: &'static str,
    /// On 127.0.0.1, where it listens unless told otherwise.
    pub port: u16,
}

/// The kinds whose variables are looked at, in this order; each has a model to begin with.
pub const KEYS: &[Kind] = &[openai::KIND, anthropic::KIND, gemini::KIND, openai::OPENROUTER];

/// The local servers that are looked for, in this order.
pub const LOCALS: &[LocalCandidate<'_>] = &[
    LocalCandidate { product: "Ollama", name: "ollama", kind: "ollama", port: 11434 },
    LocalCandidate { product: "llama.cpp", name: "llamacpp", kind: "llamacpp", port: 8080 },
    LocalCandidate { product: "LM Studio", name: "lmstudio", kind: "lmstudio", port: 1234 },
    LocalCandidate { product: "vLLM", name: "vllm", kind: "vllm", port: 8000 },
];

/// Every provider with a key in the environment, in order of preference; where there is none, the first local server
/// that answers. Nothing at all: say [`NO_PROVIDER`]. Takes 300 ms at the most.
pub async fn detect(env: &Env, keys: &[Kind], locals: &[LocalCandidate<'_>]) -> Vec<Detected> {
    let by_key: Vec<Detected> = keys.iter().filter_map(|kind| look_for_key(env, *kind)).collect();
    if by_key.is_empty() { look_for_server(locals).await.into_iter().collect() } else { by_key }
}

/// Whether a model can hold a conversation, as far as its name tells: servers list embedding models among the others.
pub(crate) fn can_chat(model: &str) -> bool {
    !model.to_lowercase().contains("embed")
}

fn look_for_key(env: &Env, kind: Kind) -> Option<Detected> {
    let Kind { name, base_url, .. } = kind;
    let (variable, model) = (kind.key_env?, kind.first_model?);
    let key = clean_key(env.get(variable)?, variable)
        .inspect_err(|error| tracing::warn!(provider.name = name, error, "passing over a key in the environment"))
        .ok()?;
    Some(Detected {
        name: name.parse().expect("candidates have valid names"),
        kind: name,
        base_url: base_url.to_owned(),
        api_key: Some(key),
        model: model.to_owned(),
        found_by: format!("Using {name}/{model}, since {variable} is set."),
    })
}

/// Asks all at once; the first in the order of preference wins, not the first to answer, so that every start is the
/// same.
async fn look_for_server(locals: &[LocalCandidate<'_>]) -> Option<Detected> {
    let client = probe::client()?;
    let asked = locals.iter().map(|candidate| probe::first_model(&client, candidate.port));
    let models = futures_util::future::join_all(asked).await;
    let (candidate, model) = locals.iter().zip(models).find_map(|(candidate, model)| Some((candidate, model?)))?;
    let LocalCandidate { product, name, kind, port } = *candidate;
    // All of them serve the route that is asked here; Ollama has one of its own beside it, which is better.
    let path = if kind == ollama::KIND.name { "" } else { "/v1" };
    Some(Detected {
        name: name.parse().expect("candidates have valid names"),
        kind,
        base_url: format!("http://127.0.0.1:{port}{path}"),
        api_key: None,
        found_by: format!("Using {name}/{model}, since {product} answers on port {port} of this machine."),
        model,
    })
}
