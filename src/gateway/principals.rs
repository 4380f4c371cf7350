//! Who the bearer of a token is.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use mosaic_types::journal::TokenRow;
use mosaic_types::{Principal, TokenId};
use sha2::{Digest, Sha256};

/// SHA-256 of a token's text: all that is kept of it.
pub fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[derive(Clone, Copy)]
struct Known {
    /// `None`: the home's own token, which is a file and not a row.
    id: Option<TokenId>,
    principal: Principal,
}

/// The tokens that are good now, by their hash. Clones share one table.
///
/// Looked up by hash, so that how long a look-up takes says nothing about a token's text.
#[derive(Clone, Default)]
pub struct Principals {
    known: Arc<RwLock<HashMap<[u8; 32], Known>>>,
}

impl Principals {
    /// Takes in what the store knows.
    pub fn load(&self, tokens: Vec<TokenRow>) {
        for token in tokens.into_iter().filter(|token| !token.revoked) {
            self.admit(token.hash, Some(token.id), Principal { user: token.user, role: token.role });
        }
    }

    /// From now on the token with this hash is good.
    pub fn admit(&self, hash: [u8; 32], id: Option<TokenId>, principal: Principal) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(hash, Known { id, principal });
    }

    /// From now on this token is not good any more.
    pub fn revoke(&self, id: TokenId) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, token| token.id != Some(id));
    }

    /// Who bears the token.
    pub fn bearer(&self, token: &str) -> Option<Principal> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&hash_of(token)).map(|known| known.principal)
    }
}
