//! Turns under which the process died again and again: each begins alone.
//!
//! The death of a process is charged to no turn, since any of those that ran may have been the cause. One that kills the
//! process each time it begins would take all others along for ever. So a turn that saw many deaths waits until the rest
//! has had some time, and of such turns one begins at a time: by and by the others end, and the one that kills is alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mosaic_types::{Outside, SessionId};
use tokio::time::{Instant, sleep_until};

/// Deaths of the process after which a turn begins alone (DESIGN, "Attempts").
pub const DEATHS: u32 = 10;
/// Between two such turns, and between the start of the house and the first.
pub const APART: Duration = Duration::from_secs(5);
/// Who is next is drawn, by waiting up to this much longer: in a fixed order one that kills would always be before the
/// same others.
const DRAW: Duration = Duration::from_millis(250);

#[derive(Debug)]
struct Places {
    /// When the next turn may begin.
    next: Instant,
    /// Who waits, with the deaths that its turn saw.
    waiting: BTreeMap<SessionId, u32>,
}

/// Lets such turns begin one by one. Clones share one line.
#[derive(Debug, Clone)]
pub struct Alone(Arc<Mutex<Places>>);

impl Default for Alone {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Places { next: Instant::now() + APART, waiting: BTreeMap::new() })))
    }
}

/// Takes a session off the list, however its waiting ended.
struct Waiting<'a>(&'a Alone, &'a SessionId);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.places().waiting.remove(self.1);
    }
}

impl Alone {
    /// Waits for the session's turn to begin; at once where it saw fewer than [`DEATHS`] deaths.
    pub async fn place(&self, session: &SessionId, deaths: u32, outside: &Outside) {
        if deaths < DEATHS {
            return;
        }
        tracing::warn!(session.id = %session, deaths, "a turn under which the process died again and again begins alone");
        self.places().waiting.insert(session.clone(), deaths);
        let _waiting = Waiting(self, session);
        loop {
            let draw = DRAW.mul_f64(f64::from(outside.bytes::<1>()[0]) / 255.0);
            let next = self.places().next;
            sleep_until(next + draw).await;
            let mut places = self.places();
            if places.next == next {
                places.next = Instant::now() + APART;
                return;
            }
        }
    }

    /// Sessions whose turn waits to begin alone, with the deaths that it saw.
    pub fn waiting(&self) -> BTreeMap<SessionId, u32> {
        self.places().waiting.clone()
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use futures_util::FutureExt;
    use futures_util::stream::{FuturesUnordered, StreamExt};
    use mosaic_types::{Chance, Clock, Timestamp};

    use super::*;

    /// A clock that stands, and chance that counts.
    struct Counting(AtomicU8);

    impl Clock for Counting {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
    }

    impl Chance for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(40, Ordering::Relaxed));
        }
    }

    fn outside() -> Outside {
        Outside::new(Arc::new(Counting(AtomicU8::new(0))), Arc::new(Counting(AtomicU8::new(0))))
    }

    fn id(name: &str) -> SessionId {
        name.parse().expect("a good id")
    }

    #[tokio::test(start_paused = true)]
    async fn turns_that_saw_ten_deaths_begin_one_by_one_five_seconds_apart_and_the_rest_at_once() {
        let (alone, outside, began) = (Alone::default(), outside(), Instant::now());
        assert!(alone.place(&id("lucky"), DEATHS - 1, &outside).now_or_never().is_some(), "nine deaths: at once");
        let names: Vec<SessionId> = (0..4).map(|n| id(&format!("s-{n}"))).collect();
        let mut places: FuturesUnordered<_> = names.iter().map(|name| alone.place(name, DEATHS, &outside)).collect();
        assert!(places.next().now_or_never().is_none());
        assert_eq!(alone.waiting().len(), 4);
        let mut last = began;
        for left in (0..4).rev() {
            places.next().await.expect("one more begins");
            assert!(last.elapsed() >= APART && last.elapsed() <= APART + DRAW, "{:?}", last.elapsed());
            assert_eq!(alone.waiting().len(), left);
            last = Instant::now();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_is_cancelled_while_it_waits_to_begin_alone_takes_no_place() {
        let (alone, outside, began) = (Alone::default(), outside(), Instant::now());
        let (gone, stays) = (id("gone"), id("stays"));
        assert!(alone.place(&gone, DEATHS, &outside).now_or_never().is_none());
        assert!(alone.waiting().is_empty(), "it was dropped");
        alone.place(&stays, DEATHS, &outside).await;
        assert!(began.elapsed() <= APART + DRAW, "{:?}", began.elapsed());
    }
}
