//! Counts the sockets of which nobody knows yet who they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mosaic_types::{Code, Failure};

use super::config::SocketConfig;

/// Where sockets wait that have not connected yet. Clones are one doorstep, that of the process.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Doorstep {
    standing: Arc<AtomicUsize>,
    pub(super) config: SocketConfig,
}

/// A place on the doorstep; dropping it makes room.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Doorstep {
    /// An empty doorstep.
    pub(in crate::gateway) fn new(config: SocketConfig) -> Self {
        Self { standing: Arc::default(), config }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// `unavailable` where there is none.
    pub(super) fn stand(&self) -> Result<Place, Failure> {
        // The place is given back when it is dropped, also here where it was one too many.
        let place = Place(self.standing.clone());
        if self.standing.fetch_add(1, Ordering::Relaxed) < self.config.waiting {
            return Ok(place);
        }
        let sentence = "Too many sockets wait to be connected. Try again in a moment.";
        Err(Failure::new(Code::Unavailable, sentence).after(self.config.connect))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_and_one_that_is_left_is_free() {
        let doorstep = Doorstep::new(SocketConfig { waiting: 2, ..SocketConfig::default() });
        let stand = || doorstep.stand();
        let (first, _second) = (stand().expect("a place"), stand().expect("a place"));
        assert_eq!(stand().expect_err("no place").retry_after_ms, Some(5_000));
        drop(first);
        let _third = stand().expect("the place that was left");
        assert!(stand().is_err());
    }
}
