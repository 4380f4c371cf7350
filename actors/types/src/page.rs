//! Keyset pages: a list is read from a position, never by counting past rows.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::limits;

/// Part of a list, with the position of the next part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Hand this back as `cursor` to read on; null at the end.
    #[schema(required)]
    pub next: Option<String>,
}

/// How many rows a reader asked for, 1 to 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// `None` where the wish is out of bounds.
    pub fn new(wish: Option<u32>) -> Option<Self> {
        let rows = wish.unwrap_or(limits::PAGE.0);
        (1..=limits::PAGE.1).contains(&rows).then_some(Self(rows))
    }

    /// Rows of the page.
    pub fn rows(self) -> usize {
        self.0 as usize
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(limits::PAGE.0)
    }
}
