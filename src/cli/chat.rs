//! `mosaic chat`: one turn, its answer streamed to stdout.
//!
//! With a daemon in reach it is one of the daemon's clients; with none, it opens the house in this process for as long
//! as the turn takes.

use std::io::{IsTerminal, Read};
use std::pin::Pin;
use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt, stream};
use mosaic_messages::{CancelTurn, SubmitTurn};
use mosaic_runtime::doors::unreached;
use mosaic_runtime::events::{Interest, Missed};
use mosaic_types::journal::{API_CHANNEL, InboxKey, NewSession, Outcome, SessionRow, Write as Entry};
use mosaic_types::page::{Limit, Page};
use mosaic_types::{AgentName, EventBody, Failure, SessionEvent, SessionId, limits};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::client::{Client, Events};
use super::output::{for_terminal, note, print};
use super::reach::Reach;
use super::{CliError, Common};
use crate::app::App;
use crate::detect::NO_PROVIDER;
use crate::home::HomeLock;
use crate::outside;

/// After Ctrl-C, for so long the cancelled turn may take to say that it ended.
const CANCEL_PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Chat {
    /// What to say; without it, or with -, stdin is read to its end
    message: Option<String>,
    /// Go on in this session
    #[arg(long, value_name = "ID", conflicts_with = "continue_last")]
    session: Option<String>,
    /// Go on in the session that was used last
    #[arg(long = "continue", short = 'c')]
    continue_last: bool,
    /// The agent that answers, in a new session
    #[arg(long, value_name = "NAME", conflicts_with_all = ["session", "continue_last"])]
    agent: Option<String>,
}

pub(super) async fn run(common: Common, chat: Chat) -> Result<(), CliError> {
    let text = chat.text()?;
    let place = match Reach::find(&common).await? {
        Reach::Daemon(client) => Place::Daemon(client),
        Reach::Alone(lock) => Place::Here(Box::new(Here::open(&common, lock).await?)),
    };
    let session = place.session(&chat).await?;
    let events = place.submit(&session, &text).await?;
    let told = tell(&common, &place, &session, events).await;
    if let Place::Here(here) = &place {
        here.app.stop().await;
    }
    told
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

/// Where the turn runs.
enum Place {
    Daemon(Client),
    Here(Box<Here>),
}

/// The house in this process, without a listener.
struct Here {
    app: App,
    _lock: HomeLock,
}

impl Here {
    async fn open(common: &Common, lock: HomeLock) -> Result<Self, CliError> {
        let config = common.config(lock.home())?;
        common.log(tracing::Level::WARN, config.log.format);
        let app = App::start(&config, &common.env(), outside::system()).await?;
        if app.doors.providers.is_empty() {
            return Err(CliError::Failed(NO_PROVIDER.to_owned()));
        }
        Ok(Self { app, _lock: lock })
    }

    async fn session(&self, chat: &Chat) -> Result<SessionId, CliError> {
        let doors = &self.app.doors;
        if let Some(id) = &chat.session {
            return id.parse().map_err(|_| Failure::not_found("session").into());
        }
        if chat.continue_last {
            let page =
                doors.store.sessions(Some(self.app.owner), None, Limit::new(Some(1)).unwrap_or_default()).await?;
            return page.items.into_iter().next().map(|row| row.id).ok_or_else(none_to_continue);
        }
        let agent = match &chat.agent {
            None => doors.agents.default_name().cloned(),
            Some(name) => name.parse::<AgentName>().ok().filter(|name| doors.agents.profile(name).is_some()),
        };
        let agent = agent.ok_or_else(|| {
            let known: Vec<_> = doors.agents.profiles().iter().map(|agent| agent.name.to_string()).collect();
            CliError::Failed(format!("There is no such agent. Those there are: {}.", known.join(", ")))
        })?;
        let id = doors.outside.session_id();
        let new = NewSession {
            id: id.clone(),
            user: self.app.owner,
            channel: API_CHANNEL.into(),
            agent,
            title: String::new(),
            at: doors.outside.now(),
        };
        match doors.commit(Entry::CreateSession(new)).await? {
            Outcome::Written(_) => Ok(id),
            other => Err(CliError::Failed(format!("the session could not be made: {other:?}"))),
        }
    }

    async fn submit(&self, session: &SessionId, text: &str) -> Result<Events, CliError> {
        let doors = &self.app.doors;
        let turn = doors.outside.turn_id();
        let reader = doors.hub.subscribe(session, Interest::All);
        let ask = SubmitTurn {
            session: session.clone(),
            from: self.app.owner(),
            turn,
            inbox: InboxKey {
                channel: API_CHANNEL.into(),
                account: self.app.owner.to_string().into(),
                conversation: session.as_str().into(),
                event: format!("turn:{turn}").into(),
            },
            body_hash: Sha256::digest(text.as_bytes()).into(),
            text: text.into(),
            model: None,
            create: None,
            repeats_last: false,
            span: tracing::info_span!("turn", turn.id = %turn),
        };
        self.app.router.ask(ask).await.unwrap_or_else(|error| Err(unreached("The router", &error)))?;
        let start = Some((reader, doors.store.clone()));
        Ok(Box::pin(stream::unfold(start, move |rest| async move {
            let (mut reader, store) = rest?;
            loop {
                match reader.next().await {
                    Ok(event) if event.turn != Some(turn) => {}
                    Ok(event) => {
                        let rest = (!event.body.is_end()).then_some((reader, store));
                        return Some((Ok(SessionEvent::clone(&event)), rest));
                    }
                    // An end that was stored and could not be announced is in the journal.
                    Err(Missed::Unannounced) => match store.turn(turn).await.map(|turn| turn.and_then(|turn| turn.end))
                    {
                        Ok(None) => {}
                        Ok(Some(end)) => return Some((Ok(end), None)),
                        Err(error) => return Some((Err(error.into()), None)),
                    },
                    Err(lagged) => return Some((Err(CliError::Failed(lagged.to_string())), None)),
                }
            }
        })))
    }
}

fn none_to_continue() -> CliError {
    CliError::Failed("There is no session to continue yet.".to_owned())
}

#[derive(Deserialize)]
struct Cancelled {
    cancelled: Option<String>,
}

impl Place {
    async fn session(&self, chat: &Chat) -> Result<SessionId, CliError> {
        let client = match self {
            Self::Here(here) => return here.session(chat).await,
            Self::Daemon(client) => client,
        };
        if let Some(id) = &chat.session {
            return id.parse().map_err(|_| Failure::not_found("session").into());
        }
        if chat.continue_last {
            let page: Page<SessionRow> = client.get("/api/v1/sessions?limit=1").await?;
            return page.items.into_iter().next().map(|row| row.id).ok_or_else(none_to_continue);
        }
        let row: SessionRow = client.post("/api/v1/sessions", &json!({"agent": chat.agent})).await?;
        Ok(row.id)
    }

    async fn submit(&self, session: &SessionId, text: &str) -> Result<Events, CliError> {
        match self {
            Self::Here(here) => here.submit(session, text).await,
            Self::Daemon(client) => {
                let key = outside::system().uuid().to_string();
                client.submit(session.as_str(), text, &key).await
            }
        }
    }

    /// Whether there was something to cancel.
    async fn cancel(&self, session: &SessionId) -> Result<bool, CliError> {
        match self {
            Self::Here(here) => {
                let ask = CancelTurn { session: session.clone(), from: here.app.owner() };
                let cancelled = here.app.router.ask(ask).await;
                Ok(cancelled.unwrap_or_else(|error| Err(unreached("The router", &error)))?.is_some())
            }
            Self::Daemon(client) => {
                let path = format!("/api/v1/sessions/{session}/cancel");
                let answer: Cancelled = client.post(&path, &json!({})).await?;
                Ok(answer.cancelled.is_some())
            }
        }
    }
}

/// Prints the turn until it ends; Ctrl-C cancels it.
async fn tell(common: &Common, place: &Place, session: &SessionId, mut events: Events) -> Result<(), CliError> {
    let mut voice = Voice { json: common.json, at_line_start: true, deaf: false };
    let interrupt = tokio::signal::ctrl_c();
    let mut interrupt: Pin<Box<dyn Future<Output = _>>> = Box::pin(interrupt);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(event) => {
                    if let Some(end) = voice.hear(&event?)? {
                        return end;
                    }
                    // A daemon ends the turn by itself; here it ends only if we stay.
                    if voice.deaf && matches!(place, Place::Daemon(_)) {
                        return Err(CliError::Enough);
                    }
                }
                None => return Err(CliError::Unavailable("the events ended before the turn did.".to_owned())),
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

/// Says a turn's events on stdout.
struct Voice {
    json: bool,
    at_line_start: bool,
    /// Stdout was closed by whoever read it.
    deaf: bool,
}

impl Voice {
    /// `Some` at the end of the turn: how it went.
    fn hear(&mut self, event: &SessionEvent) -> Result<Option<Result<(), CliError>>, CliError> {
        if self.json {
            let line = serde_json::to_string(event).map_err(|error| CliError::Failed(error.to_string()))?;
            self.print(&format!("{line}\n"))?;
        }
        match &event.body {
            EventBody::TurnDelta { text, .. } if !self.json => {
                let text = for_terminal(text);
                self.at_line_start = text.ends_with('\n');
                self.print(&text)?;
            }
            EventBody::StepFinished { name, ok: false, .. } if !self.json => {
                self.break_line()?;
                note(&format!("{} did not answer.", for_terminal(name)));
            }
            EventBody::TurnRestarted { .. } if !self.json => {
                self.break_line()?;
                note("The answer was cut off; it begins again.");
            }
            EventBody::TurnFinished(_) => {
                self.break_line()?;
                return Ok(Some(Ok(())));
            }
            EventBody::TurnFailed { code, message } => {
                self.break_line()?;
                let error: CliError = Failure::new(*code, message.clone()).into();
                return Ok(Some(Err(if self.json { CliError::Told } else { error })));
            }
            EventBody::TurnCancelled {} => {
                self.break_line()?;
                note("Cancelled.");
                return Ok(Some(Err(CliError::Told)));
            }
            _ => {}
        }
        Ok(None)
    }

    fn break_line(&mut self) -> Result<(), CliError> {
        if !self.json && !self.at_line_start {
            self.at_line_start = true;
            self.print("\n")?;
        }
        Ok(())
    }

    fn print(&mut self, text: &str) -> Result<(), CliError> {
        if self.deaf {
            return Ok(());
        }
        match print(text) {
            Err(CliError::Enough) => {
                self.deaf = true;
                Ok(())
            }
            done => done,
        }
    }
}
