//! Follows one turn from its acceptance to its end, for those who wait and those who stream.

use std::sync::Arc;

use actix_web::HttpResponse;
use mosaic_messages::{Accepted, SubmitTurn};
use mosaic_runtime::events::{Interest, Missed};
use mosaic_runtime::{Doors, Reader};
use mosaic_types::journal::TurnState;
use mosaic_types::{Code, EventBody, Failure, FinishedTurn, SessionEvent, SessionId, TurnId};
use serde::Serialize;
use tracing::Span;
use utoipa::ToSchema;

use super::error::{Answer, ApiError, ErrorBody};
use super::server::Gate;

/// A turn and its events to come.
pub(super) struct Following {
    pub(super) accepted: Accepted,
    doors: Arc<Doors>,
    reader: Reader,
    /// The turn had ended before it was followed.
    ended: Option<SessionEvent>,
    over: bool,
    turn: Span,
    /// From the end's arrival here until the reader has it.
    delivery: Option<Span>,
}

impl Following {
    /// Submits a turn and follows it; the reading begins first, so that nothing is missed between.
    pub(super) async fn begin(gate: &Gate, ask: SubmitTurn, interest: Interest) -> Result<Self, ApiError> {
        let reader = gate.doors.hub.subscribe(&ask.session, interest);
        let turn = ask.span.clone();
        let accepted = gate.ask(ask).await?;
        let doors = gate.doors.clone();
        let mut following = Self { doors, reader, ended: None, over: false, turn, delivery: None, accepted };
        if following.accepted.attached {
            following.ended = following.doors.store.turn(following.accepted.turn).await?.and_then(|turn| turn.end);
        }
        Ok(following)
    }

    /// The next event of the turn; `None` after its end.
    pub(super) async fn next(&mut self) -> Result<Option<Arc<SessionEvent>>, ApiError> {
        if self.over {
            return Ok(None);
        }
        if let Some(end) = self.ended.take() {
            return Ok(Some(self.deliver(Arc::new(end))));
        }
        loop {
            match self.reader.next().await {
                Ok(event) if event.turn != Some(self.accepted.turn) => {}
                Ok(event) if event.body.is_end() => return Ok(Some(self.deliver(event))),
                Ok(event) => return Ok(Some(event)),
                Err(missed) => {
                    if let Some(end) = self.look_up(missed).await? {
                        return Ok(Some(self.deliver(Arc::new(end))));
                    }
                }
            }
        }
    }

    /// Nothing follows this event; what is left is to hand it out.
    fn deliver(&mut self, end: Arc<SessionEvent>) -> Arc<SessionEvent> {
        self.over = true;
        self.delivery = Some(tracing::debug_span!(parent: &self.turn, "reader.deliver"));
        end
    }

    /// The turn's end, if it is in the journal by now; an error where none will be heard.
    async fn look_up(&mut self, missed: Missed) -> Result<Option<SessionEvent>, ApiError> {
        self.over = missed == Missed::Lagged;
        match self.doors.store.turn(self.accepted.turn).await?.map(|turn| turn.end) {
            Some(None) if missed == Missed::Lagged => {
                let sentence = "You read too slowly and were cut off. Repeat the request with its key to go on.";
                Err(ApiError(Failure::new(Code::Unavailable, sentence)))
            }
            Some(end) => Ok(end),
            // Removed, and the session with it.
            None => {
                self.over = true;
                Err(ApiError(Failure::not_found("session")))
            }
        }
    }

    /// Waits for the end.
    pub(super) async fn end(&mut self) -> Result<Arc<SessionEvent>, ApiError> {
        loop {
            match self.next().await? {
                Some(event) if event.body.is_end() => return Ok(event),
                Some(_) => {}
                None => return Err(ApiError(Failure::new(Code::Internal, "The turn ended without an event."))),
            }
        }
    }
}

/// A turn that was answered.
#[derive(Serialize, ToSchema)]
pub(super) struct FinalAnswer<'a> {
    session: &'a SessionId,
    turn: TurnId,
    /// Always `finished`.
    state: TurnState,
    #[serde(flatten)]
    end: FinishedTurn,
}

/// The whole answer to one who waited for a turn's end.
pub(super) fn answer_end(session: &SessionId, turn: TurnId, end: EventBody) -> Answer {
    match end {
        EventBody::TurnFinished(end) => {
            Ok(HttpResponse::Ok().json(FinalAnswer { session, turn, state: TurnState::Finished, end }))
        }
        EventBody::TurnFailed { code, message, .. } => Ok(failed(code, message)),
        _ => Err(ApiError(Failure::new(Code::Cancelled, "The turn was cancelled."))),
    }
}

/// What one who waited is told of a turn that failed: always 502, whatever its code. The request itself was good, and
/// sending it again attaches to the same end.
pub(super) fn failed(code: Code, message: String) -> HttpResponse {
    HttpResponse::BadGateway().json(ErrorBody::new(&Failure::new(code, message)))
}
