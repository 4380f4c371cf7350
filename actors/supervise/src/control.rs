//! The control lane: what reaches a child past the bound of its mailbox.

use actix::{Actor, ActorContext, Context, Handler, Message};

/// An order from above. It goes past the mailbox bound, so a flooded child can still be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Control {
    /// Finish what must be finished and stop.
    Stop,
    /// Panic in the handler. Only in builds for tests.
    #[cfg(feature = "chaos")]
    Panic,
}

/// An actor that can be a child. Written by [`supervised!`](crate::supervised).
pub trait Supervised: Actor<Context = Context<Self>> + Handler<Control> {
    /// What to do when told to stop; the default stops at once.
    fn on_stop(&mut self, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// Carries out an order; called by the handler that [`supervised!`](crate::supervised) writes.
///
/// # Panics
/// When ordered to, in builds for tests.
pub fn obey<A: Supervised>(actor: &mut A, order: Control, ctx: &mut A::Context) {
    match order {
        Control::Stop => actor.on_stop(ctx),
        #[cfg(feature = "chaos")]
        Control::Panic => panic!("a planted panic"),
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
    };
}
