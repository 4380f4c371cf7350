//! The settings in force, with the origin of each, for people to look at.

use super::tree::{dotted, entry_number, quoted_key};

/// One value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// From the root to the key.
    pub path: Vec<String>,
    /// As TOML writes it.
    pub value: String,
    /// Where it came from: `default`, `config.toml:3` or a variable's name.
    pub origin: String,
}

/// Every value that was read, in the order of reading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effective(Vec<Shown>);

impl Effective {
    pub(super) fn new(shown: Vec<Shown>) -> Self {
        Self(shown)
    }

    /// The values one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Shown> {
        self.0.iter()
    }

    /// Renders TOML that can be read back, each value with its origin as a comment. Holds no secrets, since settings
    /// only name where those are.
    pub fn to_toml(&self) -> String {
        let mut tables: Vec<(&[String], Vec<&Shown>)> = vec![(&[], Vec::new())];
        for shown in &self.0 {
            let Some((_, table)) = shown.path.split_last() else { continue };
            match tables.iter_mut().find(|(path, _)| *path == table) {
                Some((_, values)) => values.push(shown),
                None => tables.push((table, vec![shown])),
            }
        }
        let mut text = String::new();
        for (path, values) in tables.iter().filter(|(_, values)| !values.is_empty()) {
            if !path.is_empty() {
                let gap = if text.is_empty() { "" } else { "\n" };
                match path.split_last() {
                    Some((last, list)) if entry_number(last).is_some() => {
                        text.push_str(&format!("{gap}[[{}]]\n", dotted(list)));
                    }
                    _ => text.push_str(&format!("{gap}[{}]\n", dotted(path))),
                }
            }
            for Shown { path, value, origin } in values {
                let key = path.last().map(|key| quoted_key(key)).unwrap_or_default();
                text.push_str(&format!("{key} = {value} # {}\n", origin.replace(char::is_control, "?")));
            }
        }
        text
    }
}
