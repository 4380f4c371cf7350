//! Ground floor: the messages that actors pass, one file per receiving actor.
//!
//! They are made of `types` alone and say nothing of who sends or handles them.

pub mod agent;
pub mod channel;
pub mod dues;
pub mod provider;
pub mod router;
pub mod session;
pub mod writer;

pub use agent::{RunBegan, RunId};
pub use channel::{Deliver, Reconcile};
pub use dues::{Dues, Late};
pub use provider::{AcquirePermit, CallEnded, CallResult, Permit};
pub use router::{
    CommandDone, ExecuteCommand, FindPreview, HandedOver, KeepPreview, Kept, OpenConversation, Opened, Receive,
    Received, SetSession,
};
pub use session::{Accepted, CancelTurn, Change, PartEnded, RemoveSession, RunEnded, SubmitTurn, ToolEnded};
pub use writer::Commit;
