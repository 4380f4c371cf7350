//! `mosaic chat`: one turn, its answer streamed to stdout.
//!
//! With a daemon in reach it is one of the daemon's clients; with none, it opens the house in this process for as long
//! as the turn takes.

mod place;
mod voice;

use std::io::{IsTerminal, Read};
use std::pin::Pin;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use mosaic_types::{SessionId, limits};
use tracing::Instrument;

use super::client::Events;
use super::output::note;
use super::reach::Reach;
use super::{CliError, Common};
use crate::config::LogFormat;
use place::{Here, Place};
use voice::Voice;

/// After Ctrl-C, for so long the cancelled turn may take to say that it ended.
const CANCEL_PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Chat {
    /// What to say; without it, or with -, stdin is read to its end
    message: Option<String>,
    /// Talk in this session; a name that no session has yet makes a new one
    #[arg(long, value_name = "ID", conflicts_with = "continue_last")]
    session: Option<String>,
    /// Go on in the session that was used last
    #[arg(long = "continue", short = 'c')]
    continue_last: bool,
    /// The agent that answers, in a new session
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
}

pub(super) async fn run(common: Common, chat: Chat) -> Result<(), CliError> {
    if chat.agent.is_some() && chat.continue_last {
        let sentence = "--agent is for a new session, and the last one has its agent already. Leave --agent out, or \
                        change it there: `mosaic tui --session ID`, then /agent NAME.";
        return Err(CliError::Usage(sentence.to_owned()));
    }
    let text = chat.text()?;
    let place = match Reach::find(&common).await? {
        Reach::Daemon(client) => {
            common.observe(tracing::Level::WARN, LogFormat::Text);
            Place::Daemon(client)
        }
        Reach::Alone(lock) => Place::Here(Box::new(Here::open(&common, lock).await?)),
    };
    let span = tracing::debug_span!("chat", otel.name = "mosaic chat", otel.kind = "client");
    let told = turn(&common, &chat, &place, &text).instrument(span).await;
    if let Place::Here(here) = &place {
        here.app.stop().await;
    }
    told
}

async fn turn(common: &Common, chat: &Chat, place: &Place, text: &str) -> Result<(), CliError> {
    let session = place.session(chat, common.json).await?;
    let events = place.submit(&session, text).await?;
    tell(common, place, &session, events).await
}

impl Chat {
    fn text(&self) -> Result<String, CliError> {
        let text = match self.message.as_deref() {
            Some("-") | None => {
                if std::io::stdin().is_terminal() {
                    note("Write your message, then press Ctrl-D on an empty line.");
                }
                let mut bytes = Vec::new();
                // One byte more than can be allowed tells "too long" from "just fits".
                let most = limits::TEXT_CHARS as u64 * 4 + 1;
                let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
                read.map_err(|error| CliError::Failed(format!("cannot read stdin: {error}")))?;
                String::from_utf8(bytes).map_err(|_| CliError::Failed("stdin is not UTF-8 text.".to_owned()))?
            }
            Some(text) => text.to_owned(),
        };
        let text = text.trim_end().to_owned();
        if text.trim().is_empty() {
            return Err(CliError::Usage("there is no message: pass one, or pipe one in.".to_owned()));
        }
        if text.chars().count() > limits::TEXT_CHARS {
            return Err(CliError::Usage(format!("a message has at most {} characters.", limits::TEXT_CHARS)));
        }
        Ok(text)
    }
}

/// Nothing more is heard of a turn that goes on: where to read how it ended.
fn cut(voice: &mut Voice, session: &SessionId, error: CliError) -> Result<(), CliError> {
    voice.break_line()?;
    Err(match error {
        CliError::Unavailable(why) => {
            CliError::Unavailable(format!("{why} `mosaic sessions show {session}` shows the answer then."))
        }
        other => other,
    })
}

/// Prints the turn until it ends; Ctrl-C cancels it.
async fn tell(common: &Common, place: &Place, session: &SessionId, mut events: Events) -> Result<(), CliError> {
    let mut voice = Voice::new(common.json);
    let interrupt = tokio::signal::ctrl_c();
    let mut interrupt: Pin<Box<dyn Future<Output = _>>> = Box::pin(interrupt);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(event) => {
                    let event = match event {
                        Ok(event) => event,
                        Err(error) => return cut(&mut voice, session, error),
                    };
                    if let Some(end) = voice.hear(&event)? {
                        return end;
                    }
                    // A daemon ends the turn by itself; here it ends only if we stay.
                    if voice.deaf && matches!(place, Place::Daemon(_)) {
                        return Err(CliError::Enough);
                    }
                }
                None => {
                    let error = CliError::Unavailable("the events ended before the turn did.".to_owned());
                    return cut(&mut voice, session, error);
                }
            },
            _ = &mut interrupt => {
                interrupt = Box::pin(std::future::pending());
                let cancelled = tokio::time::timeout(CANCEL_PATIENCE, place.cancel(session)).await;
                if !matches!(cancelled, Ok(Ok(_))) {
                    voice.break_line()?;
                    return Err(CliError::Failed("the daemon did not confirm that the turn is cancelled.".to_owned()));
                }
            }
        }
    }
}
