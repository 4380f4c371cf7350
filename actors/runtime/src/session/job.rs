//! What a session has written, and what follows when that is answered.

use mosaic_messages::Accepted;
use mosaic_messages::SubmitTurn;
use mosaic_types::journal::{ChangeSession, Outcome, SessionRow, StartTurn, TurnEnd, Write};
use mosaic_types::ledger::Beside;
use mosaic_types::{ChatMessage, Code, EventBody, Failure, TurnId};
use tokio::time::Instant;
use tracing::{Span, field};

use super::actor::Reply;
use super::wake::LOAD_AGAIN;
use crate::till::Till;

/// What to do when a write is answered.
pub(super) enum Then {
    Accepted {
        ask: Box<SubmitTurn>,
        title: Option<String>,
        /// All that was said before it, where it takes the place of another input.
        before: Option<Vec<ChatMessage>>,
        reply: Reply<Accepted>,
    },
    Started {
        turn: TurnId,
    },
    /// What tools said is stored.
    Answered {
        turn: TurnId,
        calls: Vec<String>,
    },
    /// A part is stored, with its entry in the ledger.
    Noted {
        turn: TurnId,
        event: EventBody,
        beside: Beside,
    },
    Ended {
        end: TurnEnd,
        next: Option<StartTurn>,
        turn: TurnId,
        cancelled: Vec<Reply<Option<TurnId>>>,
        since: Option<Instant>,
    },
    Changed {
        change: ChangeSession,
        reply: Reply<SessionRow>,
    },
}

/// A write that waits for its turn, and what follows it.
pub(super) struct Job {
    pub(super) write: Write,
    pub(super) then: Then,
    pub(super) span: Span,
    /// How often the store refused it for good.
    pub(super) refusals: u32,
}

/// A line in the log for a turn that is over; its span says which. What a failure says may be a provider's words, so
/// it is known by its code.
pub(super) fn tell(end: &TurnEnd, since: Option<Instant>) {
    let (model, code) = match end {
        TurnEnd::Finished(finished) => (Some(&finished.model), None),
        TurnEnd::Failed { code, .. } => (None, Some(code.as_str())),
        TurnEnd::Cancelled { .. } => (None, None),
    };
    tracing::debug!(
        model = model.map(field::display),
        error.type = code,
        ms = since.map(|since| (since.elapsed().as_secs_f64() * 1e6).round() / 1e3),
        "the turn is {}",
        end.state().as_str()
    );
}

impl Then {
    /// Whether the write says what has become of a turn, and waits for nobody: the session itself has it carried out.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self, Self::Started { .. } | Self::Answered { .. } | Self::Ended { .. })
    }

    /// Tells whoever waits that it is not known, or not so. What was to be paid for with it goes into the till.
    pub(super) fn refuse(self, outcome: &Result<Outcome, Failure>, till: &Till) {
        let failure = match outcome {
            Err(failure) => failure.clone(),
            Ok(_) => {
                let sentence = "The session was taken over or deleted meanwhile. Send the same request again.";
                Failure::new(Code::Unavailable, sentence).after(LOAD_AGAIN)
            }
        };
        match self {
            Self::Accepted { reply, .. } => drop(reply.send(Err(failure))),
            Self::Ended { cancelled, .. } => {
                cancelled.into_iter().for_each(|reply| drop(reply.send(Err(failure.clone()))));
            }
            Self::Changed { reply, .. } => drop(reply.send(Err(failure))),
            Self::Noted { beside, .. } => till.owe(beside),
            Self::Started { .. } | Self::Answered { .. } => {}
        }
    }
}
