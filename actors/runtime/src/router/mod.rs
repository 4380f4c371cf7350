//! From a conversation to its session.

mod actor;
mod way;

pub use actor::RouterActor;
pub(crate) use way::Way;
