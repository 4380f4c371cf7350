//! One run of a session at a time, in this process.
//!
//! A session that is reborn, or that begins a turn again, cancels the run of its old life; but cancelling is a wish. The
//! lease is in the run itself, so that its end is a consequence of the run's death, whatever that was.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mosaic_types::SessionId;
use tokio::sync::watch;

/// Who holds a session now. Clones share one table.
#[derive(Clone, Default)]
pub struct Leases {
    held: Arc<Mutex<HashMap<SessionId, watch::Receiver<()>>>>,
}

/// A run's hold of its session; dropping it is the run's obituary.
pub struct Lease {
    session: SessionId,
    leases: Leases,
    life: watch::Sender<()>,
}

impl Leases {
    /// Takes hold of a session. Whoever takes it must have seen it [vacant](Self::vacant) before.
    pub fn take(&self, session: &SessionId) -> Lease {
        let (life, seen) = watch::channel(());
        self.held().insert(session.clone(), seen);
        Lease { session: session.clone(), leases: self.clone(), life }
    }

    /// Resolves when no run holds the session.
    pub async fn vacant(&self, session: &SessionId) {
        loop {
            let Some(mut seen) = self.held().get(session).cloned() else { return };
            // Nothing is ever sent: what comes is the end.
            while seen.changed().await.is_ok() {}
        }
    }

    /// Sessions that are held.
    pub fn len(&self) -> usize {
        self.held().len()
    }

    /// Whether no session is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn held(&self) -> MutexGuard<'_, HashMap<SessionId, watch::Receiver<()>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.leases.held();
        let ours = |seen: &watch::Receiver<()>| seen.same_channel(&self.life.subscribe());
        if held.get(&self.session).is_some_and(ours) {
            held.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[actix::test]
    async fn a_session_is_vacant_when_its_run_is_gone_however_it_went() {
        let (leases, session) = (Leases::default(), "s".parse::<SessionId>().expect("valid"));
        leases.vacant(&session).await;
        let lease = leases.take(&session);
        let mut vacant = Box::pin(leases.vacant(&session));
        assert!(vacant.as_mut().now_or_never().is_none());
        let crash = std::panic::AssertUnwindSafe(async move {
            let _held = lease;
            panic!("as planned");
        });
        assert!(crash.catch_unwind().await.is_err());
        vacant.await;
        assert!(leases.is_empty());
    }
}
