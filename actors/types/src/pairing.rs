//! Strangers who wrote to a channel, and those of them who were let in.

use std::sync::Arc;

use crate::ids::UserId;
use crate::outside::Timestamp;
use crate::principal::{Principal, UserRole};

/// Strangers of one channel who wait for their code to be approved, at the most; others are not answered.
pub const PENDING: i64 = 3;

/// A stranger who was given a code, known by its hash only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPairing {
    /// SHA-256 of the code.
    pub hash: [u8; 32],
    /// The channel's name in the config.
    pub channel: Arc<str>,
    /// The account of ours that was written to.
    pub account: Arc<str>,
    /// The platform's id of the stranger.
    pub sender: Arc<str>,
    /// As the platform calls them.
    pub name: Arc<str>,
    pub at: Timestamp,
    /// From then on the code is worth nothing.
    pub expires_at: Timestamp,
}

/// Somebody on a platform and as whom they speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSender {
    pub channel: Arc<str>,
    pub account: Arc<str>,
    /// The platform's id of them.
    pub sender: Arc<str>,
    pub user: UserId,
    /// Stands where the hash of a code does, for those who never had one: chance, of which no code is known.
    pub hash: [u8; 32],
    pub at: Timestamp,
}

/// The user as whom somebody speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    pub id: UserId,
    pub name: String,
    pub role: UserRole,
}

impl Speaker {
    /// Them, as they ask.
    pub fn principal(&self) -> Principal {
        Principal { user: self.id, role: self.role }
    }
}

/// A stranger, or somebody who was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingRow {
    pub channel: String,
    pub account: String,
    pub sender: String,
    pub name: String,
    /// As whom they speak since they were let in; `None`: they wait.
    pub user: Option<Speaker>,
    pub created_at: Timestamp,
    /// When the code ends; it matters only to those who wait.
    pub expires_at: Timestamp,
}
