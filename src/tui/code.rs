//! Source code in the colours of the terminal.

use super::look::{Look, Span, Tone};
use crate::code::{self, Kind};

/// Colours the lines of one piece of code, in order.
#[derive(Clone)]
pub(super) struct Lexer(code::Lexer);

impl Lexer {
    /// For the language that a fence names; unknown ones stay plain.
    pub(super) fn new(language: &str) -> Self {
        Self(code::Lexer::new(language))
    }

    /// A line, coloured.
    pub(super) fn line(&mut self, line: &str) -> Vec<Span> {
        self.0.line(line).into_iter().map(|(kind, text)| Span::new(text, Look::of(tone(kind)))).collect()
    }
}

fn tone(kind: Kind) -> Tone {
    match kind {
        Kind::Plain => Tone::Code,
        Kind::Keyword => Tone::Keyword,
        Kind::Literal => Tone::Literal,
        Kind::Number => Tone::Number,
        Kind::Comment => Tone::Comment,
    }
}
