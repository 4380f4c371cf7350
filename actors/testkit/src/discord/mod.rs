//! Discord as its bots know it: REST and the gateway on loopback sockets, with people who talk and a record of what they
//! see.
//!
//! [`Discord`] has a thread and a runtime of its own. Its gateway keeps what it told in each session, so that a session can
//! be resumed; what happens while nobody listens is only in the history of the room, as with the real one. It checks what
//! comes as strictly, and can be told to fail in the ways in which the real one fails.

mod people;
mod routes;
mod server;
mod session;
mod state;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use crate::platform::serve;

pub use people::Saying;
use session::Push;
use state::{BOT_ID, BOT_NAME, Shared, State};
pub use state::{Fault, Shown};

/// The token of its bot; it begins with the bot's number, in base64.
pub const TOKEN: &str = "NDI0Mg.G_stand.in-token";

/// Another that it takes, for a daemon that has two bots.
pub const OTHER_TOKEN: &str = "NDI0Mw.G_stand.in-other";

/// What people call the bot.
pub const NAME: &str = BOT_NAME;

/// The bot's number.
pub const BOT: u64 = BOT_ID;

/// The number of the application that the bot belongs to.
pub const APPLICATION: u64 = 4_200;

/// The room in which the bot and that user are alone.
pub const fn dm(user: u64) -> u64 {
    1_000_000 + user
}

/// A running stand-in; dropping it closes its sockets and every connection.
#[derive(Debug)]
pub struct Discord {
    shared: Arc<Shared>,
    stop: Vec<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Discord {
    /// Starts one with nobody in it.
    pub fn start() -> Self {
        let bind = || {
            let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            socket.set_nonblocking(true).expect("a socket can be set so");
            let address = socket.local_addr().expect("a bound socket has an address");
            (socket, address)
        };
        let ((rest, origin), (gateway, listens)) = (bind(), bind());
        let shared = Arc::new(Shared::new(State::at(format!("http://{origin}"), format!("ws://{listens}"))));
        let ((stop_rest, rest_stopped), (stop_gateway, gateway_stopped)) = (oneshot::channel(), oneshot::channel());
        let serving = shared.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                tokio::join!(
                    serve(rest, serving.clone(), rest_stopped),
                    session::serve(gateway, serving, gateway_stopped)
                );
            });
        });
        Self { shared, stop: vec![stop_rest, stop_gateway], thread: Some(thread) }
    }

    /// What a channel's `api_url` is set to.
    pub fn url(&self) -> String {
        self.shared.look(|state| state.origin.clone())
    }

    /// The next calls of a kind fail so, one after the other: `gateway`, `me`, `application`, `publish`, `open`, `channel`, `thread`,
    /// `member`, `history`, `send`, `upload`, `edit`, `delete`, `typing`, `respond`, `follow up`, `complete`.
    pub fn fail(&self, kind: &str, faults: impl IntoIterator<Item = Fault>) {
        self.shared.change(|state| state.calls.fail(kind, faults));
    }

    /// From now on about so many of a hundred calls that send or edit fail in some way, by chance from `seed`; 0: none.
    pub fn plague(&self, seed: u64, percent: u8) {
        self.shared.change(|state| state.calls.plague(seed, percent));
    }

    /// The gateway says goodbye with this code.
    pub fn close_gateway(&self, code: u16) {
        self.push(Push::Close(code, "for a test".to_owned()));
    }

    /// The gateway's connection ends without a goodbye.
    pub fn cut_gateway(&self) {
        self.push(Push::Drop);
    }

    /// The gateway's connection stays, and nothing is said or heard on it any more.
    pub fn freeze_gateway(&self) {
        self.push(Push::Freeze);
    }

    /// The gateway asks for another connection (opcode 7).
    pub fn ask_to_reconnect(&self) {
        self.push(Push::Frame(json!({"op": 7, "d": null})));
    }

    /// The gateway says that the session is no good (opcode 9).
    pub fn invalidate(&self, resumable: bool) {
        if !resumable {
            self.shared.change(|state| state.sessions.clear());
        }
        self.push(Push::Frame(json!({"op": 9, "d": resumable})));
    }

    /// Heartbeats are not acknowledged from now on, or again.
    pub fn deafen(&self, deaf: bool) {
        self.shared.change(|state| state.deaf = deaf);
    }

    /// No session can be resumed from now on, or again.
    pub fn lapse(&self, lapses: bool) {
        self.shared.change(|state| state.lapses = lapses);
    }

    /// From now on no nonce is known any more, as minutes after a message.
    pub fn forget_nonces(&self) {
        self.shared.change(|state| state.forgets = true);
    }

    /// Its clock is so many minutes ahead of this machine's from now on, or behind where that is negative.
    pub fn set_clock(&self, minutes_ahead: i64) {
        self.shared.change(|state| state.ahead_ms = minutes_ahead * 60_000);
    }

    /// How often a heartbeat is asked for, from the next connection on; each 41 seconds unless told, as by Discord.
    pub fn beat(&self, every: Duration) {
        self.shared.change(|state| state.beat_ms = u64::try_from(every.as_millis()).expect("milliseconds fit"));
    }

    /// How many identifies are left today.
    pub fn leave_identifies(&self, remaining: u64) {
        self.shared.change(|state| state.remaining = remaining);
    }

    /// Whether the Message Content intent is switched on; it is, unless told.
    pub fn allow_content(&self, content: bool) {
        self.shared.change(|state| state.content = content);
    }

    /// All that was told in this session is told again.
    pub fn replay(&self) {
        self.push(Push::Replay);
    }

    /// A message is told once more.
    pub fn repeat(&self, room: u64, message: u64) {
        self.shared.change(|state| {
            let said =
                state.history[&room].iter().find(|said| said.id == message).expect("it was said").message.clone();
            state.happen("MESSAGE_CREATE", &said);
        });
    }

    /// A dispatch as it stands.
    pub fn tell(&self, kind: &str, data: &Value) {
        self.shared.change(|state| state.happen(kind, data));
    }

    fn push(&self, push: Push) {
        self.shared.change(|state| {
            let live = state.live.as_ref().expect("a bot is connected");
            let _ = live.send(push);
        });
    }

    /// Whether the bot listens.
    pub fn is_listening(&self) -> bool {
        self.shared.look(|state| state.live.is_some())
    }

    /// How often it identified, and tried to resume.
    pub fn greetings(&self) -> (usize, usize) {
        self.shared.look(|state| (state.identifies, state.resumes))
    }

    /// The most bots that listened at once.
    pub fn most_listeners(&self) -> usize {
        self.shared.look(|state| state.listeners.1)
    }

    /// Connections of the gateway so far.
    pub fn connections(&self) -> usize {
        self.shared.look(|state| state.connections)
    }

    /// Nobody may write to that room any more.
    pub fn close(&self, room: u64) {
        self.shared.change(|state| state.closed.insert(room));
    }

    /// What people see of the bot in a room, oldest first.
    pub fn seen(&self, room: u64) -> Vec<Shown> {
        self.shared.look(|state| state.shown.get(&room).cloned().unwrap_or_default())
    }

    /// The texts of [`seen`](Self::seen).
    pub fn texts(&self, room: u64) -> Vec<String> {
        self.seen(room).into_iter().map(|shown| shown.text).collect()
    }

    /// How often a kind of call was made, by the names of [`fail`](Self::fail).
    pub fn calls(&self, kind: &str) -> usize {
        self.shared.look(|state| state.calls.made(kind))
    }

    /// The commands that the bot has published.
    pub fn commands(&self) -> Vec<Value> {
        self.shared.look(|state| state.commands.clone())
    }

    /// The most messages and edits that went to one room within `span`.
    pub fn busiest(&self, span: Duration) -> usize {
        self.shared.look(|state| {
            let within = |(from, room): &(_, u64)| {
                state.sends.iter().filter(|(at, of)| of == room && at >= from && *at < *from + span).count()
            };
            state.sends.iter().map(within).max().unwrap_or(0)
        })
    }

    /// Changes whenever anything happens here.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }

    /// Waits until `look` finds something. Panics after half a minute, with what is to be seen.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        self.shared.until(what, || look(self)).await
    }

    /// Waits until a room shows exactly these texts.
    pub async fn shows(&self, room: u64, texts: &[&str]) {
        self.until(&format!("room {room} shows {texts:?}"), |discord| (discord.texts(room) == texts).then_some(()))
            .await;
    }

    /// Waits until the bot listens.
    pub async fn listening(&self) {
        self.until("the bot listens", |discord| discord.is_listening().then_some(())).await;
    }

    /// Waits until the bot listens on its so-manieth connection.
    pub async fn welcomed(&self, times: usize) {
        let welcomed = |discord: &Self| discord.shared.look(|state| state.welcomes >= times && state.live.is_some());
        self.until(&format!("the bot comes {times} times"), |discord| welcomed(discord).then_some(())).await;
    }
}

impl Drop for Discord {
    fn drop(&mut self) {
        self.stop.clear();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
