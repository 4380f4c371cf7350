//! The OpenAI wire, so that any client that speaks it can talk to agents and models.

mod models;
mod session;
mod stateless;
mod wire;

use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};
use mosaic_types::{AgentName, Code, Failure, ModelRef};

pub(super) use models::{model, models};

use super::auth::Asker;
use super::body;
use super::error::{Answer, ApiError};
use super::server::Gate;
use wire::Completion;

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

/// `POST /v1/chat/completions`: stateless, or with the header `X-Mosaic-Session` a turn of that session.
pub(super) async fn complete(gate: Data<Gate>, Asker(who): Asker, request: HttpRequest, payload: Payload) -> Answer {
    let wish: Completion = body::json(&request, payload, body::V1_BYTES).await?;
    wish.check()?;
    let target = Target::find(&gate, &wish.model)?;
    match request.headers().get("x-mosaic-session") {
        None => stateless::answer(&gate, target, wish).await,
        Some(session) => {
            let id = session.to_str().ok().and_then(|id| id.parse().ok()).ok_or_else(|| {
                let sentence = "X-Mosaic-Session is 1 to 64 characters of A-Z a-z 0-9 _ -.";
                ApiError(Failure::new(Code::BadRequest, sentence))
            })?;
            session::answer(&gate, who, id, target, wish, &request).await
        }
    }
}
