//! A text in Markdown that may still grow, and the rows it takes.
//!
//! Of a text that streams only the last block is rendered again; those before it are done. So a screen costs the same,
//! however long the answer has become. A block that does not end is cut, see [`PROSE_BYTES`] and [`CODE_LINES`].

use super::code::Lexer;
use super::look::{Look, Row, Tone};
use super::markdown;
use super::text::wrap_text;

/// A paragraph that is longer is cut where it can be.
const PROSE_BYTES: usize = 8 << 10;
/// So many lines of code are one block.
const CODE_LINES: usize = 100;

/// A fence that was opened.
#[derive(Debug, Clone, PartialEq)]
struct Fence {
    mark: char,
    length: usize,
    language: String,
}

/// How far the text was taken apart.
#[derive(Debug, Default)]
struct Taken {
    /// Bytes of whole blocks.
    bytes: usize,
    /// The fence within which they end.
    fence: Option<Fence>,
    /// No blank row belongs before what follows.
    joined: bool,
}

/// A text and its rows.
#[derive(Default)]
pub(crate) struct Doc {
    text: String,
    taken: Taken,
    lexer: Option<Lexer>,
    columns: usize,
    rows: Vec<Row>,
    /// Rows of what was taken.
    done: usize,
    fresh: bool,
    /// No Markdown: each line as it stands.
    plain: bool,
}

impl Doc {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A text that is shown as it was written.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { plain: true, ..Self::new(text) }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn append(&mut self, text: &str) {
        self.text.push_str(text);
        self.fresh = false;
    }

    /// Another text, unless it is the same.
    pub(crate) fn set(&mut self, text: &str) {
        if self.text != text {
            *self = Self::new(text);
        }
    }

    /// Cuts it to so many characters.
    pub(crate) fn truncate(&mut self, chars: usize) {
        if let Some((at, _)) = self.text.char_indices().nth(chars) {
            let kept = self.text[..at].to_owned();
            *self = Self::new(kept);
        }
    }

    /// Its rows at that width.
    pub(crate) fn rows(&mut self, columns: usize) -> &[Row] {
        if self.columns != columns {
            (self.columns, self.fresh) = (columns, false);
            (self.taken, self.lexer) = (Taken::default(), None);
            self.rows.clear();
            self.done = 0;
        }
        if !self.fresh && self.plain {
            self.fresh = true;
            self.rows = wrap_text(&self.text, columns, Look::default(), &Row::default(), &Row::default());
        }
        if !self.fresh {
            self.fresh = true;
            self.rows.truncate(self.done);
            while let Some(block) = next(&self.text, &self.taken) {
                self.render(&block);
                self.done = self.rows.len();
                self.taken = block.then;
                if self.taken.fence.is_none() {
                    self.lexer = None;
                }
            }
            self.render_rest();
        }
        &self.rows
    }

    /// Its rows as [`Doc::rows`] made them last.
    pub(crate) fn laid(&self) -> &[Row] {
        &self.rows
    }

    fn render(&mut self, block: &Block) {
        let text = &self.text[block.from..block.to];
        match &block.fence {
            None => {
                let rows = markdown::prose(text, self.columns);
                self.extend(rows);
            }
            Some(fence) => {
                let lexer = self.lexer.get_or_insert_with(|| Lexer::new(&fence.language));
                let start = Row::of("▏ ", Tone::Soft);
                let rows = if text.is_empty() { vec![] } else { markdown::code(lexer, text, self.columns, &start) };
                self.extend(rows);
            }
        }
    }

    fn extend(&mut self, rows: Vec<Row>) {
        if !rows.is_empty() && !self.rows.is_empty() && !self.taken.joined {
            self.rows.push(Row::default());
        }
        self.rows.extend(rows);
    }

    /// What is not a whole block yet.
    fn render_rest(&mut self) {
        let from = self.taken.bytes;
        let rest = &self.text[from..];
        if let Some(fence) = &self.taken.fence {
            let commented = Lexer::new(&fence.language);
            let mut lexer = self.lexer.take().unwrap_or(commented);
            let before = lexer.clone();
            let start = Row::of("▏ ", Tone::Soft);
            let rows = if rest.is_empty() { vec![] } else { markdown::code(&mut lexer, rest, self.columns, &start) };
            self.lexer = Some(before);
            self.extend(rows);
        } else if !rest.trim().is_empty() {
            let rows = markdown::prose(rest, self.columns);
            self.extend(rows);
        }
    }
}

/// A block that is over.
struct Block {
    from: usize,
    to: usize,
    /// Set where it is code.
    fence: Option<Fence>,
    then: Taken,
}

/// The next whole block after what was taken; `None` where it is not known yet where it ends.
fn next(text: &str, taken: &Taken) -> Option<Block> {
    let start = taken.bytes;
    match &taken.fence {
        Some(fence) => code(text, start, fence),
        None => prose(text, start, taken.joined),
    }
}

fn code(text: &str, start: usize, fence: &Fence) -> Option<Block> {
    let mut at = start;
    for (number, line) in text[start..].split_inclusive('\n').enumerate() {
        if !line.ends_with('\n') {
            return None;
        }
        if closes(line, fence) {
            let then = Taken { bytes: at + line.len(), fence: None, joined: false };
            return Some(Block { from: start, to: at, fence: Some(fence.clone()), then });
        }
        if number == CODE_LINES {
            let then = Taken { bytes: at, fence: Some(fence.clone()), joined: true };
            return Some(Block { from: start, to: at, fence: Some(fence.clone()), then });
        }
        at += line.len();
    }
    None
}

fn prose(text: &str, start: usize, joined: bool) -> Option<Block> {
    let block = |to: usize, then: Taken| Some(Block { from: start, to, fence: None, then });
    let (mut at, mut blank, mut something) = (start, false, false);
    for line in text[start..].split_inclusive('\n') {
        let whole = line.ends_with('\n');
        if whole && let Some(fence) = opens(line) {
            let joined = joined && !something;
            return block(at, Taken { bytes: at + line.len(), fence: Some(fence), joined });
        }
        let is_blank = line.trim().is_empty();
        // What is indented goes on with a list that was interrupted by a blank line.
        if blank && something && !is_blank && !line.starts_with([' ', '\t']) {
            return block(at, Taken { bytes: at, fence: None, joined: false });
        }
        blank = is_blank;
        something |= !is_blank;
        if at + line.len() - start > PROSE_BYTES {
            let to = cut(text, start, at + line.len());
            return block(to, Taken { bytes: to, fence: None, joined: true });
        }
        at += line.len();
    }
    None
}

/// Where a paragraph that is too long is cut: after a line, else after a word, else between two characters.
fn cut(text: &str, start: usize, end: usize) -> usize {
    let mut most = (start + PROSE_BYTES).min(end);
    while !text.is_char_boundary(most) {
        most -= 1;
    }
    let piece = &text[start..most];
    let found = piece.rfind('\n').or_else(|| piece.rfind(' ')).map(|at| at + 1).filter(|at| *at > PROSE_BYTES / 2);
    found.map_or(most, |at| start + at)
}

/// The fence that a line opens.
fn opens(line: &str) -> Option<Fence> {
    let indented = line.len() - line.trim_start_matches(' ').len();
    let line = line.trim();
    let mark = line.chars().next().filter(|mark| ['`', '~'].contains(mark))?;
    let length = line.chars().take_while(|char| *char == mark).count();
    let language = line[length..].trim();
    let good = indented <= 3 && length >= 3 && !(mark == '`' && language.contains('`'));
    good.then(|| Fence { mark, length, language: language.to_owned() })
}

fn closes(line: &str, fence: &Fence) -> bool {
    let line = line.trim();
    line.chars().count() >= fence.length && line.chars().all(|char| char == fence.mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A\n\nfirst *one*\n\n- a\n\n  still a\n- b\n\n```rust\nlet a = 1;\n\nlet b = 2; /* x\n*/ let\n```\nafter\n\n\
                        | a | b |\n|---|---|\n| 1 | 2 |\n\n~~~\n# no heading\n~~~\n\nend";

    fn shown(doc: &mut Doc, columns: usize) -> String {
        doc.rows(columns).iter().map(|row| row.text().trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn a_text_that_came_in_pieces_looks_as_one_that_came_at_once() {
        let mut whole = Doc::new(PAGE);
        let want = shown(&mut whole, 40);
        insta::assert_snapshot!(want);
        for size in [1, 2, 7, 50] {
            let mut doc = Doc::default();
            let chars: Vec<char> = PAGE.chars().collect();
            for piece in chars.chunks(size) {
                doc.append(&piece.iter().collect::<String>());
                doc.rows(40);
            }
            assert_eq!(shown(&mut doc, 40), want, "in pieces of {size}");
            assert_eq!(doc.rows(40), whole.rows(40), "in pieces of {size}");
        }
    }

    #[test]
    fn a_text_without_breaks_is_not_rendered_again_and_again() {
        let mut doc = Doc::new("x".repeat(100 << 10));
        assert_eq!(doc.rows(80).iter().map(Row::width).sum::<usize>(), 100 << 10);
        assert!(doc.text().len() - doc.taken.bytes <= PROSE_BYTES, "the rest is small");
        let mut code = Doc::new(format!("```\n{}", "line\n".repeat(5_000)));
        assert_eq!(code.rows(80).len(), 5_000);
        assert!(code.text().len() - code.taken.bytes <= 5 * CODE_LINES + 5, "the rest is small");
        assert!(!code.rows(80).iter().any(|row| row.0.is_empty()), "no gaps in it");
    }

    #[test]
    fn a_text_may_be_cut_and_go_on() {
        let mut doc = Doc::new("äöü one");
        doc.rows(10);
        doc.truncate(3);
        doc.append(" two");
        assert_eq!(shown(&mut doc, 10), "äöü two\n");
    }
}
