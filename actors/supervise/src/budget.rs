//! How many restarts are forgiven, and how long each waits.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Restarts forgiven within a period. Defaults to 3 in 60 s, as DESIGN section 3 has it: a burst recovers, while a
/// child that always fails is given up within seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Restarts that are forgiven; the next one within the period is not.
    pub restarts: usize,
    /// For so long a restart is remembered.
    pub period: Duration,
    /// How long a child that spent its own budget rests before it is tried again.
    pub rest: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { restarts: 3, period: Duration::from_secs(60), rest: Duration::from_secs(60) }
    }
}

/// The restarts of the last period.
#[derive(Debug, Clone, Default)]
pub struct Window {
    at: VecDeque<Instant>,
}

impl Window {
    /// Counts a restart at `now`. Answers how many there are in the period, or `None` where this one is over budget.
    pub fn spend(&mut self, budget: &Budget, now: Instant) -> Option<usize> {
        self.forget(budget, now);
        if self.at.len() >= budget.restarts {
            return None;
        }
        self.at.push_back(now);
        Some(self.at.len())
    }

    /// Restarts in the period that ends at `now`.
    pub fn count(&mut self, budget: &Budget, now: Instant) -> usize {
        self.forget(budget, now);
        self.at.len()
    }

    /// Forgets all: a rested child starts with a full budget.
    pub fn clear(&mut self) {
        self.at.clear();
    }

    /// Remembers a restart that is not held against anyone, and forgets those before the period.
    pub(crate) fn note(&mut self, budget: &Budget, now: Instant) {
        self.forget(budget, now);
        self.at.push_back(now);
    }

    fn forget(&mut self, budget: &Budget, now: Instant) {
        while self.at.front().is_some_and(|at| now.duration_since(*at) >= budget.period) {
            self.at.pop_front();
        }
    }
}

/// How long the nth restart within a period waits: at once, then 50 ms doubling to 1 s, each with up to 20 % added or
/// taken so that children that died together do not return together, in whole milliseconds (DESIGN section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The delay before the second restart; the first is at once.
    pub first: Duration,
    /// No delay is longer, but for its jitter.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(50), most: Duration::from_secs(1) }
    }
}

impl Backoff {
    /// The delay before restart `nth` (1 is the first in the period); `roll` is a draw from 0 to 1.
    pub fn delay(&self, nth: usize, roll: f64) -> Duration {
        let Some(doublings) = nth.checked_sub(2) else { return Duration::ZERO };
        let doublings = u32::try_from(doublings).unwrap_or(u32::MAX).min(16);
        let plain = self.first.saturating_mul(1 << doublings).min(self.most);
        let swung = plain.mul_f64(0.8 + 0.4 * roll.clamp(0.0, 1.0));
        // Timers tick in milliseconds: a delay that is a whole number of them is kept exactly.
        Duration::from_millis(u64::try_from(swung.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A small deterministic draw (SplitMix64), so that a seed repeats a run exactly.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next draw from 0 to 1.
    #[allow(clippy::cast_precision_loss)] // 53 bits fit a double exactly
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
