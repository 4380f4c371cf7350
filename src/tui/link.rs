//! The connection: one WebSocket to the daemon, made again whenever it breaks.
//!
//! It knows nothing of sessions: what is to be said again after a break is the model's business, which hears `ready`
//! again. The daemon is looked for anew each time, since it may come back at another address.

mod fetch;

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use mosaic_types::Outside;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::model::{News, Wish};
use super::wire::{Ask, PROTOCOL, Said};
use crate::cli::{CliError, Client};

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

/// Finds the daemon: at an address that was named, or by the home.
pub(crate) type Finder = Box<dyn Fn() -> Result<Option<Client>, CliError> + Send>;

type Socket = WebSocketStream<reqwest::Upgraded>;

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
    let mut fetched: FuturesUnordered<fetch::Fetch<'_>> = FuturesUnordered::new();
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
                                fetched.push(fetch::house(client));
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
                Some(wish) => {
                    if wish == Wish::List {
                        look = Instant::now() + LOOK;
                    }
                    fetched.push(fetch::wish(client, wish));
                }
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
                fetched.push(fetch::wish(client, Wish::List));
            }
        }
    }
}
