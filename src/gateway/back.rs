//! Going back in a session: what was asked last is asked again, and a session is made from a part of another.

use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_messages::SubmitTurn;
use mosaic_runtime::again::last_asked;
use mosaic_types::journal::{API_CHANNEL, ForkSession, NewSession, Outcome, SessionPhase, SessionRow, Write};
use mosaic_types::{Code, Failure, SessionId, limits};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::{Asker, Bearing};
use super::error::{Answer, ApiError, ErrorBody};
use super::events::FinalAnswer;
use super::input::{named_model, numbered};
use super::messages::{Receipt, Waiting, answer, key_of};
use super::server::Gate;
use super::sessions::{TITLE_CHARS, named, titled, visible};
use super::{body, refusals};
use crate::submission::{hashed, submission};

/// How it is asked again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Retry, example = json!({}))]
pub(super) struct Retry {
    /// As `provider/model`: answers in place of the agent's models, for this turn.
    #[serde(default)]
    #[schema(max_length = 321)]
    model: Option<String>,
}

/// Asks once more what was asked last
///
/// However its turn went: answered, failed or cancelled. What was answered leaves the dialogue and the transcript
/// (`messages.superseded`); the journal keeps it. Only while nothing runs or waits, else 409 `running`. Answered in the
/// same three forms as a message, and once for each `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/retry",
    operation_id = "retry_turn",
    tag = "sessions",
    params(
        ("id" = SessionId, Path),
        Waiting,
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            description = "Names this wish; a repeat is the same turn."),
    ),
    request_body = Retry,
    responses(
        (status = 200, description = "The final, or the turn's events.", content(
            (FinalAnswer<'_> = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 202, description = "Accepted.", body = Receipt<'_>),
        (status = 502, description = "The turn failed; `code` says why.", body = ErrorBody<'_>),
        refusals::NewTurn
    )
)]
pub(super) async fn retry(
    gate: Data<Gate>,
    Bearing(known): Bearing,
    id: Path<String>,
    waiting: Query<Waiting>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let wait = waiting.wait()?;
    let wish: Retry = body::json(&request, payload, body::API_BYTES).await?;
    let row = visible(&gate, &named(&id)?, known.principal).await?;
    let model = wish.model.as_deref().map(|name| named_model(&gate, name)).transpose()?;
    let again = last_asked(&*gate.doors.store, &gate.doors.outside, &row.id).await?;
    let key = key_of(&request)?;
    // A repeat of the key finds another newest input, and is the same wish all the same: only the model tells wishes
    // apart.
    let wish =
        submission(&gate.doors.outside, row.id.clone(), known.principal, "again".to_owned(), model.clone(), key)?;
    let body_hash = hashed("retry", 0, &wish.body_hash);
    let ask = submission(&gate.doors.outside, row.id, known.principal, again.text, model, key)?;
    let ask = SubmitTurn { replaces: Some(again.replaces), attachments: again.attachments, body_hash, ..ask };
    answer(&gate, known, ask, wait, &request).await
}

/// What is wanted of a fork; all of it may be left out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Fork, example = json!({}))]
pub(super) struct Fork {
    /// The id of the last message that it takes over; by default all are.
    #[serde(default)]
    #[schema(example = json!("kitchen.12"), max_length = 84)]
    message: Option<String>,
    /// By default that of the session, marked as a fork's.
    #[serde(default)]
    #[schema(max_length = 200)]
    title: Option<String>,
}

/// The title of a fork: `Bread (fork)`, of whose fork `Bread (fork 2)`. A session without one stays so.
fn forked(title: &str) -> String {
    if title.is_empty() {
        return String::new();
    }
    let marked = title.strip_suffix(')').and_then(|title| title.rsplit_once(" (fork"));
    let counted = marked.and_then(|(title, number)| match number {
        "" => Some((title, 2)),
        number => Some((title, number.strip_prefix(' ')?.parse::<u32>().ok()?.checked_add(1)?)),
    });
    let (title, mark) =
        counted.map_or_else(|| (title, "(fork)".to_owned()), |(title, at)| (title, format!("(fork {at})")));
    let room = TITLE_CHARS.saturating_sub(mark.len() + 1);
    format!("{} {mark}", title.chars().take(room).collect::<String>())
}

/// Makes a session from a part of another
///
/// At most 50,000 events and 64 MiB, else 413 `too_large`: fork at an earlier message then.
///
/// With its transcript up to and including a message, the journal behind it, its agent and its model. Both go on by
/// themselves. A turn that had not ended by then is cancelled in the new one, where it can be asked again.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/fork",
    operation_id = "fork_session",
    tag = "sessions",
    params(("id" = SessionId, Path)),
    request_body = Fork,
    responses((status = 201, description = "Made.", body = SessionRow), refusals::ForkedSession)
)]
pub(super) async fn fork(
    gate: Data<Gate>,
    Asker(who): Asker,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let wish: Fork = body::json(&request, payload, body::API_BYTES).await?;
    let title = titled(wish.title)?;
    let row = visible(&gate, &named(&id)?, who).await?;
    let through = wish.message.as_deref().map(|id| numbered(id, &row.id, "message")).transpose()?;
    gate.doors.work.refuse_new()?;
    let at = gate.doors.outside.now();
    let new = NewSession {
        id: gate.doors.outside.session_id(),
        user: who.user,
        channel: API_CHANNEL.into(),
        agent: row.agent,
        title: title.unwrap_or_else(|| forked(&row.title)),
        at,
    };
    let made = SessionRow {
        id: new.id.clone(),
        user: who.user,
        agent: new.agent.clone(),
        title: new.title.clone(),
        channel: API_CHANNEL.to_owned(),
        state: SessionPhase::Idle,
        archived: false,
        model: row.model.clone(),
        created_at: at,
        updated_at: at,
    };
    match gate.doors.commit(Write::Fork(ForkSession { source: row.id, through, new, model: row.model })).await? {
        Outcome::Written(_) => Ok(HttpResponse::Created().json(made)),
        Outcome::TooLarge => {
            let sentence = format!(
                "That is too much to be copied at once: a fork takes over {} events and {} MiB of texts and files. Fork at \
                 an earlier message.",
                limits::FORKED_EVENTS,
                limits::FORKED_BYTES >> 20
            );
            Err(ApiError(Failure::new(Code::TooLarge, sentence)))
        }
        _ => Err(ApiError(Failure::not_found(if through.is_some() { "message" } else { "session" }))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_is_told_from_what_it_was_made_of() {
        for (title, fork) in [
            ("", ""),
            ("Bread", "Bread (fork)"),
            ("Bread (fork)", "Bread (fork 2)"),
            ("Bread (fork 2)", "Bread (fork 3)"),
            ("Bread (forked)", "Bread (forked) (fork)"),
            ("Bread (fork 4294967295)", "Bread (fork 4294967295) (fork)"),
        ] {
            assert_eq!(forked(title), fork);
        }
        assert_eq!(forked(&"ä".repeat(TITLE_CHARS)).chars().count(), TITLE_CHARS, "within the bound");
    }
}
