//! Takes a value out of a node, or says what would be right.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::span::{parse_span, render_span};
use super::tree::{self, Node, Origin, Value};

pub(super) fn as_text(node: &Node) -> Result<String, String> {
    match &node.value {
        Value::Text(text) | Value::Raw(text) => Ok(text.clone()),
        _ => Err("a text in quotes is wanted".to_owned()),
    }
}

pub(super) fn as_whole(node: &Node, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let number = match &node.value {
        Value::Whole(number) => u64::try_from(*number).ok(),
        Value::Raw(text) => text.trim().replace('_', "").parse().ok(),
        _ => None,
    };
    let right = || format!("a whole number from {} to {} is wanted", range.start(), range.end());
    number.filter(|number| range.contains(number)).ok_or_else(right)
}

pub(super) fn as_real(node: &Node, range: &RangeInclusive<f64>) -> Result<f64, String> {
    let number = match &node.value {
        Value::Real(number) => Some(*number),
        #[allow(clippy::cast_precision_loss)] // what is lost lies far outside every range
        Value::Whole(number) => Some(*number as f64),
        Value::Raw(text) => text.trim().parse().ok(),
        _ => None,
    };
    let right = || format!("a number from {} to {} is wanted", range.start(), range.end());
    number.filter(|number| range.contains(number)).ok_or_else(right)
}

pub(super) fn as_flag(node: &Node) -> Result<bool, String> {
    match &node.value {
        Value::Flag(flag) => Ok(*flag),
        Value::Raw(text) => text.trim().to_ascii_lowercase().parse().map_err(|_| "true or false is wanted".to_owned()),
        _ => Err("true or false is wanted, without quotes".to_owned()),
    }
}

pub(super) fn as_span(node: &Node, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let text = match &node.value {
        Value::Text(text) | Value::Raw(text) => text.clone(),
        Value::Whole(number) => number.to_string(),
        _ => String::new(),
    };
    let span = parse_span(&text).map_err(|error| error.to_string())?;
    let (least, most) = (render_span(*range.start()), render_span(*range.end()));
    if range.contains(&span) { Ok(span) } else { Err(format!("a span from {least} to {most} is wanted")) }
}

pub(super) fn parse_as<T: FromStr>(node: &Node, right: &str) -> Result<T, String> {
    as_text(node).ok().and_then(|text| text.parse().ok()).ok_or_else(|| right.to_owned())
}

pub(super) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// A variable's list: a TOML array, or texts between commas; an empty text is an empty list.
pub(super) fn split_raw(text: &str, origin: &Origin) -> Option<Vec<Node>> {
    let text = text.trim();
    if text.starts_with('[') {
        return tree::parse_list(text, origin);
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    Some(parts.map(|part| Node { origin: origin.clone(), value: Value::Raw(part.to_owned()) }).collect())
}

/// A text as TOML writes it.
pub(super) fn toml_text(text: &(impl AsRef<str> + ?Sized)) -> String {
    toml::Value::from(text.as_ref()).to_string()
}
