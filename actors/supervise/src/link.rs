//! How others reach a child that may die and return.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use tokio::sync::{Notify, oneshot};

use crate::control::Supervised;
use crate::gauge::{Gauge, Place};
use crate::parcel::Parcel;

/// The bound of a child's work and the patience of those who ask while it is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mailbox {
    /// Messages that may wait and requests that may be unanswered, together, at the most.
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
    presence: RwLock<Presence<A>>,
    /// Wakes those who wait for the child in the order in which they came, so that they are served in it. A `watch`
    /// would wake them in any order.
    changed: Notify,
    gauge: Arc<Gauge>,
    mailbox: Mailbox,
}

/// Finds the child of today and holds its bound, however many hold a clone.
///
/// | way | bound | answer | for |
/// | --- | --- | --- | --- |
/// | [`ask`](Self::ask) | refused when full | yes | work |
/// | [`tell`](Self::tell) | refused when full | no | work |
/// | [`urge`](Self::urge) | goes past it | yes | cancel, health: control that needs an answer |
/// | [`control`](Self::control) | goes past it | no | stop, reports of work that was let in before |
///
/// The bound is counted here and not by the actix mailbox, whose `do_send` ignores it and where each clone of an
/// address brings a slot of its own.
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

impl<A: Supervised> Link<A> {
    pub(crate) fn vacant(mailbox: Mailbox) -> Self {
        let (presence, changed) = (RwLock::new(Presence::Restarting), Notify::new());
        Self { slot: Arc::new(Slot { presence, changed, gauge: Gauge::new(mailbox.capacity), mailbox }) }
    }

    pub(crate) fn set(&self, presence: Presence<A>) {
        // What it replaces is dropped when the lock is free again: that may be the last address of an actor.
        let _before =
            std::mem::replace(&mut *self.slot.presence.write().unwrap_or_else(PoisonError::into_inner), presence);
        self.slot.changed.notify_waiters();
    }

    /// As a link that keeps nothing alive.
    pub(crate) fn downgrade(&self) -> impl Fn() -> Option<Self> + Send + use<A> {
        let slot = Arc::downgrade(&self.slot);
        move || slot.upgrade().map(|slot| Self { slot })
    }

    /// The bound and the patience.
    pub fn mailbox(&self) -> Mailbox {
        self.slot.mailbox
    }

    /// Whether the child has ended for good, so that its keeper must be asked for a new one.
    pub fn is_gone(&self) -> bool {
        matches!(*self.presence(), Presence::Gone)
    }

    /// Why the child cannot work now; `None` while it lives or restarts.
    pub fn down(&self) -> Option<Arc<str>> {
        match &*self.presence() {
            Presence::Down(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// Messages that wait and requests that are not answered yet. What went past the bound is not counted.
    pub fn depth(&self) -> usize {
        self.slot.gauge.depth()
    }

    /// For how long the oldest message in the mailbox has waited to be handled; zero where none waits.
    pub fn oldest_wait(&self) -> Duration {
        self.slot.gauge.oldest()
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
        let place = Arc::new(self.place()?);
        let answer = self.with_addr(|addr| self.request(addr, message, Some(place.clone()))).await?;
        let answer = answer.await.map_err(|_| LinkError::Died);
        drop(place);
        answer
    }

    /// Asks past the bound: for control that needs an answer, never for work itself.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), but never `Full`.
    pub async fn urge<M>(&self, message: M) -> Result<M::Result, LinkError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.with_addr(|addr| self.request(addr, message, None)).await?.await.map_err(|_| LinkError::Died)
    }

    /// As [`urge`](Self::urge), of the child of this moment: one that restarts is not waited for.
    pub(crate) async fn urge_now<M>(&self, message: M) -> Result<M::Result, LinkError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.now(|addr| self.request(addr, message, None))?.await.map_err(|_| LinkError::Died)
    }

    /// Tells without waiting.
    ///
    /// # Errors
    /// `Full` where the bound is reached; `Restarting`, `Down`, `Gone` where there is no child.
    pub fn tell<M>(&self, message: M) -> Result<(), LinkError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.now(|addr| {
            let place = Arc::new(self.place()?);
            self.send(addr, message, None, Some(place));
            Ok(())
        })?
    }

    /// Tells past the bound: for orders that must overtake the work, and for reports of it, never for work itself.
    ///
    /// # Errors
    /// `Restarting`, `Down`, `Gone` where there is no child.
    pub fn control<M>(&self, message: M) -> Result<(), LinkError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.now(|addr| self.send(addr, message, None, None))
    }

    /// Someone who hears messages of one kind, for the present life only; `None` while there is none.
    pub fn recipient<M>(&self) -> Option<Recipient<M>>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        match &*self.presence() {
            Presence::Up(addr) => Some(addr.clone().recipient()),
            _ => None,
        }
    }

    fn presence(&self) -> RwLockReadGuard<'_, Presence<A>> {
        self.slot.presence.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> Result<Place, LinkError> {
        self.slot.gauge.take().ok_or(LinkError::Full)
    }

    fn request<M>(&self, addr: &Addr<A>, message: M, place: Option<Arc<Place>>) -> oneshot::Receiver<M::Result>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let (tell, told) = oneshot::channel();
        self.send(addr, message, Some(tell), place);
        told
    }

    fn send<M>(&self, addr: &Addr<A>, message: M, answer: Option<oneshot::Sender<M::Result>>, place: Option<Arc<Place>>)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        post(addr, Parcel::wrap(message, answer, self.slot.gauge.sent(), place));
    }

    /// Acts on the child of this moment.
    fn now<R>(&self, act: impl FnOnce(&Addr<A>) -> R) -> Result<R, LinkError> {
        match &*self.presence() {
            Presence::Up(addr) if addr.connected() => Ok(act(addr)),
            other => Err(absent(other)),
        }
    }

    async fn with_addr<R>(&self, act: impl FnOnce(&Addr<A>) -> R) -> Result<R, LinkError> {
        if let Presence::Up(addr) = &*self.presence()
            && addr.connected()
        {
            return Ok(act(addr));
        }
        let settled = tokio::time::timeout(self.slot.mailbox.patience, self.settled(act)).await;
        settled.unwrap_or(Err(LinkError::Restarting))
    }

    /// Waits until the child lives or does not come back by itself.
    async fn settled<R>(&self, act: impl FnOnce(&Addr<A>) -> R) -> Result<R, LinkError> {
        loop {
            let mut changed = pin!(self.slot.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            match &*self.presence() {
                Presence::Up(addr) if addr.connected() => return Ok(act(addr)),
                // A dead address means that the obituary is still on its way to the parent.
                Presence::Up(_) | Presence::Restarting => {}
                absent @ (Presence::Down(_) | Presence::Gone) => return Err(self::absent(absent)),
            }
            changed.await;
        }
    }
}

#[allow(clippy::disallowed_methods)] // the one place that does, behind our own bound
fn post<A: Supervised>(addr: &Addr<A>, parcel: Parcel<A>) {
    addr.do_send(parcel);
}

fn absent<A: Actor>(presence: &Presence<A>) -> LinkError {
    match presence {
        Presence::Up(_) | Presence::Restarting => LinkError::Restarting,
        Presence::Down(why) => LinkError::Down(why.clone()),
        Presence::Gone => LinkError::Gone,
    }
}
