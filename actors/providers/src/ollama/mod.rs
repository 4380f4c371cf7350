//! Ollama, on its own wire: the only one on which a model's window can be said, and a dialogue that is too long for it is
//! refused rather than cut.

mod convert;
mod read;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use mosaic_types::ChatRequest;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderName};

use crate::registry::Kind;
use crate::spec::ProviderSpec;
use crate::wire::{Wire, adapter};
use crate::{ModelFacts, ModelInfo, Provider};
pub(crate) use read::Reader;

/// This kind of provider.
pub const KIND: Kind =
    Kind { name: "ollama", base_url: "http://127.0.0.1:11434", key_env: None, first_model: None, build };

/// Tokens of a window that nobody chose. Ollama's own choice is 4,096 on most machines; this is what the runtime takes
/// an unknown window for.
pub const WINDOW: u64 = 8192;

/// One configured server.
#[derive(Debug)]
struct Ollama {
    chat: Url,
    models: Url,
    /// As the config says, by model.
    windows: BTreeMap<String, u64>,
}

fn build(mut spec: ProviderSpec) -> Result<Arc<dyn Provider>, String> {
    // Its compatible route is below that; whoever writes it means the same server.
    spec.base_url = spec.base_url.trim_end_matches('/').trim_end_matches("/v1").to_owned();
    adapter(spec, |base, spec| Ollama {
        chat: base.below("api/chat"),
        models: base.below("api/tags"),
        windows: spec.windows.clone(),
    })
}

impl Ollama {
    fn window(&self, model: &str) -> u64 {
        self.windows.get(model).copied().unwrap_or(WINDOW)
    }
}

impl Wire for Ollama {
    type Reader = Reader;

    fn key(&self, key: &str) -> (HeaderName, String) {
        (AUTHORIZATION, format!("Bearer {key}"))
    }

    fn chat_url(&self, _: &ChatRequest) -> Url {
        self.chat.clone()
    }

    fn body(&self, request: &ChatRequest) -> Vec<u8> {
        convert::body(request, self.window(&request.model))
    }

    fn stream_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn reader(&self) -> Reader {
        Reader::default()
    }

    fn models_url(&self) -> Url {
        self.models.clone()
    }

    fn facts(&self, model: &str) -> ModelFacts {
        ModelFacts { context_tokens: Some(self.window(model)), ..ModelFacts::default() }
    }

    fn models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, serde_json::Error> {
        convert::models(body)
    }
}
