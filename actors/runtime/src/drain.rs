//! Counts work under way, and closes the door to more.

use std::sync::Arc;
use std::time::Duration;

use mosaic_types::{Code, Failure};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    running: usize,
    draining: bool,
}

/// How much work is under way in this process. Clones share one count.
#[derive(Debug, Clone, Default)]
pub struct Work {
    count: Arc<watch::Sender<Count>>,
    /// Two signals of their own: a watch would wake every open socket at the begin and end of every turn.
    draining: CancellationToken,
    drained: CancellationToken,
}

/// One piece of work; dropping it says that it ended, however it did.
#[derive(Debug)]
pub struct Busy(Work);

impl Work {
    /// Begins a piece of work.
    pub fn begin(&self) -> Busy {
        self.count.send_modify(|count| count.running += 1);
        Busy(self.clone())
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
        self.draining.cancel();
        self.look();
    }

    /// Is cancelled when new work is refused.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Is cancelled when new work is refused and nothing is under way any more.
    pub fn drained(&self) -> &CancellationToken {
        &self.drained
    }

    fn look(&self) {
        let count = *self.count.borrow();
        if count.draining && count.running == 0 {
            self.drained.cancel();
        }
    }

    /// Resolves when nothing is under way.
    pub async fn idle(&self) {
        let mut changes = self.count.subscribe();
        let _ = changes.wait_for(|count| count.running == 0).await;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| count.running -= 1);
        self.0.look();
    }
}

#[cfg(test)]
mod tests {
    use super::Work;

    #[test]
    fn it_is_drained_when_new_work_is_refused_and_the_last_piece_has_ended() {
        let work = Work::default();
        let (first, second) = (work.begin(), work.begin());
        drop(first);
        work.drain();
        assert!(work.draining().is_cancelled() && !work.drained().is_cancelled());
        drop(second);
        assert!(work.drained().is_cancelled());
        let idle = Work::default();
        drop(idle.begin());
        assert!(!idle.drained().is_cancelled(), "nobody refuses new work");
        idle.drain();
        assert!(idle.drained().is_cancelled());
    }
}
