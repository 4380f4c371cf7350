//! Browsers that are signed in, and the one-time links that sign one in; both known by their hashes only.

use crate::ids::{TokenId, UserId};
use crate::outside::Timestamp;
use crate::principal::UserRole;

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq)]
pub struct Browser {
    /// SHA-256 of its cookie.
    pub hash: [u8; 32],
    pub user: UserId,
    pub role: UserRole,
    /// The token it was signed in with, and ends with. `None`: a link, or the home's own token.
    pub token: Option<TokenId>,
    pub created_at: Timestamp,
    /// When it was last used; the store knows it to the hour.
    pub seen_at: Timestamp,
    /// It ends then, however much it is used.
    pub expires_at: Timestamp,
}

/// A link that signs one browser in, once.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLink {
    /// SHA-256 of its code.
    pub hash: [u8; 32],
    pub user: UserId,
    pub role: UserRole,
    pub at: Timestamp,
    pub expires_at: Timestamp,
}

/// A link as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkRow {
    pub hash: [u8; 32],
    pub user: UserId,
    pub role: UserRole,
    pub expires_at: Timestamp,
    pub spent: bool,
}
