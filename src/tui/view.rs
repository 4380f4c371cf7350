//! A session as rows: its entries, what waits, and what was looked for.

mod facts;
mod find;
mod laid;

use super::look::{Look, Row, Span, Tone};
use super::model::{Find, Line};
use super::session::{Answer, Entry, Kind, Pending, Session};
use super::text::{one_line, wrap_text};
use find::{folded, hits, marked};
pub(crate) use laid::Laid;
use laid::{INDENT, Mark, lay};

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// What a session is drawn with.
pub(super) struct Sight<'a> {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Counts up while something moves.
    pub(super) tick: usize,
    pub(super) line: &'a Line,
}

impl Sight<'_> {
    fn spinner(&self) -> &'static str {
        SPINNER[self.tick % SPINNER.len()]
    }
}

/// A piece of the transcript.
enum Piece<'a> {
    /// Rows that are kept with their entry; `gap`: a blank one stands before them.
    Entry { entry: &'a Entry, gap: bool },
    /// Rows of the moment.
    Rows(Vec<Row>),
}

impl Piece<'_> {
    fn height(&self) -> usize {
        match self {
            Self::Entry { entry, gap } => usize::from(*gap) + entry.laid.height(),
            Self::Rows(rows) => rows.len(),
        }
    }

    fn row(&self, at: usize) -> Row {
        let (entry, at) = match self {
            Self::Rows(rows) => return rows[at].clone(),
            Self::Entry { gap: true, .. } if at == 0 => return Row::default(),
            Self::Entry { entry, gap } => (entry, at - usize::from(*gap)),
        };
        let Laid { head, foot, body, mark: Mark(first, rest, tone), .. } = &entry.laid;
        if let Some(row) = head.get(at) {
            return row.clone();
        }
        let at = at - head.len();
        if let Some(row) = at.checked_sub(*body).and_then(|at| foot.get(at)) {
            return row.clone();
        }
        let mut row = Row::of(if at == 0 { *first } else { *rest }, *tone);
        let text = match &entry.kind {
            Kind::Person(doc) | Kind::Note(doc, _) | Kind::Answer(Answer { doc, .. }) => doc.laid().get(at),
            Kind::Step(..) => None,
        };
        for Span { text, look } in text.iter().flat_map(|row| &row.0) {
            let tone = if look.tone == Tone::Plain { *tone } else { look.tone };
            row.push(text, Look { tone, ..*look });
        }
        row
    }
}

/// The rows of the session that are in sight, exactly `sight.rows` or fewer.
pub(super) fn transcript(session: &mut Session, find: Option<&mut Find>, sight: &Sight<'_>) -> Vec<Row> {
    lay_out(session, sight.columns);
    let grown_above = std::mem::take(&mut session.grown_above);
    let pieces = pieces(session, sight);
    let total: usize = pieces.iter().map(Piece::height).sum();
    // What is read stays where it is while more is said below it.
    let mut scroll = session.scroll;
    if scroll > 0 && !grown_above {
        scroll += total.saturating_sub(session.height);
    }
    let most = total.saturating_sub(sight.rows);
    let mut look_for = None;
    if let Some(find) = find.filter(|find| !find.text.is_empty()) {
        let needle = folded(&find.text);
        let all = pieces.iter().flat_map(|piece| (0..piece.height()).map(|at| piece.row(at)));
        let hits: Vec<usize> =
            all.enumerate().filter(|(_, row)| hits(row, &needle).next().is_some()).map(|(at, _)| at).collect();
        find.hits = hits.len();
        find.chosen = find.chosen.min(hits.len().saturating_sub(1));
        let chosen = hits.iter().rev().nth(find.chosen).copied();
        if let Some(row) = chosen.filter(|_| std::mem::take(&mut find.moved)) {
            scroll = total.saturating_sub(row + sight.rows / 2);
        }
        look_for = Some((needle, chosen));
    }
    scroll = scroll.min(most);

    let first = most - scroll;
    let mut rows = Vec::with_capacity(sight.rows);
    let mut top = 0;
    for piece in &pieces {
        let height = piece.height();
        if top + height > first && rows.len() < sight.rows {
            for at in first.saturating_sub(top)..height {
                if rows.len() == sight.rows {
                    break;
                }
                let row = piece.row(at);
                rows.push(match &look_for {
                    Some((needle, chosen)) => marked(row, needle, *chosen == Some(top + at)),
                    None => row,
                });
            }
        }
        top += height;
    }
    (session.scroll, session.height) = (scroll, total);
    rows
}

/// Brings the rows of every entry up to date.
fn lay_out(session: &mut Session, columns: usize) {
    for at in 0..session.entries.len() {
        let entry = &session.entries[at];
        // A person's word waits until its turn says or does something; what has begun does not wait again.
        let begun = !matches!(entry.kind, Kind::Person(_)) || entry.laid.begun || entry.turn.is_none() || {
            let mut others = session.entries.iter().filter(|other| other.turn == entry.turn);
            others.any(|other| !matches!(other.kind, Kind::Person(_)))
        };
        let entry = &mut session.entries[at];
        entry.laid.begun = begun;
        lay(entry, !begun, columns);
    }
}

fn pieces<'a>(session: &'a Session, sight: &Sight<'_>) -> Vec<Piece<'a>> {
    let mut pieces = Vec::with_capacity(session.entries.len() + 3);
    if session.before.is_some() {
        let text = match session.loading {
            true => "Earlier messages are on their way.",
            false => "Earlier messages come as you scroll up; `mosaic sessions show` prints all of them.",
        };
        pieces.push(Piece::Rows(vec![Row::of(format!("{INDENT}{text}"), Tone::Soft)]));
    }
    let speaking = session.running.as_ref().and_then(|running| {
        session.entries.iter().rposition(|entry| {
            entry.turn == Some(running.turn) && matches!(&entry.kind, Kind::Answer(answer) if answer.open)
        })
    });
    for (at, entry) in session.entries.iter().enumerate() {
        pieces.push(Piece::Entry { entry, gap: !pieces.is_empty() && !entry.laid.is_step() });
        if speaking == Some(at) {
            let gap = matches!(&entry.kind, Kind::Answer(answer) if !answer.doc.is_empty());
            let moving = moving(session, sight);
            pieces.push(Piece::Rows(gap.then(Row::default).into_iter().chain(moving).collect()));
        }
    }
    for pending in session.pending.iter().filter(|pending| pending.is_shown()) {
        pieces.push(Piece::Rows(waiting(pending, sight)));
    }
    pieces
}

/// What goes on below the answer that is being written.
fn moving(session: &Session, sight: &Sight<'_>) -> Option<Row> {
    let running = session.running.as_ref()?;
    let indent = Row::of(INDENT, Tone::Plain);
    let what = match (&running.call, running.cancelling, sight.line) {
        (_, _, Line::Down(_)) => return Some(indent.with("… goes on when the daemon is back", Tone::Soft)),
        (_, true, _) => "cancelling".to_owned(),
        (Some(call), ..) => one_line(call),
        (None, ..) => "working".to_owned(),
    };
    Some(indent.with(sight.spinner(), Tone::Accent).with(format!(" {what}"), Tone::Soft))
}

/// An input whose own event did not come yet.
fn waiting(pending: &Pending, sight: &Sight<'_>) -> Vec<Row> {
    let mark = Row::of("▌ ", Tone::Soft);
    let mut rows = vec![Row::default()];
    rows.extend(wrap_text(&pending.text, sight.columns, Look::of(Tone::Soft), &mark, &mark));
    let state = match sight.line {
        Line::Up => "on its way",
        _ => "is sent when the daemon answers",
    };
    rows.extend(pending.files.iter().map(|file| mark.clone().with(file.label(), Tone::Soft).cut(sight.columns)));
    rows.push(mark.with(state, Look::of(Tone::Soft).italic()));
    rows
}
