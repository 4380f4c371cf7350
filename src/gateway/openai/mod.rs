//! The OpenAI wire, so that any client that speaks it can talk to agents and models.

pub(super) mod models;
mod picture;
mod session;
mod stateless;
mod wire;

use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};
use mosaic_types::{AgentName, Code, Failure, ModelRef, SessionId};

pub(super) use wire::Chunk;

use super::auth::Asker;
use super::error::{Answer, ApiError};
use super::server::Gate;
use super::{body, refusals};
use wire::{Completed, Completion};

/// What a client's `model` stands for.
enum Target {
    Agent(AgentName),
    Model(ModelRef),
}

impl Target {
    /// An agent's name first, then `provider/model`.
    fn find(gate: &Gate, name: &str) -> Result<Self, ApiError> {
        if let Ok(agent) = name.parse::<AgentName>()
            && gate.doors.agents.profile(&agent).is_some()
        {
            return Ok(Self::Agent(agent));
        }
        if let Ok(model) = name.parse::<ModelRef>()
            && gate.doors.providers.get(&model.provider).is_some()
        {
            return Ok(Self::Model(model));
        }
        let sentence =
            format!("There is no model {name:?}: use an agent's name or provider/model. GET /v1/models lists them.");
        Err(ApiError(Failure::new(Code::ModelNotFound, sentence)))
    }
}

/// Completes a dialogue, as OpenAI's API does
///
/// `model` is an agent's name, or `provider/model` for a model by its own name. Without the header `X-Mosaic-Session`
/// the call is stateless: the dialogue is the client's, and nothing is kept. With it the last user message becomes a
/// durable turn of that session, which is made where its id is free; the rest of the dialogue is ignored, since the
/// session knows its own. Official clients repeat without a key: a repeat that says so with `x-stainless-retry-count`
/// attaches to the turn that it repeats.
///
/// With `stream: true` the answer is a stream of server-sent events: a `CompletionChunk` each, then `[DONE]`. A failure
/// in mid-stream is an event with an `Error`, and the last one.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    operation_id = "complete_chat",
    tag = "openai",
    params(
        ("X-Mosaic-Session" = Option<SessionId>, Header, description = "Makes it a durable turn of this session."),
        ("Idempotency-Key" = Option<String>, Header,
            description = "Names the turn of that session, in 1 to 255 characters; a repeat is the same turn."),
        ("x-stainless-retry-count" = Option<String>, Header,
            description = "How often an official client has sent this before; what is no number counts as 0."),
    ),
    request_body = Completion,
    responses(
        (status = 200, description = "The answer, or its chunks.", headers(
            ("x-mosaic-model" = String, description = "Which model answers, as provider/model. Where there is no session."),
            ("x-mosaic-route" = String, description = "Why that one was asked first: the rule that decided, or who named it. \
                                                       Where there is no session."),
        ), content(
            (Completed<'_> = "application/json"),
            (String = "text/event-stream", example = json!("data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"assistant\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"},\"finish_reason\":null}]}\n\ndata: [DONE]\n\n")),
        )),
        refusals::Completion
    )
)]
pub(super) async fn complete(gate: Data<Gate>, Asker(who): Asker, request: HttpRequest, payload: Payload) -> Answer {
    let wish: Completion = body::json(&request, payload, body::V1_BYTES).await?;
    wish.check()?;
    let target = Target::find(&gate, &wish.model)?;
    match request.headers().get("x-mosaic-session") {
        None => stateless::answer(&gate, who.user, target, wish).await,
        Some(session) => {
            let id = session.to_str().ok().and_then(|id| id.parse().ok()).ok_or_else(|| {
                let sentence = "X-Mosaic-Session is 1 to 64 characters of A-Z a-z 0-9 _ -.";
                ApiError(Failure::new(Code::BadRequest, sentence))
            })?;
            session::answer(&gate, who, id, target, wish, &request).await
        }
    }
}
