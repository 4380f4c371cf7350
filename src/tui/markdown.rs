//! From Markdown to rows: headings, emphasis, lists, quotes, tables, links. Fenced code is the business of `doc.rs`.

mod table;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::code::Lexer;
use super::look::{Look, Row, Span, Tone};
use super::text::{Breaks, shown, wrap};
use table::Table;

/// Quotes and lists within each other that are indented; deeper ones stay where they are.
const DEPTH: usize = 8;

/// Renders prose that is `columns` wide.
pub(super) fn prose(text: &str, columns: usize) -> Vec<Row> {
    let text = shown(text);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut page = Page::new(columns);
    for event in Parser::new_ext(&text, options) {
        page.event(event);
    }
    page.end_line();
    page.rows
}

/// Renders lines of code, wherever they stand.
pub(super) fn code(lexer: &mut Lexer, text: &str, columns: usize, start: &Row) -> Vec<Row> {
    let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
    lines.flat_map(|line| wrap(&lexer.line(&shown(line)), columns, start, start, Breaks::Anywhere)).collect()
}

/// What encloses a line, and how it is indented.
enum Within {
    Quote,
    /// `next`: the number of the next item, where they are numbered.
    List {
        next: Option<u64>,
    },
    /// `mark`: what its first line begins with, until that is written; `indent`: columns of the others.
    Item {
        mark: Option<String>,
        indent: usize,
    },
}

struct Page {
    columns: usize,
    rows: Vec<Row>,
    within: Vec<Within>,
    line: Vec<Span>,
    look: Vec<Look>,
    /// Where the link that is being read leads, and how much of the line stood before it.
    link: Option<(String, usize)>,
    table: Option<Table>,
    code: Option<(Lexer, String)>,
    /// A blank row is due before the next one.
    gap: bool,
}

impl Page {
    fn new(columns: usize) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            within: Vec::new(),
            line: Vec::new(),
            look: vec![Look::default()],
            link: None,
            table: None,
            code: None,
            gap: false,
        }
    }

    fn look(&self) -> Look {
        self.look.last().copied().unwrap_or_default()
    }

    fn dress(&mut self, change: impl FnOnce(Look) -> Look) {
        self.look.push(change(self.look()));
    }

    fn say(&mut self, text: &str, look: Look) {
        if text.is_empty() {
            return;
        }
        match self.line.last_mut() {
            Some(last) if last.look == look => last.text.push_str(text),
            _ => self.line.push(Span::new(text, look)),
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => self.say(&text, self.look()),
            },
            Event::Code(text) => self.say(&text, Look { tone: Tone::Code, ..self.look() }),
            // Of no meaning here, and shown as it was written.
            Event::Html(text) | Event::InlineHtml(text) => {
                let mut lines = text.split('\n');
                self.say(lines.next().unwrap_or_default(), self.look());
                for line in lines {
                    self.end_line();
                    self.say(line, self.look());
                }
            }
            Event::SoftBreak => self.say(" ", self.look()),
            Event::HardBreak => self.end_line(),
            Event::Rule => {
                self.block();
                let rule = "─".repeat(self.columns.min(40));
                self.say(&rule, Tone::Soft.into());
                self.end_line();
                self.gap = true;
            }
            Event::TaskListMarker(done) => {
                let sign = if done { "☑ " } else { "☐ " };
                match self.within.last_mut() {
                    Some(Within::Item { mark, .. }) => *mark = Some(sign.to_owned()),
                    _ => self.say(sign, self.look()),
                }
            }
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.say(&text, self.look());
            }
        }
    }

    /// A block begins: whatever stood in the line is over.
    fn block(&mut self) {
        self.end_line();
        if self.gap && !self.rows.is_empty() {
            let (start, _) = self.starts(false);
            self.rows.push(start);
        }
        self.gap = false;
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.block(),
            Tag::Heading { level, .. } => {
                self.block();
                self.dress(|look| Look { tone: Tone::Heading, underlined: level == HeadingLevel::H1, ..look.bold() });
            }
            Tag::BlockQuote(_) => {
                self.block();
                self.within.push(Within::Quote);
                self.dress(|look| Look { tone: Tone::Soft, ..look.italic() });
            }
            Tag::List(next) => {
                // A list within an item follows its text at once.
                if self.within.iter().any(|within| matches!(within, Within::Item { .. })) {
                    self.end_line();
                    self.gap = false;
                } else {
                    self.block();
                }
                self.within.push(Within::List { next });
            }
            Tag::Item => {
                self.block();
                let mark = match self.within.last_mut() {
                    Some(Within::List { next: Some(number) }) => {
                        let mark = format!("{number}. ");
                        *number = number.saturating_add(1);
                        mark
                    }
                    _ => "• ".to_owned(),
                };
                let indent = mark.chars().count();
                self.within.push(Within::Item { mark: Some(mark), indent });
            }
            Tag::CodeBlock(kind) => {
                self.block();
                let language = match &kind {
                    CodeBlockKind::Fenced(language) => language.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((Lexer::new(&language), String::new()));
            }
            Tag::HtmlBlock => self.block(),
            Tag::Table(alignments) => {
                self.block();
                self.table = Some(Table::new(alignments));
            }
            Tag::TableCell => self.line.clear(),
            Tag::Emphasis => self.dress(Look::italic),
            Tag::Strong => self.dress(Look::bold),
            Tag::Strikethrough => self.dress(|look| Look { struck: true, ..look }),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.link = Some((dest_url.to_string(), self.line.iter().map(|span| span.text.len()).sum()));
                self.dress(|look| Look { tone: Tone::Link, underlined: true, ..look });
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => {
                self.end_line();
                self.gap = true;
            }
            TagEnd::Heading(_) => {
                self.end_line();
                self.look.pop();
                self.gap = true;
            }
            TagEnd::BlockQuote(_) => {
                self.end_line();
                self.within.pop();
                self.look.pop();
                self.gap = true;
            }
            TagEnd::List(_) => {
                self.within.pop();
                self.gap = true;
            }
            TagEnd::Item => {
                // An item without text has its mark all the same.
                if self.line.is_empty() && matches!(self.within.last(), Some(Within::Item { mark: Some(_), .. })) {
                    self.say(" ", Look::default());
                }
                self.end_line();
                self.within.pop();
                self.gap = false;
            }
            TagEnd::CodeBlock => {
                if let Some((mut lexer, text)) = self.code.take() {
                    let (start, _) = self.starts(true);
                    let start = start.with("  ", Look::default());
                    self.rows.extend(code(&mut lexer, &text, self.columns, &start));
                }
                self.gap = true;
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.line);
                if let Some(table) = &mut self.table {
                    table.cell(cell);
                }
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                if let Some(table) = &mut self.table {
                    table.end_row();
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    let (start, _) = self.starts(true);
                    self.rows.extend(table.rows(self.columns, &start));
                }
                self.gap = true;
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.look.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                self.look.pop();
                if let Some((url, from)) = self.link.take() {
                    let line: String = self.line.iter().map(|span| span.text.as_str()).collect();
                    // Where a link leads is seen before anybody goes there.
                    if line.get(from..).is_some_and(|text| text != url) && self.table.is_none() {
                        self.say(&format!(" ({url})"), Tone::Soft.into());
                    }
                }
            }
            _ => {}
        }
    }

    /// What the next row begins with, and those after it. `write`: the marks of items are written by it.
    fn starts(&mut self, write: bool) -> (Row, Row) {
        let (mut first, mut rest) = (Row::default(), Row::default());
        for within in self.within.iter_mut().take(DEPTH) {
            match within {
                Within::Quote => {
                    first.push("▎ ", Tone::Soft.into());
                    rest.push("▎ ", Tone::Soft.into());
                }
                Within::List { .. } => {}
                Within::Item { mark, indent } => {
                    let blank = " ".repeat(*indent);
                    match if write { mark.take() } else { None } {
                        Some(mark) => first.push(&mark, Tone::Accent.into()),
                        None => first.push(&blank, Look::default()),
                    }
                    rest.push(&blank, Look::default());
                }
            }
        }
        (first, rest)
    }

    fn end_line(&mut self) {
        if self.line.is_empty() || self.table.is_some() {
            return;
        }
        let line = std::mem::take(&mut self.line);
        let (first, rest) = self.starts(true);
        self.rows.extend(wrap(&line, self.columns, &first, &rest, Breaks::Words));
    }
}

#[cfg(test)]
mod tests;
