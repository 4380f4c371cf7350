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
//! - A [`Tether`] lives in the child. However the child ends, dropping it tells the parent, and those who watch: panic,
//!   stop, failure, or the end of its thread ([`Exit`]); and which piece of work it was at.
//! - A [`Link`] is what others hold. It finds the child of today, refuses when too much waits, and says whether the
//!   child is restarting, down or gone.
//! - A [`Supervisor`] restarts what ended, under a [`Budget`]. Its handle is a [`Parent`].
//! - A [`Watchdog`] names the handler that holds a thread, which no supervisor can.
//!
//! # The rules, by an example
//!
//! ```text
//! root                rest_for_one · 3 in 60 s for all
//! ├─ store            permanent
//! ├─ cache            permanent
//! ├─ callers          a supervisor: each child has 3 in 60 s of its own
//! │  ├─ ada           transient
//! │  └─ bob           transient
//! └─ door             permanent
//! ```
//!
//! **Start and stop.** Children start in the order of their adoption and stop in reverse, one at a time: `door`, then
//! `callers` (which stops `bob`, then `ada`), `cache`, `store`. Each has the time of its spec ([`STOP_WITHIN`], 5 s; a
//! supervisor [`SUPERVISOR_STOPS_WITHIN`], 60 s). One that takes longer is abandoned: a warning names it, its link goes
//! `Gone`, and its late obituary is ignored. It cannot be killed: Rust has no way to end a thread that does not return.
//!
//! **Who returns** ([`Restart`]). `store` always; `ada` after a panic or a failure, not after a normal stop; a temporary
//! child never.
//!
//! **Who returns with it** ([`Strategy`]). Should `cache` panic, those started after it are stopped, the youngest first
//! (`door`, `callers`), and then `cache`, `callers` and `door` are started in order. Under `one_for_all` `store` would go
//! along, under `one_for_one` nobody. What the supervisor itself stopped is not charged, and one that panics while it
//! stops has stopped. Temporary siblings that are stopped so are gone. Should `store` panic in the middle of it, that is
//! charged, and the regroup widens to it.
//!
//! **What it costs** ([`Scope`]). The crash of `cache` is charged once, to the root's budget: three within 60 s are
//! forgiven. The first restart is at once, the next waits 50 ms, then 100 ms, doubling to 1 s, each with up to 20 % more
//! or less ([`Backoff`]). The fourth is not forgiven: the root calls its `on_escalate` once and stops its children.
//! A supervisor below the root that spends its shared budget stops its children and ends as [`Exit::Failed`], and that
//! is charged to its own parent: so trouble climbs until someone can afford it.
//!
//! **A family.** Under `callers` each child pays for itself ([`Scope::Each`]). Should `bob` spend his budget, only he is
//! `down`: who asks him hears [`LinkError::Down`] with the reason, the tree shows it, and after a rest (60 s) he is tried
//! again with a full budget. A [`Family`] is a directory of such children by name.
//!
//! **When a supervisor is reborn.** However it ends, it takes its children along. Its next life first waits for those
//! that are still about to stop, so that no child lives twice, and then starts what was given to it by
//! [`SupervisorSpec::child`] and [`Parent::adopt`]. What a [`Family`] opened is forgotten: its links are `Gone`, and the
//! next who asks opens it afresh. Links, [`Parent`] handles and incarnations go on over all lives.
//!
//! **What waits** ([`Mailbox`]). Each link counts its messages, whoever sends them; at the bound [`Link::ask`] and
//! [`Link::tell`] are refused with [`LinkError::Full`]. [`Link::control`] and [`Link::urge`] go past it, so that a stop
//! is felt after one mailbox of work at the most.
//!
//! # In code
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
mod effect;
mod family;
mod gauge;
mod link;
mod nest;
mod news;
mod parcel;
mod parent;
mod roll;
mod scope;
mod seen;
mod spec;
mod state;
mod supervisor;
mod tether;
mod tree;
mod watchdog;

pub use budget::{Backoff, Budget, Window};
pub use control::{Control, Supervised, obey};
pub use duty::{Duty, Names, at_work, marked, on_duty};
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
