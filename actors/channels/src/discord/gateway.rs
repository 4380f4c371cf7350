//! The connection: opened, kept, and what is told on it handed on.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use serenity::model::channel::Message as Said;
use serenity::model::gateway::GatewayIntents;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::inbound::{Me, read};
use super::interaction::{self, Interaction};
use super::lanes::{Event, Lanes};
use super::link::{Effect, Link};
use super::missed::alone_with;
use super::trouble::Left;
use super::{Inner, KNOWN, rest};
use crate::channel::{Cut, Heard, Hearing};
use crate::talk::Talk;

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(20);

/// A goodbye is not waited for longer.
const GOODBYE: Duration = Duration::from_secs(2);

/// After a cut, what was heard is worked on for so long before it is told.
const FINISH: Duration = Duration::from_secs(5);

/// How often it is kept how far all was taken in.
const KEEP: Duration = Duration::from_secs(1);

/// Discord moves its bots about as it likes: after a connection that held for so long, that is no trouble.
const HELD: Duration = Duration::from_secs(10);

/// A frame of the gateway, at the most: a large guild is told in one of some MB.
const FRAME_BYTES: usize = 16 << 20;

/// With so few sessions left of a day's thousand (API reference, "Session Start Limit") we wait for the next day, so that
/// the owner can still start the bot by hand.
const RESERVE: u64 = 10;

/// An application's flags that let its bot read what messages say: of one in many guilds, and of one in few (API reference,
/// "Application Flags").
pub(super) const MAY_READ: u64 = 1 << 18 | 1 << 19;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Inner {
    /// Connects, and hears until it is cut off.
    pub(super) async fn listen(self: Rc<Self>, talk: Rc<Talk>) -> Cut {
        let mut lanes = self.lanes.take();
        let left = loop {
            let began = Instant::now();
            let left = match self.converse(&talk, &mut lanes).await {
                Ok(never) => match never {},
                Err(left) => left,
            };
            if let (Left::Asked, true) = (&left, began.elapsed() >= HELD) {
                continue;
            }
            break left;
        };
        let _ = timeout(FINISH, lanes.finish()).await;
        self.settle(&lanes);
        self.advance(&lanes, &talk).await;
        self.lanes.replace(lanes);
        Cut { stood: self.stood.get(), ..left.cut(self.rest.origin()) }
    }

    /// One connection.
    async fn converse(self: &Rc<Self>, talk: &Rc<Talk>, lanes: &mut Lanes) -> Result<std::convert::Infallible, Left> {
        self.stood.set(false);
        self.find_position(talk).await?;
        let known = self.session.take().and_then(super::link::Known::tried);
        self.session.replace(known.clone());
        let url = match &known {
            Some(known) => known.url.clone(),
            None => self.introduce(talk).await?,
        };
        let me = self.me.borrow().clone().ok_or(Left::Lapsed)?;
        let mut socket = connect(&url).await?;
        let chance = f64::from(talk.chance()) / 255.0;
        let mut link = Link::new(self.rest.token(), intents(&me), known, chance, Instant::now());
        let left = self.keep(&mut socket, &mut link, &me, talk, lanes).await;
        let known = link.known().cloned().filter(|_| left.keeps_session());
        self.stood.set(link.resumed() && known.is_some());
        self.session.replace(known);
        self.settle(lanes);
        // A goodbye of ours with an ordinary number would end the session.
        let close = CloseFrame { code: CloseCode::from(4_000), reason: "".into() };
        let _ = timeout(GOODBYE, socket.close(Some(close))).await;
        Err(left)
    }

    /// Keeps up a connection until it ends.
    async fn keep(
        self: &Rc<Self>,
        socket: &mut Socket,
        link: &mut Link,
        me: &Me,
        talk: &Rc<Talk>,
        lanes: &mut Lanes,
    ) -> Left {
        let mut keeping = interval(KEEP);
        keeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let listens = lanes.has_room();
            let effects = tokio::select! {
                told = socket.next(), if listens => match told {
                    Some(Ok(Message::Text(text))) => {
                        talk.proven();
                        link.hear(text.as_str(), Instant::now())
                    }
                    Some(Ok(Message::Close(close))) => {
                        return close.map_or(Left::Broken, |close| Left::Closed(close.code.into()));
                    }
                    Some(Ok(_)) => Vec::new(),
                    Some(Err(_)) | None => return Left::Broken,
                },
                () = sleep_until(link.wake()) => link.tick(Instant::now(), listens).into_iter().collect(),
                () = lanes.work() => Vec::new(),
                _ = keeping.tick() => {
                    self.advance(lanes, talk).await;
                    Vec::new()
                }
            };
            for effect in effects {
                match effect {
                    Effect::Send(frame) => {
                        let sent = timeout(CONNECT, socket.send(Message::text(frame.to_string()))).await;
                        if !matches!(sent, Ok(Ok(()))) {
                            return Left::Broken;
                        }
                    }
                    Effect::Begun => lanes.begin(),
                    Effect::Resumed => {}
                    Effect::Event { seq, kind, data } => {
                        let event = lanes.came(seq);
                        self.told(event, &kind, &data, me, talk, lanes);
                    }
                    Effect::Leave(left) => return left,
                }
            }
        }
    }

    /// Keeps in mind up to where the session is done with.
    fn settle(&self, lanes: &Lanes) {
        if let Some(known) = &mut *self.session.borrow_mut() {
            // The greeting itself is not told again.
            known.seq = lanes.done().max(1);
        }
    }

    /// Asks who we are, and where to connect.
    async fn introduce(&self, talk: &Talk) -> Result<String, Left> {
        let user = self.rest.get("users/@me").await?;
        let application = self.rest.get("applications/@me").await?;
        let id = |value: &Value| value["id"].as_str().and_then(|id| id.parse::<u64>().ok()).unwrap_or_default();
        let me = Me {
            id: id(&user),
            name: user["username"].as_str().unwrap_or_default().to_owned(),
            application: id(&application),
            content: application["flags"].as_u64().unwrap_or(0) & MAY_READ != 0,
        };
        talk.status().met(format!("@{}", me.name));
        self.publish(me.application).await;
        self.me.replace(Some(me));
        let gateway = self.rest.get("gateway/bot").await?;
        let limit = &gateway["session_start_limit"];
        if limit["remaining"].as_u64().is_some_and(|remaining| remaining <= RESERVE) {
            return Err(Left::Spent(Duration::from_millis(limit["reset_after"].as_u64().unwrap_or(60_000))));
        }
        gateway["url"].as_str().map(str::to_owned).ok_or(Left::Broken)
    }

    /// Has the right thing done about an event.
    fn told(self: &Rc<Self>, event: Event, kind: &str, data: &str, me: &Me, talk: &Rc<Talk>, lanes: &mut Lanes) {
        match kind {
            "READY" => self.begin_to_catch_up(event, me, talk, lanes),
            "GUILD_CREATE" => self.catch_up_guild(event, data, me, talk, lanes),
            _ => {}
        }
        if matches!(kind, "MESSAGE_CREATE" | "MESSAGE_UPDATE") {
            match serde_json::from_str::<Said>(data) {
                // A link in it was looked up; nobody changed it.
                Ok(said) if kind == "MESSAGE_UPDATE" && said.edited_timestamp.is_none() => {}
                Ok(said) => {
                    let number = said.id.get();
                    lanes.saw(number);
                    if let Some(heard) = read(&said, me) {
                        let place = if heard.direct { alone_with(&heard.from.id) } else { heard.conversation.clone() };
                        let work = self.clone().take_in(heard, talk.clone());
                        lanes.push(place, event, number - 1, Box::pin(work));
                    }
                }
                Err(_) => tracing::warn!("a message of Discord's cannot be read and is passed over"),
            }
        }
        if kind == "INTERACTION_CREATE" {
            match serde_json::from_str::<Interaction>(data) {
                Ok(asked) => {
                    if let Some(heard) = interaction::read(&asked) {
                        // Discord waits for the answer: it waits for nothing that was said before.
                        let place = heard.event.clone();
                        let work = self.clone().serve(asked, heard, talk.clone());
                        lanes.push(place, event, u64::MAX, Box::pin(work));
                    }
                }
                Err(_) => tracing::warn!("an interaction of Discord's cannot be read and is passed over"),
            }
        }
    }

    /// Hears something until it is done with, unless that is in hand already: what is asked for by REST may be told by
    /// the gateway at the same moment.
    pub(super) async fn take_in(self: Rc<Self>, heard: Heard, talk: Rc<Talk>) {
        if !self.knows(&heard.event) {
            self.hear_out(heard, &talk).await;
        }
    }

    /// Whether something is in hand or done with; from now on it is.
    pub(super) fn knows(&self, event: &Arc<str>) -> bool {
        let mut known = self.known.borrow_mut();
        if known.contains(event) {
            return true;
        }
        if known.len() >= KNOWN {
            known.pop_front();
        }
        known.push_back(event.clone());
        false
    }

    /// Hears something for as long as it takes: what cannot be taken in now is told again.
    pub(super) async fn hear_out(&self, heard: Heard, talk: &Talk) {
        self.meet(&heard, talk).await;
        let heard = self.placed(heard).await;
        while let Hearing::Again(wait) = talk.hear(heard.clone()).await {
            sleep(wait).await;
        }
    }
}

/// What we ask to be told of. What messages say that are not for us only where that is switched on: without it Discord
/// tells what is said to us all the same.
fn intents(me: &Me) -> GatewayIntents {
    let always = GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES;
    if me.content { always | GatewayIntents::MESSAGE_CONTENT } else { always }
}

async fn connect(url: &str) -> Result<Socket, Left> {
    let config = WebSocketConfig::default().max_message_size(Some(FRAME_BYTES)).max_frame_size(Some(FRAME_BYTES));
    let url = format!("{}/?v=10&encoding=json", url.trim_end_matches('/'));
    let connecting = connect_async_tls_with_config(&url, Some(config), true, Some(Connector::Rustls(rest::tls())));
    match timeout(CONNECT, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(_)) | Err(_) => Err(Left::Unreached(rest::origin(&url))),
    }
}
