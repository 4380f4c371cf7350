//! What was removed from a store: the simulation still has to tell it from what was lost.

use std::collections::{HashMap, HashSet};

use mosaic_types::{SessionId, TurnId};

use super::table::Table;

/// Sessions that were removed.
#[derive(Debug, Default)]
pub(crate) struct Removed {
    pub(crate) tables: Vec<Table>,
    times: HashMap<SessionId, u32>,
    turns: HashSet<TurnId>,
}

impl Removed {
    pub(super) fn add(&mut self, table: Table) {
        *self.times.entry(table.row.id.clone()).or_default() += 1;
        self.turns.extend(table.turns.iter().map(|turn| turn.id));
        self.tables.push(table);
    }

    /// How often the session of this id was removed.
    pub(crate) fn times(&self, id: &SessionId) -> u32 {
        self.times.get(id).copied().unwrap_or_default()
    }

    /// Whether the turn's session was removed.
    pub(crate) fn holds(&self, turn: TurnId) -> bool {
        self.turns.contains(&turn)
    }
}
