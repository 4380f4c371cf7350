//! What was looked for, in rows.

use crate::tui::look::{Look, Row};
use crate::tui::text::{cells, shown};

pub(super) fn folded(text: &str) -> Vec<String> {
    cells(&shown(text)).map(|(cell, _)| cell.to_lowercase()).collect()
}

/// Where in a row the needle stands, in cells.
pub(super) fn hits<'a>(row: &Row, needle: &'a [String]) -> impl Iterator<Item = usize> + 'a {
    let hay = folded(&row.text());
    (0..(hay.len() + 1).saturating_sub(needle.len())).filter(move |at| hay[*at..*at + needle.len()] == *needle)
}

/// The row with the needle marked.
pub(super) fn marked(row: Row, needle: &[String], chosen: bool) -> Row {
    let hits: Vec<usize> = hits(&row, needle).collect();
    if hits.is_empty() {
        return row;
    }
    let mut out = Row::default();
    let mut at = 0;
    for span in &row.0 {
        for (cell, _) in cells(&span.text) {
            let hit = hits.iter().any(|hit| (*hit..*hit + needle.len()).contains(&at));
            let look = if hit { Look { reversed: chosen, chosen: true, ..span.look } } else { span.look };
            out.push(cell, look);
            at += 1;
        }
    }
    out
}
