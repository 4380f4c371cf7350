//! Servers that speak this wire with an accent of their own: where they answer, and what they take.

use crate::registry::Kind;

use super::dialect::{Dialect, EffortAs};
use super::of;

/// <https://openrouter.ai/docs/api/reference/parameters>: reasoning is an object, for models of every maker.
pub const OPENROUTER: Kind = Kind {
    name: "openrouter",
    base_url: "https://openrouter.ai/api/v1",
    key_env: Some("OPENROUTER_API_KEY"),
    first_model: Some("openrouter/auto"),
    build: |spec| of(spec, Dialect { effort: EffortAs::Object, ..Dialect::COMPATIBLE }),
};

/// <https://console.groq.com/docs/api-reference>: `max_tokens` is old.
pub const GROQ: Kind = Kind {
    name: "groq",
    base_url: "https://api.groq.com/openai/v1",
    key_env: Some("GROQ_API_KEY"),
    first_model: Some("openai/gpt-oss-20b"),
    build: |spec| of(spec, Dialect { max_completion_tokens: true, signatures: false, ..Dialect::COMPATIBLE }),
};

/// <https://api-docs.deepseek.com/guides/thinking_mode>: thinking is on or off.
pub const DEEPSEEK: Kind = Kind {
    name: "deepseek",
    base_url: "https://api.deepseek.com/v1",
    key_env: Some("DEEPSEEK_API_KEY"),
    first_model: None,
    build: |spec| of(spec, Dialect { effort: EffortAs::Switch, signatures: false, ..Dialect::COMPATIBLE }),
};

/// <https://docs.mistral.ai/api>: fields that it does not know are refused, `stream_options` among them; usage comes
/// unasked.
pub const MISTRAL: Kind = Kind {
    name: "mistral",
    base_url: "https://api.mistral.ai/v1",
    key_env: Some("MISTRAL_API_KEY"),
    first_model: Some("mistral-small-latest"),
    build: |spec| {
        let dialect = Dialect {
            stream_options: false,
            signatures: false,
            random_seed: true,
            any_tool: true,
            short_ids: true,
            ..Dialect::COMPATIBLE
        };
        of(spec, dialect)
    },
};

/// <https://docs.x.ai/docs/api-reference>: `max_tokens` is old.
pub const XAI: Kind = Kind {
    name: "xai",
    base_url: "https://api.x.ai/v1",
    key_env: Some("XAI_API_KEY"),
    first_model: None,
    build: |spec| of(spec, Dialect { max_completion_tokens: true, signatures: false, ..Dialect::COMPATIBLE }),
};

/// <https://docs.z.ai/api-reference/llm/chat-completion>: thinking is on or off.
pub const ZAI: Kind = Kind {
    name: "zai",
    base_url: "https://api.z.ai/api/paas/v4",
    key_env: Some("ZAI_API_KEY"),
    first_model: None,
    build: |spec| of(spec, Dialect { effort: EffortAs::Switch, signatures: false, ..Dialect::COMPATIBLE }),
};

/// LM Studio on this machine.
pub const LMSTUDIO: Kind = local("lmstudio", "http://127.0.0.1:1234/v1");

/// vLLM on this machine.
pub const VLLM: Kind = local("vllm", "http://127.0.0.1:8000/v1");

/// llama.cpp's server on this machine.
pub const LLAMACPP: Kind = local("llamacpp", "http://127.0.0.1:8080/v1");

const fn local(name: &'static str, base_url: &'static str) -> Kind {
    Kind { name, base_url, key_env: None, first_model: None, build: |spec| of(spec, Dialect::COMPATIBLE) }
}
