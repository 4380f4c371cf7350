//! Browsers that are signed in, each by the hash of its cookie.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mosaic_types::signin::Browser;
use mosaic_types::{Principal, Timestamp, TokenId, UserId, UserRole};

use super::ending::Gone;
use super::{Credential, End, Ending, Principals, Refused, hash_of};

/// A browser that was not used for so long is signed out.
pub(super) const IDLE: Duration = Duration::from_secs(7 * 86_400);

/// The store is told at most this often that a browser is used.
const TOLD: Duration = Duration::from_secs(3_600);

/// Browsers of one user, at the most; where one more comes, the one not used for longest goes.
pub(super) const OF_A_USER: usize = 100;

struct SignedIn {
    principal: Principal,
    token: Option<TokenId>,
    expires_at: Timestamp,
    /// The end of the token it was signed in with.
    until: Option<Timestamp>,
    seen_at: AtomicI64,
    /// What the store was last told of `seen_at`.
    told_at: AtomicI64,
    gone: Gone,
}

impl SignedIn {
    fn over(&self, now: Timestamp) -> bool {
        self.expires_at <= now || Timestamp(self.seen_at.load(Ordering::Relaxed)).plus(IDLE) <= now
    }
}

#[derive(Default)]
pub(super) struct Browsers(HashMap<[u8; 32], SignedIn>);

impl Browsers {
    /// Ends those that were signed in with a token.
    pub(super) fn revoke(&mut self, token: TokenId) {
        self.0.retain(|_, browser| {
            let stays = browser.token != Some(token);
            if !stays {
                browser.gone.end(End::Revoked);
            }
            stays
        });
    }

    /// Ends those of a user.
    pub(super) fn remove_user(&mut self, user: UserId) {
        self.0.retain(|_, browser| {
            let stays = browser.principal.user != user;
            if !stays {
                browser.gone.end(End::Revoked);
            }
            stays
        });
    }

    /// Those of a user may do no more than that.
    pub(super) fn bound(&mut self, user: UserId, most: UserRole) {
        for browser in self.0.values_mut().filter(|browser| browser.principal.user == user) {
            if browser.principal.role > most {
                browser.principal.role = most;
                std::mem::take(&mut browser.gone).end(End::Changed);
            }
        }
    }

    fn remove(&mut self, hash: &[u8; 32]) -> bool {
        self.0.remove(hash).map(|browser| browser.gone.end(End::Revoked)).is_some()
    }

    /// What must go so that one more of `user` has a place: what is over, and the one not used for longest.
    fn surplus(&self, user: UserId, now: Timestamp) -> Vec<[u8; 32]> {
        let theirs = self.0.iter().filter(|(_, browser)| browser.principal.user == user);
        let (mut gone, mut kept) = (Vec::new(), Vec::new());
        for (hash, browser) in theirs {
            if browser.over(now) {
                gone.push(*hash);
            } else {
                kept.push((browser.seen_at.load(Ordering::Relaxed), *hash));
            }
        }
        kept.sort_unstable();
        let surplus = (kept.len() + 1).saturating_sub(OF_A_USER);
        gone.extend(kept.into_iter().take(surplus).map(|(_, hash)| hash));
        gone
    }
}

impl Principals {
    /// A browser is signed out after so long, however much it is used.
    pub const BROWSER_LIFE: Duration = Duration::from_secs(30 * 86_400);

    /// The text that a browser sends along with what changes something, made of its cookie: whoever can read it can
    /// read answers of this daemon, which a page of another site cannot.
    pub fn csrf_of(cookie: &str) -> String {
        let hash = hash_of(&format!("mosaic csrf {cookie}"));
        hash.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
    }

    /// From now on the browser with this cookie is signed in, unless the token it was signed in with is gone. Answers
    /// which ones are signed out in its favour; the store has to be told.
    pub fn sign_in(&self, browser: &Browser) -> Option<Vec<[u8; 32]>> {
        let now = self.outside.now();
        self.write(|known| {
            if known.gone.contains(&browser.user) {
                return None;
            }
            let by = browser.token.map(|id| known.tokens.values().find(|token| token.id == Some(id)));
            let by = match by {
                Some(None) => return None,
                Some(Some(token)) => Some(token),
                None => None,
            };
            let signed_in = SignedIn {
                principal: known.bounded(Principal { user: browser.user, role: browser.role }),
                token: browser.token,
                expires_at: browser.expires_at,
                until: by.and_then(|token| token.expires_at),
                seen_at: AtomicI64::new(browser.seen_at.0),
                told_at: AtomicI64::new(browser.seen_at.0),
                gone: Gone::default(),
            };
            let gone = known.browsers.surplus(browser.user, now);
            for hash in &gone {
                known.browsers.remove(hash);
            }
            known.browsers.0.insert(browser.hash, signed_in);
            Some(gone)
        })
    }

    /// From now on the browser is signed out; who waits for the end hears of it. Answers whether it was signed in.
    pub fn sign_out(&self, browser: &[u8; 32]) -> bool {
        self.write(|known| known.browsers.remove(browser))
    }

    /// Whose cookie this is. Also answers whether the store should be told that the browser is in use.
    ///
    /// # Errors
    /// It is not known, or has expired.
    pub fn browser(&self, cookie: &str) -> Result<(Credential, bool), Refused> {
        let hash = hash_of(cookie);
        let now = self.outside.now();
        self.read(|known| {
            let browser = known.browsers.0.get(&hash).ok_or(Refused::Unknown)?;
            if browser.over(now) {
                return Err(Refused::Expired);
            }
            browser.seen_at.fetch_max(now.0, Ordering::Relaxed);
            let told = browser.told_at.load(Ordering::Relaxed);
            let due = Timestamp(told).plus(TOLD) <= now
                && browser.told_at.compare_exchange(told, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            let ending = Ending::new(browser.gone.clone(), Some(browser.expires_at), self.outside.clone());
            let (principal, token, until) = (browser.principal, browser.token, browser.until);
            Ok((Credential { principal, token, browser: Some(hash), until, ending }, due))
        })
    }
}
