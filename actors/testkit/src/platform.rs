//! What stand-ins of platforms have in common: a memory with a bell for its changes, calls that are told to fail, and
//! connections that are answered until they end.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::future::Future;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::request::{Connection, Gone, Request};

/// How long a waiting test waits before it fails by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a stand-in remembers, and a bell for its changes.
#[derive(Debug)]
pub(crate) struct Memory<S> {
    state: Mutex<S>,
    changed: watch::Sender<u64>,
}

impl<S> Memory<S> {
    pub(crate) fn new(state: S) -> Self {
        Self { state: Mutex::new(state), changed: watch::channel(0).0 }
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        look(&self.state())
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut S) -> T) -> T {
        let done = change(&mut self.state());
        self.changed.send_modify(|count| *count += 1);
        done
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Debug> Memory<S> {
    /// Waits until `look` finds something. Panics after [`PATIENCE`], with all that is remembered.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let mut changes = self.changes();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = look() {
                    return found;
                }
                changes.changed().await.expect("the stand-in lives");
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("in vain for {PATIENCE:?}: {what}; {:#?}", *self.state()))
    }
}

/// The calls of a platform that were made, and how those to come fail.
#[derive(Debug)]
pub(crate) struct Calls<F> {
    made: HashMap<String, usize>,
    faults: HashMap<String, VecDeque<F>>,
    plague: Option<(Rng, u8)>,
}

impl<F> Default for Calls<F> {
    fn default() -> Self {
        Self { made: HashMap::new(), faults: HashMap::new(), plague: None }
    }
}

impl<F> Calls<F> {
    /// The next calls of a kind fail so, one after the other.
    pub(crate) fn fail(&mut self, kind: &str, faults: impl IntoIterator<Item = F>) {
        self.faults.entry(kind.to_owned()).or_default().extend(faults);
    }

    /// From now on about so many of a hundred calls fail, by chance from `seed`.
    pub(crate) fn plague(&mut self, seed: u64, percent: u8) {
        self.plague = Some((Rng::with_seed(seed), percent));
    }

    /// How often a kind of call was made.
    pub(crate) fn made(&self, kind: &str) -> usize {
        self.made.get(kind).copied().unwrap_or(0)
    }

    /// A call is made: how it fails, if it does. `draw` says how one does that fails by chance.
    pub(crate) fn fault(&mut self, kind: &str, draw: impl FnOnce(&mut Rng) -> Option<F>) -> Option<F> {
        *self.made.entry(kind.to_owned()).or_default() += 1;
        if let Some(fault) = self.faults.get_mut(kind).and_then(VecDeque::pop_front) {
            return Some(fault);
        }
        let (dice, percent) = self.plague.as_mut()?;
        if dice.u8(..100) < *percent { draw(dice) } else { None }
    }
}

/// A platform that answers requests.
pub(crate) trait Answers: Sized + Send + 'static {
    fn answer(
        connection: &mut Connection,
        request: &Request,
        memory: &Memory<Self>,
    ) -> impl Future<Output = Result<(), Gone>> + Send;
}

/// Answers requests until `stopped`; connections die with the runtime.
pub(crate) async fn serve<S: Answers>(socket: TcpListener, memory: Arc<Memory<S>>, mut stopped: oneshot::Receiver<()>) {
    let socket = tokio::net::TcpListener::from_std(socket).expect("a bound socket can be served");
    loop {
        tokio::select! {
            accepted = socket.accept() => if let Ok((stream, _)) = accepted {
                Handle::current().spawn(converse(stream, memory.clone()));
            },
            _ = &mut stopped => return,
        }
    }
}

async fn converse<S: Answers>(stream: TcpStream, memory: Arc<Memory<S>>) {
    let _ = stream.set_nodelay(true);
    let mut connection = Connection::new(stream);
    while let Ok(request) = connection.request().await {
        if S::answer(&mut connection, &request, &memory).await.is_err() || !request.keep_alive {
            return;
        }
    }
}
