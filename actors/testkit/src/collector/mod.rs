//! A trace collector that does what it is told: OTLP over HTTP with protobuf, on a loopback socket.
//!
//! As the stand-in for a model, it has a thread and a runtime of its own.

mod span;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::request::{Connection, Gone, Request};

pub use span::{Attributes, Span};

/// How the collector treats what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Takes it.
    Takes,
    /// Takes it after so long.
    Slow(Duration),
    /// Reads it and never answers.
    Mute,
    /// Refuses it with this status.
    Refuses(u16),
}

#[derive(Debug)]
struct State {
    mood: Mood,
    requests: usize,
    spans: Vec<Span>,
    bodies: Vec<Bytes>,
    heads: Vec<Vec<(String, String)>>,
}

type Shared = Arc<Mutex<State>>;

/// A running collector; dropping it closes its socket and every connection.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    state: Shared,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Binds the socket and starts the thread. Panics where the machine allows neither.
    pub fn start(mood: Mood) -> Self {
        let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        let address = socket.local_addr().expect("a bound socket has an address");
        let state = State { mood, requests: 0, spans: Vec::new(), bodies: Vec::new(), heads: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let (stop, stopped) = oneshot::channel();
        let serving = state.clone();
        let thread = std::thread::Builder::new()
            .name("collector".into())
            .spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
                runtime.block_on(serve(socket, serving, stopped));
            })
            .expect("a thread can be started");
        Self { address, state, stop: Some(stop), thread: Some(thread) }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it does this.
    pub fn behave(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Requests that came, taken or not.
    pub fn requests(&self) -> usize {
        self.state().requests
    }

    /// The spans that were taken.
    pub fn spans(&self) -> Vec<Span> {
        self.state().spans.clone()
    }

    /// The bodies of all requests as they came.
    pub fn bodies(&self) -> Vec<Bytes> {
        self.state().bodies.clone()
    }

    /// The headers of all requests, names in lower case.
    pub fn heads(&self) -> Vec<Vec<(String, String)>> {
        self.state().heads.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Accepts until `stopped`; connections die with the runtime.
async fn serve(socket: TcpListener, state: Shared, mut stopped: oneshot::Receiver<()>) {
    let socket = tokio::net::TcpListener::from_std(socket).expect("a bound socket can be served");
    loop {
        tokio::select! {
            accepted = socket.accept() => if let Ok((stream, _)) = accepted {
                Handle::current().spawn(converse(stream, state.clone()));
            },
            _ = &mut stopped => return,
        }
    }
}

async fn converse(stream: TcpStream, state: Shared) {
    let mut connection = Connection::new(stream);
    while let Ok(request) = connection.request().await {
        match answer(&mut connection, &request, &state).await {
            Ok(()) if request.keep_alive => {}
            _ => return,
        }
    }
}

async fn answer(connection: &mut Connection, request: &Request, state: &Shared) -> Result<(), Gone> {
    let mood = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests += 1;
        state.bodies.push(request.body.clone());
        state.heads.push(request.headers());
        state.mood
    };
    let wait = match mood {
        Mood::Takes | Mood::Refuses(_) => Duration::ZERO,
        Mood::Slow(wait) => wait,
        Mood::Mute => return connection.until(std::future::pending()).await,
    };
    connection.until(tokio::time::sleep(wait)).await?;
    let status = match (mood, request.method.as_str(), request.path.as_str()) {
        (Mood::Refuses(status), ..) => status,
        (_, "POST", "/v1/traces") => match ExportTraceServiceRequest::decode(request.body.clone()) {
            Ok(taken) => {
                let spans = span::spans(taken);
                state.lock().unwrap_or_else(PoisonError::into_inner).spans.extend(spans);
                200
            }
            Err(_) => 400,
        },
        _ => 404,
    };
    // An answer without fields is an empty message.
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n");
    connection.send(head.as_bytes()).await
}
