//! Places where a build for tests can be made to die: between two things that must not come apart.
//!
//! Without the feature `chaos` a point is nothing: no name, no count, no branch. With it, the top floor may [`arm`] one
//! of them, and the process ends there the n-th time that it is passed, as if it had been killed: nothing unwinds, and
//! nothing is flushed.

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $point:ident = $name:literal,)+) => {
        /// A named place in the life of the daemon.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Point {
            $($(#[doc = $doc])+ $point,)+
        }

        #[cfg(feature = "chaos")]
        impl Point {
            /// Every point there is.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// What a test calls it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

points! {
    /// A session was handed an input; nothing is decided.
    AcceptReceived = "accept.received",
    /// All rows of an input are written, in a transaction that is open.
    AcceptBeforeCommit = "accept.before_commit",
    /// An input is stored; nobody knows of it.
    AcceptAfterCommit = "accept.after_commit",
    /// An input is stored and its events are published; who sent it is not answered.
    AcceptBeforeAck = "accept.before_ack",
    /// A batch is stored; no one of its askers is answered.
    BatchAfterCommit = "batch.after_commit",
    /// The rows of a turn's start are written, in a transaction that is open.
    StartBeforeCommit = "start.before_commit",
    /// The rows of a turn's new beginning are written, in a transaction that is open.
    RestartBeforeCommit = "restart.before_commit",
    /// The rows of a step of a turn that goes on are written, in a transaction that is open.
    StepBeforeCommit = "step.before_commit",
    /// A model is about to be called.
    RunBeforeCall = "run.before_call",
    /// A piece of an answer was passed on.
    RunMidStream = "run.mid_stream",
    /// An answer is complete; its session does not know.
    RunAfterAnswer = "run.after_answer",
    /// A tool is about to run; that it was asked for is stored.
    ToolBefore = "tool.before",
    /// A tool has done what it does and has not answered. Passed by tools.
    ToolDuring = "tool.during",
    /// A tool has answered; its session does not know.
    ToolAfter = "tool.after",
    /// The rows of what tools said are written, in a transaction that is open.
    ToolBeforeCommit = "tool.before_commit",
    /// All rows of a turn's end are written, in a transaction that is open.
    FinishBeforeCommit = "finish.before_commit",
    /// A turn's end is stored; nobody knows of it.
    FinishAfterCommit = "finish.after_commit",
    /// Events are stored and about to be published.
    PublishBefore = "publish.before",
    /// A session's epoch was raised; what was stored of it is not read.
    ClaimAfter = "claim.after",
    /// One migration is applied, in the transaction of all of them.
    MigrateBetween = "migrate.between",
    /// The sessions to go on with are known; none is woken.
    RecoverBefore = "recover.before",
    /// An item is taken up; its channel is not asked.
    DeliverBeforeCall = "deliver.before_call",
    /// A platform is being called: it may have heard, and has not answered. Passed by channels.
    DeliverInCall = "deliver.in_call",
    /// A platform has answered; that is not stored.
    DeliverAfterCall = "deliver.after_call",
    /// A platform has opened a place for a long talk; no session is bound to it. Passed by channels.
    BranchOpened = "branch.opened",
    /// A talk goes on in a place of its own; where it was has not begun anew.
    BranchBound = "branch.bound",
    /// New work is refused; what runs has its grace.
    DrainBegun = "drain.begun",
    /// What ran has ended or its grace is over; every actor lives.
    DrainOver = "drain.over",
    /// Every actor has stopped; the listener has not.
    DrainStopped = "drain.stopped",
}

impl Point {
    /// Passes this place. In a build for tests that was armed for it, the process may end here.
    #[inline]
    pub fn pass(self) {
        #[cfg(feature = "chaos")]
        armed::pass(self);
    }
}

#[cfg(feature = "chaos")]
pub use armed::{Badly, arm};

#[cfg(feature = "chaos")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Point;

    /// Where the process ends, and after how many more passings.
    static ARMED: OnceLock<(Point, AtomicU64)> = OnceLock::new();

    /// What was asked for is no point, or no number.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    #[error("{0:?} is no kill point; write NAME or NAME:PASSING, as in run.mid_stream:3")]
    pub struct Badly(String);

    /// Has the process end at a point: `NAME`, or `NAME:N` for its n-th passing. The first call counts.
    ///
    /// # Errors
    /// There is no such point, or N is no number from 1.
    pub fn arm(order: &str) -> Result<(), Badly> {
        let (point, passing) = read(order).ok_or_else(|| Badly(order.to_owned()))?;
        let _ = ARMED.set((point, AtomicU64::new(passing)));
        Ok(())
    }

    fn read(order: &str) -> Option<(Point, u64)> {
        let (name, passing) = match order.split_once(':') {
            Some((name, passing)) => (name, passing.parse().ok().filter(|passing| *passing > 0)?),
            None => (order, 1),
        };
        Some((*Point::ALL.iter().find(|point| point.name() == name)?, passing))
    }

    pub(super) fn pass(point: Point) {
        if let Some((armed, left)) = ARMED.get()
            && *armed == point
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            std::process::abort();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_kill_point_is_found_by_its_name_and_nothing_else_is() {
            for point in Point::ALL {
                assert_eq!(read(point.name()), Some((*point, 1)));
                assert_eq!(read(&format!("{}:12", point.name())), Some((*point, 12)));
            }
            for bad in ["", "accept", "run.mid_stream:", "run.mid_stream:0", "run.mid_stream:x", ":1"] {
                assert_eq!(read(bad), None, "{bad}");
            }
        }
    }
}
