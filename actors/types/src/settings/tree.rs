//! The values as they were written, each with the place it came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, Mistakes, Place};
use super::nearest::is_hushed;

/// Where a value came from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// A line of the file, from 1.
    Line(usize),
    /// An environment variable.
    Variable(Arc<str>),
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Whole(i128),
    Real(f64),
    Flag(bool),
    Moment,
    List(Vec<Node>),
    Table(Table),
    /// From the environment: whoever reads it says what type it has.
    Raw(String),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Table(pub(super) BTreeMap<String, Node>);

impl Table {
    /// The entry of that name; one that the environment made also answers to another case.
    pub(super) fn find(&self, key: &str) -> Option<(&str, &Node)> {
        let exact = self.0.get_key_value(key);
        exact
            .or_else(|| self.0.iter().find(|(name, node)| node.answers_to(name, key)))
            .map(|(name, node)| (&**name, node))
    }
}

impl Node {
    /// Whether this entry, called `name`, is meant by `key`.
    pub(super) fn answers_to(&self, name: &str, key: &str) -> bool {
        name == key || (matches!(self.origin, Origin::Variable(_)) && name.eq_ignore_ascii_case(key))
    }

    /// What it holds under a part of a path.
    pub(super) fn child(&self, part: &str) -> Option<&Self> {
        match (&self.value, entry_number(part)) {
            (Value::List(items), Some(number)) => items.get(number.checked_sub(1)?),
            (Value::Table(table), _) => table.find(part).map(|(_, node)| node),
            _ => None,
        }
    }

    pub(super) fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The value for a sentence: shortened, without control characters, and never a secret.
    pub(super) fn describe(&self, key: &str) -> String {
        /// Characters of a text shown at the most; more says nothing new.
        const SHOWN_CHARS: usize = 60;
        match &self.value {
            Value::Text(text) | Value::Raw(text) if is_hushed(key, text) => "a text".to_owned(),
            Value::Text(text) | Value::Raw(text) if text.chars().count() > SHOWN_CHARS => {
                let start: String = text.chars().take(SHOWN_CHARS).collect();
                format!("{:?}", format!("{start}…"))
            }
            Value::Text(text) | Value::Raw(text) => format!("{text:?}"),
            Value::Whole(number) => number.to_string(),
            Value::Real(number) => format!("{number:?}"),
            Value::Flag(flag) => flag.to_string(),
            Value::Moment => "a date".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        }
    }
}

/// Parses TOML into nodes that know their lines.
pub(super) fn parse(text: &str, file: &Arc<str>) -> Result<Table, Mistakes> {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(read_table(table.get_ref(), &lines));
    }
    let mistakes = errors.iter().map(|error| {
        // A missing span means that something was expected after the last character.
        let (line, column) = lines.position(text, error.span().map_or(text.len(), |span| span.start));
        Mistake {
            place: Place::Line { file: file.clone(), line, column: Some(column) },
            key: String::new(),
            found: format!("not valid TOML: {}", error.message()),
            right: String::new(),
        }
    });
    Err(Mistakes::new(mistakes.collect()))
}

/// Parses a TOML array on its own, as a variable may hold one; its entries are given `origin`.
pub(super) fn parse_list(text: &str, origin: &Origin) -> Option<Vec<Node>> {
    let parsed = DeValue::parse(text).ok()?;
    let mut node = read_value(parsed.get_ref(), 1, &Lines::of(""));
    let Value::List(items) = &mut node.value else { return None };
    for item in items.iter_mut() {
        item.origin = origin.clone();
    }
    Some(std::mem::take(items))
}

fn read_table(table: &DeTable<'_>, lines: &Lines) -> Table {
    let entries = table.iter().map(|(key, value)| {
        let node = read_value(value.get_ref(), lines.line(key.span().start), lines);
        (key.get_ref().to_string(), node)
    });
    Table(entries.collect())
}

fn read_value(value: &DeValue<'_>, line: usize, lines: &Lines) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            let far = if number.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
            Value::Whole(i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(far))
        }
        DeValue::Float(number) => Value::Real(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Moment,
        DeValue::Array(items) => Value::List(
            items.iter().map(|item| read_value(item.get_ref(), lines.line(item.span().start), lines)).collect(),
        ),
        DeValue::Table(table) => Value::Table(read_table(table, lines)),
    };
    Node { origin: Origin::Line(line), value }
}

/// Begins the part of a path that is an entry of a list: no key that anyone would write does.
const ENTRY: char = '\0';

/// The part of a path for an entry of a list, by its index from 0.
pub(super) fn entry(index: usize) -> String {
    format!("{ENTRY}{}", index + 1)
}

/// The number of an entry from 1, where a part of a path is one.
pub(super) fn entry_number(part: &str) -> Option<usize> {
    part.strip_prefix(ENTRY)?.parse().ok()
}

/// A path as TOML writes it: parts with other characters stand in quotes. Entries of lists have their number in
/// brackets.
pub(super) fn dotted<S: AsRef<str>>(path: &[S]) -> String {
    let mut text = String::new();
    for part in path.iter().map(AsRef::as_ref) {
        match entry_number(part) {
            Some(number) => text.push_str(&format!("[{number}]")),
            None if text.is_empty() => text = quoted_key(part),
            None => text.push_str(&format!(".{}", quoted_key(part))),
        }
    }
    text
}

/// A key as TOML writes it.
pub(super) fn quoted_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare {
        return key.to_owned();
    }
    // JSON's quoting is TOML's, but for the one control character that JSON lets stand.
    serde_json::Value::from(key).to_string().replace('\u{7f}', "\\u007F")
}

/// Where each line of a text begins.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(starts).collect())
    }

    /// The line of a byte, from 1.
    fn line(&self, byte: usize) -> usize {
        self.0.partition_point(|start| *start <= byte)
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    fn position(&self, text: &str, byte: usize) -> (usize, usize) {
        let line = self.line(byte);
        let before = text.get(self.0[line - 1]..byte).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}
