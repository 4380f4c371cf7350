//! OpenAI's Responses: its newer wire. Nothing is kept at the server; the dialogue goes along with each call, as on every
//! other wire, and reasoning is told as a summary. What a model has thought in secret stays there.

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
use crate::{ModelInfo, Provider, openai};
pub(crate) use read::Reader;

/// This kind of provider.
pub const KIND: Kind = Kind {
    name: "openai-responses",
    base_url: "https://api.openai.com/v1",
    key_env: Some("OPENAI_API_KEY"),
    first_model: Some("gpt-5-mini"),
    build,
};

/// One configured server.
#[derive(Debug)]
struct Responses {
    chat: Url,
    models: Url,
}

fn build(spec: ProviderSpec) -> Result<Arc<dyn Provider>, String> {
    adapter(spec, |base, _| Responses { chat: base.below("responses"), models: base.below("models") })
}

impl Wire for Responses {
    type Reader = Reader;

    fn key(&self, key: &str) -> (HeaderName, String) {
        (AUTHORIZATION, format!("Bearer {key}"))
    }

    fn chat_url(&self, _: &ChatRequest) -> Url {
        self.chat.clone()
    }

    fn body(&self, request: &ChatRequest) -> Vec<u8> {
        convert::body(request)
    }

    fn reader(&self) -> Reader {
        Reader::default()
    }

    fn models_url(&self) -> Url {
        self.models.clone()
    }

    fn models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, serde_json::Error> {
        openai::models(body)
    }
}
