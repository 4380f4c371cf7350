//! What was said before that which is shown: read page by page as somebody scrolls up, and dropped again.

use mosaic_types::attachment::AttachmentRow;
use mosaic_types::{Seq, SessionEvent, TurnId};

use super::{Entry, Kind, Session};

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

    /// Takes in a page of what was journaled before `before`.
    pub(crate) fn prepend(&mut self, before: Seq, page: Option<(Vec<SessionEvent>, Option<Seq>)>) {
        self.loading = false;
        // Asked for in vain, or dropped meanwhile.
        let Some((events, next)) = page.filter(|_| self.before == Some(before)) else { return };
        // Made as the rest was, of its events alone; what they began is over, or goes on in what is shown.
        let mut page = Session::default();
        for event in events.into_iter().filter(|event| event.seq.is_some_and(|seq| seq < before)) {
            page.hear(event);
        }
        if let Some(from) = self.superseded {
            page.supersede(from);
        }
        let turns: Vec<TurnId> = page.entries.iter().filter_map(|entry| entry.turn).collect();
        turns.into_iter().for_each(|turn| page.end(turn));
        let old = page.entries.into_iter().map(|mut entry| {
            // What it is answered by may be dropped, or not read yet.
            entry.laid.begun = true;
            entry
        });
        self.entries.splice(..0, old);
        self.superseded = self.superseded.into_iter().chain(page.superseded).min();
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

    /// The newest message that somebody wrote: its number, its text and the files that came with it.
    pub(crate) fn last_said(&self) -> Option<(Seq, &str, &[AttachmentRow])> {
        self.entries.iter().rev().find_map(|entry| match &entry.kind {
            Kind::Person(doc) => Some((entry.seq?, doc.text(), &*entry.files)),
            _ => None,
        })
    }
}
