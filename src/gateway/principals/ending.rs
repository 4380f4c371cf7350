//! The end of a credential, for those who must not outlast it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mosaic_types::{Outside, Timestamp};
use tokio_util::sync::CancellationToken;

/// So long is slept at the most before the clock is looked at again: one that is set forward must end what has expired.
const LOOK: Duration = Duration::from_secs(30);

/// How a credential ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was revoked, or signed out.
    Revoked,
    /// It is good for less than before; who comes anew with it is told for what.
    Changed,
    Expired,
}

/// What a credential is ended by. Clones end the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Gone {
    token: CancellationToken,
    why: Arc<OnceLock<End>>,
}

impl Gone {
    pub(super) fn end(&self, why: End) {
        // The first end counts.
        let _ = self.why.set(why);
        self.token.cancel();
    }
}

/// When a credential ends. Clones hear of the same end.
#[derive(Debug, Clone)]
pub struct Ending {
    gone: Gone,
    expires_at: Option<Timestamp>,
    outside: Outside,
}

impl Ending {
    pub(super) fn new(gone: Gone, expires_at: Option<Timestamp>, outside: Outside) -> Self {
        Self { gone, expires_at, outside }
    }

    /// How it has ended, if it has.
    pub fn now(&self) -> Option<End> {
        if let Some(why) = self.gone.why.get() {
            return Some(*why);
        }
        self.left().is_zero().then_some(End::Expired)
    }

    /// Waits for the end; for ever where there is none. May be dropped and called again.
    pub async fn wait(&self) -> End {
        loop {
            if let Some(end) = self.now() {
                return end;
            }
            let wait = self.left().min(LOOK);
            tokio::select! {
                () = self.gone.token.cancelled() => {}
                () = tokio::time::sleep(wait), if self.expires_at.is_some() => {}
            }
        }
    }

    /// Time until it expires.
    fn left(&self) -> Duration {
        let Some(end) = self.expires_at else { return Duration::MAX };
        let micros = end.0.saturating_sub(self.outside.now().0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}
