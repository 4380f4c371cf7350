//! What was typed and not sent.

use super::Model;
use crate::home::Draft;
use crate::tui::draft::Unsent;
use crate::tui::file::File;

impl Model {
    /// All that was typed and not sent.
    pub(crate) fn unsent(&self) -> Unsent {
        let mut all = Unsent::new();
        for (at, session) in self.open.iter().enumerate() {
            let typed = if at == 0 { self.input.unsent() } else { &session.draft };
            let draft = session.unsent(typed);
            if draft.is_empty() {
                continue;
            }
            let known: &mut Draft = all.entry(session.id.clone()).or_default();
            (known.text, known.files) =
                (joined([known.text.as_str(), &draft.text]), [&known.files[..], &draft.files].concat());
        }
        all
    }

    /// Gives back what was left in the session that is shown, before what was typed since.
    pub(crate) fn recall(&mut self, left: Draft) {
        if left.is_empty() {
            return;
        }
        self.resume(&left.text);
        for path in left.files {
            self.attach(File::open(&path));
        }
    }

    /// Puts a text before what is being typed.
    pub(super) fn resume(&mut self, before: &str) {
        let typed = self.input.take();
        self.input.set(joined([before, typed.as_str()]));
    }
}

/// Texts as one, with a blank line between.
pub(crate) fn joined<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let said: Vec<&str> = texts.into_iter().filter(|text| !text.trim().is_empty()).collect();
    said.join("\n\n")
}
