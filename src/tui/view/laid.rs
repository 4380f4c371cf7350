//! An entry's rows, which are kept until something of it changes: a picture costs what is new, not what was said.

use super::facts;
use crate::tui::file::label;
use crate::tui::look::{Look, Row, Tone};
use crate::tui::session::{Answer, Entry, Kind, Progress};
use crate::tui::text::{Breaks, one_line, wrap, wrap_text};

/// Columns before an answer.
pub(super) const INDENT: &str = "  ";
/// Rows of a model's thinking that are shown: the last ones.
const THINKING_ROWS: usize = 8;

/// All that the rows round a body are made of; an entry of which it is the same looks the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    columns: usize,
    /// An input whose turn did not begin.
    waits: bool,
    progress: Option<Progress>,
    thought: usize,
    silent: bool,
    finished: bool,
}

/// What the first row of a text begins with, what the others do, and the tone of what has none of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark(pub(super) &'static str, pub(super) &'static str, pub(super) Tone);

/// The rows before and after an entry's text, as they were laid out last. The text keeps its own.
#[derive(Default)]
pub(crate) struct Laid {
    of: Option<Seen>,
    pub(super) head: Vec<Row>,
    pub(super) foot: Vec<Row>,
    /// Rows of the text.
    pub(super) body: usize,
    /// What rows of the text begin with.
    pub(super) mark: Mark,
    /// A turn has taken it in.
    pub(crate) begun: bool,
}

impl Laid {
    /// Rows in all.
    pub(super) fn height(&self) -> usize {
        self.head.len() + self.body + self.foot.len()
    }

    /// Where its rows are kept, to tell whether they were made anew.
    #[cfg(test)]
    pub(crate) fn places(&self) -> [*const Row; 2] {
        [self.head.as_ptr(), self.foot.as_ptr()]
    }

    /// A call: its row stands below the one before without a gap.
    pub(super) fn is_step(&self) -> bool {
        self.of.is_some_and(|of| of.progress.is_some())
    }
}

/// Lays an entry out, as far as it is not laid out already.
pub(super) fn lay(entry: &mut Entry, waits: bool, columns: usize) {
    let room = columns.saturating_sub(INDENT.len()).max(8);
    entry.laid.body = match &mut entry.kind {
        Kind::Person(doc) | Kind::Note(doc, _) | Kind::Answer(Answer { doc, .. }) => doc.rows(room).len(),
        Kind::Step(..) => 0,
    };
    let mut seen = Seen { columns, waits, progress: None, thought: 0, silent: false, finished: false };
    match &entry.kind {
        Kind::Answer(answer) => {
            (seen.thought, seen.silent) = (answer.thought, answer.doc.is_empty());
            seen.finished = answer.finished.is_some();
        }
        Kind::Step(_, progress) => seen.progress = Some(*progress),
        Kind::Person(_) | Kind::Note(..) => {}
    }
    if entry.laid.of == Some(seen) {
        return;
    }
    let (mark, head, foot) = round(entry, waits, columns);
    let laid = &mut entry.laid;
    (laid.of, laid.mark, laid.head, laid.foot) = (Some(seen), mark, head, foot);
}

/// What stands round an entry's text: its mark, the rows before it, the rows after it.
fn round(entry: &Entry, waits: bool, columns: usize) -> (Mark, Vec<Row>, Vec<Row>) {
    match &entry.kind {
        Kind::Person(_) => {
            let files = entry.files.iter().map(|file| label(&file.name, file.size_bytes));
            let below = files.chain(waits.then(|| "waits for its turn".to_owned()));
            let row = |text: String| Row::of("▌ ", Tone::Person).with(text, Tone::Soft).cut(columns);
            (Mark("▌ ", "▌ ", Tone::Person), Vec::new(), below.map(row).collect())
        }
        Kind::Answer(answer) => {
            let mut head = thinking(&answer.thinking, columns);
            if !head.is_empty() && !answer.doc.is_empty() {
                head.push(Row::default());
            }
            let mut foot = Vec::new();
            if let Some(finished) = &answer.finished {
                if !answer.doc.is_empty() {
                    foot.push(Row::default());
                }
                let indent = Row::of(INDENT, Tone::Plain);
                let told = facts::rows(finished).into_iter();
                foot.extend(told.flat_map(|row| wrap(&row.0, columns, &indent, &indent, Breaks::Words)));
            }
            (Mark(INDENT, INDENT, Tone::Plain), head, foot)
        }
        Kind::Step(name, progress) => {
            let name = one_line(name);
            let (mark, tone, text) = match progress {
                Progress::Running => ("·", Tone::Soft, name),
                Progress::Good => ("✓", Tone::Good, name),
                Progress::Bad => ("✗", Tone::Bad, format!("{name} did not answer")),
                Progress::Failed => ("✗", Tone::Bad, name),
                Progress::Dropped => ("–", Tone::Soft, format!("{name} was not waited for")),
            };
            let row = Row::of(INDENT, Tone::Plain).with(mark, tone).with(format!(" {text}"), Tone::Soft);
            (Mark(INDENT, INDENT, tone), vec![row.cut(columns)], Vec::new())
        }
        Kind::Note(_, true) => (Mark("✗ ", INDENT, Tone::Bad), Vec::new(), Vec::new()),
        Kind::Note(_, false) => (Mark(INDENT, INDENT, Tone::Soft), Vec::new(), Vec::new()),
    }
}

/// The end of what a model thought, dimmed.
fn thinking(text: &str, columns: usize) -> Vec<Row> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mark = Row::of("  ┆ ", Tone::Soft);
    let rows = wrap_text(text.trim(), columns, Look::of(Tone::Soft).italic(), &mark, &mark);
    let from = rows.len().saturating_sub(THINKING_ROWS);
    let mut shown: Vec<Row> = rows.into_iter().skip(from).collect();
    if from > 0 {
        shown[0] = mark.with("…", Tone::Soft);
    }
    shown
}
