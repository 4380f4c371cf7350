//! Sessions: listed, made, shown, changed and removed.

use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_messages::{Change, RemoveSession};
use mosaic_types::command::ModelWish;
use mosaic_types::journal::{API_CHANNEL, NewSession, Outcome, SessionPhase, SessionQuery, SessionRow, Write};
use mosaic_types::page::{Limit, Page};
use mosaic_types::{AgentName, Code, Failure, Principal, SessionId, UserRole, limits};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::auth::Asker;
use super::error::{Answer, ApiError};
use super::server::Gate;
use super::{body, refusals};
use crate::detect::NO_PROVIDER;

/// Characters of a title that a client chooses.
pub(super) const TITLE_CHARS: usize = 200;

/// Where a client reads on in a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Reading {
    /// `next` of the page before, as it was given; without it the list is read from its beginning.
    #[serde(default)]
    #[param(value_type = String, required = false)]
    pub(super) cursor: Option<String>,
    /// Rows of the page.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
}

impl Reading {
    /// The rows wanted.
    pub(super) fn limit(&self) -> Result<Limit, ApiError> {
        limit(self.limit.as_deref(), None)
    }
}

/// The rows that a text asks for, or where there is none `usual`.
pub(super) fn limit(text: Option<&str>, usual: Option<u32>) -> Result<Limit, ApiError> {
    let wish = text.map_or(Some(usual), |text| text.parse().ok().map(Some));
    wish.and_then(Limit::new)
        .ok_or_else(|| ApiError(Failure::new(Code::BadRequest, "limit is a whole number from 1 to 200.")))
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

/// Which sessions a client wants to see.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Only those with this text in their title, or in one of their 20 newest messages where they are among the 1,000
    /// that changed last. The case of letters does not matter.
    #[serde(default)]
    #[param(value_type = String, required = false, max_length = 200)]
    q: Option<String>,
    /// Those that are put away (`true`), those that are not (`false`), or both (`all`).
    #[serde(default)]
    #[param(value_type = String, required = false, pattern = "^(true|false|all)$", default = "false")]
    archived: Option<String>,
}

impl Search {
    /// The question to the store.
    fn of(self, who: Principal) -> Result<SessionQuery, ApiError> {
        let bad = |sentence: String| ApiError(Failure::new(Code::BadRequest, sentence));
        let archived = match self.archived.as_deref() {
            None | Some("false") => Some(false),
            Some("true") => Some(true),
            Some("all") => None,
            Some(_) => return Err(bad("archived is true, false or all.".to_owned())),
        };
        let text = self.q.filter(|text| !text.is_empty());
        if text.as_ref().is_some_and(|text| text.chars().count() > limits::SEARCH_CHARS) {
            return Err(bad(format!("q has at most {} characters.", limits::SEARCH_CHARS)));
        }
        Ok(SessionQuery { user: Some(who.user), platforms: who.role == UserRole::Owner, archived, text })
    }
}

/// Lists your sessions, newest change first
///
/// An owner is shown those of platforms too, whoever's they are.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    operation_id = "list_sessions",
    tag = "sessions",
    params(Search, Reading),
    responses((status = 200, description = "A page of sessions.", body = Page<SessionRow>), refusals::List)
)]
pub(super) async fn list(
    gate: Data<Gate>,
    Asker(who): Asker,
    search: Query<Search>,
    reading: Query<Reading>,
) -> Answer {
    let limit = reading.limit()?;
    let ask = search.into_inner().of(who)?;
    let page = gate.doors.store.sessions(ask, reading.into_inner().cursor, limit).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// What is wanted of a new session; all of it may be left out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSession, example = json!({"agent": "assistant", "title": "Breakfast"}))]
struct Wish {
    /// Chosen by you; without it one is drawn.
    #[serde(default)]
    id: Option<SessionId>,
    /// Who answers in it; by default the default agent.
    #[serde(default)]
    agent: Option<AgentName>,
    /// By default the first words of the first message.
    #[serde(default)]
    #[schema(max_length = 200)]
    title: Option<String>,
}

/// What is to be changed of a session; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionChange, example = json!({"agent": "poet"}))]
struct Changes {
    /// Who answers from the next turn on.
    #[serde(default)]
    agent: Option<AgentName>,
    #[serde(default)]
    #[schema(max_length = 200)]
    title: Option<String>,
    /// Whether it is put away; the next message makes it active again.
    #[serde(default)]
    archived: Option<bool>,
    /// As `provider/model`: answers in place of the agent's models, and no other does, until it is `auto` again.
    #[serde(default)]
    #[schema(max_length = 321)]
    model: Option<String>,
}

/// A title within its bound.
pub(super) fn titled(title: Option<String>) -> Result<Option<String>, ApiError> {
    if title.as_ref().is_some_and(|title| title.chars().count() > TITLE_CHARS) {
        let sentence = format!("A title has at most {TITLE_CHARS} characters.");
        return Err(ApiError(Failure::new(Code::TextTooLong, sentence)));
    }
    Ok(title)
}

/// The model that a client names, or `auto`.
fn model_wish(gate: &Gate, name: &str) -> Result<ModelWish, ApiError> {
    let wish: ModelWish = name.parse().map_err(|bad| {
        ApiError(Failure::new(Code::BadRequest, format!("model: {bad}; auto leaves it to the agent.")))
    })?;
    if let ModelWish::Only(model) = &wish {
        gate.doors.providers.check(model)?;
    }
    Ok(wish)
}

/// Makes a session
#[utoipa::path(
    post,
    path = "/api/v1/sessions",
    operation_id = "create_session",
    tag = "sessions",
    request_body = Wish,
    responses((status = 201, description = "Made.", body = SessionRow), refusals::NewSession)
)]
pub(super) async fn create(gate: Data<Gate>, Asker(who): Asker, request: HttpRequest, payload: Payload) -> Answer {
    let wish: Wish = body::json(&request, payload, body::API_BYTES).await?;
    // A session in which nobody could answer is not begun, here as on the socket.
    if gate.doors.providers.is_empty() {
        return Err(ApiError(Failure::new(Code::NoProvider, NO_PROVIDER)));
    }
    let title = titled(wish.title)?.unwrap_or_default();
    let at = gate.doors.outside.now();
    let new = NewSession {
        id: wish.id.unwrap_or_else(|| gate.doors.outside.session_id()),
        user: who.user,
        channel: API_CHANNEL.into(),
        agent: gate.doors.agents.choose(wish.agent)?,
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
        archived: false,
        model: None,
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

/// Shows a session
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}",
    operation_id = "show_session",
    tag = "sessions",
    params(("id" = SessionId, Path)),
    responses((status = 200, description = "The session.", body = SessionRow), refusals::OneSession)
)]
pub(super) async fn show(gate: Data<Gate>, Asker(who): Asker, id: Path<String>) -> Answer {
    let mut row = visible(&gate, &named(&id)?, who).await?;
    if gate.sessions.find(&row.id).is_some_and(|link| link.down().is_some()) {
        row.state = SessionPhase::Down;
    }
    Ok(HttpResponse::Ok().json(row))
}

/// Changes who answers in a session, its title, or whether it is put away
#[utoipa::path(
    patch,
    path = "/api/v1/sessions/{id}",
    operation_id = "change_session",
    tag = "sessions",
    params(("id" = SessionId, Path)),
    request_body = Changes,
    responses((status = 200, description = "The session as it is now.", body = SessionRow), refusals::ChangedSession)
)]
pub(super) async fn change(
    gate: Data<Gate>,
    Asker(who): Asker,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let wish: Changes = body::json(&request, payload, body::API_BYTES).await?;
    let title = titled(wish.title)?;
    let agent = wish.agent.map(|name| gate.doors.agents.choose(Some(name))).transpose()?;
    let model = wish.model.map(|name| model_wish(&gate, &name)).transpose()?;
    let ask = Change { session: named(&id)?, from: who, owner: None, agent, title, archived: wish.archived, model };
    let row = gate.ask(ask).await?;
    Ok(HttpResponse::Ok().json(row))
}

/// Removes a session, with its journal and all that hangs on it
///
/// A running turn is cancelled. What was spent stays in the ledger.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{id}",
    operation_id = "delete_session",
    tag = "sessions",
    params(("id" = SessionId, Path)),
    responses((status = 204, description = "Removed."), refusals::AskedSession)
)]
pub(super) async fn delete(gate: Data<Gate>, Asker(who): Asker, id: Path<String>) -> Answer {
    gate.ask(RemoveSession { session: named(&id)?, from: who }).await?;
    Ok(HttpResponse::NoContent().finish())
}
