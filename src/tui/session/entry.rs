//! The pieces that a session is made of.

use mosaic_types::attachment::AttachmentRow;
use mosaic_types::event::Part;
use mosaic_types::tool::ToolStep;
use mosaic_types::{FinishedTurn, Seq, TurnId};

use crate::tui::doc::Doc;
use crate::tui::view::Laid;

/// What became of a call of a model or tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Running,
    Good,
    Bad,
    /// A tool did not do it; its words say why.
    Failed,
    /// Another one was faster.
    Dropped,
}

/// What an agent said in one step.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) doc: Doc,
    pub(crate) thinking: String,
    /// Bytes that it thought in all.
    pub(crate) thought: usize,
    /// Characters of the step that came.
    pub(super) chars: usize,
    /// Which step of the turn it is.
    pub(super) step: u32,
    /// How the turn ended, at its last answer.
    pub(crate) finished: Option<Box<FinishedTurn>>,
    /// Its turn may still change it.
    pub(crate) open: bool,
    /// Its step is over.
    pub(super) whole: bool,
}

/// A call as it is told: of one among several also what it took.
pub(super) fn told(name: String, part: Option<&Part>) -> String {
    let Some(part) = part.filter(|part| part.code.is_none()) else { return name };
    let (seconds, tenths) = (part.ms / 1_000, part.ms % 1_000 / 100);
    let cost = part.cost_usd.map(|cost| format!(" · ${cost:.4}")).unwrap_or_default();
    format!("{name} · {seconds}.{tenths} s{cost}")
}

/// A tool's call as it is told: what it was asked, and once it has ended what it said.
pub(super) fn told_tool(name: String, tool: &ToolStep) -> String {
    let asked = match tool.arguments.as_str() {
        "" | "{}" => name,
        arguments => format!("{name} {arguments}"),
    };
    tool.result.iter().fold(asked, |asked, said| format!("{asked} · {said}"))
}

/// A piece of a session.
pub(crate) enum Kind {
    Person(Doc),
    Answer(Answer),
    Step(String, Progress),
    /// A sentence about the turn; `true`: of what went wrong.
    Note(Doc, bool),
}

pub(crate) struct Entry {
    pub(crate) turn: Option<TurnId>,
    pub(crate) kind: Kind,
    /// The files that came with it.
    pub(crate) files: Vec<AttachmentRow>,
    /// Its rows, as they were laid out last.
    pub(crate) laid: Laid,
    /// Under which an input was accepted.
    pub(super) seq: Option<Seq>,
}

impl Entry {
    pub(super) fn new(turn: Option<TurnId>, kind: Kind, seq: Option<Seq>) -> Self {
        Self { turn, kind, files: Vec::new(), laid: Laid::default(), seq }
    }
}
