//! Which key does what: one list, from which help, the manual and the program itself read.

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Send,
    Break,
    Complete,
    Escape,
    Palette,
    Sessions,
    New,
    Find,
    PageUp,
    PageDown,
    Older,
    Newer,
    Mode,
    Retry,
    Edit,
    Rename,
    Fork,
    Archive,
    Delete,
    Copy,
    Theme,
    Help,
    Interrupt,
    Quit,
}

/// A key, as this program tells keys apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Ctrl(char),
    Alt(char),
    Enter,
    AltEnter,
    Tab,
    Esc,
    Backspace,
    WordBackspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
    F1,
    F2,
    /// A text that was pasted as one.
    Paste(String),
    /// The wheel, up or down.
    Wheel(bool),
    /// A click at a column and a row.
    Click(u16, u16),
}

/// A row of the help.
pub(crate) struct Binding {
    pub(crate) keys: &'static [(Key, Action)],
    /// As people write it.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
}

/// Every key beside those that edit a text.
pub(crate) const BINDINGS: &[Binding] = &[
    Binding { keys: &[(Key::Enter, Action::Send)], name: "Enter", help: "send the message" },
    // Terminals that do not tell Alt+Enter from Enter have Ctrl+J.
    Binding {
        keys: &[(Key::AltEnter, Action::Break), (Key::Ctrl('j'), Action::Break)],
        name: "Alt+Enter",
        help: "break the line (also Ctrl+J)",
    },
    Binding {
        keys: &[(Key::Esc, Action::Escape)],
        name: "Esc",
        help: "close what is open; cancel the answer, take the message back",
    },
    Binding { keys: &[(Key::Tab, Action::Complete)], name: "Tab", help: "complete a slash command" },
    Binding { keys: &[(Key::Ctrl('k'), Action::Palette)], name: "Ctrl+K", help: "find a command" },
    Binding { keys: &[(Key::Ctrl('l'), Action::Sessions)], name: "Ctrl+L", help: "go to another session" },
    Binding { keys: &[(Key::Ctrl('n'), Action::New)], name: "Ctrl+N", help: "begin a new session" },
    Binding { keys: &[(Key::Ctrl('f'), Action::Find)], name: "Ctrl+F", help: "find a text in this session" },
    Binding {
        keys: &[(Key::PageUp, Action::PageUp), (Key::PageDown, Action::PageDown)],
        name: "PgUp, PgDn",
        help: "scroll (also the wheel)",
    },
    Binding {
        keys: &[(Key::Up, Action::Older), (Key::Down, Action::Newer)],
        name: "Up, Down",
        help: "move by a line; bring back what was sent before",
    },
    Binding {
        keys: &[(Key::Ctrl('o'), Action::Mode)],
        name: "Ctrl+O",
        help: "choose what becomes of a message sent during an answer",
    },
    Binding { keys: &[(Key::Ctrl('r'), Action::Retry)], name: "Ctrl+R", help: "ask the last question once more" },
    Binding {
        keys: &[(Key::Ctrl('g'), Action::Edit)],
        name: "Ctrl+G",
        help: "go back: change your last message and send it anew",
    },
    Binding { keys: &[(Key::F2, Action::Rename)], name: "F2", help: "rename the session" },
    Binding { keys: &[(Key::Ctrl('y'), Action::Copy)], name: "Ctrl+Y", help: "copy the last answer" },
    Binding { keys: &[(Key::Ctrl('t'), Action::Theme)], name: "Ctrl+T", help: "light or dark colours" },
    Binding { keys: &[(Key::F1, Action::Help)], name: "F1", help: "show the keys" },
    Binding { keys: &[(Key::Ctrl('c'), Action::Interrupt)], name: "Ctrl+C", help: "cancel the answer; twice: quit" },
    Binding { keys: &[(Key::Ctrl('q'), Action::Quit)], name: "Ctrl+Q", help: "quit" },
];

/// What the palette does and no key: each with its name there and what it is.
pub(crate) const DEEDS: &[(Action, &str, &str)] = &[
    (Action::Fork, "fork", "go on from here in a session of its own"),
    (Action::Archive, "archive", "put the session away; the next message brings it back"),
    (Action::Delete, "delete", "delete the session, after a question"),
];

/// All that can be done: how it is asked for, and what it does.
fn all() -> impl Iterator<Item = (String, &'static str)> {
    let keys = BINDINGS.iter().map(|binding| (binding.name.to_owned(), binding.help));
    keys.chain(DEEDS.iter().map(|(_, name, help)| (format!("Ctrl+K {name}"), *help)))
}

/// What a key asks for, if it is in the list.
pub(crate) fn action(key: &Key) -> Option<Action> {
    BINDINGS.iter().flat_map(|binding| binding.keys).find(|(bound, _)| bound == key).map(|(_, action)| *action)
}

/// The list as the manual has it.
pub fn table() -> String {
    let head = "| key | does |\n| --- | --- |\n".to_owned();
    all().fold(head, |table, (name, help)| format!("{table}| {name} | {help} |\n"))
}

/// The list as `--help` has it.
pub fn lines() -> String {
    let head = "Keys:".to_owned();
    all().fold(head, |lines, (name, help)| format!("{lines}\n  {name:<16} {help}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_does_one_thing_and_the_manual_says_which() {
        let keys: Vec<&Key> = BINDINGS.iter().flat_map(|binding| binding.keys).map(|(key, _)| key).collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{key:?} is bound twice");
        }
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the manual");
        assert!(readme.contains(&table()), "README.md has the table of keys, which is:\n{}", table());
    }
}
