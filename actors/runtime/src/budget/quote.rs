//! What a call may cost, known before it is made.

use super::{billionths, dollars, whole};

/// Tokens that an answer has at the least, where as many are wanted: who cannot pay for them does not ask. OpenAI's
/// Responses refuse a lower bound. <https://developers.openai.com/api/reference/resources/responses>
pub(super) const LEAST: u64 = 16;

/// Tokens of an answer that nobody bounds for which the last of a budget may be taken; beyond them, half of what is left
/// is taken at the most, so that others who ask at the same time find something.
const ENOUGH: u64 = 2_048;

/// What a call may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quote {
    /// US dollars of what it sends, reckoned with caution: so much must be left.
    pub input: f64,
    /// US dollars of what it sends, at the most: so much is set aside.
    pub input_most: f64,
    /// US dollars of one token of its answer.
    pub token: f64,
    /// Tokens of its answer, as whoever asks bounds it.
    pub asked: Option<u64>,
    /// Tokens of its answer, as its model bounds it, or is taken to.
    pub limit: u64,
}

impl Quote {
    /// Whether it costs nothing.
    pub(super) fn is_free(&self) -> bool {
        self.input_most <= 0.0 && self.token <= 0.0
    }

    fn wanted(&self) -> u64 {
        self.asked.unwrap_or(self.limit)
    }

    /// What must be left for it to be made, in billionths.
    pub(super) fn needs(&self) -> u64 {
        billionths(self.input + self.of(self.wanted().min(LEAST)))
    }

    /// What it costs at the most with an answer of so many tokens, in billionths.
    pub(super) fn most(&self, tokens: u64) -> u64 {
        billionths(self.input_most.max(self.input) + self.of(tokens))
    }

    /// Tokens that the answer may have where so much is left (`None`: there is no bound), in billionths.
    pub(super) fn tokens(&self, left: Option<u64>) -> u64 {
        let wanted = self.wanted();
        let Some(left) = left.filter(|_| self.token > 0.0) else { return wanted };
        let paid = whole((dollars(left) - self.input) / self.token);
        let share = if self.asked.is_some() { paid } else { (paid / 2).max(paid.min(ENOUGH)) };
        // What is left is rounded, so the least that is needed may seem to be missing by one.
        wanted.min(share.max(LEAST))
    }

    /// Nobody writes four billion tokens.
    fn of(&self, tokens: u64) -> f64 {
        f64::from(u32::try_from(tokens).unwrap_or(u32::MAX)) * self.token
    }
}
