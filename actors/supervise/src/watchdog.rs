//! Names the handler that holds a thread.
//!
//! An arbiter is one thread, and a handler that does not return stops every actor on it. Nothing on that thread can say
//! so. Here a task on each watched arbiter beats, and a thread of its own listens: where a beat is missing for too
//! long, it reads from the desk of that thread who works there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::ArbiterHandle;

use crate::duty::{self, Desk, Names};

/// How often a watched arbiter beats, and the watchdog listens.
pub const BEAT: Duration = Duration::from_millis(100);
/// A thread held for longer is reported; what takes less than 0.5 s is slow, not stuck (FAULTS C15 asks for 2 s).
pub const HELD_AFTER: Duration = Duration::from_millis(500);
/// A thread that goes on being held is named again this often.
pub const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A thread that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub arbiter: Arc<str>,
    /// Who works there; `None` where it is not a handler that is marked.
    pub work: Option<Names>,
    /// For how long the thread has not beaten.
    pub held: Duration,
    /// Which report of the same hold this is; the first is 1.
    pub nth: u32,
}

/// What is known of one thread, without a clock: the decision apart from the looking.
#[derive(Debug, Default)]
struct Watch {
    reports: u32,
}

impl Watch {
    /// Whether a thread that has been silent for `silent` is to be reported now, and as which report of this hold.
    fn look(&mut self, silent: Duration) -> Option<u32> {
        if silent < HELD_AFTER {
            self.reports = 0;
            return None;
        }
        if silent < HELD_AFTER + AGAIN_AFTER * self.reports {
            return None;
        }
        self.reports += 1;
        Some(self.reports)
    }
}

struct Post {
    arbiter: Arc<str>,
    desk: Arc<Desk>,
    /// Milliseconds from the watchdog's start to the last beat.
    beat: AtomicU64,
    watch: Mutex<Watch>,
}

struct Kennel {
    began: Instant,
    posts: Mutex<Vec<std::sync::Weak<Post>>>,
    holds: AtomicU64,
    over: Mutex<bool>,
    wake: Condvar,
}

/// Watches arbiters until it is dropped.
pub struct Watchdog {
    kennel: Arc<Kennel>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts the watching thread. It calls `report` for each report, after a warning in the log.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn start(report: impl Fn(&Report) + Send + 'static) -> std::io::Result<Self> {
        let kennel = Arc::new(Kennel {
            began: now(),
            posts: Mutex::default(),
            holds: AtomicU64::new(0),
            over: Mutex::new(false),
            wake: Condvar::new(),
        });
        let watched = kennel.clone();
        let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || watched.listen(&report))?;
        Ok(Self { kennel, thread: Some(thread) })
    }

    /// Watches an arbiter, from the moment at which it gets to it, until it or the watchdog ends.
    pub fn watch(&self, name: impl Into<Arc<str>>, arbiter: &ArbiterHandle) {
        let (name, kennel) = (name.into(), Arc::downgrade(&self.kennel));
        arbiter.spawn_fn(move || {
            let Some(began) = kennel.upgrade().map(|kennel| kennel.began) else { return };
            let beat = AtomicU64::new(millis(began));
            let post = Arc::new(Post { arbiter: name, desk: duty::desk(), beat, watch: Mutex::default() });
            if let Some(kennel) = kennel.upgrade() {
                kennel.posts().push(Arc::downgrade(&post));
            }
            actix::spawn(async move {
                while kennel.strong_count() > 0 {
                    post.beat.store(millis(began), Ordering::Relaxed);
                    tokio::time::sleep(BEAT).await;
                }
            });
        });
    }

    /// Holds that were reported since the start, each once.
    pub fn holds(&self) -> u64 {
        self.kennel.holds.load(Ordering::Relaxed)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.kennel.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.kennel.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Kennel {
    fn posts(&self) -> std::sync::MutexGuard<'_, Vec<std::sync::Weak<Post>>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, report: &dyn Fn(&Report)) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            over = self.wake.wait_timeout(over, BEAT).map_or_else(|poisoned| poisoned.into_inner().0, |(over, _)| over);
            let posts: Vec<_> = {
                let mut posts = self.posts();
                posts.retain(|post| post.strong_count() > 0);
                posts.iter().filter_map(std::sync::Weak::upgrade).collect()
            };
            for post in posts {
                let silent = millis(self.began).saturating_sub(post.beat.load(Ordering::Relaxed));
                let held = Duration::from_millis(silent);
                let Some(nth) = post.watch.lock().unwrap_or_else(PoisonError::into_inner).look(held) else { continue };
                if nth == 1 {
                    self.holds.fetch_add(1, Ordering::Relaxed);
                }
                let found = Report { arbiter: post.arbiter.clone(), work: post.desk.work(), held, nth };
                tracing::warn!(
                    arbiter = %found.arbiter,
                    actor = found.work.map(|work| work.actor),
                    message = found.work.map(|work| work.message),
                    ?held,
                    "a handler holds its thread"
                );
                report(&found);
            }
        }
    }
}

#[allow(clippy::disallowed_methods)] // a held thread is held in real time, whatever the paused clock of a test says
fn now() -> Instant {
    Instant::now()
}

fn millis(since: Instant) -> u64 {
    crate::seen::millis(now().duration_since(since))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use actix::Arbiter;

    use super::*;

    #[test]
    fn a_hold_is_reported_after_half_a_second_and_again_every_five() {
        let mut watch = Watch::default();
        let reports: Vec<_> = (0..160).filter_map(|beat| Some((beat, watch.look(BEAT * beat)?))).collect();
        assert_eq!(reports, [(5, 1), (55, 2), (105, 3), (155, 4)]);
        assert_eq!(watch.look(BEAT), None);
        assert_eq!(watch.look(HELD_AFTER), Some(1), "a new hold");
    }

    struct Blocker;

    /// The message it is stuck with.
    struct Stuck;

    #[actix::test]
    async fn a_handler_that_holds_its_thread_is_named_while_other_arbiters_work_on() {
        let (told, reports) = mpsc::channel();
        let watchdog = Watchdog::start(move |report| drop(told.send(report.clone()))).expect("a thread");
        let (stuck, other) = (Arbiter::new(), Arbiter::new());
        watchdog.watch("stuck", &stuck.handle());
        watchdog.watch("other", &other.handle());
        let (release, held) = mpsc::channel::<()>();
        stuck.spawn_fn(move || {
            let _duty = crate::on_duty::<Blocker, Stuck>();
            let _ = held.recv(); // returns when the test lets go
        });
        let found = reports.recv_timeout(Duration::from_secs(2)).expect("found within 2 s");
        let names = duty::names::<Blocker, Stuck>();
        assert_eq!((&*found.arbiter, found.work, found.nth), ("stuck", Some(names), 1));
        assert!(names.message.ends_with("Stuck") && names.actor.ends_with("Blocker"));
        let (answer, answered) = mpsc::channel();
        other.spawn_fn(move || answer.send(()).expect("it is waited for"));
        answered.recv().expect("the other arbiter works on");
        assert_eq!(watchdog.holds(), 1);
        drop(release);
        for arbiter in [stuck, other] {
            arbiter.stop();
            arbiter.join().expect("it ends");
        }
    }
}
