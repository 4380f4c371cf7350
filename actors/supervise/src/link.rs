//! How others reach a child that may die and return.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use tokio::sync::{Semaphore, watch};

/// The bound of a child's work and the patience of those who ask while it is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mailbox {
    /// Messages that may wait, and requests that may be unanswered, at the most.
    pub capacity: usize,
    /// How long a request waits for a restarting child.
    pub patience: Duration,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self { capacity: 256, patience: Duration::from_secs(5) }
    }
}

/// Whether the child is there.
pub enum Presence<A: Actor> {
    /// It lives.
    Up(Addr<A>),
    /// It will, soon.
    Restarting,
    /// It spent its restart budget and rests; the text says why.
    Down(Arc<str>),
    /// It ended for good.
    Gone,
}

/// Why a message was not taken or not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The bound is reached: try later.
    #[error("too much waits already")]
    Full,
    /// It did not return in time.
    #[error("it is restarting")]
    Restarting,
    /// It spent its restart budget.
    #[error("it is down: {0}")]
    Down(Arc<str>),
    /// It ended for good.
    #[error("it has ended")]
    Gone,
    /// It ended after it took the message and before it answered: whether it acted is not known.
    #[error("it ended before it answered")]
    Died,
}

struct Slot<A: Actor> {
    presence: watch::Sender<Presence<A>>,
    /// One for each request that is not yet answered.
    room: Semaphore,
    mailbox: Mailbox,
}

/// Finds the child of today and holds its bound, however many hold a clone.
///
/// All clones share one address, because in actix each clone of an address brings a mailbox slot of its own.
pub struct Link<A: Actor> {
    slot: Arc<Slot<A>>,
}

impl<A: Actor> Clone for Link<A> {
    fn clone(&self) -> Self {
        Self { slot: self.slot.clone() }
    }
}

impl<A: Actor> fmt::Debug for Link<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link<{}>", std::any::type_name::<A>())
    }
}

impl<A: Actor<Context = Context<A>>> Link<A> {
    pub(crate) fn vacant(mailbox: Mailbox) -> Self {
        let presence = watch::Sender::new(Presence::Restarting);
        Self { slot: Arc::new(Slot { presence, room: Semaphore::new(mailbox.capacity), mailbox }) }
    }

    pub(crate) fn set(&self, presence: Presence<A>) {
        self.slot.presence.send_replace(presence);
    }

    /// The bound and the patience.
    pub fn mailbox(&self) -> Mailbox {
        self.slot.mailbox
    }

    /// Whether the child has ended for good, so that its keeper must be asked for a new one.
    pub fn is_gone(&self) -> bool {
        matches!(*self.slot.presence.borrow(), Presence::Gone)
    }

    /// Why the child cannot work now; `None` while it lives or restarts.
    pub fn down(&self) -> Option<Arc<str>> {
        match &*self.slot.presence.borrow() {
            Presence::Down(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// Requests that are not answered yet.
    pub fn depth(&self) -> usize {
        self.slot.mailbox.capacity - self.slot.room.available_permits().min(self.slot.mailbox.capacity)
    }

    /// Waits until the child lives.
    ///
    /// # Errors
    /// `Down` and `Gone` at once, `Restarting` when the mailbox's patience is over.
    pub async fn up(&self) -> Result<(), LinkError> {
        self.with_addr(|_| ()).await
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// `Full` at once where the bound is reached; `Restarting`, `Down`, `Gone` where there is no child; `Died` where it
    /// ended before it answered.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, LinkError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let _room = self.slot.room.try_acquire().map_err(|_| LinkError::Full)?;
        let request = self.with_addr(|addr| addr.send(message)).await?;
        request.await.map_err(|_| LinkError::Died)
    }

    /// Tells without waiting.
    ///
    /// # Errors
    /// `Full` where the mailbox is; `Restarting`, `Down`, `Gone` where there is no child.
    pub fn tell<M>(&self, message: M) -> Result<(), LinkError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        match &*self.slot.presence.borrow() {
            Presence::Up(addr) => addr.try_send(message).map_err(|error| match error {
                SendError::Full(_) => LinkError::Full,
                SendError::Closed(_) => LinkError::Restarting,
            }),
            other => Err(absent(other)),
        }
    }

    /// Tells past the bound: for orders that must overtake the work, and for reports of it, never for work itself.
    ///
    /// # Errors
    /// `Restarting`, `Down`, `Gone` where there is no child.
    #[allow(clippy::disallowed_methods)] // the control lane is the one place that passes the bound
    pub fn control<M>(&self, message: M) -> Result<(), LinkError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        match &*self.slot.presence.borrow() {
            Presence::Up(addr) => {
                addr.do_send(message);
                Ok(())
            }
            other => Err(absent(other)),
        }
    }

    /// Someone who hears messages of one kind, for the present life only; `None` while there is none.
    pub fn recipient<M>(&self) -> Option<Recipient<M>>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        match &*self.slot.presence.borrow() {
            Presence::Up(addr) => Some(addr.clone().recipient()),
            _ => None,
        }
    }

    async fn with_addr<R>(&self, act: impl FnOnce(&Addr<A>) -> R) -> Result<R, LinkError> {
        match &*self.slot.presence.borrow() {
            Presence::Up(addr) if addr.connected() => return Ok(act(addr)),
            _ => {}
        }
        let mut changes = self.slot.presence.subscribe();
        // A dead address means that the obituary is still on its way to the parent.
        let settled = changes.wait_for(|presence| match presence {
            Presence::Up(addr) => addr.connected(),
            Presence::Restarting => false,
            Presence::Down(_) | Presence::Gone => true,
        });
        match tokio::time::timeout(self.slot.mailbox.patience, settled).await {
            Ok(Ok(presence)) => match &*presence {
                Presence::Up(addr) => Ok(act(addr)),
                other => Err(absent(other)),
            },
            _ => Err(LinkError::Restarting),
        }
    }
}

fn absent<A: Actor>(presence: &Presence<A>) -> LinkError {
    match presence {
        Presence::Up(_) | Presence::Restarting => LinkError::Restarting,
        Presence::Down(why) => LinkError::Down(why.clone()),
        Presence::Gone => LinkError::Gone,
    }
}
