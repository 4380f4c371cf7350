//! Wakes sessions whose turns nobody holds.

mod actor;

pub use actor::RecoveryActor;
