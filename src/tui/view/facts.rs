//! What is told of an answer below it: who stood in for whom, who answered and why, what it took.

use mosaic_types::FinishedTurn;

use crate::tui::look::{Row, Tone};
use crate::tui::text::one_line;

/// The rows, not wrapped yet.
pub(super) fn rows(end: &FinishedTurn) -> Vec<Row> {
    let model = one_line(&format!("{}/{}", end.provider, end.model));
    let why = one_line(&end.route_reason);
    let mut rows = Vec::new();
    if end.fell_back() {
        rows.push(Row::of(format!("{why}."), Tone::Soft));
    }
    let mut row = Row::default();
    match end.stop_reason.as_str() {
        "length" => row.push("The answer was cut off at the model's limit. ", Tone::Warn.into()),
        "content_filter" => row.push("The provider held a part of the answer back. ", Tone::Warn.into()),
        _ => {}
    }
    row = row.with(model, Tone::Soft);
    if !end.fell_back() {
        row = row.with(format!(" · {why}"), Tone::Soft);
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
        assert_eq!(told("first choice"), ["lab/m-1 · first choice · 12 in, 34 out · $0.0001"]);
        let sentence = FinishedTurn::instead(&["far/m-0 fell silent".into()], &"lab/m-1".parse().expect("valid"));
        assert_eq!(told(&sentence), ["far/m-0 fell silent; lab/m-1 answered.", "lab/m-1 · 12 in, 34 out · $0.0001"]);
    }
}
