//! A gate in front of an answer, so that a test decides when it comes.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

/// Holds calls back until the test lets them through. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate {
    passes: Arc<Semaphore>,
    arrived: Arc<watch::Sender<usize>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self { passes: Arc::new(Semaphore::new(0)), arrived: Arc::new(watch::Sender::new(0)) }
    }

    /// Lets everyone through, now and later.
    pub fn open(&self) {
        self.passes.close();
    }

    /// Lets `n` calls through, in order of arrival.
    pub fn release(&self, n: usize) {
        self.passes.add_permits(n);
    }

    /// How many calls have come to the gate, let through or not.
    pub fn count(&self) -> usize {
        *self.arrived.borrow()
    }

    /// Waits until `n` calls in all have come to the gate; without a limit.
    pub async fn arrived(&self, n: usize) {
        let mut seen = self.arrived.subscribe();
        // The sender lives in self, so the wait can only end by being fulfilled.
        let _ = seen.wait_for(|count| *count >= n).await;
    }

    /// Comes to the gate and waits to be let through.
    pub(super) async fn pass(&self) {
        self.arrived.send_modify(|count| *count += 1);
        if let Ok(pass) = self.passes.acquire().await {
            pass.forget();
        }
    }
}
