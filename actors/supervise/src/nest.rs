//! A supervisor as the child of another.

use std::sync::Arc;
use std::time::Duration;

use actix::ArbiterHandle;

use crate::control::Supervised;
use crate::link::{Link, Mailbox};
use crate::parent::Parent;
use crate::scope::{Scope, Strategy};
use crate::spec::{ChildSpec, Restart};
use crate::supervisor::{Above, Supervisor};

/// For so long a supervisor may take to stop its children and itself, unless its spec says otherwise. Each child has
/// 5 s, and few need more than a moment; OTP gives supervisors for ever, which a daemon that must leave cannot.
pub const SUPERVISOR_STOPS_WITHIN: Duration = Duration::from_secs(60);

/// The recipe of a supervisor below another.
///
/// Its children are what [`child`](Self::child) and [`Parent::adopt`] gave it, in that order; each of its lives starts
/// them again. Its incarnation, its delays and its end are its parent's affair, as with any child.
pub struct SupervisorSpec {
    name: Arc<str>,
    scope: Scope,
    strategy: Strategy,
    restart: Restart,
    stop_within: Duration,
    seed: u64,
    arbiter: Option<ArbiterHandle>,
    /// On it the first children wait for the supervisor to begin.
    parent: Parent,
}

impl SupervisorSpec {
    /// A permanent supervisor with [`Strategy::OneForOne`].
    pub fn new(name: impl Into<Arc<str>>, scope: Scope) -> Self {
        let name = name.into();
        Self {
            parent: Parent::vacant(name.clone()),
            name,
            scope,
            strategy: Strategy::default(),
            restart: Restart::Permanent,
            stop_within: SUPERVISOR_STOPS_WITHIN,
            seed: 0,
            arbiter: None,
        }
    }

    /// Who is restarted with a child that must be.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// When the supervisor itself is made anew.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Feeds the jitter of restart delays, the same in each of its lives.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// For so long it may take to stop; [`SUPERVISOR_STOPS_WITHIN`] by default.
    #[must_use]
    pub fn stop_within(mut self, patience: Duration) -> Self {
        self.stop_within = patience;
        self
    }

    /// Where it lives, and those of its children that name no other place; by default on its parent's arbiter.
    #[must_use]
    pub fn on(mut self, arbiter: ArbiterHandle) -> Self {
        self.arbiter = Some(arbiter);
        self
    }

    /// Hangs a child on it; take the child's link from its spec before.
    #[must_use]
    pub fn child<A: Supervised>(self, spec: ChildSpec<A>) -> Self {
        self.parent.adopt(spec);
        self
    }

    /// The handle on the supervisor, good before its first life and after each.
    pub fn parent(&self) -> Parent {
        self.parent.clone()
    }
}

impl Parent {
    /// Takes in a supervisor and starts it; the handle is good at once.
    pub fn adopt_supervisor(&self, spec: SupervisorSpec) -> Parent {
        let SupervisorSpec { name, scope, strategy, restart, stop_within, seed, arbiter, parent } = spec;
        let (called, own) = (name.clone(), parent.clone());
        let mut child = ChildSpec::new(name, restart, Mailbox::default(), move |birth| {
            Supervisor::new(called.clone(), scope, strategy, seed, &own, Above::Parent(birth.tether))
        })
        .stop_within(stop_within)
        .reached_by(parent.link().clone());
        if let Some(arbiter) = arbiter {
            child = child.on(arbiter);
        }
        child.family = Some(parent.clone());
        self.adopt(child);
        parent
    }
}

impl ChildSpec<Supervisor> {
    /// Makes a link that was handed out before the way to the child.
    fn reached_by(mut self, link: Link<Supervisor>) -> Self {
        self.link = link;
        self
    }
}
