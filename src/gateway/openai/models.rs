//! The names a client may use as a model.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use mosaic_types::{ModelRef, Price};
use serde::Serialize;
use utoipa::ToSchema;

use super::Target;
use crate::gateway::error::Answer;
use crate::gateway::refusals;
use crate::gateway::server::Gate;

/// Something that may be asked for by name.
#[derive(Serialize, ToSchema)]
struct Model {
    /// What to send as `model`.
    id: String,
    /// Always `model`.
    object: &'static str,
    /// Always 0: when a model was made is not known here.
    created: i64,
    /// `mosaic` for agents, else the provider.
    owned_by: String,
    /// Tokens that the model reads at once; null where it is not known, and for agents.
    #[schema(required)]
    context_tokens: Option<u64>,
    /// US dollars per million tokens; null: it works, and its cost is not counted.
    #[schema(required)]
    price: Option<Price>,
}

/// What may be asked for by name.
#[derive(Serialize, ToSchema)]
struct Models {
    /// Always `list`.
    object: &'static str,
    data: Vec<Model>,
}

fn entry(id: String, owned_by: impl Into<String>) -> Model {
    // When a model was made is not known here; the wire wants a number.
    Model { id, object: "model", created: 0, owned_by: owned_by.into(), context_tokens: None, price: None }
}

/// A provider's model, with what is known of it.
fn known(gate: &Gate, model: &ModelRef) -> Model {
    let facts = gate.doors.providers.get(&model.provider).map(|provider| provider.facts(&model.model));
    let facts = facts.unwrap_or_default();
    Model {
        context_tokens: facts.window.and_then(|tokens| u64::try_from(tokens).ok()),
        price: facts.price,
        ..entry(model.to_string(), model.provider.to_string())
    }
}

/// Lists what may be asked for as `model`
///
/// Agents first, then the models that the config names. Others of a provider work too, as `provider/model`.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "list_models",
    tag = "openai",
    responses((status = 200, description = "All of them.", body = Models))
)]
pub(in crate::gateway) async fn models(gate: Data<Gate>) -> HttpResponse {
    let profiles = gate.doors.agents.profiles();
    let mut data: Vec<_> = profiles.iter().map(|agent| entry(agent.name.to_string(), "mosaic")).collect();
    let mut named: Vec<ModelRef> = Vec::new();
    for provider in gate.doors.providers.all() {
        let of = |model: &Arc<str>| ModelRef { provider: provider.adapter.name().clone(), model: model.clone() };
        named.extend(provider.settings.models.keys().map(of));
    }
    named.extend(profiles.iter().flat_map(|agent| &agent.models).filter(|model| !model.is_auto()).cloned());
    named.sort_by_key(ToString::to_string);
    named.dedup();
    data.extend(named.iter().map(|model| known(&gate, model)));
    HttpResponse::Ok().json(Models { object: "list", data })
}

/// Looks up one name
#[utoipa::path(
    get,
    path = "/v1/models/{id}",
    operation_id = "show_model",
    tag = "openai",
    params(("id" = String, Path, description = "An agent's name, or `provider/model` with its slashes as they are.",
        allow_reserved, example = "assistant")),
    responses((status = 200, description = "It may be asked for.", body = Model), refusals::OneModel)
)]
pub(in crate::gateway) async fn model(gate: Data<Gate>, id: Path<String>) -> Answer {
    let model = match Target::find(&gate, &id)? {
        Target::Agent(_) => entry(id.into_inner(), "mosaic"),
        Target::Model(model) => known(&gate, &model),
    };
    Ok(HttpResponse::Ok().json(model))
}
