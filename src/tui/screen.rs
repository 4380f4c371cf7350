//! The whole screen as rows: sessions, transcript, input, status.

mod over;
mod status;
#[cfg(test)]
mod tests;

use super::look::{Look, Row, Tone};
use super::model::{Line, Model, Which};
use super::text::{cells, one_line, shown};
use super::view::{Sight, transcript};

/// From this width on the sessions stand beside the transcript.
const WIDE: usize = 100;
/// Columns of a transcript, at the most: longer lines are hard to follow.
const READABLE: usize = 120;
/// Columns of the sessions.
pub(super) const SIDE: usize = 28;
/// Commands that are offered while one is typed.
const OFFERED: usize = 8;

/// What is to be seen.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// As many as the terminal has.
    pub(crate) rows: Vec<Row>,
    /// Column and row of the cursor.
    pub(crate) cursor: Option<(usize, usize)>,
    /// The sessions beside the transcript: from which row on, and which.
    pub(crate) side: Vec<(usize, mosaic_types::SessionId)>,
}

/// Makes the screen. `tick` counts up while something moves.
pub(crate) fn compose(model: &mut Model, columns: usize, rows: usize, tick: usize) -> Screen {
    if columns < 20 || rows < 6 {
        let text = "Mosaic needs 20 columns and 6 rows.";
        let mut all = vec![Row::of(text, Tone::Warn).cut(columns)];
        all.resize(rows, Row::default());
        return Screen { rows: all, cursor: None, side: Vec::new() };
    }
    let side = if columns >= WIDE { SIDE } else { 0 };
    let main = if side > 0 { columns - side - 1 } else { columns };

    let (input, cursor) = input(model, main, rows);
    let offers = offers(model, main, rows);
    let files = files(model, main);
    let below = input.len() + files.len() + offers.len() + 2;
    let height = rows.saturating_sub(below + 2);
    model.page = height;

    let mut page = vec![header(model, main), Row::default()];
    page.extend(middle(model, main, height, tick));
    page.resize(2 + height, Row::default());
    if let Some(overlay) = over::rows(model, main, 2 + height) {
        let from = 2 + height - overlay.len();
        page.splice(from.., overlay);
    }
    page.extend(offers);
    page.push(rule(model, main));
    page.extend(files);
    let input_at = page.len();
    page.extend(input);
    let cursor = (model.overlay.is_none() && model.find.is_none())
        .then(|| (cursor.0 + if side > 0 { side + 1 } else { 0 }, input_at + cursor.1));

    let (page, side_rows) = if side > 0 { beside(model, page, side, main) } else { (page, Vec::new()) };
    let mut all = page;
    all.push(status::row(model, columns));
    all.truncate(rows);
    Screen { rows: all, cursor, side: side_rows }
}

fn header(model: &Model, columns: usize) -> Row {
    let session = model.session();
    let title = if session.title.is_empty() { "New session".to_owned() } else { one_line(&session.title) };
    let agent = session.agent.as_ref().map(ToString::to_string).or_else(|| {
        let default = model.agents.iter().find(|agent| agent.default);
        default.map(|agent| agent.name.to_string())
    });
    let mut agent = agent.unwrap_or_default();
    if let Some(model) = &session.model {
        agent = format!("{agent} · {}", one_line(model));
    }
    let room = columns.saturating_sub(agent.chars().count() + 4);
    let left = Row::of(" ", Tone::Plain).with(title, Look::of(Tone::Heading).bold()).cut(room);
    left.padded(room + 2).with(agent, Tone::Soft).padded(columns)
}

/// The transcript, or what to do where there is none.
fn middle(model: &mut Model, columns: usize, rows: usize, tick: usize) -> Vec<Row> {
    let line = model.line.clone();
    let sight = Sight { columns: (columns - 2).min(READABLE), rows, tick, line: &line };
    let session = &mut model.open[0];
    let empty = session.entries.is_empty() && session.pending.is_empty();
    let content = if !empty {
        transcript(session, model.find.as_mut(), &sight)
    } else if session.id.is_none() {
        welcome(model, columns - 4)
    } else if session.caught_up {
        vec![Row::of("  Nothing was said here yet.", Tone::Soft)]
    } else {
        vec![Row::of("  …", Tone::Soft)]
    };
    let pad = |row: Row| {
        let mut out = Row::of(" ", Tone::Plain);
        row.0.iter().for_each(|span| out.push(&span.text, span.look));
        out
    };
    content.into_iter().take(rows).map(pad).collect()
}

fn welcome(model: &Model, columns: usize) -> Vec<Row> {
    let indent = Row::of("  ", Tone::Plain);
    let say = |text: &str, look: Look| super::text::wrap_text(text, columns, look, &indent, &indent);
    let mut rows = vec![Row::default()];
    rows.extend(say("Mosaic", Look::of(Tone::Accent).bold()));
    rows.push(Row::default());
    match &model.advice {
        Some(advice) => rows.extend(say(advice, Tone::Warn.into())),
        None => rows.extend(say("Write a message and press Enter: a session begins with it.", Look::default())),
    }
    rows.push(Row::default());
    rows.extend(say("Ctrl+K  commands      Ctrl+L  sessions", Tone::Soft.into()));
    rows.extend(say("F1      all keys      Ctrl+Q  quit", Tone::Soft.into()));
    rows
}

/// What is typed, broken into rows, and where in them the cursor stands. Of many rows those round the cursor are shown.
fn input(model: &Model, columns: usize, rows: usize) -> (Vec<Row>, (usize, usize)) {
    let most = (rows / 3).clamp(1, 10);
    let room = columns.saturating_sub(4).max(4);
    let text = model.input.text();
    let (mut lines, mut cursor) = (vec![String::new()], (0, 0));
    let (mut at, mut used) = (0, 0);
    for piece in text.split_inclusive('\n') {
        let line = piece.strip_suffix('\n').unwrap_or(piece);
        for grapheme in unicode_segmentation::UnicodeSegmentation::graphemes(line, true) {
            if at == model.input.cursor() {
                cursor = (used, lines.len() - 1);
            }
            at += grapheme.len();
            for (cell, width) in cells(&shown(grapheme)) {
                if used + width > room {
                    lines.push(String::new());
                    used = 0;
                }
                lines.last_mut().expect("there is always a line").push_str(cell);
                used += width;
            }
        }
        if line.len() < piece.len() {
            if at == model.input.cursor() {
                cursor = (used, lines.len() - 1);
            }
            at += 1;
            lines.push(String::new());
            used = 0;
        }
    }
    if at == model.input.cursor() {
        cursor = (used, lines.len() - 1);
    }
    let from = (cursor.1 + 1).saturating_sub(most).min(lines.len().saturating_sub(most));
    let row = |(number, line): (usize, &String)| {
        let prompt = if number == 0 { " › " } else { "   " };
        Row::of(prompt, Look::of(Tone::Accent).bold()).with(line, Tone::Plain)
    };
    let mut shown: Vec<Row> = lines.iter().enumerate().skip(from).take(most).map(row).collect();
    if text.is_empty() && model.overlay.is_none() && model.find.is_none() {
        shown = vec![Row::of(" › ", Look::of(Tone::Accent).bold()).with("Message", Look::of(Tone::Soft).italic())];
    }
    (shown, (3 + cursor.0, cursor.1 - from))
}

/// The files that go with the next message, in one row.
fn files(model: &Model, columns: usize) -> Vec<Row> {
    let files = &model.session().files;
    let all: Vec<String> = files.iter().map(super::file::File::label).collect();
    let row = Row::of(" ", Tone::Plain).with(all.join("  "), Tone::Accent);
    let hint = "  Backspace takes one away";
    let row = if row.width() + hint.len() <= columns { row.with(hint, Tone::Soft) } else { row.cut(columns) };
    if files.is_empty() { Vec::new() } else { vec![row] }
}

/// Commands that fit what is typed.
fn offers(model: &Model, columns: usize, rows: usize) -> Vec<Row> {
    let offers = model.completions();
    let most = OFFERED.min(rows / 3);
    let widest = offers.iter().map(|offer| offer.usage.chars().count()).max().unwrap_or(0);
    let row = |(number, offer): (usize, &&super::wire::Offer)| {
        let look = Look { chosen: number == 0, ..Look::of(Tone::Accent) };
        let usage = format!("   {:<widest$}  ", one_line(&offer.usage));
        let help = Look { chosen: number == 0, ..Look::of(Tone::Soft) };
        Row::of(usage, look).with(one_line(&offer.help), help).cut(columns).padded(columns)
    };
    let over = offers.len() > most && most > 1;
    let shown = if over { most - 1 } else { most };
    let mut rows: Vec<Row> = offers.iter().take(shown).enumerate().map(row).collect();
    if over {
        let more = format!("   … {} more: type on, or Ctrl+K for all", offers.len() - shown);
        rows.push(Row::of(more, Tone::Soft).cut(columns).padded(columns));
    }
    rows
}

/// The line above the input, with what Enter does now.
fn rule(model: &Model, columns: usize) -> Row {
    let mode = model.mode.unwrap_or("as the agent is set");
    // Of what goes on elsewhere nothing is known, nor can anything be done to it.
    let runs = model.line == Line::Up && model.session().running.is_some();
    let hint = if let Some(find) = &model.find {
        let count = if find.text.is_empty() {
            "type what to find".to_owned()
        } else if find.hits == 0 {
            "not found".to_owned()
        } else {
            format!("{} of {} · Up, Down", find.hits - find.chosen, find.hits)
        };
        format!(" Find: {} · {count} · Esc ", one_line(&find.text))
    } else if model.session().editing.is_some() {
        " changes your last message; what came after it goes · Esc leaves it ".to_owned()
    } else if runs && !model.input.is_empty() {
        format!(" sent during the answer: {mode} (Ctrl+O) ")
    } else if runs {
        " Esc cancels ".to_owned()
    } else if model.mode.is_some() {
        format!(" during an answer: {mode} (Ctrl+O) ")
    } else {
        String::new()
    };
    let scrolled = if model.session().scroll > 0 { " PgDn for the newest " } else { "" };
    let room = columns.saturating_sub(scrolled.chars().count() + 4);
    let row = Row::of("──", Tone::Soft).with(hint, Tone::Accent).cut(room);
    let fill = columns.saturating_sub(row.width() + scrolled.chars().count() + 2);
    row.with("─".repeat(fill), Tone::Soft).with(scrolled, Tone::Accent).with("──", Tone::Soft)
}

/// The page with the sessions beside it.
fn beside(
    model: &Model,
    page: Vec<Row>,
    side: usize,
    main: usize,
) -> (Vec<Row>, Vec<(usize, mosaic_types::SessionId)>) {
    let choices = super::model::Overlay::new(Which::Sessions).choices(model);
    let mut shown = Vec::new();
    let mut left: Vec<Row> = vec![Row::of(" Sessions", Look::of(Tone::Soft).bold()), Row::default()];
    for (choice, listed) in choices.iter().zip(&model.list).take(page.len().saturating_sub(2)) {
        let here = model.session().id.as_ref() == Some(&listed.id);
        shown.push((left.len(), listed.id.clone()));
        left.push(over::session(choice, here, side));
    }
    left.resize(page.len(), Row::default());
    let join = |(left, right): (Row, Row)| {
        let mut row = left.cut(side).padded(side).with("│", Tone::Soft);
        right.cut(main).0.iter().for_each(|span| row.push(&span.text, span.look));
        row
    };
    (left.into_iter().zip(page).map(join).collect(), shown)
}
