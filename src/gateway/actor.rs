//! The gateway's place in the tree: each life of this actor runs one HTTP server on the socket that all lives share.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use actix_web::dev::{Server as Running, ServerHandle};
use mosaic_supervise::{ChildSpec, Mailbox, Parent, Restart, Tether};
use tokio::net::TcpSocket;

/// Connections that may wait to be taken up. Linux caps it at `net.core.somaxconn`, 4,096 by default.
const BACKLOG: u32 = 1024;

/// A stopping server drops connections that it took and no worker has begun (actix-server, `worker.rs`). It is given
/// this long to begin them after it was told to take no more.
const LAST_TAKEN: Duration = Duration::from_millis(100);

/// Makes a server of a socket.
type Make = Arc<dyn Fn(TcpListener) -> io::Result<Running> + Send + Sync>;

/// The socket, bound once: what connects while one life ends and the next begins waits in its backlog.
struct Socket {
    listener: TcpListener,
    /// What serves it now. It outlives the actor that started it, until the next life takes over or the house stops.
    serving: Mutex<Option<ServerHandle>>,
}

impl Socket {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Otherwise the connections of a daemon that was just stopped would hold the port for a minute.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self { listener: socket.listen(BACKLOG)?.into_std()?, serving: Mutex::default() })
    }

    fn replace(&self, next: Option<ServerHandle>) -> Option<ServerHandle> {
        std::mem::replace(&mut *self.serving.lock().unwrap_or_else(PoisonError::into_inner), next)
    }
}

/// The gateway as those see it who start and stop the house.
pub struct Server {
    pub address: SocketAddr,
    socket: Arc<Socket>,
}

impl Server {
    /// Binds the address and hangs the gateway on `root`.
    pub(super) fn open(
        root: &Parent,
        address: SocketAddr,
        make: impl Fn(TcpListener) -> io::Result<Running> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let socket = Arc::new(Socket::bind(address)?);
        let address = socket.listener.local_addr()?;
        let (shared, make): (_, Make) = (socket.clone(), Arc::new(make));
        root.adopt(ChildSpec::new("gateway", Restart::Permanent, Mailbox::default(), move |birth| GatewayActor {
            socket: shared.clone(),
            make: make.clone(),
            tether: birth.tether,
        }));
        Ok(Self { address, socket })
    }

    /// Serves what was begun, takes no more, and ends. To be called when the tree has stopped: so those who wait for a
    /// turn hear what became of it.
    pub async fn stop(&self) {
        if let Some(serving) = self.socket.replace(None) {
            serving.stop(true).await;
        }
    }
}

/// Runs the server of its life, and fails when that ends unasked. Its own end leaves the server at work: a stop of the
/// tree must not cut those off who wait, and after a crash they are served until the next life has begun.
struct GatewayActor {
    socket: Arc<Socket>,
    make: Make,
    tether: Tether,
}

impl GatewayActor {
    fn serve(&self) -> io::Result<Running> {
        (self.make)(self.socket.listener.try_clone()?)
    }

    fn give_up(&mut self, why: impl Into<Arc<str>>, ctx: &mut Context<Self>) {
        self.tether.fail(why);
        ctx.stop();
    }
}

impl Actor for GatewayActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let running = match self.serve() {
            Ok(running) => running,
            Err(error) => return self.give_up(format!("cannot serve: {error}"), ctx),
        };
        if let Some(last) = self.socket.replace(Some(running.handle())) {
            actix::spawn(retire(last));
        }
        let ended = actix::spawn(running).into_actor(self);
        ctx.spawn(ended.map(|ended, actor, ctx| match ended {
            Ok(Ok(())) => actor.give_up("its server ended", ctx),
            Ok(Err(error)) => actor.give_up(format!("its server failed: {error}"), ctx),
            Err(error) => actor.give_up(format!("its server ended: {error}"), ctx),
        }));
    }
}
mosaic_supervise::supervised!(GatewayActor);

/// Ends the server of an earlier life: it takes nothing new, and what it began has the time of a stop.
async fn retire(server: ServerHandle) {
    server.pause().await;
    tokio::time::sleep(LAST_TAKEN).await;
    server.stop(true).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use actix_web::{App, HttpServer, web};
    use mosaic_supervise::{Budget, ChildState, ChildView, Scope, Supervisor};
    use mosaic_testkit::http::Client;

    use super::*;

    async fn view(root: &Parent) -> ChildView {
        root.tree().await.children().first().expect("the gateway is there").clone()
    }

    async fn says(address: SocketAddr) -> String {
        let mut client = Client::connect(address).await.expect("it listens");
        client.send("GET", "/", &[], b"").await.expect("it is sent");
        let answer = client.receive(false).await.expect("it answers").rest().await.expect("a body");
        String::from_utf8(answer.to_vec()).expect("text")
    }

    /// A server that says which one it is: 1, 2, 3. Also what ends the one of today.
    fn numbered() -> (Parent, Server, Arc<Mutex<Option<ServerHandle>>>) {
        let root = Supervisor::start_root("root", Scope::Shared(Budget::default()), 7, |_| {});
        let (lives, today) = (AtomicU64::new(0), Arc::<Mutex<_>>::default());
        let (any, shown) = ("127.0.0.1:0".parse().expect("an address"), today.clone());
        let server = Server::open(&root, any, move |socket| {
            let life = lives.fetch_add(1, Ordering::Relaxed) + 1;
            let app = move || App::new().default_service(web::to(move || async move { life.to_string() }));
            let running = HttpServer::new(app).workers(1).disable_signals().listen(socket)?.run();
            *shown.lock().expect("no test panics here") = Some(running.handle());
            Ok(running)
        });
        (root, server.expect("a port is free"), today)
    }

    #[actix::test]
    async fn a_server_that_ends_unasked_is_made_anew_on_the_same_socket() {
        let (root, server, today) = numbered();
        assert_eq!(says(server.address).await, "1");
        let first = today.lock().expect("no test panics here").take().expect("it runs");
        first.stop(true).await;
        assert_eq!(says(server.address).await, "2", "who connected meanwhile waited in the backlog");
        let view = view(&root).await;
        assert_eq!((view.state, view.incarnation, view.restarts), (ChildState::Up, 2, 1));
        assert_eq!(view.last_error.as_deref(), Some("its server ended"));
        root.stop().await;
        server.stop().await;
    }

    #[actix::test]
    async fn the_server_serves_on_when_its_actor_was_stopped_with_the_tree() {
        let (root, server, _) = numbered();
        assert_eq!(says(server.address).await, "1");
        root.stop().await;
        assert_eq!(says(server.address).await, "1", "until it is told to end");
        server.stop().await;
    }
}
