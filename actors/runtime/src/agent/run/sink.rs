//! Where a run's progress goes.

use mosaic_types::event::StepKind;
use mosaic_types::tool::ToolStep;
use mosaic_types::{ChatEvent, EventBody, Failure, ModelRef, SessionId, ToolCall, TurnId};
use tokio::sync::mpsc;

use crate::budget::Notice;
use crate::events::Hub;

/// What a stateless caller hears of its run. Ends in `Event(Finished)` or `Failed`; without either, the run died.
#[derive(Debug)]
pub enum Piece {
    /// This model answers.
    Began {
        model: ModelRef,
    },
    Event(ChatEvent),
    Failed(Failure),
}

/// Who hears of a run.
#[derive(Clone)]
pub enum Sink {
    /// The readers of a session.
    Session { hub: Hub, session: SessionId, turn: TurnId, attempt: u32, step: u32 },
    /// One caller, who is waited for when slow and whose leaving ends the run.
    Caller(mpsc::Sender<Piece>),
}

/// The caller is gone; there is nobody to work for.
#[derive(Debug)]
pub(super) struct Left;

impl Sink {
    /// The step begins to speak; what was said in it before is void.
    pub(super) fn begin(&self) {
        if let Self::Session { hub, session, turn, attempt, step } = self {
            hub.begin_step(session, *turn, *attempt, *step);
        }
    }

    /// A model call begins; `part`: it is one of several.
    pub(super) fn call_began(&self, model: &ModelRef, part: Option<u32>) {
        if let Self::Session { hub, session, turn, .. } = self {
            let body = EventBody::StepStarted { kind: StepKind::Model, name: model.to_string(), part, tool: None };
            hub.live(session, *turn, body);
        }
    }

    /// A tool begins to run.
    pub(super) fn tool_began(&self, call: &ToolCall) {
        if let Self::Session { hub, session, turn, .. } = self {
            let (name, tool) = (call.name.clone(), Some(Box::new(ToolStep::of(call))));
            hub.live(session, *turn, EventBody::StepStarted { kind: StepKind::Tool, name, part: None, tool });
        }
    }

    /// A model call failed before anything of it was shown.
    pub(super) fn call_failed(&self, model: &ModelRef) {
        if let Self::Session { hub, session, turn, .. } = self {
            let name = model.to_string();
            let body = EventBody::StepFinished { kind: StepKind::Model, name, ok: false, part: None, tool: None };
            hub.live(session, *turn, body);
        }
    }

    /// Something that whoever asked should know.
    pub(super) fn notice(&self, notice: &Notice) {
        if let Self::Session { hub, session, turn, .. } = self {
            hub.live(session, *turn, EventBody::Notice { text: notice.sentence() });
        }
    }

    /// The provider accepted the call.
    pub(super) async fn answering(&self, model: &ModelRef) -> Result<(), Left> {
        match self {
            Self::Session { .. } => Ok(()),
            Self::Caller(caller) => caller.send(Piece::Began { model: model.clone() }).await.map_err(|_| Left),
        }
    }

    /// A piece of the answer.
    pub(super) async fn event(&self, event: ChatEvent) -> Result<(), Left> {
        match self {
            Self::Session { hub, session, turn, attempt, step } => {
                match event {
                    ChatEvent::Text(text) => hub.delta(session, *turn, *attempt, *step, text),
                    ChatEvent::Thinking(text) => hub.live(session, *turn, EventBody::TurnThinking { text }),
                    ChatEvent::ToolCall { .. } | ChatEvent::Finished { .. } => {}
                }
                Ok(())
            }
            Self::Caller(caller) => caller.send(Piece::Event(event)).await.map_err(|_| Left),
        }
    }
}
