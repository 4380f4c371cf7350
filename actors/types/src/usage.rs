//! Tokens and money.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Tokens of a turn or a call. The parts are left out where they are none or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// All that the model read, from its provider's cache or not.
    pub input_tokens: u64,
    /// All that the model wrote, its reasoning included.
    pub output_tokens: u64,
    /// Of the input: read from the provider's cache.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cached_input_tokens: u64,
    /// Of the input: written to the provider's cache, where that has a price of its own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache_write_tokens: u64,
    /// Of the output: reasoning.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reasoning_tokens: u64,
}

/// Whether it is what is taken where nothing is said; then it is not told.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Usage {
    /// What was read and written, of which no parts are known.
    pub const fn new(input_tokens: u64, output_tokens: u64) -> Self {
        Self { input_tokens, output_tokens, cached_input_tokens: 0, cache_write_tokens: 0, reasoning_tokens: 0 }
    }

    /// Both calls together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_input_tokens: self.cached_input_tokens.saturating_add(other.cached_input_tokens),
            cache_write_tokens: self.cache_write_tokens.saturating_add(other.cache_write_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
        }
    }
}

/// What several calls used and cost together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    pub usage: Usage,
    /// `None` where one of them has no price.
    pub cost_usd: Option<f64>,
}

impl Default for Spent {
    fn default() -> Self {
        Self { usage: Usage::default(), cost_usd: Some(0.0) }
    }
}

impl Spent {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        self.plus(other.usage, other.cost_usd)
    }

    /// With one more call.
    pub fn plus(self, usage: Usage, cost_usd: Option<f64>) -> Self {
        Self { usage: self.usage.plus(usage), cost_usd: self.cost_usd.zip(cost_usd).map(|(one, other)| one + other) }
    }
}

/// What a model costs, in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Price {
    pub input_usd_per_mtok: f64,
    pub output_usd_per_mtok: f64,
    /// Input that comes from the provider's cache; `None`: as other input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_usd_per_mtok: Option<f64>,
    /// Input that is written to the provider's cache; `None`: as other input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_usd_per_mtok: Option<f64>,
    /// What a long prompt costs more; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_prompt: Option<LongPrompt>,
}

/// What all of a call costs more whose prompt is long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LongPrompt {
    /// A prompt with more tokens than these is long.
    pub above_tokens: u64,
    /// So many times as much all of its input costs, from the cache or not.
    pub input_times: f64,
    /// So many times as much its answer costs.
    pub output_times: f64,
}

impl Price {
    /// A price that knows no cache.
    pub const fn new(input_usd_per_mtok: f64, output_usd_per_mtok: f64) -> Self {
        Self {
            input_usd_per_mtok,
            output_usd_per_mtok,
            cached_input_usd_per_mtok: None,
            cache_write_usd_per_mtok: None,
            long_prompt: None,
        }
    }

    /// What so many tokens cost at the most, in US dollars: none of the input comes from a cache, and all of it may be
    /// written to one.
    pub fn at_most(&self, input_tokens: u64, output_tokens: u64) -> f64 {
        let usage = Usage::new(input_tokens, output_tokens);
        self.of(usage).max(self.of(Usage { cache_write_tokens: input_tokens, ..usage }))
    }

    /// The price of `usage`, in US dollars.
    #[allow(clippy::cast_precision_loss)] // token counts stay far below 2^52
    pub fn of(&self, usage: Usage) -> f64 {
        // A server that counts its cache beside the input, not in it, is not paid for less than nothing.
        let cached = usage.cached_input_tokens.min(usage.input_tokens);
        let written = usage.cache_write_tokens.min(usage.input_tokens - cached);
        let plain = usage.input_tokens - cached - written;
        let input = self.input_usd_per_mtok;
        let read = plain as f64 * input
            + cached as f64 * self.cached_input_usd_per_mtok.unwrap_or(input)
            + written as f64 * self.cache_write_usd_per_mtok.unwrap_or(input);
        let said = usage.output_tokens as f64 * self.output_usd_per_mtok;
        let long = self.long_prompt.filter(|long| usage.input_tokens > long.above_tokens);
        let (input_times, output_times) = long.map_or((1.0, 1.0), |long| (long.input_times, long.output_times));
        (read * input_times + said * output_times) / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_cost_what_the_price_says_of_them() {
        let price = Price { cached_input_usd_per_mtok: Some(0.1), ..Price::new(1.0, 5.0) };
        let read = Usage { cached_input_tokens: 600_000, cache_write_tokens: 100_000, ..Usage::new(1_000_000, 0) };
        let cost = |price: Price, usage| (price.of(usage) * 1e6).round() / 1e6;
        assert_eq!(cost(price, read), 0.46, "writing has no price of its own");
        let dear = Price { cache_write_usd_per_mtok: Some(1.25), ..price };
        assert_eq!(cost(dear, read), 0.485);
        assert_eq!(cost(Price::new(1.0, 5.0), read), 1.0);
        assert_eq!(cost(dear, Usage::new(0, 100_000)), 0.5);
        assert_eq!((dear.at_most(1_000_000, 100_000) * 1e6).round() / 1e6, 1.75, "all of it is written to the cache");
        assert_eq!(price.at_most(1_000_000, 0), 1.0, "writing costs no more than reading");
        let odd = Usage { cached_input_tokens: 5_000_000, ..Usage::new(1_000_000, 0) };
        assert_eq!(cost(price, odd), 0.1, "no more is read from a cache than is read");
    }

    #[test]
    fn a_long_prompt_costs_more_and_its_answer_too() {
        let long_prompt = Some(LongPrompt { above_tokens: 200_000, input_times: 2.0, output_times: 1.5 });
        let price = Price { cached_input_usd_per_mtok: Some(0.1), long_prompt, ..Price::new(1.0, 10.0) };
        let cost = |usage| (price.of(usage) * 1e6).round() / 1e6;
        assert_eq!(cost(Usage::new(200_000, 100_000)), 1.2);
        assert_eq!(cost(Usage::new(200_001, 100_000)), 1.900_002);
        let cached = Usage { cached_input_tokens: 200_000, ..Usage::new(300_000, 0) };
        assert_eq!(cost(cached), 0.24, "what is cached belongs to the prompt, and costs more as the rest does");
        assert!(price.at_most(200_001, 1) > price.at_most(200_000, 1) * 1.9);
    }

    #[test]
    fn parts_that_are_not_known_are_not_told() {
        let plain = serde_json::to_string(&Usage::new(1, 2)).expect("it serialises");
        assert_eq!(plain, r#"{"input_tokens":1,"output_tokens":2}"#);
        assert_eq!(serde_json::from_str::<Usage>(&plain).expect("it is read"), Usage::new(1, 2));
    }
}
