//! Which models answer: the rules that hold for whoever asks, and why a text would go where it goes.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_runtime::routing::{Asked, tokens_of};
use mosaic_types::journal::API_CHANNEL;
use mosaic_types::page::Page;
use mosaic_types::routing::{EffectiveRule, Explained, Need, OwnRule, Rule, RuleChange, RuleSource};
use mosaic_types::{AgentName, ChannelName, Code, Failure, RuleId, Timestamp, limits};
use serde::{Deserialize, Serialize};
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

/// A rule of the caller's own.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnRoutingRule)]
struct Shown {
    id: RuleId,
    /// Always `user`: rules of the config stand in the effective list.
    source: RuleSource,
    /// Among the caller's own: 1 is the first to be looked at.
    position: usize,
    rule: Rule,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Shown {
    fn of(at: usize, own: &OwnRule) -> Self {
        let OwnRule { id, rule, created_at, updated_at } = own.clone();
        Self { id, source: RuleSource::User, position: at + 1, rule, created_at, updated_at }
    }
}

/// Lists your own rules
///
/// In the order in which they are looked at, before those of the config.
#[utoipa::path(
    get,
    path = "/api/v1/routing/rules",
    operation_id = "list_routing_rules",
    tag = "routing",
    responses((status = 200, description = "All of them, 100 at the most; `next` is always null.", body = Page<Shown>))
)]
pub(super) async fn list(gate: Data<Gate>, Asker(who): Asker) -> HttpResponse {
    let own = gate.doors.routing.own(who.user);
    let items = own.iter().enumerate().map(|(at, own)| Shown::of(at, own)).collect();
    HttpResponse::Ok().json(Page { items, next: None })
}

/// Makes a rule of your own
///
/// It stands behind those that you have, and holds for your turns from this answer on; what runs goes on as it was decided.
#[utoipa::path(
    post,
    path = "/api/v1/routing/rules",
    operation_id = "create_routing_rule",
    tag = "routing",
    request_body = Rule,
    responses((status = 201, description = "Made.", body = Shown), refusals::NewRule)
)]
pub(super) async fn create(gate: Data<Gate>, Asker(who): Asker, request: HttpRequest, payload: Payload) -> Answer {
    let rule: Rule = body::json(&request, payload, body::API_BYTES).await?;
    check(&gate, &rule)?;
    let (id, at) = (gate.doors.outside.rule_id(), gate.doors.outside.now());
    let made = gate.doors.routing.change(&gate.doors, who.user, |own| {
        let new = OwnRule { id, rule, created_at: at, updated_at: at };
        unique(own, &new)?;
        own.push(new.clone());
        Ok(Shown::of(own.len() - 1, &new))
    });
    Ok(HttpResponse::Created().json(made.await?))
}

/// Changes a rule of your own
///
/// What is not named stays as it is; null takes a condition away, and `position` moves the rule.
#[utoipa::path(
    patch,
    path = "/api/v1/routing/rules/{id}",
    operation_id = "change_routing_rule",
    tag = "routing",
    params(("id" = RuleId, Path, description = "As the list of rules shows it.")),
    request_body = RuleChange,
    responses((status = 200, description = "As it is now.", body = Shown), refusals::ChangedRule)
)]
pub(super) async fn change(
    gate: Data<Gate>,
    Asker(who): Asker,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let change: RuleChange = body::json(&request, payload, body::API_BYTES).await?;
    if change.position == Some(0) {
        return Err(ApiError(Failure::new(Code::BadRequest, "position is 1 for the first rule, not 0.")));
    }
    let now = gate.doors.outside.now();
    let changed = gate.doors.routing.change(&gate.doors, who.user, |own| {
        let at = place(own, &id)?;
        let mut moved = own.remove(at);
        let position = change.position;
        moved.rule = change.over(moved.rule);
        moved.updated_at = now;
        check(&gate, &moved.rule).map_err(|error| error.0)?;
        unique(own, &moved)?;
        let at = position.map_or(at, |position| (position - 1).min(own.len()));
        own.insert(at, moved.clone());
        Ok(Shown::of(at, &moved))
    });
    Ok(HttpResponse::Ok().json(changed.await?))
}

/// Removes a rule of your own
#[utoipa::path(
    delete,
    path = "/api/v1/routing/rules/{id}",
    operation_id = "delete_routing_rule",
    tag = "routing",
    params(("id" = RuleId, Path, description = "As the list of rules shows it.")),
    responses((status = 204, description = "Removed."), refusals::RevokedToken)
)]
pub(super) async fn delete(gate: Data<Gate>, Asker(who): Asker, id: Path<String>) -> Answer {
    let removed = gate.doors.routing.change(&gate.doors, who.user, |own| {
        let at = place(own, &id)?;
        own.remove(at);
        Ok(())
    });
    removed.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Where a rule stands.
fn place(own: &[OwnRule], id: &str) -> Result<usize, Failure> {
    let id: Option<RuleId> = id.parse().ok();
    own.iter().position(|own| Some(own.id) == id).ok_or_else(|| Failure::not_found("rule"))
}

/// No other rule of the person has this name.
fn unique(own: &[OwnRule], new: &OwnRule) -> Result<(), Failure> {
    if own.iter().all(|other| other.id == new.id || other.rule.name != new.rule.name) {
        return Ok(());
    }
    let sentence = format!("You have a rule {} already. Give this one another name.", new.rule.name);
    Err(Failure::new(Code::Exists, sentence))
}

/// A rule says something, of models and agents that there are.
fn check(gate: &Gate, rule: &Rule) -> Result<(), ApiError> {
    rule.check().map_err(|bad| ApiError(Failure::new(Code::BadRequest, format!("{}: {}.", bad.key, bad.right))))?;
    for model in &rule.models {
        gate.doors.providers.check(model)?;
    }
    for agent in &rule.agent {
        gate.doors.agents.choose(Some(agent.clone()))?;
    }
    let known = || gate.channels.iter().map(|channel| &*channel.name).chain([API_CHANNEL]);
    if let Some(missing) = rule.channel.iter().find(|channel| !known().any(|known| known == channel.as_str())) {
        let names: Vec<&str> = known().collect();
        let sentence = format!("There is no channel {missing}. Those there are: {}.", names.join(", "));
        return Err(ApiError(Failure::new(Code::BadRequest, sentence)));
    }
    Ok(())
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
        attached: 0,
        agent: &agent,
        channel: channel.as_ref().map_or(API_CHANNEL, ChannelName::as_str),
        needs: &needs,
        tokens: tokens_of(texts.into_iter()),
        at: at.unwrap_or_else(|| gate.doors.outside.now()),
    };
    gate.doors.routing.look(&*gate.doors.store, &asked.payer()).await;
    Ok(HttpResponse::Ok().json(gate.doors.routing.explain(asked)?))
}
