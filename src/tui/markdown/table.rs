//! Tables: columns as wide as what they hold, made narrower where the screen is.

use pulldown_cmark::Alignment;

use crate::tui::look::{Look, Row, Span, Tone};
use crate::tui::text::{Breaks, width, wrap};

/// Between two columns.
const GAP: &str = " │ ";
/// A column is not made narrower than so.
const LEAST: usize = 4;

/// A table as it is read.
pub(super) struct Table {
    alignments: Vec<Alignment>,
    rows: Vec<Vec<Vec<Span>>>,
    row: Vec<Vec<Span>>,
}

impl Table {
    pub(super) fn new(alignments: Vec<Alignment>) -> Self {
        Self { alignments, rows: Vec::new(), row: Vec::new() }
    }

    pub(super) fn cell(&mut self, cell: Vec<Span>) {
        self.row.push(cell);
    }

    pub(super) fn end_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
    }

    /// Columns that each column of the table gets.
    fn widths(&self, room: usize) -> Vec<usize> {
        let count = self.alignments.len();
        let room = room.saturating_sub(count.saturating_sub(1) * GAP.chars().count());
        let natural = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.iter().map(|span| width(&span.text)).sum()).max().unwrap_or(0).max(1)
        };
        let mut widths: Vec<usize> = (0..count).map(natural).collect();
        let mut over = widths.iter().sum::<usize>().saturating_sub(room);
        // The widest gives first, down to the next one's width.
        while over > 0 {
            let Some(widest) = widths.iter().copied().max().filter(|widest| *widest > LEAST) else { break };
            let next = widths.iter().copied().filter(|width| *width < widest).max().unwrap_or(0).max(LEAST);
            let share = widths.iter().filter(|width| **width == widest).count();
            let give = (widest - next).min(over.div_ceil(share));
            for width in widths.iter_mut().filter(|width| **width == widest) {
                *width -= give;
            }
            over = over.saturating_sub(give * share);
        }
        widths
    }

    /// The table within `columns`, each row after `start`.
    pub(super) fn rows(&self, columns: usize, start: &Row) -> Vec<Row> {
        let widths = self.widths(columns.saturating_sub(start.width()));
        let mut rows = Vec::new();
        for (number, cells) in self.rows.iter().enumerate() {
            let head = number == 0;
            let wrapped: Vec<Vec<Row>> = widths
                .iter()
                .enumerate()
                .map(|(column, width)| {
                    let cell = cells.get(column).map_or(&[][..], Vec::as_slice);
                    let rows = wrap(cell, *width, &Row::default(), &Row::default(), Breaks::Words);
                    rows.into_iter().map(|row| self.align(column, row, *width, head)).collect()
                })
                .collect();
            let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                let mut row = start.clone();
                for (column, cell) in wrapped.iter().enumerate() {
                    if column > 0 {
                        row.push(GAP, Tone::Soft.into());
                    }
                    match cell.get(line) {
                        Some(cell) => cell.0.iter().for_each(|span| row.push(&span.text, span.look)),
                        None => row.push(&" ".repeat(widths[column]), Look::default()),
                    }
                }
                rows.push(row);
            }
            if head {
                let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
                rows.push(start.clone().with(rule.join("─┼─"), Tone::Soft));
            }
        }
        rows
    }

    fn align(&self, column: usize, row: Row, columns: usize, head: bool) -> Row {
        let row = row.cut(columns);
        let row = if head { row.restyled(Look::bold) } else { row };
        let missing = columns.saturating_sub(row.width());
        let before = match self.alignments.get(column) {
            Some(Alignment::Right) => missing,
            Some(Alignment::Center) => missing / 2,
            _ => 0,
        };
        let mut aligned = Row::default().with(" ".repeat(before), Look::default());
        row.0.iter().for_each(|span| aligned.push(&span.text, span.look));
        aligned.with(" ".repeat(missing - before), Look::default())
    }
}
