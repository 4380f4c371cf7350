//! Text that is shown and never obeyed: what it is made of, how wide it is, where it breaks.
//!
//! What comes from models and people may hold escape sequences, marks that turn the direction of writing, characters
//! without width, towers of accents. All of it passes [`shown`] before it comes near the screen.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::look::{Look, Row, Span};

/// Characters of one cell, at the most: a letter with its accents. Emoji families have seven.
const CELL_CHARS: usize = 10;

/// A tab is as wide as so many blanks, wherever it stands.
const TAB: &str = "    ";

/// Whether a character would act on the terminal, or cannot be seen.
fn acts(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
}

/// The text with everything in it that acts made visible; line breaks stay. Control characters become their pictures,
/// others their number.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|char| char != '\n' && acts(char)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\n' => out.push('\n'),
            '\t' => out.push_str(TAB),
            // A line's end as others write it.
            '\r' if chars.peek() == Some(&'\n') => {}
            '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(char)).unwrap_or('\u{fffd}')),
            '\u{7f}' => out.push('\u{2421}'),
            char if acts(char) => {
                let _ = write!(out, "‹{:04X}›", u32::from(char));
            }
            char => out.push(char),
        }
    }
    Cow::Owned(out)
}

/// As [`shown`], on one line.
pub(crate) fn one_line(text: &str) -> String {
    shown(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

/// The cells of a text that is shown, each with its width of one or two columns. What has no width of its own is left
/// out, and what claims more is taken apart.
pub(crate) fn cells(text: &str) -> impl Iterator<Item = (&str, usize)> {
    text.graphemes(true).flat_map(|grapheme| {
        let width = grapheme.width();
        let whole = grapheme.len() == 1 || ((1..=2).contains(&width) && grapheme.chars().count() <= CELL_CHARS);
        let parts = if whole { "" } else { grapheme };
        let apart = parts.char_indices().filter_map(move |(at, char)| {
            let width = char.width().filter(|width| (1..=2).contains(width))?;
            Some((&grapheme[at..at + char.len_utf8()], width))
        });
        whole.then_some((grapheme, width.max(1))).into_iter().chain(apart)
    })
}

/// Columns of a text.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { cells(text).map(|(_, width)| width).sum() }
}

/// Where rows may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breaks {
    /// Between words; a word that is too long anywhere.
    Words,
    /// Anywhere: blanks matter.
    Anywhere,
}

/// Breaks one line into rows of at most `columns`, which begin with `first` and then with `rest`.
pub(crate) fn wrap(line: &[Span], columns: usize, first: &Row, rest: &Row, breaks: Breaks) -> Vec<Row> {
    let room = |row: &Row| columns.saturating_sub(row.width()).max(2);
    let (first_room, rest_room) = (room(first), room(rest));
    let cells: Vec<(&str, usize, Look)> =
        line.iter().flat_map(|span| cells(&span.text).map(|(cell, width)| (cell, width, span.look))).collect();
    let mut rows = Vec::new();
    let mut from = 0;
    loop {
        let (start, room) = if rows.is_empty() { (first, first_room) } else { (rest, rest_room) };
        let (mut to, mut used, mut space) = (from, 0, None);
        while to < cells.len() && used + cells[to].1 <= room {
            used += cells[to].1;
            if cells[to].0 == " " {
                space = Some(to);
            }
            to += 1;
        }
        let mut next = to;
        if to < cells.len() && breaks == Breaks::Words {
            if cells[to].0 == " " {
                next = to + 1;
            } else if let Some(space) = space.filter(|space| *space > from) {
                (to, next) = (space, space + 1);
            }
            while next < cells.len() && cells[next].0 == " " {
                next += 1;
            }
        }
        let mut row = start.clone();
        for (cell, _, look) in &cells[from..to] {
            row.push(cell, *look);
        }
        rows.push(row);
        if next >= cells.len() {
            return rows;
        }
        from = next;
    }
}

/// Breaks a plain text, line by line.
pub(crate) fn wrap_text(text: &str, columns: usize, look: Look, first: &Row, rest: &Row) -> Vec<Row> {
    let text = shown(text);
    let lines = text.split('\n').enumerate();
    lines
        .flat_map(|(number, line)| {
            let start = if number == 0 { first } else { rest };
            wrap(&[Span::new(line, look)], columns, start, rest, Breaks::Words)
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
