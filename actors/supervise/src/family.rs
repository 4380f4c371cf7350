//! Children of one kind that come and go by name, each with a budget of its own.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::control::Supervised;
use crate::link::{Link, Mailbox};
use crate::parent::Parent;
use crate::spec::{Birth, ChildSpec, Restart};
use actix::ArbiterHandle;

type Make<K, A> = Arc<dyn Fn(K, Birth) -> A + Send + Sync>;
type Place<K> = Arc<dyn Fn(&K) -> ArbiterHandle + Send + Sync>;

/// A directory of children by name, over a supervisor with [`Scope::Each`](crate::Scope::Each).
///
/// Finding a child that lives costs a look into the directory, no message. A child that stops normally leaves the
/// directory, and the next who asks for it gets a new one.
pub struct Family<K, A: Supervised> {
    parent: Parent,
    directory: Arc<Mutex<HashMap<K, Link<A>>>>,
    make: Make<K, A>,
    place: Place<K>,
    mailbox: Mailbox,
    restart: Restart,
}

impl<K, A: Supervised> Clone for Family<K, A> {
    fn clone(&self) -> Self {
        Self {
            parent: self.parent.clone(),
            directory: self.directory.clone(),
            make: self.make.clone(),
            place: self.place.clone(),
            mailbox: self.mailbox,
            restart: self.restart,
        }
    }
}

impl<K, A> Family<K, A>
where
    K: Clone + Eq + Hash + ToString + Send + Sync + 'static,
    A: Supervised,
{
    /// A family of children made by `make`, each on the arbiter that `place` names for it.
    pub fn new(
        parent: Parent,
        restart: Restart,
        mailbox: Mailbox,
        place: impl Fn(&K) -> ArbiterHandle + Send + Sync + 'static,
        make: impl Fn(K, Birth) -> A + Send + Sync + 'static,
    ) -> Self {
        Self { parent, directory: Arc::default(), make: Arc::new(make), place: Arc::new(place), mailbox, restart }
    }

    /// The child of that name, if it lives or is coming back.
    pub fn find(&self, name: &K) -> Option<Link<A>> {
        let directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner);
        directory.get(name).filter(|link| !link.is_gone()).cloned()
    }

    /// The child of that name, started if there is none.
    pub fn open(&self, name: &K) -> Link<A> {
        let mut directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = directory.get(name).filter(|link| !link.is_gone()) {
            return link.clone();
        }
        let (make, key) = (self.make.clone(), name.clone());
        let spec = ChildSpec::new(name.to_string(), self.restart, self.mailbox, move |birth| make(key.clone(), birth))
            .on((self.place)(name));
        let link = spec.link();
        directory.insert(name.clone(), link.clone());
        let (shelf, key) = (Arc::downgrade(&self.directory), name.clone());
        let on_gone = Box::new(move || {
            if let Some(shelf) = shelf.upgrade() {
                let mut directory = shelf.lock().unwrap_or_else(PoisonError::into_inner);
                // A successor of the same name may be there already.
                if directory.get(&key).is_some_and(Link::is_gone) {
                    directory.remove(&key);
                }
            }
        });
        // Where there is no supervisor any more, the child is gone at once, and is taken out of the directory right here.
        drop(directory);
        self.parent.adopt_passing(spec, on_gone);
        link
    }

    /// Children that live or are coming back.
    pub fn len(&self) -> usize {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there is no child.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The supervisor behind the family.
    pub fn parent(&self) -> &Parent {
        &self.parent
    }
}
