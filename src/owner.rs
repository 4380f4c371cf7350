//! Whose the home is: of its owners the one who was added first.
//!
//! The home's own token is theirs, channels speak for them, and what somebody leaves who is removed is theirs. That goes
//! over to the next owner when they are removed, or are to be an owner no more.

use std::sync::{Arc, PoisonError, RwLock};

use mosaic_types::journal::UserRow;
use mosaic_types::{Principal, UserId, UserRole};
use tokio::sync::{Mutex, MutexGuard};

/// Whose the home is now. Clones share one.
#[derive(Debug, Clone)]
pub struct HomeOwner(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    now: RwLock<UserId>,
    changing: Mutex<()>,
}

impl HomeOwner {
    pub fn new(owner: UserId) -> Self {
        Self(Arc::new(Shared { now: RwLock::new(owner), changing: Mutex::default() }))
    }

    /// They, with an owner's role.
    pub fn principal(&self) -> Principal {
        let user = *self.0.now.read().unwrap_or_else(PoisonError::into_inner);
        Principal { user, role: UserRole::Owner }
    }

    /// From now on it is somebody else's; answers whose it was, where that is another.
    pub(crate) fn hand_over(&self, to: UserId) -> Option<UserId> {
        let mut now = self.0.now.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *now, to);
        (before != to).then_some(before)
    }

    /// Whoever changes roles, or removes somebody, holds this from before it is stored until it is felt: changes are felt
    /// in the order in which they were stored.
    pub(crate) async fn changing(&self) -> MutexGuard<'_, ()> {
        self.0.changing.lock().await
    }
}

/// Whose the home is without that one among the owners; `None`: there is no other.
pub(crate) fn after(users: &[UserRow], gone: UserId) -> Option<UserId> {
    users.iter().find(|user| user.role == UserRole::Owner && user.id != gone).map(|user| user.id)
}
