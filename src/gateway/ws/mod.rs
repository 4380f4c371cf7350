//! The socket at `/ws`: everything of the API that happens, on one connection.
//!
//! ```text
//! bytes ─► Incoming ─► State ─► effects ─► SocketActor ─► router, hub, journal
//!                        │
//!                        └─► Outbox (credit) ─► bytes
//! ```
//!
//! `state.rs` and `asked.rs` decide and know no actor; `outbox.rs` holds back what is not read; `actor.rs` is the shell, and the one
//! file that knows actix-web-actors; `work.rs` is what it has done by others.

mod actor;
mod asked;
mod close;
pub(super) mod config;
mod doorstep;
mod effect;
mod frames;
mod incoming;
mod outbox;
mod state;
#[cfg(test)]
mod tests;
mod work;

use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};
pub(super) use doorstep::Doorstep;
pub use frames::FRAMES;

use super::error::Answer;
use super::server::Gate;
use super::{auth, refusals};

/// Bytes that the server keeps of an answer that is not taken, per connection. A socket writes no more than its credit
/// and a last word, so that its actor is always heard: a body is not asked for more while this is full.
pub(super) const WRITE_BUFFER: usize = 512 << 10;

/// Opens a WebSocket
///
/// Everything that happens, for many sessions on one connection. The first frame is `connect {protocol: 1, token}`; the
/// upgrade's `Authorization` or the browser's cookie may replace the token. Frames are JSON objects with a `type`:
/// `subscribe`, `unsubscribe`, `message.send`, `command.execute`, `turn.cancel`, `ping`; the daemon says `ready`, `ack`,
/// `command.result`, `error`, `notice`, `pong` and session events, each a `SessionEvent`.
#[utoipa::path(
    get,
    path = "/ws",
    operation_id = "open_socket",
    tag = "sessions",
    responses((status = 101, description = "The connection is a WebSocket from here on."), refusals::Upgrade)
)]
pub(super) async fn open(gate: Data<Gate>, doorstep: Data<Doorstep>, request: HttpRequest, payload: Payload) -> Answer {
    let known = match request.headers().contains_key("authorization") {
        true => Some(auth::credential(&request)?),
        // A cookie that is good no more is none.
        false => auth::credential(&request).ok(),
    };
    actor::start(gate, &doorstep, known, request, payload)
}
