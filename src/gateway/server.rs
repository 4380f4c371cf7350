//! Binds the address and hangs the routes on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpRequest, HttpServer};
use mosaic_messages::Accepted;
use mosaic_runtime::doors::unreached;
use mosaic_runtime::{Doors, RouterActor, Sessions};
use mosaic_supervise::{Link, Parent};
use mosaic_types::{Code, Failure};

use super::config::GatewayConfig;
use super::error::{Answer, ApiError};
use super::principals::Principals;
use super::{auth, health, info, messages, openai, sessions, tokens};

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

    /// Where a turn stands that a repeat attached to: the session remembers only turns that have not ended.
    pub(super) async fn settled(&self, accepted: Accepted) -> Result<Accepted, ApiError> {
        if !accepted.attached {
            return Ok(accepted);
        }
        let stored = self.doors.store.turn(accepted.turn).await?;
        Ok(Accepted { state: stored.map_or(accepted.state, |turn| turn.state), ..accepted })
    }
}

/// A listener at work.
pub struct Server {
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl Server {
    /// Serves what was begun, takes no more, and ends.
    pub async fn stop(&self) {
        self.handle.stop(true).await;
    }
}

/// Starts to listen.
///
/// # Errors
/// The address is in use, or may not be bound.
pub fn serve(gate: Gate, config: &GatewayConfig) -> std::io::Result<Server> {
    let gate = Data::new(gate);
    let server = HttpServer::new(move || App::new().app_data(gate.clone()).configure(routes))
        .on_connect(|socket, _| {
            // Pieces of a stream go out as they come, not when the other side has confirmed the last one.
            if let Some(socket) = socket.downcast_ref::<TcpStream>() {
                let _ = socket.set_nodelay(true);
            }
        })
        .workers(config.workers)
        .disable_signals()
        .client_request_timeout(Duration::from_secs(10))
        .shutdown_timeout(5)
        .bind(config.bind)?;
    let address = server.addrs().first().copied().unwrap_or(config.bind);
    let running = server.run();
    let handle = running.handle();
    actix::spawn(async move {
        if let Err(error) = running.await {
            tracing::error!(%error, "the listener failed");
        }
    });
    Ok(Server { address, handle })
}

/// Every route there is.
fn routes(config: &mut ServiceConfig) {
    config
        .service(route("/healthz").route(web::get().to(health::alive)))
        .service(route("/readyz").route(web::get().to(health::ready)))
        .service(
            web::scope("/api/v1")
                .wrap(from_fn(auth::authenticate))
                .service(
                    route("/sessions").route(web::get().to(sessions::list)).route(web::post().to(sessions::create)),
                )
                .service(
                    route("/sessions/{id}")
                        .route(web::get().to(sessions::show))
                        .route(web::patch().to(sessions::change))
                        .route(web::delete().to(sessions::delete)),
                )
                .service(
                    route("/sessions/{id}/messages")
                        .route(web::get().to(messages::list))
                        .route(web::post().to(messages::submit)),
                )
                .service(route("/sessions/{id}/cancel").route(web::post().to(messages::cancel)))
                .service(route("/sessions/{id}/events").route(web::get().to(messages::events)))
                .service(route("/agents").route(web::get().to(info::agents)))
                .service(route("/providers").route(web::get().to(info::providers)))
                .service(route("/tree").route(web::get().to(info::tree)))
                .configure(faults)
                .service(route("/me").route(web::get().to(info::me)))
                .service(route("/tokens").route(web::get().to(tokens::list)).route(web::post().to(tokens::create)))
                .service(route("/tokens/{id}").route(web::delete().to(tokens::revoke)))
                .default_service(web::to(nothing_here)),
        )
        .service(
            web::scope("/v1")
                .wrap(from_fn(auth::authenticate))
                .service(route("/chat/completions").route(web::post().to(openai::complete)))
                .service(route("/models").route(web::get().to(openai::models)))
                .service(route("/models/{id:.*}").route(web::get().to(openai::model)))
                .default_service(web::to(nothing_here)),
        )
        .default_service(web::to(nothing_here));
}

/// Where faults are planted, in builds for it.
#[cfg(feature = "chaos")]
fn faults(config: &mut ServiceConfig) {
    config.service(route("/chaos").route(web::post().to(super::chaos::plant)));
}

#[cfg(not(feature = "chaos"))]
fn faults(_: &mut ServiceConfig) {}

/// A path that answers every other method with a typed error.
fn route(path: &str) -> actix_web::Resource {
    web::resource(path).default_service(web::to(wrong_method))
}

async fn nothing_here() -> Answer {
    Err(ApiError(Failure::new(Code::NotFound, "There is no such route.")))
}

async fn wrong_method(request: HttpRequest) -> Answer {
    let sentence = format!("{} is not a method of {}.", request.method(), request.path());
    Err(ApiError(Failure::new(Code::MethodNotAllowed, sentence)))
}
