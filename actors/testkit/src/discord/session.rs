//! The gateway: sessions over WebSockets, which can be resumed, and what can go wrong with them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::routes;
use super::state::{Shared, bot};
use super::{OTHER_TOKEN, TOKEN};

/// The privileged intents (API reference, "Gateway intents"): members, presences, message content.
const MESSAGE_CONTENT: u64 = 1 << 15;
const OTHER_PRIVILEGED: u64 = 1 << 1 | 1 << 8;

/// What the bot was told in one session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Each with its number; the first is 1.
    pub(super) events: Vec<Value>,
}

impl Session {
    pub(super) fn keep(&mut self, kind: &str, data: Value) {
        let seq = self.events.len() + 1;
        self.events.push(json!({"op": 0, "t": kind, "s": seq, "d": data}));
    }
}

/// What a live connection is to do.
#[derive(Debug, Clone)]
pub(super) enum Push {
    /// There are events that were not told.
    News,
    /// A frame as it stands.
    Frame(Value),
    Close(u16, String),
    /// The connection ends without a goodbye.
    Drop,
    /// Nothing is said or heard any more, and the connection stays.
    Freeze,
    /// All but the first event are told again.
    Replay,
}

/// Accepts until `stopped`.
pub(super) async fn serve(socket: std::net::TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let socket = TcpListener::from_std(socket).expect("a bound socket can be served");
    loop {
        tokio::select! {
            accepted = socket.accept() => if let Ok((stream, _)) = accepted {
                let shared = shared.clone();
                tokio::runtime::Handle::current().spawn(async move {
                    if let Ok(socket) = accept_async(stream).await {
                        converse(socket, &shared).await;
                    }
                });
            },
            _ = &mut stopped => return,
        }
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn converse(mut socket: Socket, shared: &Shared) {
    let beat = shared.change(|state| {
        state.connections += 1;
        state.beat_ms
    });
    say(&mut socket, &json!({"op": 10, "s": null, "t": null, "d": {"heartbeat_interval": beat}})).await;
    let Some((name, mut sent)) = admit(&mut socket, shared).await else { return };
    let (live, mut pushed) = mpsc::unbounded_channel();
    shared.change(|state| {
        if let Some(other) = state.live.replace(live.clone()) {
            let _ = other.send(Push::Drop);
        }
        let _ = live.send(Push::News);
        state.welcomes += 1;
        let (now, most) = state.listeners;
        state.listeners = (now + 1, most.max(now + 1));
    });
    loop {
        tokio::select! {
            push = pushed.recv() => match push {
                Some(Push::News) => sent = tell(&mut socket, shared, &name, sent).await,
                Some(Push::Frame(frame)) => say(&mut socket, &frame).await,
                Some(Push::Replay) => sent = tell(&mut socket, shared, &name, 1).await.max(sent),
                Some(Push::Freeze) => std::future::pending().await,
                Some(Push::Close(code, reason)) => {
                    let frame = CloseFrame { code: code.into(), reason: reason.into() };
                    let _ = socket.close(Some(frame)).await;
                    break;
                }
                Some(Push::Drop) | None => break,
            },
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(text.as_str()).unwrap_or_default();
                    let deaf = shared.look(|state| state.deaf);
                    if frame["op"] == 1 && !deaf {
                        say(&mut socket, &json!({"op": 11})).await;
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    // Whoever says goodbye with one of these means it (API reference, "Disconnecting").
                    if frame.is_none_or(|frame| matches!(u16::from(frame.code), 1000 | 1001)) {
                        shared.change(|state| state.sessions.remove(&name));
                    }
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    shared.change(|state| {
        state.listeners.0 -= 1;
        if state.live.as_ref().is_some_and(|other| other.same_channel(&live)) {
            state.live = None;
        }
    });
}

/// Identifies or resumes: answers the session, and how many of its events were told.
async fn admit(socket: &mut Socket, shared: &Shared) -> Option<(String, usize)> {
    let frame = loop {
        let text = socket.next().await?.ok()?.into_text().ok()?;
        let frame: Value = serde_json::from_str(text.as_str()).ok()?;
        match frame["op"].as_u64() {
            Some(1) => say(socket, &json!({"op": 11})).await,
            Some(2 | 6) => break frame,
            _ => return refuse(socket, 4003, "Not authenticated.").await,
        }
    };
    let data = &frame["d"];
    if data["token"] != TOKEN && data["token"] != OTHER_TOKEN {
        return refuse(socket, 4004, "Authentication failed.").await;
    }
    if frame["op"] == 6 {
        let name = data["session_id"].as_str().unwrap_or_default().to_owned();
        let seq = usize::try_from(data["seq"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
        let known = shared.change(|state| {
            state.resumes += 1;
            !state.lapses && state.sessions.get(&name).is_some_and(|session| seq <= session.events.len())
        });
        if !known {
            shared.change(|state| state.sessions.remove(&name));
            say(socket, &json!({"op": 9, "d": false})).await;
            // It may identify on the same connection.
            return Box::pin(admit(socket, shared)).await;
        }
        shared.change(|state| state.sessions.get_mut(&name).map(|session| session.keep("RESUMED", json!({}))));
        return Some((name, seq));
    }
    let intents = data["intents"].as_u64().unwrap_or(0);
    let content = shared.look(|state| state.content);
    if intents & OTHER_PRIVILEGED != 0 || (intents & MESSAGE_CONTENT != 0 && !content) {
        return refuse(socket, 4014, "Disallowed intent(s).").await;
    }
    let name = shared.change(|state| {
        state.identifies += 1;
        state.remaining = state.remaining.saturating_sub(1);
        state.intents = intents;
        let name = format!("session-{}", state.identifies);
        let mut session = Session::default();
        session.keep(
            "READY",
            json!({"v": 10, "user": bot(), "session_id": name, "resume_gateway_url": state.gateway,
                "guilds": [], "application": {"id": super::APPLICATION.to_string(), "flags": 0}}),
        );
        for guild in routes::guilds(state) {
            session.keep("GUILD_CREATE", guild);
        }
        state.sessions.insert(name.clone(), session);
        for saying in std::mem::take(&mut state.unsaid) {
            saying.say(state);
        }
        name
    });
    Some((name, 0))
}

/// Tells what came after the first `sent` events; answers how many are told then.
async fn tell(socket: &mut Socket, shared: &Shared, name: &str, sent: usize) -> usize {
    let events = shared.look(|state| Some(state.sessions.get(name)?.events.get(sent..)?.to_vec())).unwrap_or_default();
    for event in &events {
        say(socket, event).await;
    }
    sent + events.len()
}

async fn refuse<T>(socket: &mut Socket, code: u16, reason: &'static str) -> Option<T> {
    let _ = socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await;
    // Its goodbye is waited for, or the kernel would take ours back.
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.next()).await;
    None
}

async fn say(socket: &mut Socket, frame: &Value) {
    let _ = socket.send(Message::text(frame.to_string())).await;
}
