//! What a person reads of a turn.

use mosaic_types::{Code, EventBody, Failure, SessionEvent};

use super::super::CliError;
use super::super::output::{for_terminal, note, print};
use super::super::wrap::{Wrap, columns};

/// Says a turn's events on stdout.
pub(super) struct Voice {
    json: bool,
    at_line_start: bool,
    /// Where people read it.
    wrap: Option<Wrap>,
    /// Stdout was closed by whoever read it.
    pub(super) deaf: bool,
}

impl Voice {
    pub(super) fn new(json: bool) -> Self {
        let wrap = columns(&std::io::stdout()).filter(|_| !json).map(Wrap::new);
        Self { json, at_line_start: true, wrap, deaf: false }
    }

    /// `Some` at the end of the turn: how it went.
    pub(super) fn hear(&mut self, event: &SessionEvent) -> Result<Option<Result<(), CliError>>, CliError> {
        if self.json {
            let line = serde_json::to_string(event).map_err(|error| CliError::Failed(error.to_string()))?;
            self.print(&format!("{line}\n"))?;
        }
        match &event.body {
            EventBody::TurnDelta { text, .. } if !self.json => {
                let text = for_terminal(text);
                self.at_line_start = text.ends_with('\n');
                let text = self.wrap.as_mut().map_or(text.clone(), |wrap| wrap.push(&text));
                self.print(&text)?;
            }
            EventBody::StepFinished { name, tool: Some(tool), .. } if !self.json => {
                self.break_line()?;
                let said = tool.result.as_deref().unwrap_or_default();
                note(&format!("{}: {}", for_terminal(name), for_terminal(said)));
            }
            // Another step may follow, on a line of its own.
            EventBody::StepFinished { ok: true, part: None, .. } => self.break_line()?,
            // Who lost a race has done nothing wrong.
            EventBody::StepFinished { name, ok: false, part: Some(part), .. }
                if !self.json && part.code != Some(Code::Cancelled) =>
            {
                self.break_line()?;
                note(&format!("{} did not answer.", for_terminal(name)));
            }
            EventBody::TurnRestarted { .. } if !self.json => {
                self.break_line()?;
                note("The answer was cut off; it begins again.");
            }
            EventBody::Notice { text } if !self.json => {
                self.break_line()?;
                note(&for_terminal(text));
            }
            EventBody::TurnFinished(finished) => {
                self.break_line()?;
                if finished.fell_back() && !self.json {
                    note(&for_terminal(&finished.route_reason));
                }
                return Ok(Some(Ok(())));
            }
            EventBody::TurnFailed { code, message, .. } => {
                self.break_line()?;
                let error: CliError = Failure::new(*code, message.clone()).into();
                return Ok(Some(Err(if self.json { CliError::Told } else { error })));
            }
            EventBody::TurnCancelled { .. } => {
                self.break_line()?;
                note("Cancelled.");
                return Ok(Some(Err(CliError::Told)));
            }
            _ => {}
        }
        Ok(None)
    }

    pub(super) fn break_line(&mut self) -> Result<(), CliError> {
        if !self.json && !self.at_line_start {
            self.at_line_start = true;
            let rest = self.wrap.as_mut().map(Wrap::end).unwrap_or_default();
            self.print(&(rest + "\n"))?;
        }
        Ok(())
    }

    fn print(&mut self, text: &str) -> Result<(), CliError> {
        if self.deaf {
            return Ok(());
        }
        match print(text) {
            Err(CliError::Enough) => {
                self.deaf = true;
                Ok(())
            }
            done => done,
        }
    }
}
