//! From a conversation to its session.

mod actor;

pub use actor::RouterActor;
