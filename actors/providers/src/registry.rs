//! Every kind of provider that is built in: one line each.

use std::fmt;
use std::sync::Arc;

use crate::spec::ProviderSpec;
use crate::{Provider, anthropic, gemini, ollama, openai, responses};

/// A kind of provider.
#[derive(Clone, Copy)]
pub struct Kind {
    /// What `kind` says in the config.
    pub name: &'static str,
    /// Where it answers unless `base_url` says otherwise.
    pub base_url: &'static str,
    /// The variable that people keep its key in; `None` where it asks for none.
    pub key_env: Option<&'static str>,
    /// Small and cheap, since nobody chose it: the model to begin with, where one is sure to be there.
    pub first_model: Option<&'static str>,
    /// Makes the adapter; costs no call. The error is a sentence for the person who wrote the config.
    pub build: fn(ProviderSpec) -> Result<Arc<dyn Provider>, String>,
}

/// All kinds; the first is the default.
pub const KINDS: &[Kind] = &[
    openai::KIND,
    responses::KIND,
    anthropic::KIND,
    gemini::KIND,
    ollama::KIND,
    openai::OPENROUTER,
    openai::GROQ,
    openai::DEEPSEEK,
    openai::MISTRAL,
    openai::XAI,
    openai::ZAI,
    openai::AZURE,
    openai::LLAMACPP,
    openai::LMSTUDIO,
    openai::VLLM,
];

impl Kind {
    /// The kind of that name.
    pub fn find(name: &str) -> Option<Self> {
        KINDS.iter().find(|kind| kind.name == name).copied()
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Makes the adapter for a `kind`.
pub fn build(kind: &str, spec: ProviderSpec) -> Result<Arc<dyn Provider>, String> {
    match Kind::find(kind) {
        Some(kind) => (kind.build)(spec),
        None => {
            let kinds: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
            Err(format!("Provider {} is of kind {kind:?}; this build knows {}.", spec.name, kinds.join(", ")))
        }
    }
}
