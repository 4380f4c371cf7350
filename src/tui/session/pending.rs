//! Inputs that were typed here, until their own events come.

use std::path::Path;

use mosaic_types::{Seq, TurnId};

use super::{Editing, Entry, Kind, Session};
use crate::home::Draft;
use crate::tui::file::File;
use crate::tui::model::joined;

/// Begins what is told of a message that the daemon did not take.
const NOT_SENT: &str = "Not sent: ";

/// An input that was typed here and whose own event did not come yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pending {
    /// Its idempotency key.
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) mode: Option<&'static str>,
    /// The number of the message in whose place it stands.
    pub(crate) replaces: Option<Seq>,
    pub(crate) files: Vec<File>,
    /// Known once it was acknowledged.
    pub(crate) turn: Option<TurnId>,
    /// Its event came before its acknowledgement.
    seen: bool,
    /// It was given to a connection, which may have broken since.
    pub(crate) sent: bool,
}

impl Pending {
    pub(crate) fn new(id: String, text: String, mode: Option<&'static str>, replaces: Option<Seq>) -> Self {
        Self { id, text, mode, replaces, files: Vec::new(), turn: None, seen: false, sent: false }
    }

    /// Whether it is to be shown: its event shows it otherwise.
    pub(crate) fn is_shown(&self) -> bool {
        !self.seen
    }
}

impl Session {
    /// An input was stored: if it was typed here, it waits no more.
    pub(super) fn accepted(&mut self, turn: TurnId, text: &str) {
        let mine = |pending: &&mut Pending| {
            !pending.seen && pending.sent && pending.turn.is_none_or(|known| known == turn) && pending.text == text
        };
        if let Some(pending) = self.pending.iter_mut().find(mine) {
            pending.seen = true;
        }
        self.pending.retain(|pending| !(pending.seen && pending.turn.is_some()));
    }

    /// An input was acknowledged.
    pub(crate) fn acknowledged(&mut self, id: &str, turn: TurnId) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.id == id) {
            pending.turn = Some(turn);
        }
        self.pending.retain(|pending| !(pending.seen && pending.turn.is_some()));
    }

    /// What nobody has taken: what waits to be sent, then what is typed; `typed` is in the input, or was when this session
    /// was left.
    pub(crate) fn unsent(&self, typed: &str) -> Draft {
        let waits = self.pending.iter().filter(|pending| !pending.seen && pending.turn.is_none());
        let (put_aside, files) = match &self.editing {
            Some(editing) => (editing.draft.as_str(), &editing.files),
            None => ("", &self.files),
        };
        // A message that is only looked at to be changed was sent.
        let same =
            |editing: &Editing| self.last_said().is_some_and(|(seq, text, _)| seq == editing.seq && text == typed);
        let typed = if self.editing.as_ref().is_some_and(same) { "" } else { typed };
        let texts = waits.clone().map(|pending| pending.text.as_str()).chain([put_aside, typed]);
        let files = waits.flat_map(|pending| &pending.files).chain(files);
        let path = |file: &File| file.path().filter(|path| path.to_str().is_some()).map(Path::to_owned);
        Draft { text: joined(texts), files: files.filter_map(path).collect() }
    }

    /// The connection broke: what has no acknowledgement is to be sent again, by its key.
    pub(crate) fn cut_off(&mut self) {
        for pending in self.pending.iter_mut().filter(|pending| pending.turn.is_none()) {
            pending.sent = false;
        }
        self.loading = false;
    }

    /// Tells why a message was not taken, until one is.
    pub(crate) fn refuse(&mut self, why: &str) {
        self.note(&format!("{NOT_SENT}{why}"), true);
    }

    /// A message was taken: what was in the way of those before it is past.
    pub(super) fn forgive(&mut self) {
        let told = |entry: &Entry| {
            entry.turn.is_none() && matches!(&entry.kind, Kind::Note(doc, true) if doc.text().starts_with(NOT_SENT))
        };
        self.entries.retain(|entry| !told(entry));
    }
}
