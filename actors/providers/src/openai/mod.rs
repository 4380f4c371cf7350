//! The OpenAI wire: chat completions and the list of models, as OpenAI and everybody who imitates it serve them.

mod convert;
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
use crate::wire::{Wire, adapter};
use crate::{ModelInfo, Provider};
use convert::Dialect;
use read::Reader;

/// This kind of provider.
pub const KIND: Kind =
    Kind { name: "openai", base_url: "https://api.openai.com/v1", key_env: Some("OPENAI_API_KEY"), build };

/// One configured server.
#[derive(Debug)]
struct OpenAi {
    chat: Url,
    models: Url,
    dialect: Dialect,
}

fn build(spec: ProviderSpec) -> Result<Arc<dyn Provider>, String> {
    adapter(spec, |base, _| OpenAi {
        chat: base.below("chat/completions"),
        models: base.below("models"),
        dialect: Dialect::of(base.host()),
    })
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
