//! The OpenAI wire: chat completions and the list of models, as OpenAI and everybody who imitates it serve them.

mod azure;
mod convert;
#[cfg(test)]
mod cut_tests;
mod dialect;
#[cfg(test)]
mod error_tests;
#[cfg(test)]
mod preset_tests;
mod presets;
mod read;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use mosaic_types::ChatRequest;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderName};

use crate::registry::Kind;
use crate::spec::ProviderSpec;
use crate::wire::{Base, Wire, adapter};
use crate::{ModelInfo, Provider};
pub use azure::AZURE;
pub(crate) use convert::models;
use dialect::Dialect;
pub use presets::{DEEPSEEK, GROQ, LLAMACPP, LMSTUDIO, MISTRAL, OPENROUTER, VLLM, XAI, ZAI};
pub(crate) use read::Reader;

/// This kind of provider.
pub const KIND: Kind = Kind {
    name: "openai",
    base_url: "https://api.openai.com/v1",
    key_env: Some("OPENAI_API_KEY"),
    first_model: Some("gpt-5-mini"),
    build,
};

/// One configured server.
#[derive(Debug)]
struct OpenAi {
    chat: Url,
    models: Url,
    dialect: Dialect,
}

fn build(spec: ProviderSpec) -> Result<Arc<dyn Provider>, String> {
    adapter(spec, |base, _| OpenAi::at(base, Dialect::of(base.host())))
}

/// A server whose dialect is known.
fn of(spec: ProviderSpec, dialect: Dialect) -> Result<Arc<dyn Provider>, String> {
    adapter(spec, |base, _| OpenAi::at(base, dialect))
}

impl OpenAi {
    fn at(base: &Base, dialect: Dialect) -> Self {
        Self { chat: base.below("chat/completions"), models: base.below("models"), dialect }
    }
}

impl Wire for OpenAi {
    type Reader = Reader;

    fn key(&self, key: &str) -> (HeaderName, String) {
        (AUTHORIZATION, format!("Bearer {key}"))
    }

    fn chat_url(&self, _: &ChatRequest) -> Url {
        self.chat.clone()
    }

    fn body(&self, request: &ChatRequest) -> Vec<u8> {
        convert::body(request, self.dialect)
    }

    fn reader(&self) -> Reader {
        Reader
    }

    fn models_url(&self) -> Url {
        self.models.clone()
    }

    fn models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, serde_json::Error> {
        convert::models(body)
    }
}
