//! Who is let in beside the list of the config: strangers who wrote in private, were given a code, and had it approved.
//!
//! A crowd of strangers costs three codes an hour and nothing else: who cannot be offered one is not answered at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mosaic_types::pairing::{PENDING, PairingRow};
use mosaic_types::{Outside, Principal, Timestamp, UserId, UserRole};
use sha2::{Digest, Sha256};

/// For so long a code is good.
pub(crate) const LIFE: Duration = Duration::from_secs(3_600);

/// What codes are made of: nothing that is taken for something else when it is read aloud or typed. 32 signs, 5 bits each.
const SIGNS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Signs of a code.
const LENGTH: usize = 8;

/// What those are told who are linked to a user that may not talk.
pub(crate) const ONLY_READS: &str = "You may read here, but not talk: the user you are linked to is a viewer. Whoever runs \
                                     this bot can link you to one that may, with mosaic pair link.";

#[derive(Debug, Default)]
struct Known {
    /// As whom each speaks.
    paired: HashMap<Arc<str>, Principal>,
    /// Those who have a code, and until when.
    waiting: Vec<(Arc<str>, Timestamp)>,
}

/// Those of one channel. Clones share one; it outlives the channel's actor.
#[derive(Debug, Clone, Default)]
pub struct Pairs(Arc<Mutex<Known>>);

impl Pairs {
    /// Takes over what the store knows of a channel's account.
    pub fn load<'a>(&self, rows: impl IntoIterator<Item = &'a PairingRow>) {
        let mut known = self.known();
        for row in rows {
            match &row.user {
                Some(user) => drop(known.paired.insert(row.sender.as_str().into(), user.principal())),
                None => known.waiting.push((row.sender.as_str().into(), row.expires_at)),
            }
        }
    }

    /// Lets somebody in as a user, from now on.
    pub fn let_in(&self, sender: &str, speaks_as: Principal) {
        let mut known = self.known();
        known.waiting.retain(|(waiting, _)| &**waiting != sender);
        known.paired.insert(sender.into(), speaks_as);
    }

    /// Forgets somebody, from now on.
    pub fn forget(&self, sender: &str) {
        let mut known = self.known();
        known.waiting.retain(|(waiting, _)| &**waiting != sender);
        known.paired.remove(sender);
    }

    /// Forgets all who speak as a user, from now on.
    pub fn forget_user(&self, user: UserId) {
        self.known().paired.retain(|_, speaks_as| speaks_as.user != user);
    }

    /// All who speak as a user may do what that role lets them, from now on.
    pub fn set_role(&self, user: UserId, role: UserRole) {
        self.known().paired.values_mut().filter(|speaks_as| speaks_as.user == user).for_each(|them| them.role = role);
    }

    /// As whom somebody speaks: in private (`alone`) as the user they are linked to, with that one's role, but for what
    /// only owners may. What several people say in one place is the channel's, whoever says it, and who is linked to nobody
    /// is its guest.
    pub(crate) fn speaker(&self, sender: &str, alone: bool, guest: Principal) -> Principal {
        let Some(linked) = self.speaks_as(sender) else { return guest };
        let user = if alone { linked.user } else { guest.user };
        Principal { user, role: linked.role.min(guest.role) }
    }

    fn speaks_as(&self, sender: &str) -> Option<Principal> {
        self.known().paired.get(sender).copied()
    }

    /// Whether somebody was let in.
    pub(crate) fn has(&self, sender: &str) -> bool {
        self.speaks_as(sender).is_some()
    }

    /// Keeps a place for a stranger; `None` where they have one, or there is none. Answers when it ends.
    pub(crate) fn offer(&self, sender: &Arc<str>, now: Timestamp) -> Option<Timestamp> {
        let mut known = self.known();
        known.waiting.retain(|(_, until)| *until > now);
        let full = i64::try_from(known.waiting.len()).is_ok_and(|waiting| waiting >= PENDING);
        if full || known.waiting.iter().any(|(waiting, _)| waiting == sender) {
            return None;
        }
        let until = now.plus(LIFE);
        known.waiting.push((sender.clone(), until));
        Some(until)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new code: 40 random bits.
pub(crate) fn code(outside: &Outside) -> String {
    outside.bytes::<LENGTH>().iter().map(|byte| char::from(SIGNS[usize::from(byte % 32)])).collect()
}

/// What is kept of a code, however it is typed; `None` where it can be none.
pub fn hash(code: &str) -> Option<[u8; 32]> {
    let code: String = code.chars().filter(|char| !matches!(char, ' ' | '-')).collect::<String>().to_ascii_uppercase();
    let good = code.len() == LENGTH && code.bytes().all(|byte| SIGNS.contains(&byte));
    good.then(|| Sha256::digest(code.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;

    fn user(number: u128) -> Principal {
        Principal { user: UserId(Uuid::from_u128(number)), role: UserRole::Member }
    }

    #[test]
    fn a_code_holds_nothing_that_is_misread_and_is_known_however_it_is_typed() {
        assert!(SIGNS.iter().all(|sign| !b"0O1I".contains(sign)));
        assert_eq!(SIGNS.iter().collect::<HashSet<_>>().len(), 32);
        assert_eq!(hash("ABCD2345"), hash(" abcd-2345 "));
        for bad in ["", "ABCD234", "ABCD23456", "ABCD234O", "ÄBCD234"] {
            assert_eq!(hash(bad), None, "{bad}");
        }
    }

    #[test]
    fn three_wait_for_an_hour_and_a_crowd_is_not_answered() {
        let pairs = Pairs::default();
        let (at, later) = (Timestamp(0), Timestamp(0).plus(LIFE));
        let given = (0..10_000).filter(|number| pairs.offer(&number.to_string().into(), at).is_some()).count();
        assert_eq!(given, 3);
        assert_eq!(pairs.offer(&"0".into(), at), None, "one code a stranger");
        pairs.let_in("0", user(1));
        assert!(pairs.has("0") && !pairs.has("1"));
        assert_eq!(pairs.offer(&"again".into(), at), Some(later), "there is a place again");
        assert_eq!(pairs.offer(&"1".into(), later), Some(later.plus(LIFE)), "all have expired");
        pairs.forget("0");
        assert!(!pairs.has("0"));
    }

    #[test]
    fn who_speaks_as_a_user_has_that_ones_role_and_is_a_stranger_when_that_one_is_gone() {
        let pairs = Pairs::default();
        for (sender, number) in [("0", 1), ("1", 2), ("2", 1), ("1", 1), ("0", 2)] {
            pairs.let_in(sender, user(number));
        }
        assert_eq!(["0", "1", "2"].map(|sender| pairs.speaks_as(sender)), [2, 1, 1].map(|number| Some(user(number))));
        pairs.set_role(user(1).user, UserRole::Viewer);
        let roles = ["0", "1", "2"].map(|sender| pairs.speaks_as(sender).map(|them| them.role));
        assert_eq!(roles, [UserRole::Member, UserRole::Viewer, UserRole::Viewer].map(Some));
        pairs.forget_user(user(1).user);
        assert_eq!(["0", "1", "2"].map(|sender| pairs.has(sender)), [true, false, false]);
        assert!(pairs.offer(&"1".into(), Timestamp(0)).is_some(), "they get a code again");
    }
}
