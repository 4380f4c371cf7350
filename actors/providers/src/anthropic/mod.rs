//! Anthropic's Messages.

mod convert;
mod read;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use mosaic_types::ChatRequest;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::registry::Kind;
use crate::spec::ProviderSpec;
use crate::wire::{Wire, adapter};
use crate::{ModelInfo, Provider};
pub(crate) use read::Reader;

/// This kind of provider.
pub const KIND: Kind = Kind {
    name: "anthropic",
    base_url: "https://api.anthropic.com/v1",
    key_env: Some("ANTHROPIC_API_KEY"),
    first_model: Some("claude-haiku-4-5"),
    build,
};

/// The only version of the wire there is.
/// <https://platform.claude.com/docs/en/api/versioning>
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// One configured server.
#[derive(Debug)]
struct Anthropic {
    chat: Url,
    models: Url,
}

fn build(spec: ProviderSpec) -> Result<Arc<dyn Provider>, String> {
    adapter(spec, |base, _| {
        let mut models = base.below("models");
        // A page as long as it may be; more models than that are not to be had there.
        models.set_query(Some("limit=1000"));
        Anthropic { chat: base.below("messages"), models }
    })
}

impl Wire for Anthropic {
    type Reader = Reader;

    fn key(&self, key: &str) -> (HeaderName, String) {
        (HeaderName::from_static("x-api-key"), key.to_owned())
    }

    fn headers(&self, headers: &mut HeaderMap) {
        headers.insert("anthropic-version", VERSION);
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
        convert::models(body)
    }
}
