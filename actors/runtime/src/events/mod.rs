//! The event hub: what happens in sessions, on its way to those who read along.

mod hub;
#[cfg(test)]
mod tests;

pub use hub::{Hub, Interest, Missed, Reader};
