//! The figures. One table a maker: window, output limit, what it can (`v` sees images, `t` calls tools, `r` reasons), and US
//! dollars per million tokens of input, output, cached input, and input written to the cache.
//!
//! All of them stand in LiteLLM's public list (release 1.106.2, file `model_prices_and_context_window_backup.json`), which
//! names the maker's page for each; they were read there on 2026-11-23. Few were held against the maker's page itself:
//! where they were, a comment says so. Prices are those that are paid at once, and of short prompts; what a long one costs
//! more stands round a model. What is kept in a cache for an hour costs more to write; we ask for five minutes.

use mosaic_types::usage::LongPrompt;

use super::{Maker, Model};

/// No such price: the maker tells none.
const NONE: f64 = -1.0;

const fn model(id: &'static str, window: u64, output: u64, can: &'static str, price: [f64; 4]) -> Model {
    Model { id, window, output, can, price, long: None }
}

/// Beyond so many tokens of a prompt its input costs so many times as much, and its answer.
const fn long(above_tokens: u64, [input_times, output_times]: [f64; 2], model: Model) -> Model {
    Model { long: Some(LongPrompt { above_tokens, input_times, output_times }), ..model }
}

/// All makers.
pub(super) const MAKERS: &[Maker] = &[
    Maker { host: "api.anthropic.com", models: ANTHROPIC },
    Maker { host: "api.openai.com", models: OPENAI },
    Maker { host: "generativelanguage.googleapis.com", models: GOOGLE },
    Maker { host: "api.deepseek.com", models: DEEPSEEK },
    Maker { host: "api.mistral.ai", models: MISTRAL },
    Maker { host: "api.x.ai", models: XAI },
    Maker { host: "api.groq.com", models: GROQ },
    Maker { host: "api.z.ai", models: ZAI },
];

/// <https://platform.claude.com/docs/en/about-claude/pricing>
///
/// Input and output of Fable, Opus and the 5.5 models were held against the maker's own pages.
const ANTHROPIC: &[Model] = &[
    model("claude-fable-5", 1_000_000, 128_000, "vtr", [10.0, 50.0, 1.0, 12.5]),
    model("claude-fable-5-1", 1_000_000, 128_000, "vtr", [10.0, 50.0, 0.25, 12.5]),
    model("claude-haiku-4-5", 200_000, 64_000, "vtr", [1.0, 5.0, 0.1, 1.25]),
    long(100_000, [5.0, 5.0], model("claude-haiku-5-5", 1_000_000, 128_000, "vtr", [0.1, 0.5, 0.01, 0.125])),
    model("claude-opus-4-5", 200_000, 64_000, "vtr", [5.0, 25.0, 0.5, 6.25]),
    model("claude-opus-4-6", 1_000_000, 128_000, "vtr", [5.0, 25.0, 0.5, 6.25]),
    model("claude-opus-4-7", 1_000_000, 128_000, "vtr", [5.0, 25.0, 0.5, 6.25]),
    model("claude-opus-4-8", 1_000_000, 128_000, "vtr", [5.0, 25.0, 0.5, 6.25]),
    model("claude-opus-5", 1_000_000, 128_000, "vtr", [5.0, 25.0, 0.5, 6.25]),
    model("claude-opus-5-5", 1_000_000, 128_000, "vtr", [4.0, 20.0, 0.2, 5.0]),
    model("claude-sonnet-4-5", 200_000, 64_000, "vtr", [3.0, 15.0, 0.3, 3.75]),
    model("claude-sonnet-4-6", 1_000_000, 128_000, "vtr", [3.0, 15.0, 0.3, 3.75]),
    model("claude-sonnet-5", 1_000_000, 128_000, "vtr", [2.0, 10.0, 0.2, 2.5]),
    model("claude-sonnet-5-5", 1_000_000, 128_000, "vtr", [2.0, 10.0, 0.1, 2.5]),
];

/// <https://developers.openai.com/api/docs/pricing>
const OPENAI: &[Model] = &[
    model("gpt-4.1", 1_047_576, 32_768, "vt", [2.0, 8.0, 0.5, NONE]),
    model("gpt-4.1-mini", 1_047_576, 32_768, "vt", [0.4, 1.6, 0.1, NONE]),
    model("gpt-4o", 128_000, 16_384, "vt", [2.5, 10.0, 1.25, NONE]),
    model("gpt-4o-mini", 128_000, 16_384, "vt", [0.15, 0.6, 0.075, NONE]),
    model("gpt-5", 272_000, 128_000, "vtr", [1.25, 10.0, 0.125, NONE]),
    model("gpt-5-mini", 272_000, 128_000, "vtr", [0.25, 2.0, 0.025, NONE]),
    model("gpt-5-nano", 272_000, 128_000, "vtr", [0.05, 0.4, 0.005, NONE]),
    model("gpt-5.1", 272_000, 128_000, "vtr", [1.25, 10.0, 0.125, NONE]),
    model("gpt-5.2", 272_000, 128_000, "vtr", [1.75, 14.0, 0.175, NONE]),
    long(272_000, [2.0, 1.5], model("gpt-5.4", 922_000, 128_000, "vtr", [2.5, 15.0, 0.25, NONE])),
    model("gpt-5.4-mini", 272_000, 128_000, "vtr", [0.75, 4.5, 0.075, NONE]),
    model("gpt-5.4-nano", 272_000, 128_000, "vtr", [0.2, 1.25, 0.02, NONE]),
    long(272_000, [2.0, 1.5], model("gpt-5.5", 922_000, 128_000, "vtr", [5.0, 30.0, 0.5, NONE])),
    long(272_000, [2.0, 1.5], model("gpt-5.6", 922_000, 128_000, "vtr", [4.0, 20.0, 0.4, 5.0])),
    long(272_000, [2.0, 1.5], model("gpt-5.6-luna", 922_000, 128_000, "vtr", [0.2, 1.2, 0.02, 0.25])),
    long(272_000, [2.0, 1.5], model("gpt-5.6-sol", 922_000, 128_000, "vtr", [4.0, 20.0, 0.4, 5.0])),
    long(272_000, [2.0, 1.5], model("gpt-5.6-terra", 922_000, 128_000, "vtr", [2.0, 12.0, 0.2, 2.5])),
    long(272_000, [2.0, 1.5], model("gpt-6-astra", 922_000, 128_000, "vtr", [10.0, 50.0, 1.0, 12.5])),
    long(272_000, [2.0, 1.5], model("gpt-6-luna", 922_000, 128_000, "vtr", [0.1, 0.5, 0.01, 0.125])),
    long(272_000, [2.0, 1.5], model("gpt-6-sol", 922_000, 128_000, "vtr", [2.0, 10.0, 0.2, 2.5])),
    long(272_000, [2.0, 1.5], model("gpt-6.1-sol", 922_000, 128_000, "vtr", [2.0, 10.0, 0.1, 2.5])),
    model("o3", 200_000, 100_000, "vtr", [2.0, 8.0, 0.5, NONE]),
];

/// <https://ai.google.dev/gemini-api/docs/pricing>
const GOOGLE: &[Model] = &[
    model("gemini-2.5-flash", 1_048_576, 65_536, "vtr", [0.3, 2.5, 0.03, NONE]),
    model("gemini-2.5-flash-lite", 1_048_576, 65_536, "vtr", [0.1, 0.4, 0.01, NONE]),
    long(200_000, [2.0, 1.5], model("gemini-2.5-pro", 1_048_576, 65_536, "vtr", [1.25, 10.0, 0.125, NONE])),
    model("gemini-3-flash-preview", 1_048_576, 65_536, "vtr", [0.5, 3.0, 0.05, NONE]),
    model("gemini-3.1-flash-lite", 1_048_576, 65_536, "vtr", [0.25, 1.5, 0.025, NONE]),
    long(200_000, [2.0, 1.5], model("gemini-3.1-pro-preview", 1_048_576, 65_536, "vtr", [2.0, 12.0, 0.2, NONE])),
    model("gemini-3.5-flash", 1_048_576, 65_536, "vtr", [1.5, 9.0, 0.15, NONE]),
    model("gemini-3.5-flash-lite", 1_048_576, 65_536, "vtr", [0.3, 2.5, 0.03, NONE]),
    model("gemini-3.6-flash", 1_048_576, 65_536, "vtr", [0.75, 3.75, 0.075, NONE]),
    model("gemini-3.7-flash", 1_048_576, 65_536, "vtr", [0.75, 3.75, 0.075, NONE]),
    model("gemini-3.8-flash", 1_048_576, 65_536, "vtr", [0.75, 3.75, 0.075, NONE]),
    model("gemini-4-argon", 1_048_576, 1_048_576, "vtr", [2.0, 10.0, 0.1, NONE]),
    model("gemini-flash-latest", 1_048_576, 65_536, "vtr", [0.75, 3.75, 0.075, NONE]),
    model("gemini-flash-lite-latest", 1_048_576, 65_536, "vtr", [0.3, 2.5, 0.03, NONE]),
    long(200_000, [2.0, 1.5], model("gemini-pro-latest", 1_048_576, 65_536, "vtr", [2.0, 12.0, 0.2, NONE])),
];

/// <https://api-docs.deepseek.com/quick_start/pricing>
const DEEPSEEK: &[Model] = &[
    model("deepseek-flash", 1_000_000, 393_216, "vtr", [0.3, 1.2, 0.006, NONE]),
    model("deepseek-v4-flash", 1_000_000, 393_216, "vtr", [0.3, 1.2, 0.006, NONE]),
    model("deepseek-v4-pro", 1_000_000, 393_216, "tr", [1.32, 3.96, 0.044, NONE]),
];

/// <https://docs.mistral.ai/getting-started/models>
const MISTRAL: &[Model] = &[
    model("codestral-latest", 128_000, 128_000, "t", [0.3, 0.9, 0.03, NONE]),
    model("devstral-latest", 256_000, 256_000, "t", [0.4, 2.0, 0.04, NONE]),
    model("devstral-small-latest", 256_000, 256_000, "t", [0.1, 0.3, 0.01, NONE]),
    model("magistral-medium-latest", 262_144, 262_144, "vtr", [1.5, 7.5, 0.15, NONE]),
    model("magistral-small-latest", 262_144, 262_144, "vtr", [0.15, 0.6, 0.015, NONE]),
    model("ministral-3b-latest", 131_072, 131_072, "vt", [0.1, 0.1, 0.01, NONE]),
    model("ministral-8b-latest", 262_144, 262_144, "vt", [0.15, 0.15, 0.015, NONE]),
    model("ministral-14b-latest", 262_144, 262_144, "vt", [0.2, 0.2, 0.02, NONE]),
    model("mistral-large-latest", 262_144, 262_144, "vt", [0.5, 1.5, 0.05, NONE]),
    model("mistral-medium-latest", 262_144, 262_144, "vtr", [1.5, 7.5, 0.15, NONE]),
    model("mistral-small-latest", 262_144, 262_144, "vtr", [0.15, 0.6, 0.015, NONE]),
];

/// <https://docs.x.ai/docs/models>
const XAI: &[Model] = &[
    long(200_000, [2.0, 2.0], model("grok-4.20", 1_000_000, 1_000_000, "vtr", [1.25, 2.5, 0.2, NONE])),
    long(200_000, [2.0, 2.0], model("grok-4.3", 1_000_000, 1_000_000, "vtr", [1.25, 2.5, 0.2, NONE])),
    long(200_000, [2.0, 2.0], model("grok-4.5", 500_000, 500_000, "vtr", [2.0, 6.0, 0.3, NONE])),
    long(200_000, [2.0, 2.0], model("grok-4.6", 500_000, 500_000, "vtr", [2.0, 6.0, 0.5, NONE])),
    long(200_000, [2.0, 2.0], model("grok-4.7", 500_000, 500_000, "vtr", [2.0, 6.0, 0.5, NONE])),
    long(200_000, [2.0, 2.0], model("grok-code-fast-1", 256_000, 256_000, "vtr", [1.0, 2.0, 0.2, NONE])),
];

/// <https://console.groq.com/docs/models>
const GROQ: &[Model] = &[
    model("openai/gpt-oss-120b", 131_072, 65_536, "tr", [0.15, 0.6, 0.075, NONE]),
    model("openai/gpt-oss-20b", 131_072, 65_536, "tr", [0.075, 0.3, 0.0375, NONE]),
    model("qwen/qwen3.8-27b", 131_072, 16_384, "vtr", [0.8, 4.0, NONE, NONE]),
];

/// <https://docs.z.ai/guides/overview/pricing>
const ZAI: &[Model] = &[
    model("glm-4.5", 128_000, 32_000, "t", [0.6, 2.2, NONE, NONE]),
    model("glm-4.5-air", 128_000, 32_000, "t", [0.2, 1.1, NONE, NONE]),
    model("glm-4.6", 200_000, 128_000, "tr", [0.6, 2.2, 0.11, NONE]),
    model("glm-4.7", 200_000, 128_000, "tr", [0.6, 2.2, 0.11, NONE]),
    model("glm-4.7-flash", 200_000, 128_000, "tr", [0.0, 0.0, 0.0, NONE]),
    model("glm-5", 200_000, 128_000, "tr", [1.0, 3.2, 0.2, NONE]),
    model("glm-5.1", 200_000, 128_000, "tr", [1.4, 4.4, 0.26, NONE]),
    model("glm-5.2", 1_000_000, 128_000, "tr", [1.4, 4.4, 0.26, NONE]),
    model("glm-5.3", 1_000_000, 128_000, "tr", [1.4, 4.4, 0.26, NONE]),
    model("glm-5.3-flash", 1_048_576, 128_000, "vtr", [0.15, 0.5, 0.03, NONE]),
];
