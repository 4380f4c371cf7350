//! A model provider that does what it is told: a server on a loopback socket that speaks the wires of OpenAI (chat
//! completions and Responses), Anthropic, Gemini and Ollama, whichever it is asked on.
//!
//! [`StandIn`] has a thread and a runtime of its own, so that a test of any runtime, also one with a paused clock, can
//! use it. Each chat call is answered by the first of: a rule that matches the last user's text, the next [`Step`] of
//! the script, and what it does [always](Builder::always) (by default it says back what it heard).

mod asked;
mod gate;
mod play;
mod record;

mod seed;
mod server;
mod speech;
mod step;
mod wire;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub use gate::Gate;
pub use record::{Call, End, Progress};
pub use step::Step;

use record::Shared;

/// How long a waiting test waits before it fails by itself. Long enough for a busy machine, short enough to be read.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running stand-in; dropping it closes its socket and every connection.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Starts one that plays `script` and then says back what it hears.
    pub fn start(script: impl IntoIterator<Item = Step>) -> Self {
        Self::builder().script(script).start()
    }

    /// Starts describing one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A base URL where nobody listens: a connection to it is refused.
    pub fn nobody() -> String {
        let port =
            TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr()).expect("a free port").port();
        format!("http://127.0.0.1:{port}/v1")
    }

    /// What a provider's `base_url` is set to.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a step to the end of the script.
    pub fn push(&self, step: Step) {
        self.shared.push(step);
    }

    /// From now on, a call whose last user's text contains `text` is answered with `step`, however often it comes.
    pub fn when_last_user_contains(&self, text: impl Into<String>, step: Step) {
        self.shared.rule(text.into(), step);
    }

    /// The calls recorded so far, in order of arrival (the newest [`Builder::keep`] of them).
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls()
    }

    /// The newest call. Panics if there was none.
    pub fn last_call(&self) -> Call {
        self.calls().pop().expect("a call was recorded")
    }

    /// How much has happened, exact also where calls are no longer kept.
    pub fn progress(&self) -> Progress {
        self.shared.progress.borrow().clone()
    }

    /// Steps of the script not yet played.
    pub fn steps_left(&self) -> usize {
        self.shared.steps_left()
    }

    /// Waits until `n` chat calls have arrived in all, and returns what was recorded. Panics after [`PATIENCE`].
    pub async fn wait_for_calls(&self, n: usize) -> Vec<Call> {
        self.wait_until(move |progress| progress.calls >= n).await;
        self.calls()
    }

    /// Waits until a client hung up before the end of its answer, for the first time.
    pub async fn wait_for_hangup(&self) {
        self.wait_for_hangups(1).await;
    }

    /// Waits until clients hung up before the end of `n` answers in all.
    pub async fn wait_for_hangups(&self, n: usize) {
        self.wait_until(move |progress| progress.hung_up >= n).await;
    }

    /// Waits until `n` answers were sent to their ends.
    pub async fn wait_for_answers(&self, n: usize) {
        self.wait_until(move |progress| progress.answered >= n).await;
    }

    /// Waits until `enough` holds; works on any runtime. Panics after [`PATIENCE`], which runs on the stand-in's own
    /// clock.
    pub async fn wait_until(&self, enough: impl FnMut(&Progress) -> bool + Send + 'static) {
        let reached = self.handle.spawn(self.shared.reached(enough, PATIENCE)).await.unwrap_or(false);
        assert!(reached, "the stand-in waited {PATIENCE:?} in vain, having seen {:?}", self.progress());
    }

    /// Waits for `n` calls without any runtime; tells whether they came within `limit`.
    pub fn wait_for_calls_blocking(&self, n: usize, limit: Duration) -> bool {
        self.wait_until_blocking(move |progress| progress.calls >= n, limit)
    }

    /// Waits for `n` hang-ups without any runtime; tells whether they came within `limit`.
    pub fn wait_for_hangups_blocking(&self, n: usize, limit: Duration) -> bool {
        self.wait_until_blocking(move |progress| progress.hung_up >= n, limit)
    }

    /// Waits without any runtime; tells whether `enough` held within `limit`.
    pub fn wait_until_blocking(&self, enough: impl FnMut(&Progress) -> bool + Send + 'static, limit: Duration) -> bool {
        let (tell, told) = std::sync::mpsc::channel();
        let reached = self.shared.reached(enough, limit);
        self.handle.spawn(async move { tell.send(reached.await) });
        told.recv().unwrap_or(false)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A stand-in before it starts.
#[derive(Debug)]
pub struct Builder {
    script: Vec<Step>,
    rules: Vec<(String, Step)>,
    always: Option<Step>,
    models: Vec<String>,
    key: Option<String>,
    port: u16,
    keep: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            script: Vec::new(),
            rules: Vec::new(),
            always: None,
            models: vec!["stand-in".into()],
            key: None,
            port: 0,
            keep: 10_000,
        }
    }
}

impl Builder {
    /// Adds steps to be played one a call.
    pub fn script(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.script.extend(steps);
        self
    }

    /// Answers every call whose last user's text contains `text` with `step`; before the script, first rule first.
    pub fn when_last_user_contains(mut self, text: impl Into<String>, step: Step) -> Self {
        self.rules.push((text.into(), step));
        self
    }

    /// What to do when the script is at its end, in place of saying back what was heard.
    pub fn always(mut self, step: Step) -> Self {
        self.always = Some(step);
        self
    }

    /// The models it lists.
    pub fn models<T: Into<String>>(mut self, models: impl IntoIterator<Item = T>) -> Self {
        self.models = models.into_iter().map(Into::into).collect();
        self
    }

    /// Demands this key, as a bearer's or in the header of its wire; other requests are refused.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Listens on this port, as a server that comes back after an outage does.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Keeps the newest `calls` recordings; for benches that send millions, a few or none.
    pub fn keep(mut self, calls: usize) -> Self {
        self.keep = calls;
        self
    }

    /// Binds the socket and starts the thread. Panics where the machine allows neither.
    pub fn start(self) -> StandIn {
        let socket = TcpListener::bind(("127.0.0.1", self.port)).expect("the loopback port is free");
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        let address = socket.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::new(self));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let serving = shared.clone();
        let thread = std::thread::Builder::new()
            .name("stand-in".into())
            .spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
                tell.send(runtime.handle().clone()).expect("the starter waits for the handle");
                runtime.block_on(server::serve(socket, serving, stopped));
            })
            .expect("a thread can be started");
        let handle = told.recv().expect("the stand-in's thread hands over its handle");
        StandIn { address, shared, handle, stop: Some(stop), thread: Some(thread) }
    }
}
