//! Second floor: the actors that take a message to an answer.
//!
//! ```text
//! SubmitTurn ─► Router ─► SessionActor ─► Writer ─► store
//!                            │  ▲
//!                  RunOrder  ▼  │ RunEnded
//!                         RunActor ─► ProviderActor (permit) ─► Provider (HTTP)
//!                            │
//!                            └─► Hub (deltas) ─► readers
//! ```
//!
//! A session takes a turn by asking its agent for a run; the run asks providers. What the session decides is in
//! `session/state.rs`, free of actors; the shells only carry it out. This room names no provider and no channel.

pub mod again;
pub mod agent;
pub mod alone;
pub mod arbiters;
pub mod budget;
mod command;
pub mod doors;
pub mod drain;
pub mod events;
pub mod lease;
pub mod meters;
pub mod outbox;
pub mod provider;
pub mod recent;
pub mod recovery;
pub mod reuse;
pub mod router;
pub mod routing;
pub mod session;
pub mod till;
pub mod writer;

pub use agent::{AgentProfile, Agents};
pub use alone::Alone;
pub use arbiters::Arbiters;
pub use budget::Budgets;
pub use doors::Doors;
pub use drain::Work;
pub use events::{Hub, Interest, Reader};
pub use lease::Leases;
pub use outbox::{Outbox, OutboxActor};
pub use provider::Providers;
pub use recovery::RecoveryActor;
pub use reuse::{Reuse, ReuseConfig};
pub use router::RouterActor;
pub use routing::Routing;
pub use session::{Loads, SessionActor, Sessions};
pub use till::{Till, TillActor};
pub use writer::WriterActor;
