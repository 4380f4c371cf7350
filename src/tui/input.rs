//! What is being typed: a text with a cursor, and what was typed before.

use mosaic_types::limits;
use unicode_segmentation::UnicodeSegmentation;

/// Inputs that can be brought back.
const HISTORY: usize = 500;

/// An input line, or several.
#[derive(Debug, Default)]
pub(crate) struct Input {
    text: String,
    /// Bytes before the cursor.
    cursor: usize,
    history: Vec<String>,
    /// Which one is shown, and what was typed before they were gone through.
    recalled: Option<(usize, String)>,
}

/// Where the cursor goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    Left,
    Right,
    WordLeft,
    WordRight,
    /// Of the line.
    Start,
    End,
    Up,
    Down,
}

impl Input {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Bytes before the cursor.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Another text, with the cursor behind it.
    pub(crate) fn set(&mut self, text: impl Into<String>) {
        self.text = text.into();
        self.cursor = self.text.len();
        self.recalled = None;
    }

    /// What was typed and is not sent: that which is shown, unless it was sent before and is only looked at.
    pub(crate) fn unsent(&self) -> &str {
        match &self.recalled {
            Some((at, typed)) if self.history.get(*at) == Some(&self.text) => typed,
            _ => &self.text,
        }
    }

    /// Takes the text out.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        self.recalled = None;
        std::mem::take(&mut self.text)
    }

    /// Keeps what was sent, to be brought back.
    pub(crate) fn remember(&mut self, text: &str) {
        if self.history.last().is_none_or(|last| last != text) {
            self.history.push(text.to_owned());
            let over = self.history.len().saturating_sub(HISTORY);
            self.history.drain(..over);
        }
    }

    /// Puts a text in at the cursor; answers whether all of it fitted.
    pub(crate) fn insert(&mut self, text: &str) -> bool {
        let room = limits::TEXT_CHARS.saturating_sub(self.text.chars().count());
        let end = text.char_indices().nth(room).map_or(text.len(), |(at, _)| at);
        self.text.insert_str(self.cursor, &text[..end]);
        self.cursor += end;
        end == text.len()
    }

    /// Removes what stands before the cursor.
    pub(crate) fn backspace(&mut self) {
        let from = self.before();
        self.cut(from, self.cursor);
    }

    /// Removes what stands behind the cursor.
    pub(crate) fn delete(&mut self) {
        let to = self.behind();
        self.cut(self.cursor, to);
    }

    /// Removes the word before the cursor.
    pub(crate) fn delete_word(&mut self) {
        let from = self.word_before();
        self.cut(from, self.cursor);
    }

    /// Removes what stands before the cursor in its line.
    pub(crate) fn delete_to_start(&mut self) {
        let from = self.line().0;
        self.cut(from, self.cursor);
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    /// Moves the cursor; up from the first line and down from the last go through what was typed before.
    pub(crate) fn go(&mut self, to: Move) {
        match to {
            Move::Left => self.cursor = self.before(),
            Move::Right => self.cursor = self.behind(),
            Move::WordLeft => self.cursor = self.word_before(),
            Move::WordRight => {
                let rest = &self.text[self.cursor..];
                let word = rest.find(char::is_alphanumeric).unwrap_or(rest.len());
                let end = rest[word..].find(|char: char| !char.is_alphanumeric());
                self.cursor += end.map_or(rest.len(), |end| word + end);
            }
            Move::Start => self.cursor = self.line().0,
            Move::End => self.cursor = self.line().1,
            Move::Up => {
                let (start, _) = self.line();
                match start.checked_sub(1) {
                    None => self.recall(true),
                    Some(end) => {
                        let above = self.text[..end].rfind('\n').map_or(0, |at| at + 1);
                        self.cursor = self.column(above, end, self.cursor - start);
                    }
                }
            }
            Move::Down => {
                let (start, end) = self.line();
                if end == self.text.len() {
                    return self.recall(false);
                }
                let below = end + 1;
                let until = self.text[below..].find('\n').map_or(self.text.len(), |at| below + at);
                self.cursor = self.column(below, until, self.cursor - start);
            }
        }
    }

    /// The place in a line that is so many bytes in, or its end.
    fn column(&self, start: usize, end: usize, bytes: usize) -> usize {
        let mut at = (start + bytes).min(end);
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn recall(&mut self, older: bool) {
        let shown = self.recalled.as_ref().map_or(self.history.len(), |(at, _)| *at);
        let next = if older { shown.checked_sub(1) } else { Some(shown + 1) };
        let Some(next) = next.filter(|next| *next <= self.history.len() && *next != shown) else { return };
        let typed = self.recalled.take().map_or_else(|| self.text.clone(), |(_, typed)| typed);
        self.text = self.history.get(next).cloned().unwrap_or_else(|| typed.clone());
        self.cursor = self.text.len();
        self.recalled = (next < self.history.len()).then_some((next, typed));
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn behind(&self) -> usize {
        let next = self.text[self.cursor..].graphemes(true).next();
        self.cursor + next.map_or(0, str::len)
    }

    fn word_before(&self) -> usize {
        let head = self.text[..self.cursor].trim_end_matches(|char: char| !char.is_alphanumeric());
        let start = head.rfind(|char: char| !char.is_alphanumeric());
        start.map_or(0, |at| at + head[at..].chars().next().map_or(0, char::len_utf8))
    }

    /// Start and end of the line in which the cursor stands.
    fn line(&self) -> (usize, usize) {
        let start = self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at);
        (start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Input {
        let mut input = Input::default();
        assert!(input.insert(text));
        input
    }

    #[test]
    fn the_cursor_moves_by_what_people_see_as_a_character() {
        let mut input = typed("a👨‍👩‍👧é");
        input.go(Move::Left);
        input.backspace();
        assert_eq!(input.text(), "aé");
        input.delete();
        assert_eq!(input.text(), "a");
        let mut words = typed("one two, three");
        words.go(Move::WordLeft);
        words.delete_word();
        assert_eq!(words.text(), "one three");
        words.go(Move::WordRight);
        words.delete_to_start();
        assert_eq!(words.text(), "");
    }

    #[test]
    fn up_and_down_go_through_lines_and_then_through_what_was_sent() {
        let mut input = Input::default();
        input.remember("first");
        input.remember("second");
        input.insert("now\nhere");
        input.go(Move::Up);
        assert_eq!(&input.text()[..input.cursor()], "now");
        input.go(Move::Up);
        assert_eq!(input.text(), "second");
        input.go(Move::Up);
        input.go(Move::Up);
        assert_eq!(input.text(), "first");
        input.go(Move::Down);
        input.go(Move::Down);
        assert_eq!(input.text(), "now\nhere", "what was typed is given back");
        input.go(Move::Down);
        assert_eq!(input.text(), "now\nhere");
    }

    #[test]
    fn no_more_is_taken_than_a_message_may_have() {
        let mut input = typed(&"x".repeat(limits::TEXT_CHARS - 1));
        assert!(!input.insert("äö"));
        assert_eq!(input.text().chars().count(), limits::TEXT_CHARS);
        assert!(input.text().ends_with('ä'));
    }
}
