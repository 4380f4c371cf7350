//! What is said: results on stdout, everything else on stderr.
//!
//! A reader that goes away (`| head`) is the end of the work and no failure of it, so nothing here panics on a closed
//! stream, as `println!` and `eprintln!` would.

use std::io::{BufRead, BufWriter, ErrorKind, Stdout, Write};

use mosaic_types::Timestamp;
use serde::Serialize;

use super::{CliError, wrap};

/// Writes to stdout at once.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(ended)
}

/// Writes a line to stderr, broken between words where that is a terminal; where nobody reads it, nothing is lost.
pub(super) fn note(text: &str) {
    let stderr = std::io::stderr();
    let _ = match wrap::columns(&stderr) {
        Some(columns) => writeln!(stderr.lock(), "{}", wrap::wrapped(text, columns)),
        None => writeln!(stderr.lock(), "{text}"),
    };
}

/// Asks on stderr, so that stdout stays for results, and reads the answer from stdin.
pub(super) fn ask(question: &str) -> Result<String, CliError> {
    let _ = write!(std::io::stderr().lock(), "{question}");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.map_err(|error| CliError::Failed(format!("cannot read the answer: {error}")))? == 0 {
        // Ctrl-D leaves the cursor behind the question.
        note("");
    }
    Ok(answer.trim().to_owned())
}

fn ended(error: std::io::Error) -> CliError {
    match error.kind() {
        ErrorKind::BrokenPipe => CliError::Enough,
        _ => CliError::Failed(format!("cannot write to stdout: {error}")),
    }
}

/// Results in bulk, on stdout.
pub(super) struct Out(BufWriter<Stdout>);

impl Out {
    pub(super) fn new() -> Self {
        Self(BufWriter::new(std::io::stdout()))
    }

    pub(super) fn line(&mut self, text: &str) -> Result<(), CliError> {
        writeln!(self.0, "{text}").map_err(ended)
    }

    /// One JSON value on a line of its own.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(value).map_err(|error| CliError::Failed(error.to_string()))?;
        self.line(&text)
    }

    /// Rows under a head, each column as wide as its widest cell; the last one may be of any width.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> Result<(), CliError> {
        for line in aligned(head, rows) {
            self.line(&line)?;
        }
        Ok(())
    }

    /// Says what is still held back.
    pub(super) fn end(mut self) -> Result<(), CliError> {
        self.0.flush().map_err(ended)
    }
}

fn aligned(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|head| head.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let text: String = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        text.trim_end().to_owned()
    };
    let mut lines = vec![line(&mut head.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines
}

/// Text that obeys no terminal: control characters of a model are shown, not carried out.
pub(super) fn for_terminal(text: &str) -> String {
    if !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return text.to_owned();
    }
    let visible = |c: char| match c {
        '\n' | '\t' => c,
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(visible).collect()
}

/// As [`for_terminal`], on one line.
pub(super) fn one_line(text: &str) -> String {
    for_terminal(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A moment to the second, as a transcript shows it.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}

/// How long ago it was, as a list shows it; a date where that says more.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.unix_seconds().saturating_sub(at.unix_seconds());
    match seconds {
        ..60 => "just now".to_owned(),
        60..604_800 => format!("{} ago", span(seconds)),
        _ => at.to_string().get(..10).unwrap_or_default().to_owned(),
    }
}

/// A span in its largest unit.
pub(super) fn span(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A number with its noun: `1 model`, `2 models`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let rows = [vec!["a".to_owned(), "long one".to_owned()], vec!["größer".to_owned(), String::new()]];
        assert_eq!(aligned(&["ID", "TITLE"], &rows), ["ID      TITLE", "a       long one", "größer"]);
    }

    #[test]
    fn control_characters_are_shown_and_not_carried_out() {
        assert_eq!(for_terminal("a\u{1b}[31m\r\n\tb\u{9b}"), "a␛[31m␍\n\tb\u{fffd}");
        assert_eq!(one_line(" a\n\tb\u{7} "), "a b␇");
    }

    #[test]
    fn times_are_told_as_people_tell_them() {
        let at = Timestamp(1_795_395_132_000_000);
        let after = |seconds: i64| Timestamp(at.0 + seconds * 1_000_000);
        assert_eq!(moment(at), "2026-11-23 00:52:12 UTC");
        let told: Vec<_> = [-5, 59, 61, 7_300, 200_000, 700_000].into_iter().map(|s| ago(at, after(s))).collect();
        assert_eq!(told, ["just now", "just now", "1 min ago", "2 h ago", "2 d ago", "2026-11-23"]);
    }
}
