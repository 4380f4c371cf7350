//! Tokens and money.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Tokens of a turn or a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
}

impl Usage {
    /// Both calls together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
        }
    }
}

/// What several calls used and cost together.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// With one more call.
    pub fn plus(self, usage: Usage, cost_usd: Option<f64>) -> Self {
        Self { usage: self.usage.plus(usage), cost_usd: self.cost_usd.zip(cost_usd).map(|(one, other)| one + other) }
    }
}

/// What a model costs, in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Price {
    pub input_usd_per_mtok: f64,
    pub output_usd_per_mtok: f64,
}

impl Price {
    /// The price of `usage`, in US dollars.
    #[allow(clippy::cast_precision_loss)] // token counts stay far below 2^52
    pub fn of(&self, usage: Usage) -> f64 {
        (usage.input_tokens as f64 * self.input_usd_per_mtok + usage.output_tokens as f64 * self.output_usd_per_mtok)
            / 1e6
    }
}
