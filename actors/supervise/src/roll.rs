//! The recipes that outlive a supervisor.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::spec::{Absence, Recipe};
use crate::tether::ChildId;

/// Called when a child has ended for good.
pub(crate) type OnGone = Box<dyn Fn() + Send + Sync>;

/// A recipe, and whether it belongs to the supervisor's place or to one life of it.
pub(crate) struct Entry {
    /// The same over all lives of the supervisor.
    pub(crate) id: ChildId,
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
        match absence {
            Absence::Restarting | Absence::Down(_) if self.kept => self.recipe.set(absence),
            _ => self.gone(),
        }
    }
}

#[derive(Default)]
struct Names {
    kept: BTreeMap<ChildId, Arc<Entry>>,
    /// Adopted, and not yet taken in by the supervisor.
    new: Vec<Arc<Entry>>,
    entered: u64,
    /// Set when there will be no supervisor any more: what its children are then.
    closed: Option<Absence>,
}

/// What a supervisor's children are made of, over all its lives. Shared by the supervisor, its recipe, and every
/// [`Parent`](crate::Parent) handle, so that an adoption between two lives is not lost.
#[derive(Default)]
pub(crate) struct Roll {
    names: Mutex<Names>,
}

impl Roll {
    /// Takes in a recipe for the supervisor to find; gone at once where there will be no supervisor any more.
    pub(crate) fn add(&self, recipe: Box<dyn Recipe>, kept: bool, on_gone: Option<OnGone>) {
        let mut names = self.names();
        names.entered += 1;
        let entry = Entry { id: ChildId(names.entered), recipe, kept, on_gone };
        if names.closed.is_some() {
            drop(names);
            return entry.gone();
        }
        names.new.push(Arc::new(entry));
    }

    /// What a new life begins with, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> = self.names().kept.values().cloned().collect();
        all.extend(self.fresh());
        all
    }

    /// What was adopted since this was last asked.
    pub(crate) fn fresh(&self) -> Vec<Arc<Entry>> {
        let mut names = self.names();
        let fresh = std::mem::take(&mut names.new);
        names.kept.extend(fresh.iter().filter(|entry| entry.kept).map(|entry| (entry.id, entry.clone())));
        fresh
    }

    /// It ended for good.
    pub(crate) fn remove(&self, id: ChildId) {
        self.names().kept.remove(&id);
    }

    /// What its children are when a supervisor has ended: on their way back, unless there is no way back.
    pub(crate) fn verdict(&self) -> Absence {
        self.names().closed.clone().unwrap_or(Absence::Restarting)
    }

    /// Says why there is no supervisor, and where `tell` tells the links of all that is kept. Where it is gone, there is
    /// no more to come.
    pub(crate) fn set(&self, absence: &Absence, tell: bool) {
        let mut names = self.names();
        let mut all = Vec::new();
        if matches!(absence, Absence::Gone) {
            names.closed = Some(absence.clone());
            all.append(&mut names.new);
        }
        if tell {
            all.extend(names.kept.values().cloned());
        }
        drop(names);
        all.iter().for_each(|entry| entry.left(absence.clone()));
    }

    /// The root has ended: `absence` is the last word.
    pub(crate) fn close(&self, absence: &Absence) {
        self.set(absence, true);
        let mut names = self.names();
        names.closed = Some(absence.clone());
        let late = std::mem::take(&mut names.new);
        drop(names);
        late.iter().for_each(|entry| entry.left(absence.clone()));
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
