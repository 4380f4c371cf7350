//! The last row: who answers, with what, at what price, and whether anybody is there.

use crate::tui::look::{Row, Tone};
use crate::tui::model::{Line, Model};
use crate::tui::text::one_line;

/// What is worth no more than this gives way to the whole of how to learn the rest.
const SPARED: u8 = 2;

/// The status in one row; what does not fit is left out, the least important first.
pub(super) fn row(model: &Model, columns: usize) -> Row {
    let (mark, tone, state) = match &model.line {
        Line::Up => ("●", Tone::Good, "connected".to_owned()),
        Line::Connecting => ("◌", Tone::Warn, "connecting".to_owned()),
        Line::Down(why) => ("○", Tone::Bad, format!("offline, trying again: {}", one_line(why))),
    };
    let start = Row::of(" ", Tone::Plain).with(mark, tone);
    if let Some((notice, bad)) = &model.notice {
        let tone = if *bad { Tone::Bad } else { Tone::Plain };
        return start.with(format!(" {}", one_line(notice)), tone).cut(columns).padded(columns);
    }
    if matches!(model.line, Line::Down(_)) {
        return start.with(format!(" {state}"), Tone::Soft).cut(columns).padded(columns);
    }
    // With how much each is worth.
    let mut parts: Vec<(u8, String)> = Vec::new();
    let session = model.session();
    if let Some(end) = &session.finished {
        let model_name = one_line(&format!("{}/{}", end.provider, end.model));
        parts.push((5, model_name));
        // Who did not is told below the answer.
        parts.push((1, if end.fell_back() { "fallback".to_owned() } else { one_line(&end.route_reason) }));
        parts.push((4, format!("{} in, {} out", end.usage.input_tokens, end.usage.output_tokens)));
        if let Some(cost) = end.cost_usd {
            parts.push((3, format!("${cost:.4}")));
        }
        let agent = session.agent.as_ref().and_then(|name| model.agents.iter().find(|agent| agent.name == *name));
        if let Some(window) = agent.and_then(|agent| agent.context_tokens).filter(|window| *window > 0) {
            // The calls of a turn of several steps are counted together.
            let share = (end.usage.input_tokens * 100).div_ceil(window).min(100);
            parts.push((2, format!("context {share}%")));
        }
    }
    if let Some(agent) = &session.agent {
        parts.insert(0, (6, agent.to_string()));
    }
    let unread = model.unread();
    if unread > 0 {
        parts.push((5, format!("{unread} unread")));
    }
    // The mark tells it too.
    parts.push((0, state));
    loop {
        let text = parts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" · ");
        let row = start.clone().with(format!(" {text}"), Tone::Soft);
        // How to learn the rest goes before what can be left out.
        let least = parts.iter().map(|(worth, _)| *worth).min().unwrap_or(0);
        let helps = if least <= SPARED { &["F1 help "][..] } else { &["F1 help ", "F1 "] };
        let help = helps.iter().find(|help| row.width() + help.len() < columns).copied();
        let (fits, help) = (help.is_some(), help.unwrap_or_default());
        if fits || parts.len() <= 1 {
            let room = if fits { columns - help.len() } else { columns };
            let row = row.cut(room).padded(room);
            return if fits { row.with(help, Tone::Soft) } else { row };
        }
        parts.retain(|(worth, _)| *worth != least);
    }
}
