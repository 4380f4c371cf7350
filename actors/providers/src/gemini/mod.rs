//! Google's Gemini, on the wire of its own API.

mod convert;
mod read;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use mosaic_types::ChatRequest;
use reqwest::Url;
use reqwest::header::HeaderName;

use crate::registry::Kind;
use crate::spec::ProviderSpec;
use crate::wire::{Base, Wire, adapter};
use crate::{ModelInfo, Provider};
pub(crate) use read::Reader;

/// This kind of provider.
pub const KIND: Kind = Kind {
    name: "gemini",
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    key_env: Some("GEMINI_API_KEY"),
    first_model: Some("gemini-2.5-flash"),
    build,
};

/// One configured server. The key goes in a header: an address is written to logs on the way.
#[derive(Debug)]
struct Gemini {
    base: Base,
    models: Url,
}

fn build(spec: ProviderSpec) -> Result<Arc<dyn Provider>, String> {
    adapter(spec, |base, _| Gemini::at(base))
}

impl Gemini {
    fn at(base: &Base) -> Self {
        let mut models = base.below("models");
        // A page as long as it may be.
        models.set_query(Some("pageSize=1000"));
        Self { base: base.clone(), models }
    }
}

impl Wire for Gemini {
    type Reader = Reader;

    fn key(&self, key: &str) -> (HeaderName, String) {
        (HeaderName::from_static("x-goog-api-key"), key.to_owned())
    }

    fn chat_url(&self, request: &ChatRequest) -> Url {
        // Models are named with and without what stands before the slash; tuned ones have another word there.
        let (folder, model) = request.model.split_once('/').unwrap_or(("models", &request.model));
        let method = if request.stream { "streamGenerateContent" } else { "generateContent" };
        let mut url = self.base.below(folder);
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(&format!("{model}:{method}"));
        }
        url.set_query(request.stream.then_some("alt=sse"));
        url
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
