//! Rules of people's own: all of them in memory, changed one person at a time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use mosaic_store::{Store, StoreError};
use mosaic_types::journal::Write;
use mosaic_types::routing::OwnRule;
use mosaic_types::{Code, Failure, UserId, limits};
use tokio::sync::Mutex;

use super::Routing;
use crate::doors::Doors;

/// What everyone has.
#[derive(Default)]
pub(super) struct Own {
    by_user: RwLock<HashMap<UserId, Arc<[OwnRule]>>>,
    /// Those of whom it is not known what the store holds.
    doubtful: RwLock<HashSet<UserId>>,
    /// One change at a time, since each is a whole new list.
    changing: Mutex<()>,
}

impl Own {
    /// The rules of a person, in their order.
    pub(super) fn of(&self, user: UserId) -> Option<Arc<[OwnRule]>> {
        self.by_user.read().unwrap_or_else(PoisonError::into_inner).get(&user).cloned()
    }

    fn set(&self, user: UserId, rules: Vec<OwnRule>) {
        let mut by_user = self.by_user.write().unwrap_or_else(PoisonError::into_inner);
        if rules.is_empty() {
            by_user.remove(&user);
        } else {
            by_user.insert(user, rules.into());
        }
    }

    /// Takes in what the store holds of everyone.
    fn load(&self, rules: Vec<(UserId, OwnRule)>) {
        let mut lists: HashMap<UserId, Vec<OwnRule>> = HashMap::new();
        rules.into_iter().for_each(|(user, rule)| lists.entry(user).or_default().push(rule));
        let lists = lists.into_iter().map(|(user, rules)| (user, rules.into()));
        *self.by_user.write().unwrap_or_else(PoisonError::into_inner) = lists.collect();
    }

    fn is_doubtful(&self, user: UserId) -> bool {
        self.doubtful.read().unwrap_or_else(PoisonError::into_inner).contains(&user)
    }

    fn doubt(&self, user: UserId, doubtful: bool) {
        let mut all = self.doubtful.write().unwrap_or_else(PoisonError::into_inner);
        if doubtful {
            all.insert(user)
        } else {
            all.remove(&user)
        };
    }

    /// Reads a person's rules anew, where it is not known what became of a change.
    pub(super) async fn settle(&self, store: &dyn Store, user: UserId) -> Result<(), StoreError> {
        if self.is_doubtful(user) {
            let rules = store.rules().await?.into_iter().filter(|(of, _)| *of == user).map(|(_, rule)| rule).collect();
            self.settled(user, rules);
        }
        Ok(())
    }

    /// What the store held a moment ago. Where that is known already, it may have been changed since.
    fn settled(&self, user: UserId, rules: Vec<OwnRule>) {
        if self.is_doubtful(user) {
            self.set(user, rules);
            self.doubt(user, false);
        }
    }
}

/// A change of which it is not known whether it was carried out, also because whoever asked for it left meanwhile.
struct Unheard<'a>(&'a Own, UserId);

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        self.0.doubt(self.1, true);
    }
}

impl Routing {
    /// Takes in what the store holds.
    ///
    /// # Errors
    /// The store's own.
    pub async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        if let Some(shared) = &self.shared {
            shared.own.load(store.rules().await?);
        }
        Ok(())
    }

    /// The rules of a person's own, in their order.
    pub fn own(&self, user: UserId) -> Vec<OwnRule> {
        let own = self.shared.as_ref().and_then(|shared| shared.own.of(user));
        own.map(|own| own.to_vec()).unwrap_or_default()
    }

    /// The person is gone, and their rules with them.
    pub fn forget(&self, user: UserId) {
        if let Some(shared) = &self.shared {
            shared.own.set(user, Vec::new());
            shared.own.doubt(user, false);
        }
    }

    /// Changes a person's rules as `edit` does, in the store first; from then on turns that begin go by them. Answers what
    /// `edit` answers.
    ///
    /// # Errors
    /// Those of `edit`; a list that would be too long; the store's, after which nothing is changed, or `unavailable`, after
    /// which it is not known and found out before the rules are looked at again.
    pub async fn change<T>(
        &self,
        doors: &Doors,
        user: UserId,
        edit: impl FnOnce(&mut Vec<OwnRule>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some(shared) = &self.shared else {
            return Err(Failure::new(Code::Unavailable, "There are no rules in this house."));
        };
        let own = &shared.own;
        let _one = own.changing.lock().await;
        own.settle(&*doors.store, user).await?;
        let mut rules = self.own(user);
        let before = rules.len();
        let told = edit(&mut rules)?;
        if rules.len() > limits::RULES && rules.len() > before {
            let sentence = format!("You have {} rules already: change one, or remove one first.", limits::RULES);
            return Err(Failure::new(Code::BadRequest, sentence));
        }
        let unheard = Unheard(own, user);
        let written = doors.commit(Write::SetRules { user, rules: rules.clone() }).await;
        match written {
            Ok(_) => own.set(user, rules),
            // Nothing was changed.
            Err(failure) if matches!(failure.code, Code::Storage | Code::Busy) => {
                std::mem::forget(unheard);
                return Err(failure);
            }
            Err(failure) => return Err(failure),
        }
        std::mem::forget(unheard);
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use mosaic_types::routing::Rule;
    use mosaic_types::{RuleId, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn rule(name: &str) -> OwnRule {
        let (id, at) = (RuleId(Uuid::from_u128(1)), Timestamp(0));
        OwnRule { id, rule: Rule::named(name.parse().expect("valid")), created_at: at, updated_at: at }
    }

    #[test]
    fn who_reads_rules_anew_and_is_slow_undoes_no_change_that_was_made_meanwhile() {
        let (own, user) = (Own::default(), UserId(Uuid::from_u128(7)));
        own.doubt(user, true);
        // Two read what the store holds. The first goes on to a change, which is stored.
        own.settled(user, vec![rule("old")]);
        own.set(user, vec![rule("new")]);
        own.settled(user, vec![rule("old")]);
        let names: Vec<_> =
            own.of(user).iter().flat_map(|own| own.iter()).map(|own| own.rule.name.to_string()).collect();
        assert_eq!(names, ["new"]);
    }
}
