//! A turn as it is stored, and whether it was answered.

use std::ops::Range;

use mosaic_types::journal::{Said, TurnState};
use mosaic_types::routing::Route;
use mosaic_types::{AgentName, EventBody, ModelRef, Role, Seq, Spent, ToolCall, ToolState, TurnId};

use super::model::{AND, answer_to, asked_by};
use super::tools::BESIDE;

/// A call of a tool, as it is stored.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(super) call: ToolCall,
    /// The newest input that its message saw, the message, and its place among the calls of that.
    pub(super) place: (Seq, Seq, usize),
    pub(super) state: ToolState,
    pub(super) result: Option<Seq>,
}

/// A turn as it is stored.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) id: TurnId,
    pub(crate) state: TurnState,
    /// Its messages, each with the newest input that was seen where a model said it.
    pub(super) said: Vec<(Option<Seq>, Said)>,
    pub(super) collects: bool,
    /// What its steps asked for, in order: by which message, at which place, and the result.
    pub(super) calls: Vec<Asked>,
    /// Some of its inputs came from platforms.
    pub(super) delivers: bool,
    pub(super) spent: Spent,
    /// Of the step that runs.
    pub(super) parts: Vec<EventBody>,
    pub(super) agent: AgentName,
    pub(super) model: Option<ModelRef>,
    pub(super) route: Option<Box<Route>>,
    pub(super) attempt: u32,
    pub(super) charged: u32,
    pub(super) end: Option<Seq>,
    /// What was said of its answer before it was cut short.
    pub(super) cut: Option<String>,
}

impl Turn {
    pub(crate) fn inputs(&self) -> usize {
        self.asked().count()
    }

    /// Whether its inputs were answered, each once and in the order of acceptance: by its steps, and by `last` where
    /// the turn is finished. Without it the newest may still be open.
    pub(crate) fn is_answered(&self, last: Option<&str>) -> bool {
        let words = |step: &Said| step.role == Role::Assistant && step.asked.is_empty();
        let steps = self.said.iter().filter(|(saw, step)| saw.is_some() && words(step)).map(|(_, step)| &*step.text);
        let mut answered = Vec::new();
        for answer in steps.chain(last) {
            let Some(asked) = asked_by(answer) else { return false };
            answered.extend(asked);
        }
        let asked: Vec<&str> = self.asked().collect();
        if last.is_some() { asked == answered } else { asked.starts_with(&answered) }
    }

    /// Whether what is left of its answer is the beginning of one to its inputs, from some of them on, or
    /// was said beside a wish for tools.
    pub(crate) fn is_cut_rightly(&self) -> bool {
        let Some(cut) = &self.cut else { return true };
        let asked: Vec<&str> = self.asked().collect();
        let parts = (0..asked.len()).flat_map(|from| (from + 1..=asked.len()).map(move |to| from..to));
        let begins = |part: Range<usize>| answer_to(&asked[part].join(AND)).starts_with(cut.as_str());
        let beside = BESIDE.starts_with(cut.as_str());
        !cut.trim().is_empty() && self.end.is_some() && (beside || parts.into_iter().any(begins))
    }

    /// Its inputs, in the order of acceptance.
    pub(crate) fn asked(&self) -> impl Iterator<Item = &str> {
        self.said.iter().filter(|(saw, _)| saw.is_none()).map(|(_, said)| &*said.text)
    }

    /// Answers that were not its last.
    pub(crate) fn steps(&self) -> usize {
        self.said.iter().filter(|(saw, said)| saw.is_some() && said.role == Role::Assistant).count()
    }

    /// What is wrong with its calls: once it has ended, each has one result, and each of a turn that was answered has a
    /// message too (I5).
    pub(crate) fn unanswered(&self) -> Option<&str> {
        let answered = self.state == TurnState::Finished;
        let wrong = |asked: &&Asked| asked.state == ToolState::Intended || (answered && asked.result.is_none());
        self.calls.iter().filter(|_| !self.is_open()).find(wrong).map(|asked| asked.call.id.as_str())
    }

    /// Whether it has not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// As the model sees it.
    pub(super) fn dialogue(&self) -> Vec<Said> {
        let mut said = self.said.clone();
        said.sort_by_key(|(saw, said)| match self.calls.iter().find(|asked| asked.result == Some(said.seq)) {
            Some(Asked { place: (saw, step, number), .. }) => (*saw, *step, number + 1),
            None => (saw.unwrap_or(said.seq), said.seq, 0),
        });
        said.into_iter().map(|(_, said)| said).collect()
    }
}
