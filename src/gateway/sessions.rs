//! Sessions: listed, made, shown, changed and removed.

use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_messages::{CancelTurn, Change};
use mosaic_supervise::Control;
use mosaic_types::journal::{API_CHANNEL, NewSession, Outcome, SessionPhase, SessionRow, Write};
use mosaic_types::page::Limit;
use mosaic_types::{AgentName, Code, Failure, Principal, SessionId};
use serde::Deserialize;

use super::auth::Asker;
use super::body;
use super::error::{Answer, ApiError};
use super::server::Gate;

/// Characters of a title that a client chooses.
const TITLE_CHARS: usize = 200;

/// Where a client reads on in a list.
#[derive(Debug, Deserialize)]
pub(super) struct Reading {
    #[serde(default)]
    pub(super) cursor: Option<String>,
    #[serde(default)]
    limit: Option<String>,
}

impl Reading {
    /// The rows wanted.
    pub(super) fn limit(&self) -> Result<Limit, ApiError> {
        let wish = self.limit.as_deref().map(str::parse::<u32>).transpose().ok();
        wish.and_then(Limit::new)
            .ok_or_else(|| ApiError(Failure::new(Code::BadRequest, "limit is a whole number from 1 to 200.")))
    }
}

/// The session in a path; one that cannot exist does not.
pub(super) fn named(id: &str) -> Result<SessionId, ApiError> {
    id.parse().map_err(|_| ApiError(Failure::not_found("session")))
}

/// The session, if there is one and `who` may see it.
pub(super) async fn visible(gate: &Gate, id: &SessionId, who: Principal) -> Result<SessionRow, ApiError> {
    match gate.doors.store.session(id).await? {
        Some(row) if who.may_see(row.user, &row.channel) => Ok(row),
        _ => Err(ApiError(Failure::not_found("session"))),
    }
}

/// `GET /api/v1/sessions?cursor&limit`: newest change first.
pub(super) async fn list(gate: Data<Gate>, Asker(who): Asker, reading: Query<Reading>) -> Answer {
    let limit = reading.limit()?;
    let page = gate.doors.store.sessions(Some(who.user), reading.into_inner().cursor, limit).await?;
    Ok(HttpResponse::Ok().json(page))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default)]
    id: Option<SessionId>,
    #[serde(default)]
    agent: Option<AgentName>,
    #[serde(default)]
    title: Option<String>,
}

impl Wish {
    fn title(&self) -> Result<Option<String>, ApiError> {
        let too_long = self.title.as_ref().is_some_and(|title| title.chars().count() > TITLE_CHARS);
        if too_long {
            let sentence = format!("A title has at most {TITLE_CHARS} characters.");
            return Err(ApiError(Failure::new(Code::TextTooLong, sentence)));
        }
        Ok(self.title.clone())
    }
}

/// The agent of that name, or the default one.
pub(super) fn agent(gate: &Gate, wish: Option<AgentName>) -> Result<AgentName, ApiError> {
    let agents = &gate.doors.agents;
    match wish {
        Some(name) if agents.profile(&name).is_some() => Ok(name),
        Some(name) => {
            let known: Vec<_> = agents.profiles().iter().map(|agent| agent.name.to_string()).collect();
            let sentence = format!("There is no agent {name}. Those there are: {}.", known.join(", "));
            Err(ApiError(Failure::new(Code::AgentNotFound, sentence)))
        }
        None => agents.default_name().cloned().ok_or_else(|| {
            let sentence = "No default agent is set: name one, or set default_agent in the config.";
            ApiError(Failure::new(Code::AgentNotFound, sentence))
        }),
    }
}

/// `POST /api/v1/sessions {agent?, title?, id?}`
pub(super) async fn create(gate: Data<Gate>, Asker(who): Asker, request: HttpRequest, payload: Payload) -> Answer {
    let wish: Wish = body::json(&request, payload, body::API_BYTES).await?;
    let title = wish.title()?.unwrap_or_default();
    let at = gate.doors.outside.now();
    let new = NewSession {
        id: wish.id.unwrap_or_else(|| gate.doors.outside.session_id()),
        user: who.user,
        channel: API_CHANNEL.into(),
        agent: agent(&gate, wish.agent)?,
        title,
        at,
    };
    let row = SessionRow {
        id: new.id.clone(),
        user: who.user,
        agent: new.agent.clone(),
        title: new.title.clone(),
        channel: API_CHANNEL.to_owned(),
        state: SessionPhase::Idle,
        created_at: at,
        updated_at: at,
    };
    match gate.doors.commit(Write::CreateSession(new)).await? {
        Outcome::Exists => {
            let sentence = "This session id is taken. Choose another, or leave it out and one is drawn.";
            Err(ApiError(Failure::new(Code::Exists, sentence)))
        }
        _ => Ok(HttpResponse::Created().json(row)),
    }
}

/// `GET /api/v1/sessions/{id}`
pub(super) async fn show(gate: Data<Gate>, Asker(who): Asker, id: Path<String>) -> Answer {
    let mut row = visible(&gate, &named(&id)?, who).await?;
    if gate.sessions.find(&row.id).is_some_and(|link| link.down().is_some()) {
        row.state = SessionPhase::Down;
    }
    Ok(HttpResponse::Ok().json(row))
}

/// `PATCH /api/v1/sessions/{id} {agent?, title?}`: another agent answers from the next turn on.
pub(super) async fn change(
    gate: Data<Gate>,
    Asker(who): Asker,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let wish: Wish = body::json(&request, payload, body::API_BYTES).await?;
    if wish.id.is_some() {
        return Err(ApiError(Failure::new(Code::BadRequest, "A session keeps its id.")));
    }
    let title = wish.title()?;
    let agent = wish.agent.map(|name| agent(&gate, Some(name))).transpose()?;
    let ask = Change { session: named(&id)?, from: who, agent, title };
    let row = gate.ask(ask).await?;
    Ok(HttpResponse::Ok().json(row))
}

/// `DELETE /api/v1/sessions/{id}`: with its journal and all that hangs on it; a running turn is cancelled.
pub(super) async fn delete(gate: Data<Gate>, Asker(who): Asker, id: Path<String>) -> Answer {
    let id = visible(&gate, &named(&id)?, who).await?.id;
    if gate.sessions.find(&id).is_some() {
        gate.ask(CancelTurn { session: id.clone(), from: who }).await?;
    }
    let outcome = gate.doors.commit(Write::Delete { session: id.clone() }).await?;
    if let Some(live) = gate.sessions.find(&id) {
        let _ = live.control(Control::Stop);
    }
    // Whoever waits for a turn that was queued would wait in vain.
    gate.doors.hub.close(&id);
    match outcome {
        Outcome::Missing => Err(ApiError(Failure::not_found("session"))),
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}
