//! The connection: one WebSocket to the daemon, made again whenever it breaks.
//!
//! It knows nothing of sessions: what is to be said again after a break is the model's business, which hears `ready`
//! again. The daemon is looked for anew each time, since it may come back at another address.

use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use mosaic_types::page::Page;
use mosaic_types::{Outside, SessionEvent, SessionId};
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::model::News;
use super::wire::{Agent, Ask, Listed, PROTOCOL, Said};
use crate::cli::{CliError, Client};
use crate::detect::NO_PROVIDER;

/// A connection that is not made in this time is not made.
const PATIENCE: Duration = Duration::from_secs(10);
/// The daemon asks after an idle client every 20 s; of one that is silent for longer the connection is dead.
const SILENCE: Duration = Duration::from_secs(50);
/// How often the list of sessions is asked for, to see what others say.
const LOOK: Duration = Duration::from_secs(5);
/// The first pause before another try, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// Bytes of a frame; an answer's text may be as long as a model makes it.
const FRAME_BYTES: usize = 64 << 20;
/// Events of a session that are read when it is opened.
const TAIL: i64 = 600;

/// What the model wants of the daemon.
#[derive(Debug)]
pub(crate) enum Wish {
    Say(Ask),
    List,
    Locate(SessionId),
}

/// Finds the daemon: at an address that was named, or by the home.
pub(crate) type Finder = Box<dyn Fn() -> Result<Option<Client>, CliError> + Send>;

type Socket = WebSocketStream<reqwest::Upgraded>;
type Fetched<'a> = FuturesUnordered<Pin<Box<dyn Future<Output = Vec<News>> + 'a>>>;

/// Keeps the connection until nobody hears the news any more.
pub(crate) async fn keep(find: Finder, mut wishes: Receiver<Wish>, news: Sender<News>, outside: Outside) {
    let mut pause = PAUSE.0;
    loop {
        let opened = tokio::select! {
            opened = connect(&find) => opened,
            () = unheard(&mut wishes) => return,
        };
        let why = match opened {
            Ok((client, socket)) => {
                let begun = Instant::now();
                let why = serve(&client, socket, &mut wishes, &news).await;
                if begun.elapsed() > PAUSE.1 {
                    pause = PAUSE.0;
                }
                why
            }
            Err(why) => why,
        };
        let Some(why) = why else { return };
        if news.send(News::Down(why)).await.is_err() {
            return;
        }
        // Many who were cut off at once do not come back at once.
        let share = f64::from(outside.bytes::<1>()[0]) / 255.0;
        tokio::select! {
            () = sleep(pause.mul_f64(0.5 + share)) => {}
            () = unheard(&mut wishes) => return,
        }
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// Until nobody wishes any more. Without a daemon nobody hears what is wished; the model says again what matters.
async fn unheard(wishes: &mut Receiver<Wish>) {
    while wishes.recv().await.is_some() {}
}

async fn connect(find: &Finder) -> Result<(Client, Socket), Option<String>> {
    let client = match find() {
        Ok(Some(client)) => client,
        Ok(None) => return Err(Some("no daemon runs on this home; `mosaic up` starts one".to_owned())),
        Err(error) => return Err(Some(error.to_string())),
    };
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(FRAME_BYTES);
    config.max_frame_size = Some(FRAME_BYTES);
    let opening = async {
        let stream = client.upgrade("/ws").await.map_err(|error| Some(error.to_string()))?;
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
        say(&mut socket, &Ask::Connect { protocol: PROTOCOL }).await.map_err(Some)?;
        Ok(socket)
    };
    let opened = timeout(PATIENCE, opening).await.unwrap_or_else(|_| Err(Some("it does not answer".to_owned())));
    opened.map(|socket| (client, socket))
}

async fn say(socket: &mut Socket, ask: &Ask) -> Result<(), String> {
    let text = serde_json::to_string(ask).expect("frames are made of what JSON knows");
    let sent = timeout(PATIENCE, socket.send(Message::text(text))).await;
    sent.unwrap_or(Err(tokio_tungstenite::tungstenite::Error::ConnectionClosed)).map_err(|error| error.to_string())
}

/// Carries frames until the connection ends; answers why. `None`: nobody hears the news any more.
async fn serve(
    client: &Client,
    mut socket: Socket,
    wishes: &mut Receiver<Wish>,
    news: &Sender<News>,
) -> Option<String> {
    let mut fetched: Fetched<'_> = FuturesUnordered::new();
    let mut look = Instant::now() + LOOK;
    let mut heard = Instant::now();
    // The reason that the daemon itself gave, which goes before that of the broken connection.
    let mut last_word = None;
    loop {
        tokio::select! {
            frame = socket.next() => {
                heard = Instant::now();
                match frame {
                    Some(Ok(Message::Text(text))) => match Said::read(&text) {
                        Ok(Said::Other) => {}
                        Ok(said) => {
                            if let Said::Ready { .. } = said {
                                fetched.push(soon(house(client)));
                            }
                            if let Said::Error { id: None, session: None, message, .. } = &said {
                                last_word = Some(message.clone());
                            }
                            news.send(News::Said(said)).await.ok()?;
                        }
                        Err(error) => return Some(format!("the daemon said what cannot be read: {error}")),
                    },
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Some(last_word.unwrap_or_else(|| error.to_string())),
                    None => return Some(last_word.unwrap_or_else(|| "the daemon is gone".to_owned())),
                }
            }
            wish = wishes.recv() => match wish {
                None => {
                    let _ = timeout(Duration::from_millis(200), socket.close(None)).await;
                    return None;
                }
                Some(Wish::Say(ask)) => {
                    if let Err(why) = say(&mut socket, &ask).await {
                        return Some(last_word.unwrap_or(why));
                    }
                }
                Some(Wish::List) => {
                    look = Instant::now() + LOOK;
                    fetched.push(soon(list(client)));
                }
                Some(Wish::Locate(session)) => fetched.push(soon(locate(client, session))),
            },
            Some(told) = fetched.next(), if !fetched.is_empty() => {
                for told in told {
                    news.send(told).await.ok()?;
                }
            }
            () = tokio::time::sleep_until(look) => {
                look = Instant::now() + LOOK;
                if heard.elapsed() > SILENCE {
                    return Some("the daemon is silent".to_owned());
                }
                fetched.push(soon(list(client)));
            }
        }
    }
}

/// What is not answered in time is asked for again by whoever wants it.
fn soon<'a>(fetch: impl Future<Output = Vec<News>> + 'a) -> Pin<Box<dyn Future<Output = Vec<News>> + 'a>> {
    Box::pin(async move { timeout(PATIENCE, fetch).await.unwrap_or_default() })
}

async fn list(client: &Client) -> Vec<News> {
    match client.get::<Page<Listed>>("/api/v1/sessions?limit=100").await {
        Ok(page) => vec![News::Sessions(page.items)],
        // The connection tells what is wrong.
        Err(_) => Vec::new(),
    }
}

/// Who answers here, and whether anybody can.
async fn house(client: &Client) -> Vec<News> {
    let mut told = Vec::new();
    if let Ok(page) = client.get::<Page<Agent>>("/api/v1/agents").await {
        told.push(News::Agents(page.items));
    }
    if let Ok(page) = client.get::<Page<serde_json::Value>>("/api/v1/providers").await {
        told.push(News::Advice(page.items.is_empty().then(|| NO_PROVIDER.to_owned())));
    }
    told
}

/// Finds where the newest part of a journal begins, in a few questions: its events are numbered without a gap.
async fn locate(client: &Client, session: SessionId) -> Vec<News> {
    #[derive(Deserialize)]
    struct Events {
        items: Vec<SessionEvent>,
    }
    let reaches = async |seq: i64| {
        let path = format!("/api/v1/sessions/{session}/events?after={}&limit=1", seq - 1);
        client.get::<Events>(&path).await.is_ok_and(|page| !page.items.is_empty())
    };
    let (mut there, mut beyond) = (0, TAIL + 1);
    while reaches(beyond).await {
        (there, beyond) = (beyond, beyond.saturating_mul(2));
    }
    while there > 0 && beyond - there > 1 {
        let middle = there + (beyond - there) / 2;
        if reaches(middle).await {
            there = middle;
        } else {
            beyond = middle;
        }
    }
    vec![News::Located { session, after: (there - TAIL).max(0) }]
}
