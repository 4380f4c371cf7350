//! One actor per configured agent, and one run of it per turn.

mod actor;
pub mod config;
mod directory;
mod profile;
pub mod run;

pub use actor::AgentActor;
pub use directory::Agents;
pub use profile::AgentProfile;
