//! A proxy that can be broken: it stands before a server and carries bytes on, until a test has it do worse.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    There,
    /// From the server to the client.
    Back,
}

/// What happens to a connection when its trap springs. What sprang it is not carried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is closed on both sides.
    Cut,
    /// It carries nothing more, in either direction, and stays open.
    Stall,
    /// It is closed, and so are all others, and new ones as soon as they are made: [`Proxy::gone`] at a moment.
    Gone,
}

/// When a trap springs.
#[derive(Debug, Clone)]
enum Spring {
    /// These bytes are about to be carried.
    Words(Vec<u8>),
    /// So many bytes were carried, over all connections since the trap was set.
    Bytes(usize),
}

#[derive(Debug)]
struct Trap {
    way: Way,
    spring: Spring,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Carry,
    Stall,
    Refuse,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Counts the orders to cut.
    cuts: watch::Sender<u64>,
    trap: Mutex<Option<Trap>>,
    /// How many traps have sprung.
    sprung: watch::Sender<usize>,
}

/// A proxy on a port of its own. It ends, with its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Stands before `to`.
    pub async fn before(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            to,
            mode: watch::Sender::new(Mode::Carry),
            cuts: watch::Sender::new(0),
            trap: Mutex::default(),
            sprung: watch::Sender::new(0),
        });
        let mut task = JoinSet::new();
        task.spawn(accept(listener, shared.clone()));
        Self { shared, address, _task: task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Carries bytes again, on new connections and on those that were stalled as a whole.
    pub fn heal(&self) {
        self.shared.mode.send_replace(Mode::Carry);
    }

    /// The server is gone: connections are closed, and new ones as soon as they are made.
    pub fn gone(&self) {
        self.shared.gone();
    }

    /// Carries nothing any more, on old connections or new ones, without a word to either side.
    pub fn stall(&self) {
        self.shared.mode.send_replace(Mode::Stall);
    }

    /// Closes the connections there are.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Sets a trap for the first connection on which `words` are to be carried that way. There is one at a time.
    pub fn trap(&self, way: Way, words: impl Into<Vec<u8>>, fate: Fate) {
        self.set(Trap { way, spring: Spring::Words(words.into()), fate });
    }

    /// Sets a trap for the connection that carries the byte after so many, over all connections, that way.
    pub fn trap_after(&self, way: Way, bytes: usize, fate: Fate) {
        self.set(Trap { way, spring: Spring::Bytes(bytes), fate });
    }

    fn set(&self, trap: Trap) {
        *self.shared.trap() = Some(trap);
    }

    /// Waits until so many traps have sprung in all; without a limit.
    pub async fn sprung(&self, traps: usize) {
        let mut sprung = self.shared.sprung.subscribe();
        // The sender lives in self, so the wait can only end by being fulfilled.
        let _ = sprung.wait_for(|so_far| *so_far >= traps).await;
    }
}

impl Shared {
    fn trap(&self) -> std::sync::MutexGuard<'_, Option<Trap>> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) {
        self.mode.send_replace(Mode::Refuse);
        self.cut();
    }

    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// What becomes of the connection that is to carry `bytes`; `before` is the end of what it carried last.
    fn springs(&self, way: Way, before: &[u8], bytes: &[u8]) -> Option<Fate> {
        let mut set = self.trap();
        let trap = set.as_mut().filter(|trap| trap.way == way)?;
        let springs = match &mut trap.spring {
            Spring::Words(words) => {
                // Words may come in two pieces; those that passed before the trap was set are gone.
                let begun = before.len().saturating_sub(words.len() - 1);
                let seen = [&before[begun..], bytes].concat();
                seen.windows(words.len()).any(|window| window == words)
            }
            Spring::Bytes(left) => match left.checked_sub(bytes.len()) {
                Some(rest) => {
                    *left = rest;
                    false
                }
                None => true,
            },
        };
        if !springs {
            return None;
        }
        let fate = trap.fate;
        *set = None;
        drop(set);
        if fate == Fate::Gone {
            self.gone();
        }
        self.sprung.send_modify(|sprung| *sprung += 1);
        Some(fate)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                if *shared.mode.borrow() != Mode::Refuse {
                    connections.spawn(connection(client, shared.clone()));
                }
            }
            // Only to forget those that have ended.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let carry = async {
        let server = TcpStream::connect(shared.to).await.ok()?;
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let (stalled, _) = watch::channel(false);
        tokio::select! {
            () = carry(&shared, &stalled, Way::There, from_client, to_server) => {}
            () = carry(&shared, &stalled, Way::Back, from_server, to_client) => {}
        }
        Some(())
    };
    tokio::select! {
        _ = carry => {}
        _ = cuts.changed() => {}
    }
}

/// Carries one way until the end, or until the connection is to be cut.
async fn carry(
    shared: &Shared,
    stalled: &watch::Sender<bool>,
    way: Way,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
) {
    const TAIL: usize = 64;
    let (mut mode, mut free) = (shared.mode.subscribe(), stalled.subscribe());
    let (mut bytes, mut before) = (vec![0; 16 * 1024], Vec::new());
    loop {
        let Ok(read @ 1..) = from.read(&mut bytes).await else { return };
        let _ = mode.wait_for(|mode| *mode != Mode::Stall).await;
        let _ = free.wait_for(|stalled| !stalled).await;
        let bytes = &bytes[..read];
        match shared.springs(way, &before, bytes) {
            Some(Fate::Cut | Fate::Gone) => return,
            Some(Fate::Stall) => {
                stalled.send_replace(true);
                std::future::pending::<()>().await;
            }
            None => {}
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
        before.extend_from_slice(bytes);
        before.drain(..before.len().saturating_sub(TAIL));
    }
}
