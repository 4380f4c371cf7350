//! A message as a link sends it: wrapped, so that what the sender holds lives exactly as long as the message does.

use std::sync::Arc;

use actix::dev::{Envelope, EnvelopeProxy, ToEnvelope};
use actix::prelude::*;
use tokio::sync::oneshot;

use crate::duty::{self, Names};
use crate::gauge::{Place, Unread};

/// A place that a request holds from both ends: until it is out of the mailbox, and until its asker has the answer or
/// has left. An asker who leaves early cannot make room for more while the message still waits.
pub(crate) type Held = Arc<Place>;

/// A wrapped message. Unwrapped by the handler that [`supervised!`](crate::supervised) writes.
pub struct Parcel<A: Actor> {
    envelope: Envelope<A>,
    names: fn() -> Names,
    unread: Unread,
    place: Option<Held>,
}

impl<A: Actor> Message for Parcel<A> {
    type Result = ();
}

impl<A: Actor> Parcel<A> {
    pub(crate) fn wrap<M>(
        message: M,
        answer: Option<oneshot::Sender<M::Result>>,
        unread: Unread,
        place: Option<Held>,
    ) -> Self
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let envelope = <A::Context as ToEnvelope<A, M>>::pack(message, answer);
        Self { envelope, names: duty::names::<A, M>, unread, place }
    }

    /// Handles what is inside, on duty for the watchdog.
    pub fn open(self, actor: &mut A, ctx: &mut A::Context) {
        let Self { mut envelope, names, unread, place } = self;
        drop(unread);
        let _duty = duty::begin(names);
        envelope.handle(actor, ctx);
        drop(place);
    }
}
