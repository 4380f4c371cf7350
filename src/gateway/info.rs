//! What the daemon says of itself.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::auth::Asker;
use super::server::Gate;
use crate::telemetry;

/// `GET /api/v1/agents`
pub(super) async fn agents(gate: Data<Gate>) -> HttpResponse {
    let agents = &gate.doors.agents;
    let items: Vec<_> = agents
        .profiles()
        .iter()
        .map(|agent| {
            json!({
                "name": agent.name,
                "models": agent.models,
                "strategy": "fallback",
                "default": agents.default_name() == Some(&agent.name),
                "state": if agents.down(&agent.name).is_some() { "down" } else { "up" },
            })
        })
        .collect();
    HttpResponse::Ok().json(json!({"items": items, "next": null}))
}

/// `GET /api/v1/providers`
pub(super) async fn providers(gate: Data<Gate>) -> HttpResponse {
    let items: Vec<_> = gate
        .doors
        .providers
        .all()
        .iter()
        .map(|provider| {
            let mut models: Vec<_> = provider.settings.models.keys().cloned().collect();
            models.sort();
            json!({
                "name": provider.adapter.name(),
                "models": models,
                "max_in_flight": provider.settings.max_in_flight,
                "state": if provider.link.down().is_some() { "down" } else { "up" },
            })
        })
        .collect();
    HttpResponse::Ok().json(json!({"items": items, "next": null}))
}

/// `GET /api/v1/tree`: the root, with all that hangs below it.
pub(super) async fn tree(gate: Data<Gate>) -> HttpResponse {
    HttpResponse::Ok().json(gate.root.tree().await)
}

/// `GET /metrics`: totals over all users, as Prometheus reads them.
pub(super) async fn metrics(gate: Data<Gate>) -> HttpResponse {
    let root = gate.root.tree().await;
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(telemetry::metrics::page(&gate.doors, &root))
}

/// `GET /api/v1/me`
pub(super) async fn me(Asker(who): Asker) -> HttpResponse {
    HttpResponse::Ok().json(json!({"user": who.user, "role": who.role}))
}
