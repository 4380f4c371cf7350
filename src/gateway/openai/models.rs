//! The names a client may use as a model.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
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
    Model { id, object: "model", created: 0, owned_by: owned_by.into() }
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
    let mut named: Vec<(String, String)> = Vec::new();
    for provider in gate.doors.providers.all() {
        let name = provider.adapter.name();
        named.extend(provider.settings.models.keys().map(|model| (format!("{name}/{model}"), name.to_string())));
    }
    let preferred = profiles.iter().flat_map(|agent| &agent.models).filter(|model| !model.is_auto());
    named.extend(preferred.map(|model| (model.to_string(), model.provider.to_string())));
    named.sort();
    named.dedup();
    data.extend(named.into_iter().map(|(id, owner)| entry(id, owner)));
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
    let owner = match Target::find(&gate, &id)? {
        Target::Agent(_) => "mosaic".to_owned(),
        Target::Model(model) => model.provider.to_string(),
    };
    Ok(HttpResponse::Ok().json(entry(id.into_inner(), owner)))
}
