//! Ground floor: supervision of actix actors, the OTP way.
//!
//! actix keeps an actor until it panics; then its address is dead for good and nobody is told. This room adds what is
//! missing: a parent that holds the recipe of each child, hears how it ended, and decides what happens next.
//!
//! ```text
//!            ChildSpec (recipe)                    Link (finds the reborn child)
//!                  │                                 ▲
//!   Supervisor ────┴──── starts ───► Actor ◄─────────┘ ask · tell · control
//!        ▲                             │ owns
//!        └────── ChildExited ◄──── Tether (its drop is the obituary)
//! ```
//!
//! - A [`ChildSpec`] holds a factory, so a child is made anew after a crash, never patched up.
//! - A [`Tether`] lives in the child. However the child ends, dropping it tells the parent: panic, stop or failure.
//! - A [`Link`] is what others hold. It finds the child of today, refuses when too much waits, and says whether the
//!   child is restarting, down or gone.
//! - A [`Supervisor`] restarts what ended under a budget: one for all its children ([`Scope::Shared`]), or one for each
//!   ([`Scope::Each`], a [`Family`]). A shared budget that is spent ends the supervisor and tells its own parent; a
//!   child's own budget that is spent takes that child `down`, to be tried again after a rest.
//!
//! ```
//! use mosaic_supervise::{Birth, ChildSpec, Control, Mailbox, Restart, Scope, Supervised, Supervisor, Tether};
//! use actix::prelude::*;
//!
//! struct Counter { count: u32, _tether: Tether }
//! impl Actor for Counter { type Context = Context<Self>; }
//! mosaic_supervise::supervised!(Counter);
//!
//! #[derive(Message)]
//! #[rtype(result = "u32")]
//! struct Add(u32);
//! impl Handler<Add> for Counter {
//!     type Result = u32;
//!     fn handle(&mut self, add: Add, _: &mut Self::Context) -> u32 { self.count += add.0; self.count }
//! }
//!
//! # System::new().block_on(async {
//! let root = Supervisor::start_root("root", Scope::Shared(Default::default()), 7, |why| eprintln!("{why}"));
//! let spec = ChildSpec::new("counter", Restart::Permanent, Mailbox::default(), |birth: Birth| {
//!     Counter { count: 0, _tether: birth.tether }
//! });
//! let counter = root.adopt(spec);
//! assert_eq!(counter.ask(Add(2)).await, Ok(2));
//! # });
//! ```

mod budget;
mod control;
mod duty;
mod family;
mod gauge;
mod link;
mod nest;
mod parcel;
mod parent;
mod roll;
mod scope;
mod spec;
mod state;
mod supervisor;
mod tether;
mod tree;
mod watchdog;

pub use budget::{Backoff, Budget, Window};
pub use control::{Control, Supervised, obey};
pub use duty::{Duty, Names, marked, on_duty};
pub use family::Family;
pub use link::{Link, LinkError, Mailbox, Presence};
pub use nest::{SUPERVISOR_STOPS_WITHIN, SupervisorSpec};
pub use parcel::Parcel;
pub use parent::Parent;
pub use scope::{Scope, Strategy};
pub use spec::{Birth, ChildSpec, Restart, STOP_WITHIN};
pub use supervisor::Supervisor;
pub use tether::{ChildExited, ChildId, Exit, Label, Tether};
pub use tree::{ChildState, ChildView, GetTree, Household, Kind};
pub use watchdog::{AGAIN_AFTER, BEAT, HELD_AFTER, Report, Watchdog};

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
