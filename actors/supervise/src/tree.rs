//! What a supervisor shows of itself and its children.

use std::sync::Arc;

use actix::Message;
use serde::Serialize;
use utoipa::ToSchema;

use crate::scope::Strategy;

/// Whether a child runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChildState {
    /// It lives.
    Up,
    /// Its supervisor has told it to stop.
    Stopping,
    /// It waits for its next life.
    Restarting,
    /// It spent its own budget and rests.
    Down,
    /// It ended for good; seen only of a supervisor that is asked through a handle left over.
    Gone,
}

/// Whether a child has children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Actor,
    Supervisor,
}

/// What only a supervisor has.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Household {
    #[schema(required = false)]
    pub strategy: Strategy,
    /// Restarts charged to the budget that all children share, in the present period; `None` where each has its own.
    pub spent: Option<usize>,
    /// Restarts that the budget forgives, of all or of each.
    #[schema(required = false)]
    pub budget: usize,
    /// Milliseconds since this life of the supervisor began; shown as its own `for_ms`.
    #[serde(skip)]
    pub lived_ms: u64,
    /// Children, the oldest first.
    #[schema(required = false, no_recursion)]
    pub children: Vec<ChildView>,
}

/// A child, or the root, as the tree shows it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChildView {
    #[schema(value_type = String)]
    pub name: Arc<str>,
    pub kind: Kind,
    pub state: ChildState,
    /// Which life this is; the first is 1.
    pub incarnation: u64,
    /// Its charged restarts in the budget's present period.
    pub restarts: usize,
    /// Messages that wait and requests that are not answered yet.
    pub depth: usize,
    /// Milliseconds that the oldest waiting message has waited.
    pub oldest_ms: u64,
    #[schema(value_type = Option<String>, required)]
    pub last_error: Option<Arc<str>>,
    /// Milliseconds since the state last changed.
    pub for_ms: u64,
    /// `None` for an actor, and for a supervisor that did not answer in time.
    #[serde(flatten)]
    pub household: Option<Household>,
}

impl ChildView {
    /// Children, the oldest first; none for an actor.
    pub fn children(&self) -> &[ChildView] {
        self.household.as_ref().map_or(&[], |household| &household.children)
    }
}

/// Asks a supervisor for its side of the tree, all levels of it.
#[derive(Debug, Message)]
#[rtype(result = "Household")]
pub struct GetTree;
