//! Plants faults in the tree. Only in builds with the feature `chaos`; an owner may do it.

use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_supervise::Control;
use serde::Deserialize;
use serde_json::json;

use super::body;
use super::error::Answer;
use super::server::Gate;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// The child's path below the root, as in `sessions/ID`.
    child: String,
    order: Order,
    #[serde(default)]
    stall_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Panic,
    Stall,
    Stop,
}

/// `POST /api/v1/chaos {child, order, stall_ms?}`: answers whether a child of that path heard it.
pub(super) async fn plant(gate: Data<Gate>, request: HttpRequest, payload: Payload) -> Answer {
    let fault: Fault = body::json(&request, payload, body::API_BYTES).await?;
    let order = match fault.order {
        Order::Panic => Control::Panic,
        Order::Stall => Control::Stall(Duration::from_millis(fault.stall_ms)),
        Order::Stop => Control::Stop,
    };
    let heard = gate.root.order(&fault.child, order).await;
    Ok(HttpResponse::Ok().json(json!({"heard": heard})))
}
