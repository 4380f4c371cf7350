//! Which models answer: the rules that hold for whoever asks, and why a text would go where it goes.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_runtime::routing::{Asked, tokens_of};
use mosaic_types::journal::API_CHANNEL;
use mosaic_types::page::Page;
use mosaic_types::routing::{EffectiveRule, Explained, Need};
use mosaic_types::{AgentName, ChannelName, Code, Failure, Timestamp, limits};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Asker;
use super::error::{Answer, ApiError};
use super::server::Gate;
use super::{body, refusals};

/// Lists the rules that hold for you
///
/// In the order in which they are looked at: your own, then those of the config. The first that holds for a turn decides;
/// a model that a message or its session names goes before them all.
#[utoipa::path(
    get,
    path = "/api/v1/routing/rules/effective",
    operation_id = "list_effective_routing_rules",
    tag = "routing",
    responses((status = 200, description = "All of them; `next` is always null.", body = Page<EffectiveRule>))
)]
pub(super) async fn effective(gate: Data<Gate>, Asker(who): Asker) -> HttpResponse {
    HttpResponse::Ok().json(Page { items: gate.doors.routing.effective(who.user), next: None })
}

/// What is to be explained.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoutingQuestion, example = json!({"text": "Refactor this function"}))]
struct Question {
    /// What would be said.
    #[schema(max_length = 100_000)]
    text: String,
    /// Who would answer. By default the default agent.
    #[serde(default)]
    agent: Option<AgentName>,
    /// Over which channel. By default `api`.
    #[serde(default)]
    channel: Option<ChannelName>,
    /// What would go with it.
    #[serde(default)]
    needs: Vec<Need>,
    /// When. By default now.
    #[serde(default)]
    at: Option<Timestamp>,
}

/// Explains where a text would go
///
/// What it is taken for, each rule with whether it holds and why, and which models would answer. Nobody is asked, and
/// nothing is kept.
#[utoipa::path(
    post,
    path = "/api/v1/routing/explain",
    operation_id = "explain_routing",
    tag = "routing",
    request_body = Question,
    responses((status = 200, description = "Why.", body = Explained), refusals::Explaining)
)]
pub(super) async fn explain(gate: Data<Gate>, Asker(who): Asker, request: HttpRequest, payload: Payload) -> Answer {
    let question: Question = body::json(&request, payload, body::API_BYTES).await?;
    let Question { text, agent, channel, needs, at } = question;
    if text.len() > limits::TEXT_CHARS && text.chars().count() > limits::TEXT_CHARS {
        let sentence = format!("A message has at most {} characters.", limits::TEXT_CHARS);
        return Err(ApiError(Failure::new(Code::TextTooLong, sentence)));
    }
    let agent = gate.doors.agents.choose(agent)?;
    let texts = [text.as_str()];
    let asked = Asked {
        user: who.user,
        session: None,
        texts: &texts,
        agent: &agent,
        channel: channel.as_ref().map_or(API_CHANNEL, ChannelName::as_str),
        needs: &needs,
        tokens: tokens_of(texts.into_iter()),
        at: at.unwrap_or_else(|| gate.doors.outside.now()),
    };
    gate.doors.routing.look(&asked).await;
    Ok(HttpResponse::Ok().json(gate.doors.routing.explain(asked)?))
}
