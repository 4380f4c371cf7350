//! The models that there are to choose from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use futures_util::future::join_all;
use mosaic_runtime::provider::ProviderHandle;
use mosaic_types::page::Page;
use mosaic_types::{AgentName, Code, Failure, ModelRef, Price, ProviderName};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};
use utoipa::{IntoParams, ToSchema};

use super::error::{Answer, ApiError};
use super::lately::Health;
use super::refusals;
use super::server::Gate;

/// For so long a provider may take to list its models while somebody waits; one that does not is left out.
const PATIENCE: Duration = Duration::from_secs(3);

/// For so long a list is not asked for again, whether it came or not.
const FRESH: Duration = Duration::from_secs(600);

/// Models of one provider that are kept of its list. The longest known, of a broker, has some hundreds.
const MOST: usize = 1_000;

/// When a provider was asked, and what it lists.
type Answered = (Instant, Arc<[String]>);

/// What providers list, as they said last.
#[derive(Default)]
pub struct Listed(Mutex<HashMap<ProviderName, Answered>>);

/// Which models are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wish {
    /// `true`: also those that providers list. Each is asked at most every 10 minutes, and waited for 3 s.
    #[serde(default)]
    #[param(value_type = bool, required = false, default = false)]
    listed: Option<String>,
}

/// A model to choose, with what is known of it; null is not known.
#[derive(Serialize, ToSchema)]
struct Choice {
    /// What to send as `model`.
    #[schema(example = "openai/gpt-5-mini")]
    id: ModelRef,
    provider: ProviderName,
    /// As its provider names it.
    model: String,
    /// The config names it; else only its provider's list does.
    configured: bool,
    /// Agents that use it.
    agents: BTreeSet<AgentName>,
    /// Tokens that it reads at once.
    #[schema(required)]
    context_tokens: Option<usize>,
    /// US dollars per million tokens; null: it works, and its cost is not counted.
    #[schema(required)]
    price: Option<Price>,
    /// Whether it takes pictures.
    #[schema(required)]
    vision: Option<bool>,
    /// Whether it calls tools.
    #[schema(required)]
    tools: Option<bool>,
    /// Whether it reasons before it answers, or can be asked to.
    #[schema(required)]
    reasoning: Option<bool>,
    /// Of its provider.
    health: Health,
}

/// Lists the models to choose from
///
/// Those that the config names, and with `listed` those that providers list, in the order of their names. Others of a
/// provider work too. No model is called.
#[utoipa::path(
    get,
    path = "/api/v1/models",
    operation_id = "list_choices",
    tag = "house",
    params(Wish),
    responses((status = 200, description = "All of them; `next` is always null.", body = Page<Choice>), refusals::Wished)
)]
pub(super) async fn list(gate: Data<Gate>, wish: Query<Wish>) -> Answer {
    let listed = match wish.listed.as_deref() {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(ApiError(Failure::new(Code::BadRequest, "listed is true or false."))),
    };
    let providers = gate.doors.providers.all();
    let mut agents: BTreeMap<ModelRef, BTreeSet<AgentName>> = BTreeMap::new();
    let mut configured = BTreeSet::new();
    for provider in &providers {
        let of = |model: &Arc<str>| ModelRef { provider: provider.adapter.name().clone(), model: model.clone() };
        configured.extend(provider.settings.models.keys().map(of));
    }
    for agent in gate.doors.agents.profiles().iter() {
        for model in agent.models.iter().filter(|model| !model.is_auto()) {
            configured.insert(model.clone());
            agents.entry(model.clone()).or_default().insert(agent.name.clone());
        }
    }
    let mut all = configured.clone();
    if listed {
        let lists = join_all(providers.iter().map(|provider| ask(&gate.listed, provider))).await;
        for (provider, models) in providers.iter().zip(lists) {
            let name = provider.adapter.name();
            all.extend(models.iter().map(|model| ModelRef { provider: name.clone(), model: model.as_str().into() }));
        }
    }
    let mut choice = |model: ModelRef| {
        let provider = providers.iter().find(|provider| *provider.adapter.name() == model.provider)?;
        let facts = provider.facts(&model.model);
        Some(Choice {
            configured: configured.contains(&model),
            agents: agents.remove(&model).unwrap_or_default(),
            provider: model.provider.clone(),
            model: model.model.to_string(),
            id: model,
            context_tokens: facts.window,
            price: facts.price,
            vision: facts.vision,
            tools: facts.tools,
            reasoning: facts.reasoning,
            health: Health::of(provider),
        })
    };
    let items: Vec<_> = all.into_iter().filter_map(&mut choice).collect();
    Ok(HttpResponse::Ok().json(Page { items, next: None }))
}

/// What a provider lists. One that cannot be asked has what it said before, or nothing.
async fn ask(listed: &Listed, provider: &ProviderHandle) -> Arc<[String]> {
    let name = provider.adapter.name();
    let known = || listed.0.lock().unwrap_or_else(PoisonError::into_inner);
    let before = known().get(name).cloned();
    if let Some((_, models)) = before.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
        return models.clone();
    }
    let said = timeout(PATIENCE, provider.adapter.models()).await;
    let models: Arc<[String]> = match said {
        Ok(Ok(models)) => models.into_iter().map(|model| model.id).take(MOST).collect(),
        _ => before.map(|(_, models)| models).unwrap_or_default(),
    };
    known().insert(name.clone(), (Instant::now(), models.clone()));
    models
}
