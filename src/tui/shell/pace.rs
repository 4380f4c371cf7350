//! When the next picture is due: at most thirty a second of what streams, and at once of what a person does.

use std::time::Duration;

use tokio::time::Instant;

/// Between two pictures of what streams, at the least: more than thirty a second nobody reads.
pub(super) const FRAME: Duration = Duration::from_millis(33);
/// Between two pictures of what a person does, at the least: what is typed faster is pasted, and shown together.
const TYPED: Duration = Duration::from_millis(8);

/// What is to be shown, and from when on it may be.
pub(super) struct Pace {
    /// When the last picture was begun, and how long it took.
    last: Option<(Instant, Duration)>,
    dirty: bool,
    /// A person waits for it.
    urgent: bool,
}

impl Pace {
    /// Nothing was shown yet.
    pub(super) fn new() -> Self {
        Self { last: None, dirty: true, urgent: true }
    }

    /// Something happened that a picture may show; `typed`: a person did it.
    pub(super) fn heard(&mut self, typed: bool) {
        self.dirty = true;
        self.urgent |= typed;
    }

    /// From when on the next picture may be drawn; `None`: there is nothing new to show.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let (began, took) = match self.last {
            _ if !self.dirty => return None,
            None => return Some(now),
            Some(last) => last,
        };
        // A screen that takes long to draw leaves as much time to everything else, but nobody waits for that.
        Some(if self.urgent { began + TYPED.max(took) } else { began + FRAME.max(took * 2) })
    }

    /// A picture was drawn.
    pub(super) fn drew(&mut self, began: Instant, took: Duration) {
        (self.last, self.dirty, self.urgent) = (Some((began, took)), false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What is due after a picture at `now` that took so long.
    fn after(took: Duration, typed: bool, now: Instant) -> Duration {
        let mut pace = Pace::new();
        assert_eq!(pace.due(now), Some(now), "the first picture waits for nothing");
        pace.drew(now, took);
        assert_eq!(pace.due(now), None, "nothing is drawn twice");
        pace.heard(false);
        pace.heard(typed);
        // What streams behind a key takes nothing away from it.
        pace.heard(false);
        pace.due(now).expect("something is new") - now
    }

    #[test]
    fn a_key_is_shown_at_once_and_a_stream_thirty_times_a_second() {
        let now = Instant::now();
        assert_eq!(after(MS, false, now), FRAME);
        assert_eq!(after(MS, true, now), TYPED);
        // On a machine that draws slowly a stream leaves half of the time; a key waits for the picture under way alone.
        assert_eq!(after(40 * MS, false, now), 80 * MS);
        assert_eq!(after(40 * MS, true, now), 40 * MS);
    }
}
