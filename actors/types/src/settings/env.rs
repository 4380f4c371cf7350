//! Lays environment variables over the values of the file.

use std::sync::Arc;

use super::tree::{Node, Origin, Table, Value};
use super::{ENV_PREFIX, Settings};

/// Levels of a variable's name at the most; no setting lies half as deep, and the tree is walked by recursion.
const LEVELS: usize = 16;

/// See [`Settings::override_env`].
pub(super) fn lay_over<K: AsRef<str>, V: Into<String>>(
    settings: &mut Settings,
    vars: impl IntoIterator<Item = (K, V)>,
) {
    let mut vars: Vec<(Arc<str>, String)> = vars
        .into_iter()
        .filter(|(name, _)| has_prefix(name.as_ref()))
        .map(|(name, value)| (name.as_ref().into(), value.into()))
        .collect();
    // The environment has no order of its own; a fixed one makes every start the same.
    vars.sort();
    for (name, value) in vars {
        let parts: Vec<&str> = name[ENV_PREFIX.len()..].split("__").collect();
        let origin = Origin::Variable(name.clone());
        let nameless = parts.iter().any(|part| part.is_empty());
        if nameless || parts.len() > LEVELS {
            let found = if nameless { "a level has no name" } else { "the name has too many levels" };
            let right = "levels are parted by two underscores, as in MOSAIC__GATEWAY__BIND";
            settings.note(Some(&origin), &[] as &[&str], found, right);
            continue;
        }
        let Value::Table(root) = &mut settings.root.value else { continue };
        set(root, &parts, Node { origin, value: Value::Raw(value) });
    }
}

fn has_prefix(name: &str) -> bool {
    name.get(..ENV_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(ENV_PREFIX))
}

/// Puts a value where `parts` point to, making tables on the way.
fn set(table: &mut Table, parts: &[&str], leaf: Node) {
    let Some((part, rest)) = parts.split_first() else { return };
    let key = resolve(table, part);
    if rest.is_empty() {
        table.0.insert(key, leaf);
        return;
    }
    let empty = || Node { origin: leaf.origin.clone(), value: Value::Table(Table::default()) };
    let inner = table.0.entry(key).or_insert_with(empty);
    // A plain value where a table belongs is left as it is: whoever reads it reports it.
    if let Value::Table(inner) = &mut inner.value {
        set(inner, rest, leaf);
    }
}

/// The key that a part of a variable's name means in this table.
fn resolve(table: &Table, part: &str) -> String {
    let plain = |text: &str| -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        text.chars().map(plain).collect()
    };
    let keys = || table.0.keys();
    let found = keys()
        .find(|key| *key == part)
        .or_else(|| keys().find(|key| key.eq_ignore_ascii_case(part)))
        .or_else(|| keys().find(|key| plain(key) == plain(part)));
    match found {
        Some(key) => key.clone(),
        None if part.chars().any(|c| c.is_ascii_lowercase()) => part.to_owned(),
        None => part.to_ascii_lowercase(),
    }
}
