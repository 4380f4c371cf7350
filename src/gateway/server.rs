//! What a listener serves: the routes, and what their handlers may use.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server as Running;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use mosaic_messages::{Accepted, CancelTurn};
use mosaic_runtime::doors::unreached;
use mosaic_runtime::{Doors, RouterActor, Sessions};
use mosaic_supervise::{Link, Parent};
use mosaic_types::{Failure, Principal, SessionId, TurnId};

use super::actor::Server;
use super::config::GatewayConfig;
use super::error::ApiError;
use super::principals::Principals;
use super::{observe, routes};

/// What handlers may use.
pub struct Gate {
    pub doors: Arc<Doors>,
    pub router: Link<RouterActor>,
    pub sessions: Sessions,
    pub principals: Principals,
    /// The supervisor above all, whose tree is shown.
    pub root: Parent,
}

impl Gate {
    /// Asks the router, and through it a session.
    pub(super) async fn ask<M, T>(&self, ask: M) -> Result<T, ApiError>
    where
        M: actix::Message<Result = Result<T, Failure>> + Send + 'static,
        T: Send + 'static,
        RouterActor: actix::Handler<M>,
        actix::Context<RouterActor>: actix::dev::ToEnvelope<RouterActor, M>,
    {
        self.router.ask(ask).await.unwrap_or_else(|error| Err(unreached("The router", &error))).map_err(ApiError)
    }

    /// Cancels what runs in a session; answers what that was, once its end is stored. It overtakes what waits.
    pub(super) async fn cancel(&self, session: SessionId, from: Principal) -> Result<Option<TurnId>, ApiError> {
        let told = self.router.urge(CancelTurn { session, from }).await;
        told.unwrap_or_else(|error| Err(unreached("The router", &error))).map_err(ApiError)
    }

    /// Where a turn stands that a repeat attached to: the session remembers only turns that have not ended.
    pub(super) async fn settled(&self, accepted: Accepted) -> Result<Accepted, ApiError> {
        if !accepted.attached {
            return Ok(accepted);
        }
        let stored = self.doors.store.turn(accepted.turn).await?;
        Ok(Accepted { state: stored.map_or(accepted.state, |turn| turn.state), ..accepted })
    }
}

/// Binds the address and hangs the gateway on the tree.
///
/// # Errors
/// The address is in use, or may not be bound.
pub fn serve(gate: Gate, config: &GatewayConfig) -> std::io::Result<Server> {
    let (root, gate, workers) = (gate.root.clone(), Data::new(gate), config.workers);
    Server::open(&root, config.bind, move |socket| listen(&gate, workers, socket))
}

/// One life of the listener.
fn listen(gate: &Data<Gate>, workers: usize, socket: TcpListener) -> std::io::Result<Running> {
    let gate = gate.clone();
    let app = move || App::new().app_data(gate.clone()).configure(routes::configure).wrap(from_fn(observe::observe));
    let server = HttpServer::new(app)
        .on_connect(|socket, _| {
            // Pieces of a stream go out as they come, not when the other side has confirmed the last one.
            if let Some(socket) = socket.downcast_ref::<TcpStream>() {
                let _ = socket.set_nodelay(true);
            }
        })
        .workers(workers)
        .disable_signals()
        .client_request_timeout(Duration::from_secs(10))
        .shutdown_timeout(5)
        .listen(socket)?;
    Ok(server.run())
}
