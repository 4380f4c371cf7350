//! The recipe of a child.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use actix::ArbiterHandle;
use actix::prelude::*;

use crate::control::{Control, Supervised};
use crate::link::{Link, Mailbox, Presence};
use crate::parent::Parent;
use crate::tether::{Exit, Label, Tether};

/// For so long a child that was told to stop may take, unless its spec says otherwise: OTP's default for workers.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// When a child that ended is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    Permanent,
    /// After a panic or a failure, not after a normal stop.
    Transient,
    /// Never; nor does its end touch its siblings.
    Temporary,
}

/// What a factory is given for one life.
pub struct Birth {
    /// To be kept in the actor.
    pub tether: Tether,
    /// Which life begins; the first is 1. It goes on rising when the supervisor itself is reborn.
    pub incarnation: u64,
    /// How the life before ended; `None` for the first, and for the first under a reborn supervisor.
    pub last_exit: Option<Exit>,
    /// What the life before was [handling](Tether::handling) when it ended.
    pub last_handling: Option<Label>,
}

type Factory<A> = Arc<dyn Fn(Birth) -> A + Send + Sync>;

/// The recipe of a child: name, factory, place, mailbox, when it returns, and how long it may take to stop.
pub struct ChildSpec<A: Actor> {
    name: Arc<str>,
    restart: Restart,
    stop_within: Duration,
    factory: Factory<A>,
    arbiter: Option<ArbiterHandle>,
    pub(crate) link: Link<A>,
    lives: AtomicU64,
    /// Of the present life, or the last.
    breath: Mutex<Weak<()>>,
    /// Where the child is a supervisor: the handle on it.
    pub(crate) family: Option<Parent>,
}

impl<A: Supervised> ChildSpec<A> {
    /// A child made by `factory`, which runs on the child's arbiter and may run many times.
    pub fn new(
        name: impl Into<Arc<str>>,
        restart: Restart,
        mailbox: Mailbox,
        factory: impl Fn(Birth) -> A + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            restart,
            stop_within: STOP_WITHIN,
            factory: Arc::new(factory),
            arbiter: None,
            link: Link::vacant(mailbox),
            lives: AtomicU64::new(0),
            breath: Mutex::default(),
            family: None,
        }
    }

    /// Where the child lives; by default on its supervisor's arbiter.
    #[must_use]
    pub fn on(mut self, arbiter: ArbiterHandle) -> Self {
        self.arbiter = Some(arbiter);
        self
    }

    /// For so long the child may take to stop before it is abandoned; [`STOP_WITHIN`] by default.
    #[must_use]
    pub fn stop_within(mut self, patience: Duration) -> Self {
        self.stop_within = patience;
        self
    }

    /// Whether there can be a second life.
    pub(crate) fn recurs(&self) -> bool {
        self.restart != Restart::Temporary
    }

    /// The link to the child, good before its first life and after each.
    pub fn link(&self) -> Link<A> {
        self.link.clone()
    }
}

/// A recipe without its type, as a supervisor keeps it.
pub(crate) trait Recipe: Send + Sync {
    fn name(&self) -> Arc<str>;
    fn restart(&self) -> Restart;
    fn stop_within(&self) -> Duration;
    /// Lives so far, under whichever supervisor.
    fn lives(&self) -> u64;
    /// Whether its last life has not ended.
    fn breathes(&self) -> bool;
    fn start(&self, birth: Birth);
    fn set(&self, absence: Absence);
    fn control(&self, order: Control) -> bool;
    /// The handle on the child's own children, where it is a supervisor.
    fn family(&self) -> Option<Parent>;
    fn depth(&self) -> usize;
    fn oldest_wait(&self) -> Duration;
}

/// Why a child is not there, as its supervisor tells its link.
#[derive(Debug, Clone)]
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

    fn stop_within(&self) -> Duration {
        self.stop_within
    }

    fn lives(&self) -> u64 {
        self.lives.load(Ordering::Relaxed)
    }

    fn breathes(&self) -> bool {
        self.breath.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0
    }

    fn start(&self, mut birth: Birth) {
        let breath = Arc::new(());
        *self.breath.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&breath);
        birth.tether.breathe(breath);
        self.lives.store(birth.incarnation, Ordering::Relaxed);
        let factory = self.factory.clone();
        let capacity = self.link.mailbox().capacity;
        let arbiter = self.arbiter.clone().unwrap_or_else(Arbiter::current);
        let addr = A::start_in_arbiter(&arbiter, move |ctx| {
            // For those who send to a bare recipient; a link counts for itself.
            ctx.set_mailbox_capacity(capacity);
            birth.tether.begin();
            factory(birth)
        });
        self.link.set(Presence::Up(addr));
    }

    fn set(&self, absence: Absence) {
        if let Some(family) = &self.family {
            // One that still lives stops its children itself, and says so to them then.
            family.roll().set(&absence, !self.breathes());
        }
        self.link.set(match absence {
            Absence::Restarting => Presence::Restarting,
            Absence::Down(why) => Presence::Down(why),
            Absence::Gone => Presence::Gone,
        });
    }

    fn control(&self, order: Control) -> bool {
        self.link.control(order).is_ok()
    }

    fn family(&self) -> Option<Parent> {
        self.family.clone()
    }

    fn depth(&self) -> usize {
        self.link.depth()
    }

    fn oldest_wait(&self) -> Duration {
        self.link.oldest_wait()
    }
}
