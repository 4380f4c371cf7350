//! What lies over the transcript: the palette, the list of sessions, the help.

use mosaic_types::journal::SessionPhase;
use mosaic_types::{AgentName, SessionId};

use super::{Line, Model};
use crate::tui::keys::{Action, BINDINGS, DEEDS, Key};
use crate::tui::wire::Listed;

/// Which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Palette,
    Sessions,
    Help,
    Agents,
    Models,
    /// A name is typed.
    Rename,
    /// Whether to delete is asked.
    Delete,
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
    Agent(AgentName),
    /// As `provider/model`, or `auto`.
    Model(String),
    Delete,
    Nothing,
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

    /// Takes a key that changes what was typed.
    pub(super) fn narrow(&mut self, key: &Key) {
        match key {
            Key::Char(char) => self.filter.push(*char),
            Key::Paste(text) => self.filter.push_str(text.trim()),
            Key::Backspace => drop(self.filter.pop()),
            _ => self.filter.clear(),
        }
        self.chosen = 0;
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
            Which::Sessions => return sessions(model, &self.filter, fits),
            Which::Help => help(),
            Which::Agents => agents(model),
            Which::Models => models(model),
            Which::Rename => Vec::new(),
            Which::Delete => vec![
                Choice::of(Item::Nothing, "Keep it", ""),
                Choice::of(Item::Delete, "Delete it", "with all that was said in it; nothing brings it back"),
            ],
        };
        all.into_iter().filter(fits).collect()
    }
}

impl Choice {
    fn of(item: Item, name: impl Into<String>, help: impl Into<String>) -> Self {
        Self { item, name: name.into(), help: help.into(), unread: false, running: false }
    }
}

fn palette(model: &Model) -> Vec<Choice> {
    // Keys that mean something only where they are pressed.
    let here = [Action::Send, Action::Break, Action::Complete, Action::Palette, Action::Older, Action::PageUp];
    // Ctrl+R does the same.
    let offers = model.offers.iter().filter(|offer| offer.role <= model.role && offer.name != "retry");
    let commands = offers.map(|offer| {
        let takes = offer.usage.contains(' ');
        Choice::of(Item::Command(format!("/{}", offer.name), takes), &offer.usage, &offer.help)
    });
    let deeds = DEEDS.iter().map(|(action, name, help)| Choice::of(Item::Do(*action), *name, *help));
    let keys = BINDINGS.iter().filter(|binding| !here.contains(&binding.keys[0].1));
    let keys = keys.map(|binding| Choice::of(Item::Do(binding.keys[0].1), binding.name, binding.help));
    commands.chain(deeds).chain(keys).collect()
}

fn help() -> Vec<Choice> {
    let keys = BINDINGS.iter().map(|binding| Choice::of(Item::Nothing, binding.name, binding.help));
    let deed = |(_, name, help): &(Action, &str, &str)| Choice::of(Item::Nothing, format!("Ctrl+K {name}"), *help);
    keys.chain(DEEDS.iter().map(deed)).collect()
}

fn agents(model: &Model) -> Vec<Choice> {
    let agent = |agent: &crate::tui::wire::Agent| {
        let usual = if agent.default { " (the usual one)" } else { "" };
        let help = format!("{}{usual}", agent.models.join(", "));
        Choice::of(Item::Agent(agent.name.clone()), agent.name.to_string(), help)
    };
    model.agents.iter().map(agent).collect()
}

fn models(model: &Model) -> Vec<Choice> {
    let auto = Choice::of(Item::Model("auto".to_owned()), "auto", "the agent's own models, in their order");
    let named = model.models.iter().map(|name| Choice::of(Item::Model(name.clone()), name, ""));
    std::iter::once(auto).chain(named).collect()
}

/// Those of the list that fit, then those in which the daemon found what was typed.
fn sessions(model: &Model, text: &str, fits: impl Fn(&Choice) -> bool) -> Vec<Choice> {
    let choice = |row: &Listed, help: &str| Choice {
        item: Item::Session(row.id.clone()),
        name: if row.title.is_empty() { row.id.to_string() } else { row.title.clone() },
        help: help.to_owned(),
        unread: false,
        running: model.line == Line::Up && row.state != SessionPhase::Idle,
    };
    let listed = |row: &Listed| Choice { unread: model.is_unread(row), ..choice(row, row.agent.as_str()) };
    let mut all: Vec<Choice> = model.list.iter().map(listed).filter(fits).collect();
    if model.found.0 == text.trim() && !text.trim().is_empty() {
        let found = model.found.1.iter().map(|row| choice(row, if row.archived { "put away" } else { "found in it" }));
        let new: Vec<Choice> = found.filter(|found| !all.iter().any(|known| known.item == found.item)).collect();
        all.extend(new);
    }
    all
}
