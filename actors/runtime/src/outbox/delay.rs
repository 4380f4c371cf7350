//! How long to wait before the next try, and when to stop trying.

use std::time::Duration;

use mosaic_types::outbox::Item;
use mosaic_types::{Outside, Timestamp};

/// The first pause after a failure; each further one is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(1);
/// A platform that is back is noticed within five minutes, and one that is away is not stormed.
const LONGEST: Duration = Duration::from_secs(300);
/// An item is given up when it is older than this and was tried [`TRIES`] times: who asked a day ago looks elsewhere by
/// now. The age alone would give up at the first failure what waited while the daemon was off.
pub(super) const GIVEN_UP: Duration = Duration::from_secs(24 * 3600);
pub(super) const TRIES: u32 = 10;

/// The pause after the `attempt`-th failure, up to a fifth longer or shorter by chance, so that what failed at once is
/// not tried again at once.
pub(super) fn pause(attempt: u32, outside: &Outside) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST);
    doubled.mul_f64(0.8 + 0.4 * f64::from(outside.bytes::<1>()[0]) / 255.0)
}

/// Whether it is not worth trying any more.
pub(super) fn is_given_up(item: &Item, now: Timestamp) -> bool {
    item.attempt >= TRIES && item.created_at.plus(GIVEN_UP) < now
}
