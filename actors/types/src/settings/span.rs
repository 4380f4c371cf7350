//! Spans of time as people write them: `250ms`, `30s`, `10m`, `2h`, `7d`.

use std::time::Duration;

/// A unit and how many milliseconds it has, the largest first.
const UNITS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Says what is wrong with a span, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSpan(String);

/// Reads a whole number with its unit. A number alone is refused: nobody remembers whether it means seconds.
pub fn parse_span(text: &str) -> Result<Duration, BadSpan> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    let millis = match (number.parse::<u64>(), UNITS.iter().find(|(name, _)| *name == unit)) {
        (Ok(number), Some((_, millis))) => number.checked_mul(*millis),
        (Ok(_), None) if unit.is_empty() => {
            return Err(BadSpan(format!("add its unit, as in \"{number}s\" (ms, s, m, h or d)")));
        }
        _ => None,
    };
    millis.map(Duration::from_millis).ok_or_else(|| BadSpan("write a span such as \"30s\" (ms, s, m, h or d)".into()))
}

/// Writes a span in the largest unit that divides it.
pub fn render_span(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let (unit, size) = UNITS.iter().find(|(_, size)| millis.is_multiple_of(*size)).expect("1 ms divides everything");
    format!("{}{unit}", millis / size)
}
