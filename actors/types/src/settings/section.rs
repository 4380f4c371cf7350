//! Reads one table, key by key.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::nearest::{names_secret, suggest};
use super::span::render_span;
use super::take::{as_flag, as_real, as_span, as_text, as_whole, parse, parse_as, split_raw, toml_text};
use super::tree::{self, Node, Origin, Table, Value};
use super::{Settings, Shown};

/// One table of the settings. Every reader yields a value, whatever was written; a key that no reader asked for is
/// noted as unknown when the section is dropped.
#[derive(Debug)]
pub struct Section<'a> {
    settings: &'a Settings,
    path: Vec<String>,
    origin: Option<&'a Origin>,
    table: Option<&'a Table>,
    asked: RefCell<Vec<String>>,
    /// Nothing is said of unknown keys.
    quiet: Cell<bool>,
}

impl<'a> Section<'a> {
    pub(super) fn new(settings: &'a Settings, path: Vec<String>, node: Option<&'a Node>) -> Self {
        let table = node.and_then(Node::as_table);
        let quiet = Cell::new(false);
        // What is missing from the root is missing from the file as a whole, not from its first line.
        let origin = node.map(|node| &node.origin).filter(|_| !path.is_empty());
        let section = Self { settings, path, origin, table, asked: RefCell::default(), quiet };
        if let (Some(node), None) = (node, table) {
            let key = section.path.last().map_or("", String::as_str);
            section.wrong_here(format!("found {}", node.describe(key)), "a table is wanted");
        }
        section
    }

    /// Whether the table is written anywhere, be it empty.
    pub fn exists(&self) -> bool {
        self.table.is_some()
    }

    /// The text under the key as it is written, for a look before it is read.
    pub fn peek_text(&self, key: &str) -> Option<&'a str> {
        match &self.table?.find(key)?.1.value {
            Value::Text(text) | Value::Raw(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the key is written anywhere.
    pub fn given(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.find(key).is_some())
    }

    /// A text.
    pub fn text(&self, key: &str, default: &str) -> String {
        self.read(key, Some(default.to_owned()), as_text, toml_text).unwrap_or_default()
    }

    /// A text that may be left out.
    pub fn opt_text(&self, key: &str) -> Option<String> {
        self.read(key, None, as_text, toml_text)
    }

    /// A whole number within bounds.
    pub fn whole(&self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.read(key, Some(default), |node| as_whole(node, &range), ToString::to_string).unwrap_or(default)
    }

    /// A whole number within bounds that may be left out.
    pub fn opt_whole(&self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.read(key, None, |node| as_whole(node, &range), ToString::to_string)
    }

    /// A number within bounds; `2` is as good as `2.0`.
    pub fn real(&self, key: &str, default: f64, range: RangeInclusive<f64>) -> f64 {
        self.read(key, Some(default), |node| as_real(node, &range), |number| format!("{number:?}")).unwrap_or(default)
    }

    /// A number within bounds that may be left out.
    pub fn opt_real(&self, key: &str, range: RangeInclusive<f64>) -> Option<f64> {
        self.read(key, None, |node| as_real(node, &range), |number| format!("{number:?}"))
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.read(key, Some(default), as_flag, ToString::to_string).unwrap_or(default)
    }

    /// `true` or `false`; `None` where nothing is said.
    pub fn opt_flag(&self, key: &str) -> Option<bool> {
        self.read(key, None, as_flag, ToString::to_string)
    }

    /// A span of time with its unit, as in `"30s"`, within bounds.
    pub fn span(&self, key: &str, default: Duration, range: RangeInclusive<Duration>) -> Duration {
        self.read(key, Some(default), |node| as_span(node, &range), |span| toml_text(&render_span(*span)))
            .unwrap_or(default)
    }

    /// Texts, none where the key is left out.
    pub fn list_of_text(&self, key: &str) -> Vec<String> {
        self.list_of(key)
    }

    /// Values that can be parsed from texts, none where the key is left out. Each bad entry is a mistake of its own,
    /// for which the type's error must say what would be right.
    pub fn list_of<T: FromStr<Err: Display> + ToString>(&self, key: &str) -> Vec<T> {
        let mut good: Vec<T> = Vec::new();
        if let Some(node) = self.ask(key) {
            let items = match &node.value {
                Value::List(items) => Some(items.clone()),
                Value::Raw(text) => split_raw(text, &node.origin),
                _ => None,
            };
            let right = "a list of texts is wanted, as in [\"one\", \"two\"]";
            if items.is_none() {
                self.wrong_at(node, key, right);
            }
            for item in items.unwrap_or_default() {
                match as_text(&item).map_err(|_| right.to_owned()).and_then(|text| parse(&text)) {
                    Ok(value) => good.push(value),
                    Err(right) => self.wrong_at(&item, key, right),
                }
            }
        }
        let texts: Vec<String> = good.iter().map(|value| toml_text(&value.to_string())).collect();
        self.show(key, format!("[{}]", texts.join(", ")));
        good
    }

    /// One of a few words; the first is the default.
    pub fn one_of<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> T {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let pick = |node: &Node| {
            let text = as_text(node)?;
            words.iter().find(|(name, _)| *name == text).copied().ok_or_else(|| suggest(&text, &names))
        };
        let (_, value) = self
            .read(key, words.first().copied(), pick, |(name, _)| toml_text(name))
            .expect("there is a first word to fall back to");
        value
    }

    /// The same for a word that may be left out.
    pub fn opt_one_of<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let pick = |node: &Node| {
            let text = as_text(node)?;
            words.iter().find(|(name, _)| *name == text).copied().ok_or_else(|| suggest(&text, &names))
        };
        self.read(key, None, pick, |(name, _)| toml_text(name)).map(|(_, value)| value)
    }

    /// A value that can be parsed from a text, and whose error says what would be right.
    pub fn told<T: FromStr<Err: Display> + ToString + Clone>(&self, key: &str, default: T) -> T {
        let take = |node: &Node| as_text(node).and_then(|text| parse(&text));
        self.read(key, Some(default.clone()), take, |value| toml_text(&value.to_string())).unwrap_or(default)
    }

    /// A value that can be parsed from a text; `right` says how one is written.
    pub fn parsed<T: FromStr + ToString + Clone>(&self, key: &str, default: T, right: &str) -> T {
        self.read(key, Some(default.clone()), |node| parse_as(node, right), |value| toml_text(&value.to_string()))
            .unwrap_or(default)
    }

    /// The same for a value that may be left out.
    pub fn opt_parsed<T: FromStr + ToString>(&self, key: &str, right: &str) -> Option<T> {
        self.read(key, None, |node| parse_as(node, right), |value: &T| toml_text(&value.to_string()))
    }

    /// The table under `key`; an empty one where it is left out.
    pub fn section(&self, key: &str) -> Section<'a> {
        let node = self.ask(key);
        Section::new(self.settings, self.under(key), node)
    }

    /// The tables under `key` by name, as `providers` holds `providers.openai` and others.
    pub fn sections(&self, key: &str) -> Vec<(String, Section<'a>)> {
        let outer = self.section(key);
        outer.quiet.set(true);
        let entries = outer.table.into_iter().flat_map(|table| table.0.iter());
        entries.map(|(name, node)| (name.clone(), Section::new(self.settings, outer.under(name), Some(node)))).collect()
    }

    /// The tables of a list, as `[[routing.rules]]` makes one; none where the key is left out.
    pub fn tables(&self, key: &str) -> Vec<Section<'a>> {
        let Some(node) = self.ask(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            let right = format!("a list of tables is wanted, each under [[{}]]", tree::dotted(&self.under(key)));
            self.wrong_at(node, key, right);
            return Vec::new();
        };
        let path = |index: usize| self.under(key).into_iter().chain([tree::entry(index)]).collect();
        items.iter().enumerate().map(|(index, item)| Section::new(self.settings, path(index), Some(item))).collect()
    }

    /// Notes that the value under `key` is wrong. Does nothing more where the key is not given than point at the
    /// section.
    pub fn wrong(&self, key: &str, right: impl Into<String>) {
        self.remember(key);
        match self.table.and_then(|table| table.find(key)) {
            Some((_, node)) => self.wrong_at(node, key, right),
            None => self.settings.note(self.origin, &self.under(key), "not set", right),
        }
    }

    /// As [`Section::wrong`], of one entry (from 0) of the list under `key`; of the whole where it is no list.
    pub fn wrong_entry(&self, key: &str, entry: usize, right: impl Into<String>) {
        let items = self.ask(key).and_then(|node| match &node.value {
            Value::List(items) => Some(items.clone()),
            Value::Raw(text) => split_raw(text, &node.origin),
            _ => None,
        });
        match items.as_ref().and_then(|items| items.get(entry)) {
            Some(item) => self.wrong_at(item, key, right),
            None => self.wrong(key, right),
        }
    }

    /// Notes a mistake about the section as a whole, where there is no key to point at.
    pub fn wrong_here(&self, found: impl Into<String>, right: impl Into<String>) {
        self.settings.note(self.origin, &self.path, found, right);
    }

    /// Lets unknown keys pass, where the section is refused as a whole.
    pub fn hush(&self) {
        self.quiet.set(true);
    }

    fn under(&self, key: &str) -> Vec<String> {
        self.path.iter().cloned().chain([key.to_owned()]).collect()
    }

    fn ask(&self, key: &str) -> Option<&'a Node> {
        self.remember(key);
        self.table?.find(key).map(|(_, node)| node)
    }

    fn remember(&self, key: &str) {
        let mut asked = self.asked.borrow_mut();
        if !asked.iter().any(|known| known == key) {
            asked.push(key.to_owned());
        }
    }

    fn wrong_at(&self, node: &Node, key: &str, right: impl Into<String>) {
        let found = format!("found {}", node.describe(key));
        self.settings.note(Some(&node.origin), &self.under(key), found, right);
    }

    fn read<T>(
        &self,
        key: &str,
        default: Option<T>,
        take: impl Fn(&Node) -> Result<T, String>,
        render: impl Fn(&T) -> String,
    ) -> Option<T> {
        let value = match self.ask(key).map(|node| (node, take(node))) {
            Some((_, Ok(value))) => Some(value),
            Some((node, Err(right))) => {
                self.wrong_at(node, key, right);
                default
            }
            None => default,
        };
        if let Some(value) = &value {
            self.show(key, render(value));
        }
        value
    }

    fn show(&self, key: &str, value: String) {
        let origin = match self.table.and_then(|table| table.find(key)) {
            Some((_, node)) => self.settings.place(Some(&node.origin)).to_string(),
            None => "default".to_owned(),
        };
        self.settings.shown.borrow_mut().push(Shown { path: self.under(key), value, origin });
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        let Some(table) = self.table.filter(|_| !self.quiet.get()) else { return };
        let asked = self.asked.take();
        for (name, node) in &table.0 {
            if asked.iter().any(|key| node.answers_to(name, key)) {
                continue;
            }
            let known: Vec<&str> = asked.iter().map(String::as_str).collect();
            let safe = known.iter().filter(|key| key.ends_with("_env") || key.ends_with("_file"));
            let safe: Vec<String> = safe.map(|key| format!("\"{key}\"")).collect();
            let (found, right) = if names_secret(name) && !safe.is_empty() {
                ("a secret is never written here".to_owned(), format!("name where it is kept in {}", safe.join(" or ")))
            } else {
                ("unknown key".to_owned(), suggest(name, &known))
            };
            self.settings.note(Some(&node.origin), &self.under(name), found, right);
        }
    }
}
