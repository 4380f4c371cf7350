//! What lies over the transcript: the palette, the list of sessions, the help.

use mosaic_types::SessionId;

use super::Model;
use crate::tui::keys::{Action, BINDINGS};

/// Which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Palette,
    Sessions,
    Help,
}

/// A list to choose from.
#[derive(Debug)]
pub(crate) struct Overlay {
    pub(crate) which: Which,
    /// What was typed to narrow it.
    pub(crate) filter: String,
    pub(crate) chosen: usize,
}

/// Something to choose.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Do(Action),
    /// A slash command; `true`: it takes something more.
    Command(String, bool),
    Session(SessionId),
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub(crate) item: Item,
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) unread: bool,
    pub(crate) running: bool,
}

impl Overlay {
    pub(crate) fn new(which: Which) -> Self {
        Self { which, filter: String::new(), chosen: 0 }
    }

    /// What can be chosen, as far as it holds every word that was typed.
    pub(crate) fn choices(&self, model: &Model) -> Vec<Choice> {
        let words: Vec<String> = self.filter.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let fits = |choice: &Choice| {
            let text = format!("{} {}", choice.name, choice.help).to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        let all = match self.which {
            Which::Palette => palette(model),
            Which::Sessions => sessions(model),
            Which::Help => Vec::new(),
        };
        all.into_iter().filter(fits).collect()
    }
}

fn palette(model: &Model) -> Vec<Choice> {
    // Keys that mean something only where they are pressed.
    let here = [Action::Send, Action::Break, Action::Complete, Action::Palette, Action::Older, Action::PageUp];
    let commands = model.offers.iter().filter(|offer| offer.role <= model.role).map(|offer| Choice {
        item: Item::Command(format!("/{}", offer.name), offer.usage.contains(' ')),
        name: offer.usage.clone(),
        help: offer.help.clone(),
        unread: false,
        running: false,
    });
    let keys = BINDINGS.iter().filter(|binding| !here.contains(&binding.keys[0].1)).map(|binding| Choice {
        item: Item::Do(binding.keys[0].1),
        name: binding.name.to_owned(),
        help: binding.help.to_owned(),
        unread: false,
        running: false,
    });
    commands.chain(keys).collect()
}

fn sessions(model: &Model) -> Vec<Choice> {
    let choice = |row: &crate::tui::wire::Listed| Choice {
        item: Item::Session(row.id.clone()),
        name: if row.title.is_empty() { row.id.to_string() } else { row.title.clone() },
        help: row.agent.to_string(),
        unread: model.is_unread(row),
        running: row.state != mosaic_types::journal::SessionPhase::Idle,
    };
    model.list.iter().map(choice).collect()
}
