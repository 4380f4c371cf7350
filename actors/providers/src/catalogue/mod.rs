//! What is known of well-known models beforehand: window, limit of an answer, what they can, what they cost.
//!
//! The config goes before what a provider lists, and that before what stands here. A model that is nowhere works all the
//! same: its window is taken for a small one and its cost is not counted, and both are said.

mod models;

use mosaic_types::Price;
use mosaic_types::usage::LongPrompt;

/// What is known of a model. `None` is not known, never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ModelFacts {
    /// Tokens that it reads at once, at the most.
    pub context_tokens: Option<u64>,
    /// Tokens of one answer, at the most.
    pub output_tokens: Option<u64>,
    pub price: Option<Price>,
    /// Whether it sees images.
    pub vision: Option<bool>,
    /// Whether it calls tools.
    pub tools: Option<bool>,
    /// Whether it reasons before it answers, or can be asked to.
    pub reasoning: Option<bool>,
}

impl ModelFacts {
    /// What is not known here, as `other` has it.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            context_tokens: self.context_tokens.or(other.context_tokens),
            output_tokens: self.output_tokens.or(other.output_tokens),
            price: self.price.or(other.price),
            vision: self.vision.or(other.vision),
            tools: self.tools.or(other.tools),
            reasoning: self.reasoning.or(other.reasoning),
        }
    }
}

/// The models of one maker, at its own address: elsewhere the same name may cost something else.
#[derive(Debug)]
pub(crate) struct Maker {
    host: &'static str,
    models: &'static [Model],
}

#[derive(Debug)]
struct Model {
    id: &'static str,
    window: u64,
    output: u64,
    can: &'static str,
    price: [f64; 4],
    long: Option<LongPrompt>,
}

impl Maker {
    /// The maker who answers at `host`.
    pub(crate) fn at(host: &str) -> Option<&'static Self> {
        models::MAKERS.iter().find(|maker| maker.host == host)
    }

    /// What is known of a model, by its name or by that name with a date behind it.
    pub(crate) fn facts(&self, model: &str) -> ModelFacts {
        let dated = |rest: &str| {
            rest.strip_prefix('-').is_some_and(|date| {
                date.len() >= 4 && date.chars().all(|letter| letter.is_ascii_digit() || letter == '-')
            })
        };
        let named = |known: &&Model| model.strip_prefix(known.id).is_some_and(|rest| rest.is_empty() || dated(rest));
        self.models.iter().find(named).map(Model::facts).unwrap_or_default()
    }
}

impl Model {
    fn facts(&self) -> ModelFacts {
        let [input, output, cached, written] = self.price;
        let told = |price: f64| (price >= 0.0).then_some(price);
        ModelFacts {
            context_tokens: Some(self.window),
            output_tokens: Some(self.output),
            price: Some(Price {
                cached_input_usd_per_mtok: told(cached),
                cache_write_usd_per_mtok: told(written),
                long_prompt: self.long,
                ..Price::new(input, output)
            }),
            vision: Some(self.can.contains('v')),
            tools: Some(self.can.contains('t')),
            reasoning: Some(self.can.contains('r')),
        }
    }
}

/// The limit of an answer of one of Anthropic's models, wherever it is asked: their wire wants one.
pub(crate) fn claude_output_tokens(model: &str) -> Option<u64> {
    Maker::at("api.anthropic.com")?.facts(model).output_tokens
}

#[cfg(test)]
mod tests {
    use mosaic_types::Usage;

    use super::*;

    #[test]
    fn a_model_is_known_by_its_name_and_by_its_dated_name_at_its_maker_only() {
        let anthropic = Maker::at("api.anthropic.com").expect("a maker");
        let haiku = anthropic.facts("claude-haiku-4-5");
        assert_eq!((haiku.context_tokens, haiku.output_tokens), (Some(200_000), Some(64_000)));
        assert_eq!(haiku, anthropic.facts("claude-haiku-4-5-20251001"));
        let openai = Maker::at("api.openai.com").expect("a maker");
        assert_eq!(openai.facts("gpt-5-mini-2025-08-07"), openai.facts("gpt-5-mini"));
        assert_ne!(openai.facts("gpt-5-mini"), openai.facts("gpt-5"));
        for unknown in ["gpt-5-minimal", "gpt-5-mini-2", "gpt", ""] {
            assert_eq!(openai.facts(unknown), ModelFacts::default(), "{unknown}");
        }
        assert!(Maker::at("openrouter.ai").is_none() && Maker::at("evil-api.openai.com").is_none());
    }

    #[test]
    fn a_long_prompt_of_the_catalogue_costs_what_its_maker_asks() {
        let cost = |host, model, input| {
            let price = Maker::at(host).expect("a maker").facts(model).price.expect("a price");
            (price.of(Usage::new(input, 1_000_000)) * 1e3).round() / 1e3
        };
        let [openai, google] = ["api.openai.com", "generativelanguage.googleapis.com"];
        assert_eq!((cost(openai, "gpt-5.5", 272_000), cost(openai, "gpt-5.5", 500_000)), (31.36, 50.0));
        assert_eq!((cost(openai, "gpt-5-mini", 272_000), cost(google, "gemini-2.5-pro", 1_000_000)), (2.068, 17.5));
        assert_eq!(cost("api.anthropic.com", "claude-haiku-5-5", 1_000_000), 3.0);
        assert_eq!(cost("api.x.ai", "grok-4.5", 300_000), 13.2);
    }

    #[test]
    fn the_catalogue_is_in_order() {
        for maker in models::MAKERS {
            for (at, model) in maker.models.iter().enumerate() {
                let Model { id, window, output, can, price: [input, out, cached, written], long } = model;
                let dearer = |long: &LongPrompt| {
                    long.above_tokens < *window && long.input_times > 1.0 && long.output_times > 1.0
                };
                assert!(long.as_ref().is_none_or(dearer), "{id}");
                assert!(*window >= 8192 && *output >= 4096 && input <= out, "{id}");
                assert!(*cached <= *input && (*written < 0.0 || written >= input), "{id}");
                assert!(can.chars().all(|letter| "vtr".contains(letter)), "{id}");
                assert!(maker.models[..at].iter().all(|other| other.id != *id), "{id} stands there twice");
            }
        }
    }

    #[test]
    fn what_is_said_first_counts() {
        let said = ModelFacts { context_tokens: Some(1), ..ModelFacts::default() };
        let known = ModelFacts { context_tokens: Some(2), vision: Some(true), ..ModelFacts::default() };
        assert_eq!(said.or(known), ModelFacts { context_tokens: Some(1), vision: Some(true), ..ModelFacts::default() });
    }
}
