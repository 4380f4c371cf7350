//! Ground floor: the messages that actors pass, one file per receiving actor.
//!
//! They are made of `types` alone and say nothing of who sends or handles them.

pub mod agent;
pub mod provider;
pub mod router;
pub mod session;
pub mod writer;

pub use agent::{RunBegan, RunId};
pub use provider::{AcquirePermit, CallEnded, CallResult, Permit};
pub use router::{CommandDone, ExecuteCommand};
pub use session::{Accepted, CancelTurn, Change, RunEnded, SubmitTurn};
pub use writer::Commit;
