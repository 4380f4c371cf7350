//! What a listener serves: the routes, and what their handlers may use.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server as Running;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use mosaic_messages::{Accepted, CancelTurn};
use mosaic_runtime::doors::unreached;
use mosaic_runtime::{Doors, RouterActor, Sessions};
use mosaic_supervise::{Link, Parent};
use mosaic_types::journal::{Deed, Outcome, Write};
use mosaic_types::{Failure, Principal, SessionId, Timestamp, TurnId};

use super::actor::Server;
use super::border::{self, Border};
use super::config::GatewayConfig;
use super::error::ApiError;
use super::lately::Before;
use super::models::Listed;
use super::principals::Principals;
use super::ws::{Doorstep, WRITE_BUFFER};
use super::{observe, routes, unread, zip};
use crate::channels::Channel;
use crate::owner::HomeOwner;
use crate::setup::Setup;

/// For so long the head of a request may take to come; its bound of 128 KiB is actix-http's own.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// What handlers may use.
pub struct Gate {
    pub doors: Arc<Doors>,
    /// Whose the home is.
    pub owner: HomeOwner,
    pub router: Link<RouterActor>,
    pub sessions: Sessions,
    pub principals: Principals,
    /// How a provider is added while the house runs.
    pub setup: Arc<Setup>,
    /// The bridges to people.
    pub channels: Arc<[Channel]>,
    /// When this process began.
    pub began: Timestamp,
    /// What was spent before that.
    pub before: Before,
    /// The models that providers list.
    pub listed: Listed,
    /// The supervisor above all, whose tree is shown.
    pub root: Parent,
}

impl Gate {
    /// Has something written and, where that changes something, kept by whom; `action` is as in `user.add`.
    pub(super) async fn audited(
        &self,
        by: Principal,
        action: &'static str,
        subject: impl Into<String>,
        write: Write,
    ) -> Result<Outcome, ApiError> {
        let outside = &self.doors.outside;
        let deed = Deed { id: outside.uuid(), at: outside.now(), by: by.user, action, subject: subject.into() };
        Ok(self.doors.commit(Write::Audited { deed, write: Box::new(write) }).await?)
    }

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

    /// Cancels what runs in a session, or only that `turn`; answers what that was, once its end is stored. It overtakes what
    /// waits.
    pub(super) async fn cancel(
        &self,
        session: SessionId,
        turn: Option<TurnId>,
        from: Principal,
    ) -> Result<Option<TurnId>, ApiError> {
        // Nothing runs in a session that sleeps.
        if self.sessions.find(&session).is_none() {
            return Ok(None);
        }
        let told = self.router.urge(CancelTurn::now(session, from).only(turn)).await;
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
    let (root, gate, border, config) =
        (gate.root.clone(), Data::new(gate), Data::new(Border::new(config)), config.clone());
    let doorstep = Data::new(Doorstep::new(config.sockets));
    Server::open(&root, config.bind, move |socket| listen(&gate, &border, &doorstep, &config, socket))
}

/// One life of the listener.
fn listen(
    gate: &Data<Gate>,
    border: &Data<Border>,
    doorstep: &Data<Doorstep>,
    config: &GatewayConfig,
    socket: TcpListener,
) -> std::io::Result<Running> {
    let (gate, border, doorstep) = (gate.clone(), border.clone(), doorstep.clone());
    let app = move || {
        let app = App::new().app_data(gate.clone()).app_data(border.clone()).app_data(doorstep.clone());
        app.configure(routes::configure)
            .wrap(from_fn(zip::shrink))
            .wrap(from_fn(border::pass))
            .wrap(from_fn(observe::observe))
            .wrap(from_fn(unread::drain))
    };
    let server = HttpServer::new(app)
        // Pieces of a stream go out as they come, not when the other side has confirmed the last one.
        .tcp_nodelay(true)
        .workers(config.workers)
        // The bound is each worker's own; where it is reached, nothing is accepted until a connection ends.
        .max_connections(config.connections.div_ceil(config.workers))
        .disable_signals()
        .h1_write_buffer_size(WRITE_BUFFER)
        .client_request_timeout(HEAD_PATIENCE)
        // Nothing lingers: what a client still sends after its answer is read by `unread`.
        .client_disconnect_timeout(Duration::ZERO)
        .shutdown_timeout(5)
        .tls_handshake_timeout(HEAD_PATIENCE);
    let server = match &config.tls {
        Some(tls) => server.listen_rustls_0_23(socket, tls.server())?,
        None => server.listen(socket)?,
    };
    Ok(server.run())
}
