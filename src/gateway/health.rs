//! Alive, and able to take work.

use actix_web::HttpResponse;
use actix_web::web::Data;
use mosaic_types::{Code, Failure};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{Answer, ApiError};
use super::refusals;
use super::server::Gate;
use crate::detect::NO_PROVIDER;

/// That a process answers.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"status": "ok", "version": "0.1.0"}))]
struct Alive {
    /// Always `ok`.
    status: &'static str,
    /// Of the daemon.
    version: &'static str,
}

/// That work is taken.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"status": "ready", "providers": 2, "hint": null}))]
struct Ready {
    /// Always `ready`.
    status: &'static str,
    /// Configured or found; they are not asked.
    providers: usize,
    /// What to do next, where there is no provider.
    #[schema(required)]
    hint: Option<&'static str>,
}

/// Says that this process answers
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "alive",
    tag = "health",
    responses((status = 200, description = "It answers.", body = Alive))
)]
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// Says whether work is taken
///
/// Work is taken while the daemon does not drain and its disk takes writes. Providers are not asked.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "ready",
    tag = "health",
    responses((status = 200, description = "Work is taken.", body = Ready), refusals::Readiness)
)]
pub(super) async fn ready(gate: Data<Gate>) -> Answer {
    if gate.doors.work.is_draining() {
        return Err(ApiError(Failure::new(Code::Draining, "Mosaic is stopping.")));
    }
    gate.doors.store.writable().await?;
    let providers = gate.doors.providers.all().len();
    let hint = (providers == 0).then_some(NO_PROVIDER);
    Ok(HttpResponse::Ok().json(Ready { status: "ready", providers, hint }))
}
