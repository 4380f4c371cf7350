//! When to connect again.

use std::time::Duration;

use mosaic_types::Outside;
use tokio::time::Instant;

use crate::channel::Cut;

/// The first pause after a cut; each further one is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(1);
/// A platform that is back is noticed within a minute, and one that is away is not stormed.
const LONGEST: Duration = Duration::from_secs(60);
/// A connection that held for so long was a good one: the next pause is the first again.
const GOOD: Duration = Duration::from_secs(60);

/// The pauses between connections.
#[derive(Debug, Default)]
pub(crate) struct Reconnect {
    failed: u32,
    since: Option<Instant>,
}

impl Reconnect {
    /// It connects now.
    pub(crate) fn begins(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// How long to wait after a cut, by chance up to a fifth longer or shorter. What the platform asks for is obeyed and
    /// never made shorter; where it asks for little and fails again and again, the pauses grow all the same.
    pub(crate) fn pause(&mut self, cut: &Cut, now: Instant, outside: &Outside) -> Duration {
        if cut.stood || self.since.is_some_and(|since| now - since >= GOOD) {
            self.failed = 0;
        }
        self.failed = self.failed.saturating_add(1);
        let doubled = FIRST.saturating_mul(1 << (self.failed - 1).min(16)).min(LONGEST);
        let chance = f64::from(outside.bytes::<1>()[0]) / 255.0;
        let own = doubled.mul_f64(0.8 + 0.4 * chance);
        cut.after.map_or(own, |asked| asked.mul_f64(1.0 + 0.2 * chance).max(own))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mosaic_types::{Chance, Clock, Timestamp};

    use super::*;

    struct Middle;

    impl Clock for Middle {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
    }

    impl Chance for Middle {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(128);
        }
    }

    #[test]
    fn pauses_grow_to_a_minute_and_begin_anew_after_a_good_connection() {
        let outside = Outside::new(Arc::new(Middle), Arc::new(Middle));
        let (mut reconnect, mut now) = (Reconnect::default(), Instant::now());
        let failed = Cut::new("It broke off.");
        let mut seconds = Vec::new();
        for _ in 0..8 {
            reconnect.begins(now);
            seconds.push(reconnect.pause(&failed, now, &outside).as_secs_f64().round() as u64);
        }
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        reconnect.begins(now);
        let stood = Cut { stood: true, ..failed.clone() };
        assert_eq!(
            reconnect.pause(&stood, now, &outside).as_secs_f64().round() as u64,
            1,
            "it went on with its session"
        );
        assert_eq!(reconnect.pause(&failed, now, &outside).as_secs_f64().round() as u64, 2);
        now += GOOD;
        assert_eq!(reconnect.pause(&failed, now, &outside).as_secs_f64().round() as u64, 1);
        let asked = reconnect.pause(&failed.clone().after(Duration::from_secs(149)), now, &outside);
        assert!(asked >= Duration::from_secs(149), "{asked:?}");
    }

    #[test]
    fn a_platform_that_fails_for_an_hour_and_asks_for_little_is_connected_to_some_sixty_times() {
        let outside = Outside::new(Arc::new(Middle), Arc::new(Middle));
        let (mut reconnect, began, mut tries) = (Reconnect::default(), Instant::now(), 0);
        let mut now = began;
        while now - began < Duration::from_secs(3_600) {
            reconnect.begins(now);
            tries += 1;
            now += Duration::from_secs(1);
            now += reconnect.pause(&Cut::new("It broke off.").after(Duration::from_secs(2)), now, &outside);
        }
        assert!((58..=70).contains(&tries), "{tries}");
    }
}
