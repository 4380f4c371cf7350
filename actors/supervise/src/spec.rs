//! The recipe of a child.

use std::sync::Arc;

use actix::ArbiterHandle;
use actix::prelude::*;

use crate::control::{Control, Supervised};
use crate::link::{Link, Mailbox, Presence};
use crate::tether::{Exit, Tether};

/// When a child that ended is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    Permanent,
    /// After a panic or a failure, not after a normal stop.
    Transient,
    /// Never.
    Temporary,
}

/// What a factory is given for one life.
pub struct Birth {
    /// To be kept in the actor.
    pub tether: Tether,
    /// Which life begins; the first is 1.
    pub incarnation: u64,
    /// How the life before ended; `None` for the first.
    pub last_exit: Option<Exit>,
}

type Factory<A> = Arc<dyn Fn(Birth) -> A + Send + Sync>;

/// The recipe of a child: name, factory, place, mailbox, and when it returns.
pub struct ChildSpec<A: Actor> {
    pub(crate) name: Arc<str>,
    pub(crate) restart: Restart,
    factory: Factory<A>,
    arbiter: Option<ArbiterHandle>,
    link: Link<A>,
}

impl<A: Supervised> ChildSpec<A> {
    /// A child made by `factory`, which runs on the child's arbiter and may run many times.
    pub fn new(
        name: impl Into<Arc<str>>,
        restart: Restart,
        mailbox: Mailbox,
        factory: impl Fn(Birth) -> A + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), restart, factory: Arc::new(factory), arbiter: None, link: Link::vacant(mailbox) }
    }

    /// Where the child lives; by default on its supervisor's arbiter.
    #[must_use]
    pub fn on(mut self, arbiter: ArbiterHandle) -> Self {
        self.arbiter = Some(arbiter);
        self
    }

    /// The link to the child, good before its first life and after each.
    pub fn link(&self) -> Link<A> {
        self.link.clone()
    }
}

/// A recipe without its type, as a supervisor keeps it.
pub(crate) trait Recipe: Send {
    fn name(&self) -> Arc<str>;
    fn restart(&self) -> Restart;
    fn start(&self, birth: Birth);
    fn set(&self, presence: Absence);
    fn control(&self, order: Control) -> bool;
}

/// Why a child is not there, as its supervisor tells its link.
pub(crate) enum Absence {
    Restarting,
    Down(Arc<str>),
    Gone,
}

impl<A: Supervised> Recipe for ChildSpec<A> {
    fn name(&self) -> Arc<str> {
        self.name.clone()
    }

    fn restart(&self) -> Restart {
        self.restart
    }

    fn start(&self, birth: Birth) {
        let factory = self.factory.clone();
        let capacity = self.link.mailbox().capacity;
        let arbiter = self.arbiter.clone().unwrap_or_else(Arbiter::current);
        let addr = A::start_in_arbiter(&arbiter, move |ctx| {
            ctx.set_mailbox_capacity(capacity);
            factory(birth)
        });
        self.link.set(Presence::Up(addr));
    }

    fn set(&self, absence: Absence) {
        self.link.set(match absence {
            Absence::Restarting => Presence::Restarting,
            Absence::Down(why) => Presence::Down(why),
            Absence::Gone => Presence::Gone,
        });
    }

    fn control(&self, order: Control) -> bool {
        self.link.control(order).is_ok()
    }
}
