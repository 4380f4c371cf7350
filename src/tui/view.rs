//! A session as rows: its entries, what waits, and what was looked for.

use std::collections::HashSet;

use mosaic_types::{FinishedTurn, TurnId};

use super::look::{Look, Row, Span, Tone};
use super::model::{Find, Line};
use super::session::{Answer, Entry, Kind, Pending, Progress, Session};
use super::text::{Breaks, cells, one_line, shown, wrap, wrap_text};

/// Columns before an answer.
const INDENT: &str = "  ";
/// Rows of a model's thinking that are shown: the last ones.
const THINKING_ROWS: usize = 8;
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

/// A piece of the transcript: rows before and after those that are kept elsewhere.
#[derive(Default)]
struct Piece<'a> {
    head: Vec<Row>,
    /// What each row of the body begins with.
    mark: Row,
    body: &'a [Row],
    foot: Vec<Row>,
    /// The tone of rows that have none of their own.
    tone: Tone,
}

impl Piece<'_> {
    fn height(&self) -> usize {
        self.head.len() + self.body.len() + self.foot.len()
    }

    fn row(&self, at: usize) -> Row {
        if let Some(row) = self.head.get(at) {
            return row.clone();
        }
        let at = at - self.head.len();
        match self.body.get(at) {
            Some(body) => {
                let mut row = self.mark.clone();
                for Span { text, look } in &body.0 {
                    let tone = if look.tone == Tone::Plain { self.tone } else { look.tone };
                    row.push(text, Look { tone, ..*look });
                }
                row
            }
            None => self.foot[at - self.body.len()].clone(),
        }
    }
}

/// The rows of the session that are in sight, exactly `sight.rows` or fewer.
pub(super) fn transcript(session: &mut Session, find: Option<&mut Find>, sight: &Sight<'_>) -> Vec<Row> {
    let begun: HashSet<TurnId> = session
        .entries
        .iter()
        .filter(|entry| !matches!(entry.kind, Kind::Person(_)))
        .filter_map(|entry| entry.turn)
        .collect();
    let running = session.running.as_ref();
    let shown_answer = running.and_then(|running| {
        session.entries.iter().rposition(|entry| {
            entry.turn == Some(running.turn) && matches!(&entry.kind, Kind::Answer(answer) if answer.open)
        })
    });
    let moving = running.map(|running| {
        let what = match (&running.call, running.cancelling, sight.line) {
            (_, _, Line::Down(_)) => return Row::of("… goes on when the daemon is back", Tone::Soft),
            (_, true, _) => "cancelling".to_owned(),
            (Some(call), ..) => one_line(call),
            (None, ..) => "working".to_owned(),
        };
        Row::of(sight.spinner(), Tone::Accent).with(format!(" {what}"), Tone::Soft)
    });

    let mut pieces: Vec<Piece<'_>> = Vec::with_capacity(session.entries.len() + 2);
    if session.cut {
        let text = "Earlier messages are not shown here; `mosaic sessions show` prints all of them.";
        pieces.push(Piece { head: vec![Row::of(format!("{INDENT}{text}"), Tone::Soft)], ..Piece::default() });
    }
    for (at, entry) in session.entries.iter_mut().enumerate() {
        let waits = entry.turn.is_some_and(|turn| !begun.contains(&turn));
        let moving = moving.as_ref().filter(|_| shown_answer == Some(at));
        let mut piece = piece(entry, waits, moving, sight.columns);
        let steps = piece.body.is_empty() && piece.head.len() == 1 && !matches!(piece.tone, Tone::Plain | Tone::Person);
        if !pieces.is_empty() && !steps {
            piece.head.insert(0, Row::default());
        }
        pieces.push(piece);
    }
    for pending in session.pending.iter().filter(|pending| pending.is_shown()) {
        pieces.push(waiting(pending, sight));
    }

    let total: usize = pieces.iter().map(Piece::height).sum();
    // What is read stays where it is while more is said below it.
    if session.scroll > 0 {
        session.scroll += total.saturating_sub(session.height);
    }
    session.height = total;
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
            session.scroll = total.saturating_sub(row + sight.rows / 2);
        }
        look_for = Some((needle, chosen));
    }
    session.scroll = session.scroll.min(most);

    let first = most - session.scroll;
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
    rows
}

fn piece<'a>(entry: &'a mut Entry, waits: bool, moving: Option<&Row>, columns: usize) -> Piece<'a> {
    let room = columns.saturating_sub(INDENT.len()).max(8);
    let indent = Row::of(INDENT, Tone::Plain);
    match &mut entry.kind {
        Kind::Person(doc) => {
            let mark = Row::of("▌ ", Tone::Person);
            let foot = if waits { vec![mark.clone().with("waits for its turn", Tone::Soft)] } else { Vec::new() };
            Piece { mark, body: doc.rows(room), foot, tone: Tone::Person, ..Piece::default() }
        }
        Kind::Answer(answer) => {
            let mut head = thinking(&answer.thinking, columns);
            if !head.is_empty() && !answer.doc.is_empty() {
                head.push(Row::default());
            }
            let mut foot = Vec::new();
            if let Some(moving) = moving {
                if !answer.doc.is_empty() {
                    foot.push(Row::default());
                }
                foot.extend(indented(moving.clone(), &indent));
            }
            if let Some(finished) = &answer.finished {
                if !answer.doc.is_empty() {
                    foot.push(Row::default());
                }
                foot.extend(wrap(&facts(finished).0, columns, &indent, &indent, Breaks::Words));
            }
            let Answer { doc, .. } = answer;
            Piece { head, mark: indent, body: doc.rows(room), foot, tone: Tone::Plain }
        }
        Kind::Step(name, progress) => {
            let name = one_line(name);
            let (mark, tone, text) = match progress {
                Progress::Running => ("·", Tone::Soft, name),
                Progress::Good => ("✓", Tone::Good, name),
                Progress::Bad => ("✗", Tone::Bad, format!("{name} did not answer")),
                Progress::Dropped => ("–", Tone::Soft, format!("{name} was not waited for")),
            };
            let row = Row::of(INDENT, Tone::Plain).with(mark, tone).with(format!(" {text}"), Tone::Soft);
            Piece { head: vec![row.cut(columns)], tone, ..Piece::default() }
        }
        Kind::Note(doc, bad) => {
            let (mark, tone) = if *bad { ("✗ ", Tone::Bad) } else { ("  ", Tone::Soft) };
            Piece { mark: Row::of(mark, tone), body: doc.rows(room), tone, ..Piece::default() }
        }
    }
}

fn indented(row: Row, indent: &Row) -> Option<Row> {
    let mut out = indent.clone();
    row.0.iter().for_each(|span| out.push(&span.text, span.look));
    Some(out)
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

/// What is told below an answer.
fn facts(end: &FinishedTurn) -> Row {
    let mut row = Row::default();
    match end.stop_reason.as_str() {
        "length" => row.push("The answer was cut off at the model's limit. ", Tone::Warn.into()),
        "content_filter" => row.push("The provider held a part of the answer back. ", Tone::Warn.into()),
        _ => {}
    }
    let model = one_line(&format!("{}/{}", end.provider, end.model));
    row.with(format!("{model} · {}", one_line(&end.route_reason)), Tone::Soft).with(cost(end), Tone::Soft)
}

/// Tokens and money, where they are known.
pub(super) fn cost(end: &FinishedTurn) -> String {
    let usage = format!(" · {} in, {} out", end.usage.input_tokens, end.usage.output_tokens);
    match end.cost_usd {
        Some(cost) => format!("{usage} · ${cost:.4}"),
        None => usage,
    }
}

/// An input whose own event did not come yet.
fn waiting<'a>(pending: &Pending, sight: &Sight<'_>) -> Piece<'a> {
    let mark = Row::of("▌ ", Tone::Soft);
    let mut head = vec![Row::default()];
    head.extend(wrap_text(&pending.text, sight.columns, Look::of(Tone::Soft), &mark, &mark));
    let state = match sight.line {
        Line::Up => "on its way",
        _ => "is sent when the daemon answers",
    };
    Piece { head, foot: vec![mark.with(state, Look::of(Tone::Soft).italic())], ..Piece::default() }
}

fn folded(text: &str) -> Vec<String> {
    cells(&shown(text)).map(|(cell, _)| cell.to_lowercase()).collect()
}

/// Where in a row the needle stands, in cells.
fn hits<'a>(row: &Row, needle: &'a [String]) -> impl Iterator<Item = usize> + 'a {
    let hay = folded(&row.text());
    (0..(hay.len() + 1).saturating_sub(needle.len())).filter(move |at| hay[*at..*at + needle.len()] == *needle)
}

/// The row with the needle marked.
fn marked(row: Row, needle: &[String], chosen: bool) -> Row {
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
