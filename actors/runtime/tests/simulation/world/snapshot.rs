//! What recovery reads of a store in memory.

use mosaic_types::journal::{OpenTurn, Said, Snapshot};
use mosaic_types::{ChatMessage, Role, SessionId};

use super::disk::Disk;

impl Disk {
    /// What a session needs to live again.
    pub(crate) fn snapshot(&self, id: &SessionId, context_bytes: usize) -> Option<Snapshot> {
        let table = self.sessions.get(id)?;
        let open = table.open.iter().map(|index| {
            let turn = &table.turns[*index];
            OpenTurn {
                id: turn.id,
                state: turn.state,
                attempt: turn.attempt,
                charged: turn.charged,
                agent: turn.agent.clone(),
                model: turn.model.clone(),
                route: turn.route.clone(),
                collects: turn.collects,
                delivers: turn.delivers,
                said: turn.dialogue(),
                spent: turn.spent,
                beside: self.beside(turn.id),
                parts: turn.parts.clone(),
            }
        });
        let (mut newest_first, mut left) = (Vec::new(), context_bytes);
        for turn in table.turns.iter().rev() {
            let Some(answer) = table.answer_of(turn).or(turn.cut.as_deref()) else { continue };
            let said = turn.dialogue();
            let size = said.iter().map(|said| said.text.len()).sum::<usize>() + answer.len();
            let Some(rest) = left.checked_sub(size) else { break };
            left = rest;
            newest_first.push(ChatMessage::new(Role::Assistant, answer));
            newest_first.extend(said.iter().rev().map(Said::message));
        }
        newest_first.reverse();
        Some(Snapshot {
            row: table.row.clone(),
            open: open.collect(),
            context: newest_first,
            last_input: table.last_input,
        })
    }
}
