//! What a supervisor is set to.

use serde::Serialize;
use utoipa::ToSchema;

use crate::budget::Budget;

/// Whose restart budget an end is charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All children share one; spent, the supervisor itself ends and its parent hears of it.
    Shared(Budget),
    /// Each child has its own; spent, that child goes down and is tried again after a rest. Always
    /// [one for one](Strategy::OneForOne).
    Each(Budget),
}

impl Scope {
    pub(crate) fn budget(&self) -> &Budget {
        let (Self::Shared(budget) | Self::Each(budget)) = self;
        budget
    }
}

/// Who is restarted with a child that must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Nobody: the children do not depend on each other.
    #[default]
    OneForOne,
    /// All its siblings: each depends on each.
    OneForAll,
    /// Those started after it: each depends on those before.
    RestForOne,
}
