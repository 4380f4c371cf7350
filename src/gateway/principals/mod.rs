//! Who the bearer of a token or of a browser's cookie is, and when that ends.

mod browsers;
mod ending;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use mosaic_types::journal::TokenRow;
use mosaic_types::signin::Browser;
use mosaic_types::{Code, Failure, Outside, Principal, Timestamp, TokenId, UserId, UserRole};
use sha2::{Digest, Sha256};

use ending::Gone;
pub use ending::{End, Ending};

/// SHA-256 of a token's text: all that is kept of it.
pub fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A principal, by what it was known, and the end of that.
#[derive(Debug, Clone)]
pub struct Credential {
    pub principal: Principal,
    /// By what: [`None`] for the home's own token.
    pub token: Option<TokenId>,
    /// Set where it came by a browser's cookie.
    pub browser: Option<[u8; 32]>,
    /// What is made with it must not outlast this.
    pub until: Option<Timestamp>,
    /// Whoever keeps a socket open on this credential waits for its end.
    pub ending: Ending,
}

/// Why a credential is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Unknown,
    Expired,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let sentence = match refused {
            Refused::Unknown => "This token is not known here. `mosaic token create` makes a new one.",
            Refused::Expired => "This token has expired. `mosaic token create` makes a new one.",
        };
        Self::new(Code::Unauthorized, sentence)
    }
}

#[derive(Debug)]
struct Token {
    /// `None`: the home's own token, which is a file and not a row.
    id: Option<TokenId>,
    principal: Principal,
    expires_at: Option<Timestamp>,
    gone: Gone,
}

#[derive(Default)]
struct Known {
    /// Users who were removed since the start: what was being made for one meanwhile lets nobody in.
    gone: HashSet<UserId>,
    /// Roles that were changed since the start: what was being made meanwhile is good for no more.
    roles: HashMap<UserId, UserRole>,
    tokens: HashMap<[u8; 32], Token>,
    browsers: browsers::Browsers,
}

impl Known {
    /// As far as the user's role goes.
    fn bounded(&self, principal: Principal) -> Principal {
        let most = self.roles.get(&principal.user).copied().unwrap_or(principal.role);
        Principal { role: principal.role.min(most), ..principal }
    }
}

/// The credentials that are good now, by their hash. Clones share one table.
///
/// Looked up by hash, so that how long a look-up takes says nothing about a token's text.
#[derive(Clone)]
pub struct Principals {
    outside: Outside,
    known: Arc<RwLock<Known>>,
}

impl Principals {
    /// Nobody yet.
    pub fn new(outside: Outside) -> Self {
        Self { outside, known: Arc::default() }
    }

    /// Takes in the tokens and browsers that the store knows. A token that has expired is told so, not taken for unknown.
    pub fn load(&self, tokens: Vec<TokenRow>, browsers: &[Browser]) {
        for token in tokens.into_iter().filter(|token| !token.revoked) {
            let principal = Principal { user: token.user, role: token.role };
            self.admit(token.hash, Some(token.id), principal, token.expires_at);
        }
        for browser in browsers {
            // What is too much or over is forgotten again here, and in the store with the next one that signs in.
            let _ = self.sign_in(browser);
        }
    }

    /// From now on the token with this hash is good, until it expires or is revoked.
    pub fn admit(&self, hash: [u8; 32], id: Option<TokenId>, principal: Principal, expires_at: Option<Timestamp>) {
        self.write(|known| {
            if known.gone.contains(&principal.user) {
                return;
            }
            let principal = known.bounded(principal);
            known.tokens.insert(hash, Token { id, principal, expires_at, gone: Gone::default() });
        });
    }

    /// From now on this token is not good any more, nor what was signed in with it. Who waits for the end of either
    /// hears of it.
    pub fn revoke(&self, id: TokenId) {
        self.write(|known| {
            known.tokens.retain(|_, token| {
                let stays = token.id != Some(id);
                if !stays {
                    token.gone.end(End::Revoked);
                }
                stays
            });
            known.browsers.revoke(id);
        });
    }

    /// From now on all of this user is good for what that role may at the most; for less, where it was made so. Who waits
    /// for the end of what was good for more hears of it.
    pub fn set_role(&self, user: UserId, role: UserRole) {
        self.write(|known| {
            known.roles.insert(user, role);
            for token in known.tokens.values_mut().filter(|token| token.principal.user == user) {
                if token.principal.role > role {
                    token.principal.role = role;
                    std::mem::take(&mut token.gone).end(End::Changed);
                }
            }
            known.browsers.bound(user, role);
        });
    }

    /// From now on the home's own token is this owner's, and not that one's. Who came with it has to come anew.
    pub fn hand_over(&self, from: UserId, to: Principal) {
        self.write(|known| {
            let homes = |token: &&mut Token| token.id.is_none() && token.principal.user == from;
            for token in known.tokens.values_mut().filter(homes) {
                token.principal = to;
                std::mem::take(&mut token.gone).end(End::Changed);
            }
        });
    }

    /// From now on nothing of this user is good any more. Who waits for the end of it hears of that.
    pub fn remove_user(&self, user: UserId) {
        self.write(|known| {
            known.gone.insert(user);
            known.tokens.retain(|_, token| {
                let stays = token.principal.user != user;
                if !stays {
                    token.gone.end(End::Revoked);
                }
                stays
            });
            known.browsers.remove_user(user);
        });
    }

    /// Whether this user was removed since the start.
    pub fn is_removed(&self, user: UserId) -> bool {
        self.read(|known| known.gone.contains(&user))
    }

    /// Who bears the token.
    ///
    /// # Errors
    /// It is not known, or has expired.
    pub fn bearer(&self, token: &str) -> Result<Credential, Refused> {
        let hash = hash_of(token);
        self.read(|known| {
            let token = known.tokens.get(&hash).ok_or(Refused::Unknown)?;
            if token.expires_at.is_some_and(|end| end <= self.outside.now()) {
                return Err(Refused::Expired);
            }
            Ok(Credential {
                principal: token.principal,
                token: token.id,
                browser: None,
                until: token.expires_at,
                ending: Ending::new(token.gone.clone(), token.expires_at, self.outside.clone()),
            })
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner))
    }
}
