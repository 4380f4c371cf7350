//! The event hub: what happens in sessions, on its way to those who read along.

mod follow;
#[cfg(test)]
mod follow_tests;
mod hub;
mod speech;
#[cfg(test)]
mod tests;

pub use follow::{Ended, Follow, Pace, Told};
pub use hub::{Hub, Interest, Missed, Reader};
