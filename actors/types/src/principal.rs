//! Who is asking.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::UserId;

/// What a person may do, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    /// Reads their own sessions.
    Viewer,
    /// Their own sessions, all agents.
    Member,
    /// Everything.
    Owner,
}

impl UserRole {
    /// All roles, from least to most.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Member, Self::Owner];

    /// The role's name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for UserRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for UserRole {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no role: owner, member or viewer"))
    }
}

/// A user behind a request, and what they may do there (a token may carry less than its user).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    pub user: UserId,
    pub role: UserRole,
}

impl Principal {
    /// Whether something of `user`, made in `channel`, may be seen: one's own; an owner sees those of platforms too.
    pub fn may_see(&self, user: UserId, channel: &str) -> bool {
        self.user == user || (self.role == UserRole::Owner && channel != crate::journal::API_CHANNEL)
    }
}
