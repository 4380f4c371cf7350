//! A session's messages: read, and taken in.

use std::time::Duration;

use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_messages::{Accepted, CancelTurn};
use mosaic_runtime::events::Interest;
use mosaic_types::journal::TurnState;
use mosaic_types::page::Limit;
use mosaic_types::{Code, Failure, SessionId};
use serde::Deserialize;
use serde_json::json;

use super::auth::Asker;
use super::body;
use super::error::{Answer, ApiError};
use super::events::{Following, answer_end, stream};
use super::server::Gate;
use super::sessions::{Reading, named, visible};
use crate::submission::submission;

/// For so long `?wait=true` waits; then it answers as if it had not been asked to.
const WAIT: Duration = Duration::from_secs(600);

/// `GET /api/v1/sessions/{id}/messages?cursor&limit`: oldest first.
pub(super) async fn list(gate: Data<Gate>, Asker(who): Asker, id: Path<String>, reading: Query<Reading>) -> Answer {
    let limit = reading.limit()?;
    let row = visible(&gate, &named(&id)?, who).await?;
    let page = gate.doors.store.messages(&row.id, reading.into_inner().cursor, limit).await?;
    Ok(HttpResponse::Ok().json(page))
}

#[derive(Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<String>,
}

/// `GET /api/v1/sessions/{id}/events?after=SEQ&limit`: what was journaled after that position.
pub(super) async fn events(gate: Data<Gate>, Asker(who): Asker, id: Path<String>, after: Query<After>) -> Answer {
    let bad = |sentence: &'static str| ApiError(Failure::new(Code::BadCursor, sentence));
    let After { after, limit } = after.into_inner();
    let seq = after.as_deref().map_or(Ok(0), str::parse::<i64>).ok().filter(|seq| *seq >= 0);
    let seq = seq.ok_or_else(|| bad("after is the seq of an event: a whole number from 0."))?;
    let limit = Limit::new(limit.as_deref().map_or(Some(200), |text| text.parse().ok()));
    let limit = limit.ok_or_else(|| bad("limit is a whole number from 1 to 200."))?;
    let row = visible(&gate, &named(&id)?, who).await?;
    let events = gate.doors.store.events(&row.id, seq, limit).await?;
    let next = (events.len() == limit.rows()).then(|| events.last().and_then(|event| event.seq)).flatten();
    Ok(HttpResponse::Ok().json(json!({"items": events, "next": next})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    text: String,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    attachments: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
pub(super) struct Waiting {
    #[serde(default)]
    wait: Option<String>,
}

/// The idempotency key of a request.
pub(super) fn key_of(request: &HttpRequest) -> Option<&str> {
    request.headers().get("idempotency-key").and_then(|value| value.to_str().ok())
}

/// `POST /api/v1/sessions/{id}/messages {text}`: 202, or the final with `?wait=true`, or events as they come where the
/// client accepts an event stream.
pub(super) async fn submit(
    gate: Data<Gate>,
    Asker(who): Asker,
    id: Path<String>,
    waiting: Query<Waiting>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let session = named(&id)?;
    let input: Input = body::json(&request, payload, body::API_BYTES).await?;
    if input.mode.as_deref().is_some_and(|mode| mode != "queue") {
        return Err(ApiError(Failure::new(Code::BadRequest, "mode: this build knows `queue`.")));
    }
    if !input.attachments.is_empty() {
        return Err(ApiError(Failure::new(Code::BadRequest, "attachments: this build takes text only.")));
    }
    let ask = submission(&gate.doors.outside, session.clone(), who, input.text, None, key_of(&request))?;
    let accepts = request.headers().get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/event-stream") {
        let following = Following::begin(&gate, ask, Interest::All).await?;
        return Ok(stream(following));
    }
    if waiting.wait.as_deref().is_some_and(|wait| wait == "true" || wait == "1") {
        let mut following = Following::begin(&gate, ask, Interest::Journaled).await?;
        let accepted = following.accepted.clone();
        return match tokio::time::timeout(WAIT, following.end()).await {
            Ok(end) => answer_end(&session, accepted.turn, end?.body.clone()),
            Err(_) => Ok(receipt(&session, &accepted)),
        };
    }
    let accepted = gate.ask(ask).await?;
    Ok(receipt(&session, &gate.settled(accepted).await?))
}

fn receipt(session: &SessionId, accepted: &Accepted) -> HttpResponse {
    let state: TurnState = accepted.state;
    HttpResponse::Accepted().json(json!({"session": session, "turn": accepted.turn, "state": state}))
}

/// `POST /api/v1/sessions/{id}/cancel`: answers once the end is stored.
pub(super) async fn cancel(gate: Data<Gate>, Asker(who): Asker, id: Path<String>) -> Answer {
    let session = named(&id)?;
    visible(&gate, &session, who).await?;
    let cancelled = match gate.sessions.find(&session) {
        Some(_) => gate.ask(CancelTurn { session, from: who }).await?,
        None => None,
    };
    Ok(HttpResponse::Ok().json(json!({"cancelled": cancelled})))
}
