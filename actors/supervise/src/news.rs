//! What a supervisor says of its children to the log and to the metrics.
//!
//! Metrics are labelled by supervisor and never by child: of children there may be a hundred thousand. Where nobody
//! collects them, each costs a look at one atomic.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use crate::seen::millis;
use crate::tether::{ChildExited, ChildId, Exit};

/// Lives that began after an earlier one of the same child.
pub(crate) const RESTARTS: &str = "mosaic_restarts_total";
/// Lives that ended otherwise than by a stop.
pub(crate) const CRASHES: &str = "mosaic_crashes_total";
/// Children that spent their budget and rest.
pub(crate) const DOWN: &str = "mosaic_children_down";

/// Says what each metric counts, to whoever collects them.
pub(crate) fn describe() {
    describe_counter!(RESTARTS, Unit::Count, "Children started again, by supervisor");
    describe_counter!(CRASHES, Unit::Count, "Children that panicked, failed or lost their thread, by supervisor");
    describe_gauge!(DOWN, Unit::Count, "Children that spent their restart budget and rest, by supervisor");
}

/// The voice of one supervisor.
pub(crate) struct News {
    supervisor: Arc<str>,
    /// Children that are down now.
    down: BTreeSet<ChildId>,
}

impl News {
    pub(crate) fn new(supervisor: Arc<str>) -> Self {
        Self { supervisor, down: BTreeSet::new() }
    }

    /// A child ended. `wait` is the time to its next life; `None` where that does not come by itself.
    pub(crate) fn ended(&self, name: Option<&str>, end: &ChildExited, wait: Option<Duration>) {
        if !end.exit.is_abnormal() {
            return;
        }
        let kind = match end.exit {
            Exit::Normal => "normal",
            Exit::Failed(_) => "failed",
            Exit::Panicked => "panicked",
            Exit::Aborted => "aborted",
        };
        counter!(CRASHES, "supervisor" => self.supervisor.clone(), "exit" => kind).increment(1);
        tracing::warn!(
            supervisor.name = %self.supervisor,
            child.name = name,
            child.incarnation = end.incarnation,
            exit = %end.exit.describe(),
            handling = end.handling.as_ref().map(tracing::field::display),
            restart.delay_ms = wait.map(millis),
            "a child crashed"
        );
    }

    /// A life begins; `incarnation` is 1 for the first.
    pub(crate) fn begins(&mut self, child: ChildId, name: &str, incarnation: u64) {
        self.left(child);
        if incarnation > 1 {
            counter!(RESTARTS, "supervisor" => self.supervisor.clone()).increment(1);
            tracing::info!(
                supervisor.name = %self.supervisor,
                child.name = name,
                child.incarnation = incarnation,
                "a child is started again"
            );
        }
    }

    /// A child spent its budget, and is tried again after `rest`.
    pub(crate) fn down(
        &mut self,
        child: ChildId,
        name: Option<&str>,
        incarnation: Option<u64>,
        why: &str,
        rest: Duration,
    ) {
        self.down.insert(child);
        self.count_down();
        tracing::error!(
            supervisor.name = %self.supervisor,
            child.name = name,
            child.incarnation = incarnation,
            why,
            restart.delay_ms = millis(rest),
            "a child is down"
        );
    }

    /// A child is not down any more: it is tried again, or it is gone.
    pub(crate) fn left(&mut self, child: ChildId) {
        if self.down.remove(&child) {
            self.count_down();
        }
    }

    /// A child that was told to stop did not, in this time.
    pub(crate) fn abandoned(&self, name: Option<&str>, within: Option<Duration>) {
        tracing::warn!(
            supervisor.name = %self.supervisor,
            child.name = name,
            within_ms = within.map(millis),
            "a child did not stop in time and is abandoned"
        );
    }

    /// The supervisor itself cannot go on.
    pub(crate) fn gave_up(&self, why: &str) {
        tracing::error!(supervisor.name = %self.supervisor, why, "a supervisor gives up");
    }

    fn count_down(&self) {
        let down = u32::try_from(self.down.len()).unwrap_or(u32::MAX);
        gauge!(DOWN, "supervisor" => self.supervisor.clone()).set(down);
    }
}

/// A supervisor that ended has no child that is down.
impl Drop for News {
    fn drop(&mut self) {
        if !self.down.is_empty() {
            self.down.clear();
            self.count_down();
        }
    }
}
