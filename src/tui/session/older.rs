//! What was said before that which is shown: read page by page as somebody scrolls up, and dropped again.

use mosaic_types::Seq;
use mosaic_types::chat::Role;
use mosaic_types::journal::MessageRow;

use super::{Answer, Entry, Kind, Session};
use crate::tui::doc::Doc;
use crate::tui::file::label;

/// Entries that are kept of a session; the oldest are dropped beyond them.
const ENTRIES: usize = 2_000;
/// The same while somebody reads further up; beyond them nothing older is read.
const READ: usize = 10_000;

impl Session {
    /// What is to be asked for when somebody scrolls to the top, if there is something.
    pub(crate) fn older(&mut self) -> Option<Seq> {
        let before = self.before.filter(|_| !self.loading && self.entries.len() < READ)?;
        self.loading = true;
        Some(before)
    }

    /// Takes in a page of what was said before `before`.
    pub(crate) fn prepend(&mut self, before: Seq, page: Option<(Vec<MessageRow>, Option<Seq>)>) {
        self.loading = false;
        // Asked for in vain, or dropped meanwhile.
        let Some((rows, next)) = page.filter(|_| self.before == Some(before)) else { return };
        let entry = |row: MessageRow| {
            let kind = match row.role {
                Role::User => Kind::Person(Doc::plain(row.text)),
                _ => Kind::Answer(Answer { doc: Doc::new(row.text), ..Answer::default() }),
            };
            let files = row.attachments.iter().map(|file| label(&file.name, file.size_bytes)).collect();
            let mut entry = Entry::new(Some(row.turn), kind, (row.role == Role::User).then_some(row.seq));
            // What it is answered by may be dropped, or not read yet.
            entry.laid.begun = true;
            entry.files = files;
            entry
        };
        let shown = |row: &MessageRow| matches!(row.role, Role::User | Role::Assistant) && row.seq < before;
        self.entries.splice(..0, rows.into_iter().filter(shown).map(entry));
        (self.before, self.grown_above) = (next, true);
    }

    /// Drops the oldest, where there are too many; what somebody reads stays.
    pub(super) fn shorten(&mut self) {
        let most = if self.scroll > 0 { READ + ENTRIES } else { ENTRIES };
        let over = self.entries.len().saturating_sub(most);
        if over == 0 {
            return;
        }
        // Up to a message with a number, by which the older ones can be asked for again.
        let numbered = |entry: &Entry| entry.seq;
        if let Some((at, before)) =
            self.entries.iter().enumerate().skip(over).find_map(|(at, entry)| Some((at, numbered(entry)?)))
        {
            self.entries.drain(..at);
            self.before = Some(before);
        }
    }

    /// The newest message that somebody wrote, and its number.
    pub(crate) fn last_said(&self) -> Option<(Seq, &str)> {
        self.entries.iter().rev().find_map(|entry| match &entry.kind {
            Kind::Person(doc) => Some((entry.seq?, doc.text())),
            _ => None,
        })
    }
}
