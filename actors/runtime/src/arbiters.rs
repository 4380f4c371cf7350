//! The threads on which sessions and their runs live.

use std::hash::{BuildHasher, Hash};

use actix::{Arbiter, ArbiterHandle};
use mosaic_types::SessionId;

/// A fixed set of threads, each with an event loop of its own. Stopped on drop.
pub struct Arbiters {
    arbiters: Vec<Arbiter>,
    /// Fixed keys: a session is on the same thread each time it wakes.
    hasher: std::hash::BuildHasherDefault<std::hash::DefaultHasher>,
}

impl Arbiters {
    /// Starts `count` threads, at least one.
    pub fn start(count: usize) -> Self {
        Self { arbiters: (0..count.max(1)).map(|_| Arbiter::new()).collect(), hasher: Default::default() }
    }

    /// All of them, in the order of their start.
    pub fn all(&self) -> impl Iterator<Item = ArbiterHandle> {
        self.arbiters.iter().map(Arbiter::handle)
    }

    /// Where a session lives.
    pub fn of(&self, session: &SessionId) -> ArbiterHandle {
        let mut state = self.hasher.build_hasher();
        session.hash(&mut state);
        let count = self.arbiters.len() as u64;
        let index = usize::try_from(std::hash::Hasher::finish(&state) % count).unwrap_or(0);
        self.arbiters[index].handle()
    }
}

impl Drop for Arbiters {
    fn drop(&mut self) {
        for arbiter in self.arbiters.drain(..) {
            arbiter.stop();
        }
    }
}
