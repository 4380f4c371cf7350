//! Looks for providers when none is configured: keys in the environment, then model servers on this machine.
//!
//! Keys go first, since whoever sets one wants it used; then nothing is asked over the network and the start is not
//! held up. What is found is real or it is nothing: Mosaic never answers with a made-up model.

mod probe;
#[cfg(test)]
mod tests;

use mosaic_providers::config::{KINDS, ProviderConfig};
use mosaic_types::{ModelRef, ProviderName, Secret};

use crate::config::{Env, clean_key};

pub use mosaic_types::failure::NO_PROVIDER;

/// A provider that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    pub name: ProviderName,
    /// Speaks the OpenAI wire.
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
        ProviderConfig::new(KINDS[0], &self.base_url, self.api_key.clone())
    }

    /// Its model, for agents that name none.
    pub fn model_ref(&self) -> ModelRef {
        ModelRef { provider: self.name.clone(), model: self.model.as_str().into() }
    }
}

/// A variable that people keep a provider's key in.
#[derive(Debug, Clone, Copy)]
pub struct KeyCandidate<'a> {
    pub variable: &'a str,
    pub name: &'a str,
    /// Its OpenAI-compatible endpoint.
    pub base_url: &'a str,
    /// Small and cheap, since nobody chose it.
    pub model: &'a str,
}

/// A model server that may run on this machine.
#[derive(Debug, Clone, Copy)]
pub struct LocalCandidate<'a> {
    /// As people call it.
    pub product: &'a str,
    pub name: &'a str,
    /// On 127.0.0.1, where it listens unless told otherwise.
    pub port: u16,
}

/// The variables that are looked at, in this order. The endpoints are those of the makers' pages on OpenAI
/// compatibility.
pub const KEYS: &[KeyCandidate<'_>] = &[
    KeyCandidate {
        variable: "OPENAI_API_KEY",
        name: "openai",
        base_url: "https://api.openai.com/v1",
        model: "gpt-5-mini",
    },
    KeyCandidate {
        variable: "ANTHROPIC_API_KEY",
        name: "anthropic",
        base_url: "https://api.anthropic.com/v1",
        model: "claude-haiku-4-5",
    },
    KeyCandidate {
        variable: "GEMINI_API_KEY",
        name: "gemini",
        base_url: "https://generativelanguage.googleapis.com/v1beta/openai",
        model: "gemini-2.5-flash",
    },
    KeyCandidate {
        variable: "OPENROUTER_API_KEY",
        name: "openrouter",
        base_url: "https://openrouter.ai/api/v1",
        model: "openrouter/auto",
    },
];

/// The local servers that are looked for, in this order.
pub const LOCALS: &[LocalCandidate<'_>] = &[
    LocalCandidate { product: "Ollama", name: "ollama", port: 11434 },
    LocalCandidate { product: "llama.cpp", name: "llamacpp", port: 8080 },
    LocalCandidate { product: "LM Studio", name: "lmstudio", port: 1234 },
    LocalCandidate { product: "vLLM", name: "vllm", port: 8000 },
];

/// Every provider with a key in the environment, in order of preference; where there is none, the first local server
/// that answers. Nothing at all: say [`NO_PROVIDER`]. Takes 300 ms at the most.
pub async fn detect(env: &Env, keys: &[KeyCandidate<'_>], locals: &[LocalCandidate<'_>]) -> Vec<Detected> {
    let by_key: Vec<Detected> = keys.iter().filter_map(|candidate| look_for_key(env, candidate)).collect();
    if by_key.is_empty() { look_for_server(locals).await.into_iter().collect() } else { by_key }
}

/// Whether a model can hold a conversation, as far as its name tells: servers list embedding models among the others.
pub(crate) fn can_chat(model: &str) -> bool {
    !model.to_lowercase().contains("embed")
}

fn look_for_key(env: &Env, candidate: &KeyCandidate<'_>) -> Option<Detected> {
    let KeyCandidate { variable, name, base_url, model } = *candidate;
    let key = clean_key(env.get(variable)?, variable)
        .inspect_err(|error| tracing::warn!(provider.name = name, error, "passing over a key in the environment"))
        .ok()?;
    Some(Detected {
        name: name.parse().expect("candidates have valid names"),
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
    let LocalCandidate { product, name, port } = *candidate;
    Some(Detected {
        name: name.parse().expect("candidates have valid names"),
        base_url: format!("http://127.0.0.1:{port}/v1"),
        api_key: None,
        found_by: format!("Using {name}/{model}, since {product} answers on port {port} of this machine."),
        model,
    })
}
