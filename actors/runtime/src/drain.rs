//! Counts work under way, and closes the door to more.

use std::sync::Arc;
use std::time::Duration;

use mosaic_types::{Code, Failure};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    running: usize,
    draining: bool,
}

/// How much work is under way in this process. Clones share one count.
#[derive(Debug, Clone, Default)]
pub struct Work {
    count: Arc<watch::Sender<Count>>,
}

/// One piece of work; dropping it says that it ended, however it did.
#[derive(Debug)]
pub struct Busy(Arc<watch::Sender<Count>>);

impl Work {
    /// Begins a piece of work.
    pub fn begin(&self) -> Busy {
        self.count.send_modify(|count| count.running += 1);
        Busy(self.count.clone())
    }

    /// Begins a piece of new work.
    ///
    /// # Errors
    /// `draining` where new work is refused.
    pub fn admit(&self) -> Result<Busy, Failure> {
        self.refuse_new().map(|()| self.begin())
    }

    /// Says that new work comes too late, where it does.
    ///
    /// # Errors
    /// `draining` where new work is refused.
    pub fn refuse_new(&self) -> Result<(), Failure> {
        if !self.is_draining() {
            return Ok(());
        }
        let sentence = "Mosaic is stopping. Send this again when it is back.";
        Err(Failure::new(Code::Draining, sentence).after(Duration::from_secs(5)))
    }

    /// Pieces under way.
    pub fn running(&self) -> usize {
        self.count.borrow().running
    }

    /// Whether new work is refused.
    pub fn is_draining(&self) -> bool {
        self.count.borrow().draining
    }

    /// Refuses new work from now on.
    pub fn drain(&self) {
        self.count.send_modify(|count| count.draining = true);
    }

    /// Resolves when nothing is under way.
    pub async fn idle(&self) {
        let mut changes = self.count.subscribe();
        let _ = changes.wait_for(|count| count.running == 0).await;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|count| count.running -= 1);
    }
}
