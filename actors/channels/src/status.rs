//! How a channel is: what its connection says of itself, for whoever asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mosaic_types::Timestamp;
use tokio::time::Instant;

/// A path that was not proven for so long counts as broken. Longer than a long poll and its patience, and short enough
/// that a half-open connection does not pass for health.
pub(crate) const PROVEN_WITHIN: Duration = Duration::from_secs(90);

/// Whether people are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It has not connected yet.
    Connecting,
    /// The way in was proven lately.
    Healthy,
    /// It was cut off, or has been silent for too long.
    Troubled,
}

#[derive(Debug, Clone, Default)]
struct Told {
    identity: Option<String>,
    proven: Option<(Timestamp, Instant)>,
    trouble: Option<String>,
}

/// A channel's state as others see it. Clones share one; it outlives the channel's actor.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Mutex<Told>>);

impl Status {
    /// The platform knows us by this name.
    pub fn met(&self, identity: impl Into<String>) {
        self.told().identity = Some(identity.into());
    }

    /// The way in is open: the platform has just answered, or said something.
    pub fn proven(&self, at: Timestamp) {
        let mut told = self.told();
        told.proven = Some((at, Instant::now()));
        told.trouble = None;
    }

    /// It was cut off.
    pub fn cut(&self, why: impl Into<String>) {
        self.told().trouble = Some(why.into());
    }

    /// What the platform calls us, once it has said so.
    pub fn identity(&self) -> Option<String> {
        self.told().identity.clone()
    }

    /// When the way in was last known to be open.
    pub fn proven_at(&self) -> Option<Timestamp> {
        self.told().proven.map(|(at, _)| at)
    }

    /// What is the matter, in a sentence.
    pub fn trouble(&self) -> Option<String> {
        let told = self.told();
        let silent = |(_, since): (Timestamp, Instant)| since.elapsed() > PROVEN_WITHIN;
        told.trouble.clone().or_else(|| {
            let sentence = "Nothing was heard of the platform for more than 90 seconds.";
            told.proven.filter(|proven| silent(*proven)).map(|_| sentence.to_owned())
        })
    }

    /// Whether people are heard.
    pub fn health(&self) -> Health {
        match (self.trouble(), self.proven_at()) {
            (Some(_), _) => Health::Troubled,
            (None, Some(_)) => Health::Healthy,
            (None, None) => Health::Connecting,
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_channel_is_healthy_only_while_its_way_in_was_proven_lately() {
        let status = Status::default();
        assert_eq!(status.health(), Health::Connecting);
        status.proven(Timestamp(7));
        assert_eq!((status.health(), status.proven_at()), (Health::Healthy, Some(Timestamp(7))));
        tokio::time::advance(PROVEN_WITHIN + Duration::from_secs(1)).await;
        assert_eq!(status.health(), Health::Troubled, "a half-open connection says nothing");
        status.proven(Timestamp(8));
        assert_eq!(status.health(), Health::Healthy);
        status.cut("It hung up.");
        assert_eq!((status.health(), status.trouble().as_deref()), (Health::Troubled, Some("It hung up.")));
    }
}
