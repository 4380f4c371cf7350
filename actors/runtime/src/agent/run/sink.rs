//! Where a run's progress goes.

use mosaic_types::event::StepKind;
use mosaic_types::{ChatEvent, EventBody, Failure, ModelRef, SessionId, TurnId};
use tokio::sync::mpsc;

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
    /// A model call begins.
    pub(super) async fn call_began(&self, model: &ModelRef) -> Result<(), Left> {
        match self {
            Self::Session { hub, session, turn, attempt, step } => {
                hub.begin_step(session, *turn, *attempt, *step);
                let body = EventBody::StepStarted { kind: StepKind::Model, name: model.to_string() };
                hub.live(session, *turn, body);
                Ok(())
            }
            Self::Caller(_) => Ok(()),
        }
    }

    /// A model call failed before anything of it was shown.
    pub(super) fn call_failed(&self, model: &ModelRef) {
        if let Self::Session { hub, session, turn, .. } = self {
            let body = EventBody::StepFinished { kind: StepKind::Model, name: model.to_string(), ok: false };
            hub.live(session, *turn, body);
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
