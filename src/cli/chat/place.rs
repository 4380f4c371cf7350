//! Where the turn runs: in a daemon, or here.

use futures_util::stream;
use mosaic_messages::CancelTurn;
use mosaic_runtime::doors::unreached;
use mosaic_runtime::events::{Interest, Missed};
use mosaic_types::journal::{API_CHANNEL, NewSession, Outcome, SessionQuery, SessionRow, Write as Entry};
use mosaic_types::page::{Limit, Page};
use mosaic_types::{AgentName, Failure, SessionEvent, SessionId};
use serde::Deserialize;
use serde_json::json;

use super::super::client::{Client, Events};
use super::super::{CliError, Common};
use super::Chat;
use crate::app::App;
use crate::detect::NO_PROVIDER;
use crate::home::HomeLock;
use crate::outside;
use crate::submission::submission;

/// Where the turn runs.
pub(super) enum Place {
    Daemon(Client),
    Here(Box<Here>),
}

/// The house in this process, without a listener.
pub(super) struct Here {
    pub(super) app: App,
    _lock: HomeLock,
}

impl Here {
    pub(super) async fn open(common: &Common, lock: HomeLock) -> Result<Self, CliError> {
        let config = common.config(lock.home())?;
        common.observe(tracing::Level::WARN, config.log.format);
        let app = App::start(&config, &common.env(), outside::system()).await?;
        if app.doors.providers.is_empty() {
            app.stop().await;
            return Err(CliError::Failed(NO_PROVIDER.to_owned()));
        }
        Ok(Self { app, _lock: lock })
    }

    pub(super) async fn session(&self, chat: &Chat) -> Result<SessionId, CliError> {
        let doors = &self.app.doors;
        if let Some(id) = &chat.session {
            return id.parse().map_err(|_| Failure::not_found("session").into());
        }
        if chat.continue_last {
            let ask = SessionQuery { user: Some(self.app.owner), archived: Some(false), ..SessionQuery::default() };
            let page = doors.store.sessions(ask, None, Limit::new(Some(1)).unwrap_or_default()).await?;
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

    pub(super) async fn submit(&self, session: &SessionId, text: &str) -> Result<Events, CliError> {
        let doors = &self.app.doors;
        let reader = doors.hub.subscribe(session, Interest::All);
        let ask = submission(&doors.outside, session.clone(), self.app.owner(), text.to_owned(), None, None)?;
        let turn = ask.turn;
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
struct Ready {
    /// What to do where there is no provider.
    hint: Option<String>,
}

#[derive(Deserialize)]
struct Cancelled {
    cancelled: Option<String>,
}

impl Place {
    pub(super) async fn session(&self, chat: &Chat) -> Result<SessionId, CliError> {
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
        // A session in which nobody could answer is not begun.
        let ready: Ready = client.get("/readyz").await?;
        if let Some(hint) = ready.hint {
            return Err(CliError::Failed(hint));
        }
        let row: SessionRow = client.post("/api/v1/sessions", &json!({"agent": chat.agent})).await?;
        Ok(row.id)
    }

    pub(super) async fn submit(&self, session: &SessionId, text: &str) -> Result<Events, CliError> {
        match self {
            Self::Here(here) => here.submit(session, text).await,
            Self::Daemon(client) => {
                let key = outside::system().uuid().to_string();
                client.submit(session.as_str(), text, &key).await
            }
        }
    }

    /// Whether there was something to cancel.
    pub(super) async fn cancel(&self, session: &SessionId) -> Result<bool, CliError> {
        match self {
            Self::Here(here) => {
                let ask = CancelTurn::now(session.clone(), here.app.owner());
                let cancelled = here.app.router.urge(ask).await;
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
