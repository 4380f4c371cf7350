//! The names a client may use as a model.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde::Serialize;
use serde_json::json;

use super::Target;
use crate::gateway::error::Answer;
use crate::gateway::server::Gate;

#[derive(Serialize)]
struct Model {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: String,
}

fn entry(id: String, owned_by: impl Into<String>) -> Model {
    // When a model was made is not known here; the wire wants a number.
    Model { id, object: "model", created: 0, owned_by: owned_by.into() }
}

/// `GET /v1/models`: agents, then models named in the config. Others of a provider work too, as `provider/model`.
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
    HttpResponse::Ok().json(json!({"object": "list", "data": data}))
}

/// `GET /v1/models/{id}`
pub(in crate::gateway) async fn model(gate: Data<Gate>, id: Path<String>) -> Answer {
    let owner = match Target::find(&gate, &id)? {
        Target::Agent(_) => "mosaic".to_owned(),
        Target::Model(model) => model.provider.to_string(),
    };
    Ok(HttpResponse::Ok().json(entry(id.into_inner(), owner)))
}
