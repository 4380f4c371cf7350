//! The bound of a child's work, and what is seen of it from outside.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts the places of a mailbox and remembers since when each message waits.
///
/// It lives in the link, not in the actor: a reborn child finds the same bound, and what its last life left unread is
/// counted off as the dead mailbox is dropped.
#[derive(Debug)]
pub(crate) struct Gauge {
    capacity: usize,
    taken: AtomicUsize,
    /// When each message that is not yet handled was sent, the oldest first. A mailbox is first in, first out, so the
    /// front is the one that is handled next.
    unread: Mutex<VecDeque<Instant>>,
}

impl Gauge {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, taken: AtomicUsize::new(0), unread: Mutex::default() })
    }

    /// One place, or none where the bound is reached.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        let free = |taken| (taken < self.capacity).then_some(taken + 1);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok()?;
        Some(Place { gauge: self.clone() })
    }

    /// Places that are taken: by messages that are not yet handled, and by requests that are not yet answered.
    pub(crate) fn depth(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// A message goes into the mailbox, bounded or not.
    pub(crate) fn sent(self: &Arc<Self>) -> Unread {
        self.unread().push_back(Instant::now());
        Unread { gauge: self.clone() }
    }

    /// For how long the oldest message that is not yet handled has waited; zero where none waits.
    pub(crate) fn oldest(&self) -> Duration {
        self.unread().front().map(Instant::elapsed).unwrap_or_default()
    }

    fn unread(&self) -> std::sync::MutexGuard<'_, VecDeque<Instant>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One taken place, given back on drop.
#[derive(Debug)]
pub(crate) struct Place {
    gauge: Arc<Gauge>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gauge.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One message in the mailbox, counted off on drop.
#[derive(Debug)]
pub(crate) struct Unread {
    gauge: Arc<Gauge>,
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.gauge.unread().pop_front();
    }
}
