//! The real time and the real chance, brought in through the doors that `types` holds open.

use std::sync::Arc;

use mosaic_types::{Chance, Clock, Outside, Timestamp};

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system's source of random bytes works from the first moment on");
    }
}

/// The system's own.
pub fn system() -> Outside {
    Outside::new(Arc::new(SystemClock), Arc::new(SystemChance))
}
