//! Overlays as rows, which cover the lower part of the transcript.

use crate::tui::look::{Look, Row, Tone};
use crate::tui::model::{Choice, Model, Which};
use crate::tui::text::one_line;

/// Rows of a list, at the most.
const MOST: usize = 14;

/// The rows of what lies over the transcript, at most `height`.
pub(super) fn rows(model: &Model, columns: usize, height: usize) -> Option<Vec<Row>> {
    let overlay = model.overlay.as_ref()?;
    let (title, hint) = match overlay.which {
        Which::Palette => ("Commands".to_owned(), "type to narrow · Enter · Esc"),
        Which::Sessions => ("Sessions".to_owned(), "type to find · Enter · Esc"),
        Which::Help => ("Keys".to_owned(), "type to narrow · Up, Down · Esc"),
        Which::Agents => ("Who answers from now on".to_owned(), "type to narrow · Enter · Esc"),
        Which::Models => ("Which model answers from now on".to_owned(), "type to narrow · Enter · Esc"),
        Which::Rename => ("New name:".to_owned(), "Enter · Esc"),
        Which::Delete => (format!("Delete “{}”?", one_line(&model.session().title)), "Up, Down · Enter · Esc"),
    };
    let mut rows = vec![title_row(&title, &overlay.filter, hint, columns)];
    if overlay.which != Which::Rename {
        let choices = overlay.choices(model);
        let most = if overlay.which == Which::Help { height } else { MOST.min(height) };
        let most = most.saturating_sub(1).max(1);
        let chosen = overlay.chosen.min(choices.len().saturating_sub(1));
        let from = (chosen + 1).saturating_sub(most);
        let widest = choices.iter().map(|choice| choice.name.chars().count()).max().unwrap_or(0).min(columns / 2);
        let row = |(at, choice): (usize, &Choice)| match overlay.which {
            Which::Sessions => session(choice, at == chosen, columns),
            _ => command(choice, widest, at == chosen, columns),
        };
        if choices.len() > most {
            // That there are more is not seen otherwise.
            let hint = format!("{}–{} of {} · {hint}", from + 1, from + most, choices.len());
            rows = vec![title_row(&title, &overlay.filter, &hint, columns)];
        }
        rows.extend(choices.iter().enumerate().skip(from).take(most).map(row));
        if choices.is_empty() {
            rows.push(Row::of("  Nothing fits.", Tone::Soft).padded(columns));
        }
    }
    rows.truncate(height);
    Some(rows)
}

fn title_row(title: &str, filter: &str, hint: &str, columns: usize) -> Row {
    let left = Row::of("── ", Tone::Soft)
        .with(title, Look::of(Tone::Accent).bold())
        .with(if filter.is_empty() { String::new() } else { format!(" {}", one_line(filter)) }, Tone::Plain);
    let left = left.cut(columns.saturating_sub(hint.chars().count() + 4));
    let fill = columns.saturating_sub(left.width() + hint.chars().count() + 4);
    left.with(format!(" {}", "─".repeat(fill)), Tone::Soft).with(format!(" {hint} "), Tone::Soft).with("─", Tone::Soft)
}

fn command(choice: &Choice, widest: usize, chosen: bool, columns: usize) -> Row {
    let dress = |tone| Look { chosen, ..Look::of(tone) };
    Row::of(format!("  {:<widest$}  ", one_line(&choice.name)), dress(Tone::Accent))
        .with(one_line(&choice.help), dress(Tone::Plain))
        .cut(columns)
        .padded(columns)
}

/// A session in a list: a mark where it is unread or at work, its title, its agent where there is room.
pub(super) fn session(choice: &Choice, chosen: bool, columns: usize) -> Row {
    let dress = |tone| Look { chosen, bold: choice.unread, ..Look::of(tone) };
    let (mark, tone) = match (choice.running, choice.unread) {
        (true, _) => ("◐", Tone::Accent),
        (false, true) => ("●", Tone::Good),
        (false, false) => (" ", Tone::Plain),
    };
    let row = Row::of(" ", dress(Tone::Plain)).with(mark, dress(tone)).with(" ", dress(Tone::Plain));
    let agent = if columns > 50 { one_line(&choice.help) } else { String::new() };
    let room = columns.saturating_sub(agent.chars().count() + 2);
    let row = row.with(one_line(&choice.name), dress(Tone::Plain)).cut(room).padded(room + 1);
    row.with(agent, dress(Tone::Soft)).padded(columns)
}
