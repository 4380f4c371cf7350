//! What must go out to people on platforms: delivered once, in order, and accounted for after a crash.
//!
//! ```text
//! a turn's end is stored ─► bell ─► OutboxActor ─► take (pending -> sending) ─► Deliver ─► settle (sent, or what it is)
//! ```
//!
//! What is decided is in `state.rs`. Taking and delivering are tasks that the actor starts and does not hold: a call of a
//! platform is not cut off by its death. What they are at is in the table of [`Outbox`], which outlives the actor.

mod actor;
mod bridge;
mod carry;
mod delay;
mod look;
mod shared;
mod state;
#[cfg(test)]
mod tests;

pub use actor::OutboxActor;
pub use bridge::Bridge;
pub use shared::Outbox;
