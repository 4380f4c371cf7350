//! A session's messages: read, and taken in.

use std::time::Duration;

use actix_web::web::{Bytes, Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::LocalBoxStream;
use futures_util::{StreamExt, stream};
use mosaic_messages::{Accepted, SubmitTurn};
use mosaic_runtime::events::{Follow, Interest};
use mosaic_types::journal::{MessageRow, TurnState};
use mosaic_types::page::Page;
use mosaic_types::{Code, Failure, Seq, SessionEvent, SessionId, TurnId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Asker, Bearing};
use super::error::{Answer, ApiError, ErrorBody};
use super::events::{FinalAnswer, Following, answer_end};
use super::input::Input;
use super::principals::Credential;
use super::server::Gate;
use super::sessions::{Reading, limit, named, visible};
use super::{attachments, body, refusals, sse};

/// For so long `?wait=true` waits; then it answers as if it had not been asked to.
const WAIT: Duration = Duration::from_secs(600);

/// Where a client reads in a transcript from behind.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Behind {
    /// In place of `cursor`: the newest messages before the one with this `seq`, or with `end` the newest of all. The
    /// page is oldest first all the same; its `next` is what to hand as `before` for the page above it.
    #[serde(default)]
    #[param(value_type = String, required = false, example = "end")]
    before: Option<String>,
}

impl Behind {
    fn seq(&self) -> Result<Option<Seq>, ApiError> {
        let seq = self.before.as_deref().map(|text| if text == "end" { Ok(Seq::MAX) } else { text.parse::<Seq>() });
        seq.transpose()
            .map_err(|_| ApiError(Failure::new(Code::BadCursor, "before is the seq of a message, or `end`.")))
    }
}

/// Reads a session's transcript, oldest first
///
/// What people wrote and what was answered; the system prompt is not part of it. With `before` it is read from behind,
/// page by page.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}/messages",
    operation_id = "list_messages",
    tag = "sessions",
    params(("id" = SessionId, Path), Reading, Behind),
    responses((status = 200, description = "A page of messages.", body = Page<MessageRow>), refusals::ListOfSession)
)]
pub(super) async fn list(
    gate: Data<Gate>,
    Asker(who): Asker,
    id: Path<String>,
    reading: Query<Reading>,
    behind: Query<Behind>,
) -> Answer {
    let (limit, before) = (reading.limit()?, behind.seq()?);
    let row = visible(&gate, &named(&id)?, who).await?;
    if let Some(before) = before {
        let items = gate.doors.store.latest(&row.id, before, limit).await?;
        // The first of all has seq 1.
        let first = items.first().map(|first| first.seq).filter(|first| items.len() == limit.rows() && *first > 1);
        return Ok(HttpResponse::Ok().json(Page { items, next: first.map(|first| first.to_string()) }));
    }
    let page = gate.doors.store.messages(&row.id, reading.into_inner().cursor, limit).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// Where a client reads on in a journal.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// The `seq` of the last event that you know; 0 for all.
    #[serde(default)]
    #[param(value_type = i64, required = false, minimum = 0, default = 0)]
    after: Option<String>,
    /// Events at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200, default = 200)]
    limit: Option<String>,
}

/// A part of a session's journal.
#[derive(Serialize, ToSchema)]
struct EventPage {
    items: Vec<SessionEvent>,
    /// Hand this back as `after` to read on; null at the end.
    #[schema(required)]
    next: Option<Seq>,
}

/// Reads what was journaled in a session after a position, oldest first
///
/// For those who were cut off: remember the last `seq` you saw and ask for what came after it. Deltas are not
/// journaled; the final text is in `turn.finished`.
///
/// With `Accept: text/event-stream` what was journaled is followed by what happens, deltas too, for as long as you
/// listen; a `Last-Event-ID` then counts instead of `after`.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}/events",
    operation_id = "list_events",
    tag = "sessions",
    params(
        ("id" = SessionId, Path),
        After,
    ),
    responses(
        (status = 200, description = "A page of events, or all of them as they come.", content(
            (EventPage = "application/json"),
            (String = "text/event-stream"),
        )),
        refusals::ListOfSession
    )
)]
pub(super) async fn events(
    gate: Data<Gate>,
    Bearing(known): Bearing,
    id: Path<String>,
    after: Query<After>,
    request: HttpRequest,
) -> Answer {
    let who = known.principal;
    let seq = after.after.as_deref().map_or(Ok(0), str::parse::<Seq>).ok().filter(|seq| *seq >= 0);
    let seq = seq.ok_or_else(|| {
        ApiError(Failure::new(Code::BadCursor, "after is the seq of an event: a whole number from 0."))
    })?;
    let limit = limit(after.limit.as_deref(), Some(200))?;
    let row = visible(&gate, &named(&id)?, who).await?;
    if sse::wanted(&request) {
        let after = sse::last_event(&request)?.unwrap_or(seq);
        let follow = follow(&gate, row.id, after).await?;
        return Ok(sse::answer(sse::of_session(follow, None, gate.doors.work.clone()), known.ending));
    }
    let items = gate.doors.store.events(&row.id, seq, limit).await?;
    let next = (items.len() == limit.rows()).then(|| items.last().and_then(|event| event.seq)).flatten();
    Ok(HttpResponse::Ok().json(EventPage { items, next }))
}

async fn follow(gate: &Gate, session: SessionId, after: Seq) -> Result<Follow, ApiError> {
    Ok(Follow::after(gate.doors.store.clone(), gate.doors.hub.clone(), session, after, None).await?)
}

/// Whether to wait for the answer.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Waiting {
    /// `true`: answer with the final, after 10 minutes at the most. Hanging up does not cancel the turn.
    #[serde(default)]
    #[param(value_type = bool, required = false, default = false)]
    wait: Option<String>,
}

impl Waiting {
    pub(super) fn wait(&self) -> Result<bool, ApiError> {
        match self.wait.as_deref() {
            Some("true" | "1") => Ok(true),
            None | Some("false" | "0") => Ok(false),
            Some(_) => Err(ApiError(Failure::new(Code::BadRequest, "wait is true or false."))),
        }
    }
}

/// A turn that was accepted: stored, and to be answered whatever happens.
#[derive(Serialize, ToSchema)]
pub(super) struct Receipt<'a> {
    session: &'a SessionId,
    turn: TurnId,
    state: TurnState,
}

/// What was cancelled.
#[derive(Serialize, ToSchema)]
struct Cancelled {
    /// The turn that ran; null where none did, or another than the one that was meant.
    #[schema(required)]
    cancelled: Option<TurnId>,
}

/// The idempotency key of a request. One that cannot be read is refused: without it a repeat would be done twice.
pub(super) fn key_of(request: &HttpRequest) -> Result<Option<&str>, ApiError> {
    let key = request.headers().get("idempotency-key").map(|value| std::str::from_utf8(value.as_bytes())).transpose();
    key.map_err(|_| ApiError(Failure::new(Code::BadRequest, "An Idempotency-Key is text in UTF-8.")))
}

/// Says something to a session
///
/// The message is stored before it is acknowledged; then its turn runs to its end whatever happens to this connection.
/// Choose how to hear of it: by default 202 at once; with `wait=true` the final answer; with `Accept:
/// text/event-stream` the turn's events as they come, the last of them its end.
///
/// Send an `Idempotency-Key`: it names the turn for 7 days, so that a repeat with the same body attaches to it in the
/// form it asks for, also after a restart. With another body a repeat is refused. A stream that is asked for again with
/// `Last-Event-ID` goes on after that event.
///
/// Files come along in `attachments`, stored once with the message; a model reads the text of text files and looks at
/// pictures. Where every model that could answer is known not to see, pictures are refused as `invalid`. With files the
/// body may have 32 MiB; other routes under `/api` keep to 1 MiB.
///
/// With `replaces` it takes the place of one of your messages: that one and all that came after it leave the dialogue
/// and the transcript (`messages.superseded`); the journal keeps them. Only while nothing runs or waits, else 409
/// `running`.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/messages",
    operation_id = "submit_message",
    tag = "sessions",
    params(
        ("id" = SessionId, Path),
        Waiting,
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            description = "Names this message; a repeat is the same turn."),
    ),
    request_body = Input,
    responses(
        (status = 200, description = "The final, or the turn's events: a `SessionEvent` each.", content(
            (FinalAnswer<'_> = "application/json"),
            (String = "text/event-stream", example = json!("id: 2\ndata: {\"type\":\"turn.started\",\"agent\":\"assistant\",\"session\":\"kitchen\",\"turn\":\"0190163d-8694-739b-aea5-966c26f8ad91\",\"seq\":2}\n\n")),
        )),
        (status = 202, description = "Accepted.", body = Receipt<'_>),
        (status = 502, description = "The turn failed; `code` says why. Sending the same again with its key brings the \
            same answer.", body = ErrorBody<'_>),
        refusals::NewTurn
    )
)]
pub(super) async fn submit(
    gate: Data<Gate>,
    Bearing(known): Bearing,
    id: Path<String>,
    waiting: Query<Waiting>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let (session, wait) = (named(&id)?, waiting.wait()?);
    let mut input: Input = body::json(&request, payload, body::MESSAGE_BYTES).await?;
    let files = attachments::take(std::mem::take(&mut input.attachments), gate.doors.outside.clone()).await?;
    let ask = files.put(input.submission(&gate, session, known.principal, key_of(&request)?)?);
    answer(&gate, known, ask, wait, &request).await
}

/// Hands an input to its session and answers in the form that the request asks for.
pub(super) async fn answer(
    gate: &Gate,
    known: Credential,
    ask: SubmitTurn,
    wait: bool,
    request: &HttpRequest,
) -> Answer {
    let session = ask.session.clone();
    if sse::wanted(request) {
        let events = match sse::last_event(request)? {
            None => sse::of_turn(Following::begin(gate, ask, Interest::All).await?),
            Some(after) => resume(gate, ask, after).await?,
        };
        return Ok(sse::answer(events, known.ending));
    }
    if wait {
        let mut following = Following::begin(gate, ask, Interest::Journaled).await?;
        let accepted = following.accepted.clone();
        return match tokio::time::timeout(WAIT, following.end()).await {
            Ok(end) => answer_end(&session, accepted.turn, end?.body.clone()),
            Err(_) => Ok(receipt(&session, &accepted)),
        };
    }
    let accepted = gate.ask(ask).await?;
    Ok(receipt(&session, &gate.settled(accepted).await?))
}

/// The rest of a turn's events for one who has seen some.
async fn resume(gate: &Gate, ask: SubmitTurn, after: Seq) -> Result<LocalBoxStream<'static, Bytes>, ApiError> {
    let row = visible(gate, &ask.session, ask.from).await?;
    let follow = follow(gate, row.id, after).await?;
    let turn = gate.ask(ask).await?.turn;
    let end = gate.doors.store.turn(turn).await?.and_then(|turn| turn.end?.seq);
    if end.is_some_and(|end| end <= after) {
        // They have seen it all.
        return Ok(stream::empty().boxed_local());
    }
    Ok(sse::of_session(follow, Some(turn), gate.doors.work.clone()))
}

fn receipt(session: &SessionId, accepted: &Accepted) -> HttpResponse {
    HttpResponse::Accepted().json(Receipt { session, turn: accepted.turn, state: accepted.state })
}

/// What is to be cancelled.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Meant {
    /// This turn and no other: where another one runs by now, nothing is cancelled. Without it, whatever runs.
    #[serde(default)]
    #[param(value_type = TurnId, required = false)]
    turn: Option<String>,
}

impl Meant {
    fn turn(&self) -> Result<Option<TurnId>, ApiError> {
        let turn = self.turn.as_deref().map(str::parse).transpose();
        turn.map_err(|_| ApiError(Failure::new(Code::BadRequest, "turn is the id of a turn, as its receipt tells it.")))
    }
}

/// Cancels what runs in a session
///
/// Answers once the end is stored. What waits in the queue runs on.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/cancel",
    operation_id = "cancel_turn",
    tag = "sessions",
    params(("id" = SessionId, Path), Meant),
    responses((status = 200, description = "Cancelled, or nothing ran.", body = Cancelled), refusals::Cancel)
)]
pub(super) async fn cancel(gate: Data<Gate>, Asker(who): Asker, id: Path<String>, meant: Query<Meant>) -> Answer {
    let session = named(&id)?;
    visible(&gate, &session, who).await?;
    let cancelled = gate.cancel(session, meant.turn()?, who).await?;
    Ok(HttpResponse::Ok().json(Cancelled { cancelled }))
}
