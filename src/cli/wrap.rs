//! Lines that break between words, where a terminal would break them inside.

use std::io::IsTerminal;

use crate::tui::width;

/// Narrower than this, breaking between words is of no help.
const NARROW: usize = 20;

/// The columns of the terminal that a stream goes to; `None`: it goes elsewhere, and stays as it is.
pub(super) fn columns(stream: &impl IsTerminal) -> Option<usize> {
    stream.is_terminal().then(crate::tui::columns).flatten().filter(|columns| *columns >= NARROW)
}

/// Text that comes in pieces, broken between words. What stands in a fence stays as it is: code is copied.
pub(super) struct Wrap {
    columns: usize,
    /// Columns of the line so far, with what is held back.
    at: usize,
    /// Of the line so far, to see a fence by.
    line: String,
    fenced: bool,
    /// A word whose end did not come yet.
    word: String,
    /// Blanks before it, which are left out where the line breaks there.
    blanks: String,
}

impl Wrap {
    pub(super) fn new(columns: usize) -> Self {
        Self { columns, at: 0, line: String::new(), fenced: false, word: String::new(), blanks: String::new() }
    }

    /// What can be shown after this piece; the last word waits for its end.
    pub(super) fn push(&mut self, text: &str) -> String {
        let mut out = String::new();
        for char in text.chars() {
            match char {
                '\n' => {
                    self.put(&mut out);
                    self.blanks.clear();
                    self.end_line();
                    out.push('\n');
                }
                ' ' => {
                    self.put(&mut out);
                    self.blanks.push(' ');
                }
                char => self.word.push(char),
            }
        }
        // A word longer than a line breaks wherever it must, so nothing is gained by waiting for its end.
        if self.fenced || width(&self.word) >= self.columns {
            self.put(&mut out);
        }
        out
    }

    /// What was held back; what comes next begins a line of its own.
    pub(super) fn end(&mut self) -> String {
        let mut out = String::new();
        self.put(&mut out);
        out += &std::mem::take(&mut self.blanks);
        self.end_line();
        out
    }

    fn end_line(&mut self) {
        if self.line.trim_start().starts_with("```") || self.line.trim_start().starts_with("~~~") {
            self.fenced = !self.fenced;
        }
        self.line.clear();
        self.at = 0;
    }

    /// Where the cursor stands after so many columns: at the end of a full line it waits there.
    fn column(&self, columns: usize) -> usize {
        if columns == 0 { 0 } else { (columns - 1) % self.columns + 1 }
    }

    /// The word that is held back, on this line or on the next.
    fn put(&mut self, out: &mut String) {
        if self.word.is_empty() {
            return;
        }
        let (word, blanks) = (std::mem::take(&mut self.word), std::mem::take(&mut self.blanks));
        let needs = blanks.len() + width(&word);
        let fence = self.fenced || self.line.trim_start().starts_with("```");
        if self.at > 0 && self.at + needs > self.columns && !fence {
            out.push('\n');
            out.push_str(&word);
            self.at = self.column(width(&word));
        } else {
            self.at = self.column(self.at + needs);
            out.push_str(&blanks);
            out.push_str(&word);
        }
        self.line.push_str(&blanks);
        self.line.push_str(&word);
    }
}

/// A whole text for a terminal of so many columns.
pub(super) fn wrapped(text: &str, columns: usize) -> String {
    let mut wrap = Wrap::new(columns);
    wrap.push(text) + &wrap.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_however_the_text_comes() {
        let text = "one two three four\nfünf 猫 sechs sieben acht\n\n  indented words here";
        let right = "one two\nthree four\nfünf 猫\nsechs\nsieben\nacht\n\n  indented\nwords here";
        assert_eq!(wrapped(text, 10), right);
        let mut wrap = Wrap::new(10);
        let mut shown: String = text.chars().map(|char| wrap.push(&char.to_string())).collect();
        shown += &wrap.end();
        assert_eq!(shown, right, "char by char");
        assert_eq!(wrapped("a line of 40 columns is not broken at 40", 40), "a line of 40 columns is not broken at 40");
    }

    #[test]
    fn code_and_words_without_end_stay_as_they_are() {
        let code = "```sh\na command that is long\n```\nand then words";
        assert_eq!(wrapped(code, 10), "```sh\na command that is long\n```\nand then\nwords");
        let endless = "x".repeat(25);
        assert_eq!(wrapped(&format!("{endless} y"), 10), format!("{endless} y"));
        let mut wrap = Wrap::new(10);
        assert_eq!(wrap.push(&"x".repeat(12)), "x".repeat(12), "it is not held back");
        assert_eq!(wrap.push("go"), "");
        assert_eq!(wrap.end(), "go");
    }
}
