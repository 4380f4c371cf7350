//! First floor: the places that answer model calls.
//!
//! One trait, one folder per wire, one line per folder in [`registry`]. Adapters translate and report; they never
//! retry, never choose another model and keep no count of calls: that is the runtime's work.

pub mod anthropic;
pub mod catalogue;
pub mod client;
pub mod config;
#[cfg(test)]
mod contract;
pub mod decode;
pub mod error;
pub mod gemini;
#[cfg(test)]
mod mutation;
pub mod ollama;
pub mod openai;
pub mod registry;
pub mod responses;
mod retry_after;
mod shown;
pub mod spec;
mod trace;
mod wire;

use std::pin::Pin;

use futures_util::Stream;
use mosaic_types::{ChatEvent, ChatRequest, ProviderName};

pub use catalogue::ModelFacts;
pub use error::ProviderError;
pub use spec::ProviderSpec;

/// A model as its provider lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    pub id: String,
    /// What the list says of it.
    pub facts: ModelFacts,
}

impl ModelInfo {
    /// A model of which nothing is known but its name.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), facts: ModelFacts::default() }
    }
}

/// A future that may be run on any thread.
pub type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A model's answer as it is made. Dropping it ends the call at the provider too.
pub type ChatStream = Pin<Box<dyn Stream<Item = Result<ChatEvent, ProviderError>> + Send>>;

/// A place that answers model calls.
pub trait Provider: Send + Sync {
    /// Its name in the config.
    fn name(&self) -> &ProviderName;

    /// Asks which models it has; costs nothing at the provider.
    fn models(&self) -> Work<Result<Vec<ModelInfo>, ProviderError>>;

    /// What is known of a model: what the provider's list said when it was last asked for, else the catalogue.
    fn facts(&self, _model: &str) -> ModelFacts {
        ModelFacts::default()
    }

    /// The names of its keys, where it has several to be used in turn.
    fn keys(&self) -> &[String] {
        &[]
    }

    /// Asks which models it has, with the key of that number.
    fn models_with(&self, _key: usize) -> Work<Result<Vec<ModelInfo>, ProviderError>> {
        self.models()
    }

    /// Sends one call with the key of that number.
    fn chat_with(&self, _key: usize, request: ChatRequest) -> Work<Result<ChatStream, ProviderError>> {
        self.chat(request)
    }

    /// Sends one call. Resolves when the provider has begun to answer with success; then the stream tells the rest.
    fn chat(&self, request: ChatRequest) -> Work<Result<ChatStream, ProviderError>>;
}
