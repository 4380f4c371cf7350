//! One actor per live session: its queue, its running turn, its part of the journal.

mod actor;
mod carry;
pub mod config;
mod history;
mod job;
mod load;
mod parts;
mod progress;
mod refused;
mod sight;
mod state;
#[cfg(test)]
mod tests;
mod title;
mod tools;
mod wake;

use mosaic_supervise::Family;
use mosaic_types::SessionId;

pub use actor::SessionActor;
pub use load::Loads;

/// The sessions that are awake, by id.
pub type Sessions = Family<SessionId, SessionActor>;
