//! What the model hears, and what it wants done.

use mosaic_types::SessionId;

use crate::tui::keys::Key;
use crate::tui::wire::{Agent, Ask, Listed, Said};

/// What happens.
#[derive(Debug)]
pub(crate) enum News {
    Key(Key),
    /// The screen has another size, or had one meanwhile.
    Resized,
    Said(Said),
    /// The connection ended, or there was none; with the reason.
    Down(String),
    /// Where the newest part of a session's journal begins.
    Located {
        session: SessionId,
        after: i64,
    },
    Sessions(Vec<Listed>),
    Agents(Vec<Agent>),
    /// What is to be done before anything can be answered, if something is.
    Advice(Option<String>),
    /// A session was pointed at.
    Show(SessionId),
    /// A sentence to be shown once.
    Tell(String, bool),
    /// The process is to end.
    Stop,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    Say(Ask),
    /// Ask for the list of sessions.
    List,
    /// Find where the newest part of its journal begins.
    Locate(SessionId),
    /// Put the text into the terminal's clipboard.
    Copy(String),
    Theme,
    Quit,
}
