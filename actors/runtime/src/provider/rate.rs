//! Requests and tokens a minute.

use std::time::Duration;

use tokio::time::Instant;

const MINUTE: f64 = 60.0;

/// Limits of a provider, each a minute's worth; `None`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    pub requests_per_minute: Option<u64>,
    pub tokens_per_minute: Option<u64>,
}

impl Limits {
    /// Whether there is one.
    pub fn any(&self) -> bool {
        self.requests_per_minute.is_some() || self.tokens_per_minute.is_some()
    }
}

/// A bucket that holds a minute's worth and is filled all the time.
#[derive(Debug)]
struct Bucket {
    size: f64,
    /// Below nothing where more was used than was foreseen.
    left: f64,
    at: Instant,
}

impl Bucket {
    #[allow(clippy::cast_precision_loss)] // limits stay far below 2^52
    fn new(per_minute: u64, now: Instant) -> Self {
        let size = per_minute as f64;
        Self { size, left: size, at: now }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * self.size / MINUTE).min(self.size);
        self.at = now;
    }

    /// For how long there is not enough. What is more than the bucket holds is let through when it is full.
    fn wait(&mut self, wanted: f64, now: Instant) -> Duration {
        self.fill(now);
        let missing = wanted.min(self.size) - self.left;
        // A little less than nothing is a rounding error.
        if missing <= 1e-6 { Duration::ZERO } else { Duration::from_secs_f64(missing * MINUTE / self.size) }
    }
}

/// The rates of a provider.
#[derive(Debug, Default)]
pub(super) struct Rate {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

#[allow(clippy::cast_precision_loss)] // token counts stay far below 2^52
impl Rate {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        let bucket = |limit: Option<u64>| limit.map(|limit| Bucket::new(limit, now));
        Self { requests: bucket(limits.requests_per_minute), tokens: bucket(limits.tokens_per_minute) }
    }

    /// How long a call of so many tokens must wait; zero: it may go.
    pub(super) fn wait(&mut self, tokens: u64, now: Instant) -> Duration {
        let requests = self.requests.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait(1.0, now));
        let tokens = self.tokens.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait(tokens as f64, now));
        requests.max(tokens)
    }

    /// A call of so many tokens goes.
    pub(super) fn take(&mut self, tokens: u64) {
        if let Some(bucket) = &mut self.requests {
            bucket.left -= 1.0;
        }
        if let Some(bucket) = &mut self.tokens {
            bucket.left -= tokens as f64;
        }
    }

    /// A call that was to use `foreseen` tokens used so many.
    pub(super) fn settle(&mut self, foreseen: u64, used: u64) {
        if let Some(bucket) = &mut self.tokens {
            bucket.left = (bucket.left + foreseen as f64 - used as f64).min(bucket.size);
        }
    }
}
