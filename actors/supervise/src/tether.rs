//! The obituary: how a parent learns that a child has ended.

use std::fmt;
use std::sync::Arc;

use actix::{Addr, Message, Recipient};

use crate::link::Link;
use crate::supervisor::Supervisor;

/// A child of one supervisor: unique there, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChildId(pub u64);

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It stopped because its work was done, or because it was told to.
    Normal,
    /// It stopped because it could not go on, and said why.
    Failed(Arc<str>),
    /// It panicked.
    Panicked,
    /// It was dropped by other hands: its arbiter ended, or had ended before it could start.
    Aborted,
}

impl Exit {
    /// Whether this is an end that a transient child is restarted after.
    pub fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal)
    }

    /// In words, for the tree.
    pub fn describe(&self) -> Arc<str> {
        match self {
            Self::Normal => "stopped".into(),
            Self::Failed(why) => why.clone(),
            Self::Panicked => "panicked".into(),
            Self::Aborted => "its thread ended".into(),
        }
    }
}

/// A piece of work by name or by number, cheap to note down at its begin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Label {
    Name(Arc<str>),
    /// An id of 128 bits, such as a UUID.
    Id(u128),
}

impl From<Arc<str>> for Label {
    fn from(name: Arc<str>) -> Self {
        Self::Name(name)
    }
}

impl From<&str> for Label {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<u128> for Label {
    fn from(id: u128) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => write!(f, "{id:032x}"),
        }
    }
}

/// Tells that a child has ended. Sent by its [`Tether`]; handled by its parent and by those who watch it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ChildExited {
    pub child: ChildId,
    /// Which life of the child ended; the first is 1.
    pub incarnation: u64,
    pub exit: Exit,
    /// What it was handling, if it had [said so](Tether::handling): the work that a crash is charged to.
    pub handling: Option<Label>,
}

/// Who hears an obituary first.
enum Home {
    Nobody,
    One(Recipient<ChildExited>),
    /// The life of the supervisor that began this one, else whichever there is then.
    Supervisor(Addr<Supervisor>, Option<Link<Supervisor>>),
}

/// Lives in a child; its drop is the obituary.
///
/// Keep it in the actor and nowhere else: it must be dropped exactly when the actor is.
pub struct Tether {
    child: ChildId,
    incarnation: u64,
    exit: Exit,
    handling: Option<Label>,
    /// The child's arbiter has taken it up.
    begun: bool,
    parent: Home,
    /// Held for as long as the life lasts, so that its recipe can tell.
    breath: Option<Arc<()>>,
    watchers: Vec<Recipient<ChildExited>>,
}

impl Tether {
    /// Ties the child's life to `parent`'s knowledge of it.
    pub fn new(child: ChildId, incarnation: u64, parent: Recipient<ChildExited>) -> Self {
        let mut tether = Self::of(child, incarnation);
        tether.parent = Home::One(parent);
        tether
    }

    /// As [`new`](Self::new), for a child of a supervisor that has yet to reach its arbiter.
    pub(crate) fn unborn(
        child: ChildId,
        incarnation: u64,
        parent: Addr<Supervisor>,
        later: Option<Link<Supervisor>>,
    ) -> Self {
        let mut tether = Self::of(child, incarnation);
        tether.begun = false;
        tether.parent = Home::Supervisor(parent, later);
        tether
    }

    pub(crate) fn breathe(&mut self, breath: Arc<()>) {
        self.breath = Some(breath);
    }

    /// A tether nobody listens to, for tests of a single actor.
    pub fn loose() -> Self {
        Self::of(ChildId(0), 1)
    }

    fn of(child: ChildId, incarnation: u64) -> Self {
        Self {
            child,
            incarnation,
            exit: Exit::Normal,
            handling: None,
            begun: true,
            parent: Home::Nobody,
            breath: None,
            watchers: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self) {
        self.begun = true;
    }

    /// Adds one more who is told, before the parent is.
    #[must_use]
    pub fn watched_by(mut self, watcher: Recipient<ChildExited>) -> Self {
        self.watchers.push(watcher);
        self
    }

    /// Says beforehand that the coming stop is a failure.
    pub fn fail(&mut self, why: impl Into<Arc<str>>) {
        self.exit = Exit::Failed(why.into());
    }

    /// Notes which piece of work is begun, or with `None` that it is done.
    pub fn handling(&mut self, work: Option<Label>) {
        self.handling = work;
    }

    fn exit(&self) -> Exit {
        if std::thread::panicking() {
            Exit::Panicked
        } else if !self.begun || tokio::runtime::Handle::try_current().is_err() {
            // An arbiter that ends drops its actors after it has left its runtime.
            Exit::Aborted
        } else {
            self.exit.clone()
        }
    }
}

impl Drop for Tether {
    #[allow(clippy::disallowed_methods)] // may overfill the mailbox on purpose: a lost obituary would orphan the child
    fn drop(&mut self) {
        let obituary = ChildExited {
            child: self.child,
            incarnation: self.incarnation,
            exit: self.exit(),
            handling: self.handling.take(),
        };
        for watcher in self.watchers.drain(..) {
            watcher.do_send(obituary.clone());
        }
        // First it is over, then it is told: who looks in between finds nobody alive and ignores what comes.
        self.breath = None;
        match std::mem::replace(&mut self.parent, Home::Nobody) {
            Home::Nobody => {}
            Home::One(parent) => parent.do_send(obituary),
            Home::Supervisor(parent, _) if parent.connected() => parent.do_send(obituary),
            // One that is between two lives finds the breath gone.
            Home::Supervisor(_, later) => drop(later.map(|link| link.control(obituary))),
        }
    }
}
