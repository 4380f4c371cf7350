//! The obituary: how a parent learns that a child has ended.

use std::sync::Arc;

use actix::{Message, Recipient};

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
}

/// Lives in a child; its drop is the obituary.
///
/// Keep it in the actor and nowhere else: it must be dropped exactly when the actor is.
pub struct Tether {
    child: ChildId,
    incarnation: u64,
    exit: Exit,
    parent: Option<Recipient<ChildExited>>,
    watcher: Option<Recipient<ChildExited>>,
}

impl Tether {
    /// Ties the child's life to `parent`'s knowledge of it.
    pub fn new(child: ChildId, incarnation: u64, parent: Recipient<ChildExited>) -> Self {
        Self { child, incarnation, exit: Exit::Normal, parent: Some(parent), watcher: None }
    }

    /// Adds one more who is told.
    #[must_use]
    pub fn watched_by(mut self, watcher: Recipient<ChildExited>) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// A tether nobody listens to, for tests of a single actor.
    pub fn loose() -> Self {
        Self { child: ChildId(0), incarnation: 1, exit: Exit::Normal, parent: None, watcher: None }
    }

    /// Says beforehand that the coming stop is a failure.
    pub fn fail(&mut self, why: impl Into<Arc<str>>) {
        self.exit = Exit::Failed(why.into());
    }
}

impl Drop for Tether {
    #[allow(clippy::disallowed_methods)] // may overfill the mailbox on purpose: a lost obituary would orphan the child
    fn drop(&mut self) {
        let exit = if std::thread::panicking() { Exit::Panicked } else { self.exit.clone() };
        let obituary = ChildExited { child: self.child, incarnation: self.incarnation, exit };
        if let Some(watcher) = self.watcher.take() {
            watcher.do_send(obituary.clone());
        }
        if let Some(parent) = self.parent.take() {
            parent.do_send(obituary);
        }
    }
}
