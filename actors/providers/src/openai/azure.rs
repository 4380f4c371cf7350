//! OpenAI's models at Azure: another header for the key, and addresses that name a deployment.
//! <https://learn.microsoft.com/azure/ai-foundry/openai/reference>

use std::sync::Arc;

use mosaic_types::ChatRequest;
use reqwest::Url;
use reqwest::header::HeaderName;

use super::convert;
use super::dialect::Dialect;
use super::read::Reader;
use crate::registry::Kind;
use crate::spec::ProviderSpec;
use crate::wire::{Base, Wire, adapter};
use crate::{ModelInfo, Provider};

/// This kind of provider. Everybody has an address of their own there.
pub const AZURE: Kind =
    Kind { name: "azure", base_url: "", key_env: Some("AZURE_OPENAI_API_KEY"), first_model: None, build };

/// One configured resource. A model is the name of a deployment.
#[derive(Debug)]
struct Azure {
    base: Base,
    /// With it, each deployment has an address, as was usual before the route without versions.
    version: Option<String>,
}

fn build(spec: ProviderSpec) -> Result<Arc<dyn Provider>, String> {
    adapter(spec, |base, spec| Azure { base: base.clone(), version: spec.api_version.clone() })
}

impl Azure {
    fn below(&self, path: &str, version: &str) -> Url {
        let mut url = self.base.below(path);
        url.query_pairs_mut().append_pair("api-version", version);
        url
    }

    /// The route without versions, unless the address names one of its own.
    fn plain(&self, path: &str) -> Url {
        if self.base.is_bare() { self.base.below(&format!("openai/v1/{path}")) } else { self.base.below(path) }
    }
}

impl Wire for Azure {
    type Reader = Reader;

    fn key(&self, key: &str) -> (HeaderName, String) {
        (HeaderName::from_static("api-key"), key.to_owned())
    }

    fn chat_url(&self, request: &ChatRequest) -> Url {
        let Some(version) = &self.version else { return self.plain("chat/completions") };
        let mut url = self.below("openai/deployments", version);
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend([&*request.model, "chat", "completions"]);
        }
        url
    }

    fn body(&self, request: &ChatRequest) -> Vec<u8> {
        convert::body(request, Dialect::OPENAI)
    }

    fn reader(&self) -> Reader {
        Reader
    }

    fn models_url(&self) -> Url {
        match &self.version {
            Some(version) => self.below("openai/models", version),
            None => self.plain("models"),
        }
    }

    fn models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, serde_json::Error> {
        convert::models(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Bed, all, provider_contract, request};

    provider_contract!(super::build);

    fn urls(base: &str, version: Option<&str>, model: &str) -> (String, String) {
        let azure = Azure { base: Base::of(base), version: version.map(str::to_owned) };
        let asked = ChatRequest { model: model.into(), ..request("hi", true) };
        (azure.chat_url(&asked).to_string(), azure.models_url().to_string())
    }

    #[test]
    fn a_deployment_has_an_address_of_its_own_where_a_version_is_named() {
        let (host, version) = ("https://mine.openai.azure.com", Some("2024-10-21"));
        assert_eq!(
            urls(host, None, "gpt"),
            (format!("{host}/openai/v1/chat/completions"), format!("{host}/openai/v1/models"))
        );
        assert_eq!(urls(&format!("{host}/openai/v1"), None, "gpt"), urls(host, None, "gpt"));
        let (chat, models) = urls(host, version, "a/../b?c");
        assert_eq!(chat, format!("{host}/openai/deployments/a%2F..%2Fb%3Fc/chat/completions?api-version=2024-10-21"));
        assert_eq!(models, format!("{host}/openai/models?api-version=2024-10-21"));
    }

    #[tokio::test]
    async fn the_key_goes_in_a_header_of_its_own() {
        let bed = Bed::new(build, []);
        all(&*bed.provider, request("hi", true)).await.1.expect("an answer");
        let call = bed.last_call();
        assert_eq!((call.header("api-key"), call.header("authorization")), (Some(crate::contract::KEY), None));
    }
}
