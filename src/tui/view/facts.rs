//! What is told of an answer below it: who stood in for whom, who answered and why, what it took.

use mosaic_types::{Code, FinishedTurn};

use crate::tui::look::{Row, Tone};
use crate::tui::text::one_line;

/// A model that answered in place of one that did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fallback {
    /// Who did not answer.
    pub(crate) missed: String,
    why: &'static str,
    /// The reason tells nothing else.
    alone: bool,
}

impl Fallback {
    /// Read from the reason that the runtime gives: `lab/m-1 failed: provider_rate_limited`.
    pub(crate) fn of(end: &FinishedTurn) -> Option<Self> {
        let (before, after) = end.route_reason.split_once(" failed: ")?;
        let missed = before.split_whitespace().next_back()?;
        let code = after.split(|char: char| !char.is_ascii_lowercase() && char != '_').next()?;
        let why = match Code::ALL.iter().find(|known| known.as_str() == code) {
            Some(Code::ProviderRateLimited) => "was rate-limited",
            Some(Code::ProviderOverloaded) => "was overloaded",
            Some(Code::ProviderUnreachable) => "could not be reached",
            Some(Code::ProviderStalled) => "fell silent",
            Some(Code::ProviderAuth) => "refused the key",
            Some(Code::ProviderQuota) => "had no quota left",
            Some(Code::ContextOverflow) => "could not read so much",
            Some(Code::ModelNotFound) => "does not know the model",
            _ => "did not answer well",
        };
        let alone = before.len() == missed.len() && after.len() == code.len();
        Some(Self { missed: one_line(missed), why, alone })
    }
}

/// The rows, not wrapped yet.
pub(super) fn rows(end: &FinishedTurn) -> Vec<Row> {
    let model = one_line(&format!("{}/{}", end.provider, end.model));
    let fallback = Fallback::of(end);
    let mut rows = Vec::new();
    if let Some(Fallback { missed, why, .. }) = &fallback {
        rows.push(Row::of(format!("{missed} {why}; {model} answered."), Tone::Soft));
    }
    let mut row = Row::default();
    match end.stop_reason.as_str() {
        "length" => row.push("The answer was cut off at the model's limit. ", Tone::Warn.into()),
        "content_filter" => row.push("The provider held a part of the answer back. ", Tone::Warn.into()),
        _ => {}
    }
    row = row.with(model, Tone::Soft);
    if fallback.is_none_or(|fallback| !fallback.alone) {
        row = row.with(format!(" · {}", one_line(&end.route_reason)), Tone::Soft);
    }
    let usage = format!(" · {} in, {} out", end.usage.input_tokens, end.usage.output_tokens);
    let cost = end.cost_usd.map(|cost| format!(" · ${cost:.4}")).unwrap_or_default();
    rows.push(row.with(usage, Tone::Soft).with(cost, Tone::Soft));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::model::tests::finished;

    fn told(reason: &str) -> Vec<String> {
        let mosaic_types::EventBody::TurnFinished(end) = finished("Good.") else { panic!("it is one") };
        rows(&FinishedTurn { route_reason: reason.to_owned(), ..end }).iter().map(Row::text).collect()
    }

    #[test]
    fn who_stood_in_for_whom_is_told_in_one_line() {
        let facts = "lab/m-1 · 12 in, 34 out · $0.0001";
        assert_eq!(told("first choice"), ["lab/m-1 · first choice · 12 in, 34 out · $0.0001"]);
        assert_eq!(
            told("far/m-0 failed: provider_rate_limited"),
            ["far/m-0 was rate-limited; lab/m-1 answered.", facts]
        );
        let more = "for code; far/m-0 failed: provider_stalled after 2 tries";
        assert_eq!(told(more)[0], "far/m-0 fell silent; lab/m-1 answered.");
        assert!(told(more)[1].contains(more), "what else it tells is not lost");
        assert_eq!(told("far/m-0 failed: of_a_later_version")[0], "far/m-0 did not answer well; lab/m-1 answered.");
    }
}
