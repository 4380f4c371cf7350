//! The control lane: what reaches a child past the bound of its mailbox.

use actix::{Actor, ActorContext, Context, Handler, Message};

use crate::parcel::Parcel;

/// An order from above. It goes past the mailbox bound, so a flooded child can still be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Control {
    /// Finish what must be finished and stop.
    Stop,
    /// Panic in the handler. Only in builds for tests.
    #[cfg(any(test, feature = "chaos"))]
    Panic,
    /// Hold the thread for so long. Only in builds for tests.
    #[cfg(any(test, feature = "chaos"))]
    Stall(std::time::Duration),
}

/// An actor that can be a child. Written by [`supervised!`](crate::supervised).
pub trait Supervised: Actor<Context = Context<Self>> + Handler<Control> + Handler<Parcel<Self>> {
    /// What to do when told to stop; the default stops at once. One that takes its time has the time of its
    /// [`ChildSpec`](crate::ChildSpec), then it is abandoned.
    fn on_stop(&mut self, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// Carries out an order; called by the handler that [`supervised!`](crate::supervised) writes.
///
/// # Panics
/// When ordered to, in builds for tests.
#[cfg_attr(any(test, feature = "chaos"), allow(clippy::disallowed_methods))] // a stall that lets others run is none
pub fn obey<A: Supervised>(actor: &mut A, order: Control, ctx: &mut A::Context) {
    match order {
        Control::Stop => actor.on_stop(ctx),
        #[cfg(any(test, feature = "chaos"))]
        Control::Panic => panic!("a planted panic"),
        #[cfg(any(test, feature = "chaos"))]
        Control::Stall(length) => std::thread::sleep(length),
    }
}

/// Makes an actor fit to be a child: `supervised!(MyActor);`, or, where it overrides
/// [`on_stop`](Supervised::on_stop), `supervised!(MyActor, custom);` beside its own `impl Supervised`.
#[macro_export]
macro_rules! supervised {
    ($actor:ty) => {
        impl $crate::Supervised for $actor {}
        $crate::supervised!($actor, custom);
    };
    ($actor:ty, custom) => {
        impl actix::Handler<$crate::Control> for $actor {
            type Result = ();
            fn handle(&mut self, order: $crate::Control, ctx: &mut Self::Context) {
                $crate::obey(self, order, ctx);
            }
        }
        impl actix::Handler<$crate::Parcel<$actor>> for $actor {
            type Result = ();
            fn handle(&mut self, parcel: $crate::Parcel<$actor>, ctx: &mut Self::Context) {
                parcel.open(self, ctx);
            }
        }
    };
}
