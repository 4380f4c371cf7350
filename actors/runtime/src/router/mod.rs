//! From a conversation to its session.

mod actor;
mod conversation;
mod way;

pub use actor::RouterActor;
pub(crate) use way::Way;
