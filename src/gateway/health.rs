//! Alive, and able to take work.

use actix_web::HttpResponse;
use actix_web::web::Data;
use mosaic_types::{Code, Failure};
use serde_json::json;

use super::error::{Answer, ApiError};
use super::server::Gate;
use crate::detect::NO_PROVIDER;

/// `GET /healthz`: this process answers.
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

/// `GET /readyz`: work is taken and the disk takes writes. Providers are not asked.
pub(super) async fn ready(gate: Data<Gate>) -> Answer {
    if gate.doors.work.is_draining() {
        return Err(ApiError(Failure::new(Code::Draining, "Mosaic is stopping.")));
    }
    gate.doors.store.writable().await?;
    let providers = gate.doors.providers.all().len();
    let hint = (providers == 0).then_some(NO_PROVIDER);
    Ok(HttpResponse::Ok().json(json!({"status": "ready", "providers": providers, "hint": hint})))
}
