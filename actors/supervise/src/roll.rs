//! The recipes that outlive a supervisor.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::spec::{Absence, Recipe};

/// Called when a child has ended for good.
pub(crate) type OnGone = Box<dyn Fn() + Send + Sync>;

/// A recipe, and whether it belongs to the supervisor's place or to one life of it.
pub(crate) struct Entry {
    pub(crate) recipe: Box<dyn Recipe>,
    /// A reborn supervisor starts it again. What a [`Family`](crate::Family) opened is not kept: the next who asks for
    /// it opens it afresh.
    pub(crate) kept: bool,
    pub(crate) on_gone: Option<OnGone>,
}

impl Entry {
    /// It will not come back under this recipe.
    pub(crate) fn gone(&self) {
        self.recipe.set(Absence::Gone);
        if let Some(told) = &self.on_gone {
            told();
        }
    }

    /// Its supervisor ended: what is kept is `absence`, the rest is gone.
    pub(crate) fn left(&self, absence: Absence) {
        if self.kept { self.recipe.set(absence) } else { self.gone() }
    }
}

#[derive(Default)]
struct Names {
    kept: Vec<Arc<Entry>>,
    /// Adopted, and not yet taken in by the supervisor.
    new: Vec<Arc<Entry>>,
    closed: bool,
}

/// What a supervisor's children are made of, over all its lives. Shared by the supervisor, its recipe, and every
/// [`Parent`](crate::Parent) handle, so that an adoption between two lives is not lost.
#[derive(Default)]
pub(crate) struct Roll {
    names: Mutex<Names>,
}

impl Roll {
    /// Takes in a recipe for the supervisor to find; gone at once where there will be no supervisor any more.
    pub(crate) fn add(&self, entry: Entry) {
        let mut names = self.names();
        if names.closed {
            drop(names);
            return entry.gone();
        }
        names.new.push(Arc::new(entry));
    }

    /// What a new life begins with, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        let fresh = self.fresh();
        let mut all = self.names().kept.clone();
        all.extend(fresh.into_iter().filter(|entry| !entry.kept));
        all
    }

    /// What was adopted since this was last asked.
    pub(crate) fn fresh(&self) -> Vec<Arc<Entry>> {
        let mut names = self.names();
        let fresh = std::mem::take(&mut names.new);
        names.kept.extend(fresh.iter().filter(|entry| entry.kept).cloned());
        fresh
    }

    /// It ended for good.
    pub(crate) fn remove(&self, entry: &Arc<Entry>) {
        self.names().kept.retain(|kept| !Arc::ptr_eq(kept, entry));
    }

    /// Tells the links of all that is kept why it is not there; where it is gone, there is no more to come.
    pub(crate) fn set(&self, absence: &Absence) {
        if matches!(absence, Absence::Gone) {
            return self.close(absence);
        }
        let kept = self.names().kept.clone();
        kept.iter().for_each(|entry| entry.left(absence.clone()));
    }

    /// Tells all why they are not there, now and for ever.
    pub(crate) fn close(&self, absence: &Absence) {
        let mut names = self.names();
        names.closed = true;
        let mut all = names.kept.clone();
        all.append(&mut names.new);
        drop(names);
        for entry in all {
            match absence {
                Absence::Gone => entry.gone(),
                absence => entry.left(absence.clone()),
            }
        }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
