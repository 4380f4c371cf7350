//! What a supervisor shows of its children.

use std::sync::Arc;

use actix::Message;
use serde::Serialize;

/// Whether a child runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChildState {
    Up,
    Restarting,
    Down,
}

/// A child as the tree shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChildView {
    pub name: Arc<str>,
    pub state: ChildState,
    /// Which life this is; the first is 1.
    pub incarnation: u64,
    /// Restarts in the budget's present period.
    pub restarts: usize,
    pub last_error: Option<Arc<str>>,
    /// Milliseconds since the state last changed.
    pub for_ms: u64,
}

/// Asks a supervisor what it sees, oldest child first.
#[derive(Debug, Message)]
#[rtype(result = "Vec<ChildView>")]
pub struct GetTree;
