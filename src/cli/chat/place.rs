//! Where the turn runs: in a daemon, or here.

use futures_util::stream;
use mosaic_messages::CancelTurn;
use mosaic_runtime::doors::unreached;
use mosaic_runtime::events::{Interest, Missed};
use mosaic_types::journal::{API_CHANNEL, NewSession, Outcome, SessionQuery, SessionRow, Write as Entry};
use mosaic_types::page::{Limit, Page};
use mosaic_types::{AgentName, Code, Failure, SessionEvent, SessionId};
use serde::Deserialize;
use serde_json::json;

use super::super::client::{Client, Events};
use super::super::output::note;
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

    async fn last(&self) -> Result<Option<SessionRow>, CliError> {
        let ask = SessionQuery { user: Some(self.app.owner().user), archived: Some(false), ..SessionQuery::default() };
        let page = self.app.doors.store.sessions(ask, None, Limit::new(Some(1)).unwrap_or_default()).await?;
        Ok(page.items.into_iter().next())
    }

    /// Makes a session, called `id` or as it is drawn; `None` where there is one by that name.
    async fn make(&self, id: Option<&SessionId>, agent: Option<&str>) -> Result<Option<SessionId>, CliError> {
        let doors = &self.app.doors;
        let agent = match agent {
            None => doors.agents.default_name().cloned(),
            Some(name) => name.parse::<AgentName>().ok().filter(|name| doors.agents.profile(name).is_some()),
        };
        let agent = agent.ok_or_else(|| {
            let known: Vec<_> = doors.agents.profiles().iter().map(|agent| agent.name.to_string()).collect();
            CliError::Failed(format!("There is no such agent. Those there are: {}.", known.join(", ")))
        })?;
        let id = id.cloned().unwrap_or_else(|| doors.outside.session_id());
        let new = NewSession {
            id: id.clone(),
            user: self.app.owner().user,
            channel: API_CHANNEL.into(),
            agent,
            title: String::new(),
            at: doors.outside.now(),
        };
        match doors.commit(Entry::CreateSession(new)).await? {
            Outcome::Written(_) => Ok(Some(id)),
            Outcome::Exists => Ok(None),
            other => Err(CliError::Failed(format!("the session could not be made: {other:?}"))),
        }
    }

    async fn show(&self, id: &SessionId) -> Result<SessionRow, CliError> {
        let row = self.app.doors.store.session(id).await?;
        let mine = row.filter(|row| self.app.owner().may_see(row.user, &row.channel));
        mine.ok_or_else(|| Failure::not_found("session").into())
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

fn unnameable() -> CliError {
    CliError::Usage("a session's name is 1 to 64 characters of A-Z a-z 0-9 _ -.".to_owned())
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
    /// The session to talk in. One that is named is made where there is none, as the API's `X-Mosaic-Session` has it.
    pub(super) async fn session(&self, chat: &Chat, json: bool) -> Result<SessionId, CliError> {
        if chat.continue_last {
            return self.last().await?.map(|row| row.id).ok_or_else(none_to_continue);
        }
        let id = chat.session.as_deref().map(|id| id.parse::<SessionId>().map_err(|_| unnameable())).transpose()?;
        let made = self.make(id.as_ref(), chat.agent.as_deref()).await?;
        let Some(id) = id else {
            return made.ok_or_else(|| CliError::Failed("the session could not be made; try again.".to_owned()));
        };
        if made.is_some() {
            if !json {
                note(&format!("Session {id} is new."));
            }
        } else if let Some(agent) = &chat.agent {
            let has = self.show(&id).await?.agent;
            if has.as_str() != agent {
                return Err(CliError::Usage(format!(
                    "session {id} has its agent already, {has}. Leave --agent out, or change it there: `mosaic tui \
                     --session {id}`, then /agent {agent}."
                )));
            }
        }
        Ok(id)
    }

    async fn last(&self) -> Result<Option<SessionRow>, CliError> {
        match self {
            Self::Here(here) => here.last().await,
            Self::Daemon(client) => {
                let page: Page<SessionRow> = client.get("/api/v1/sessions?limit=1").await?;
                Ok(page.items.into_iter().next())
            }
        }
    }

    async fn make(&self, id: Option<&SessionId>, agent: Option<&str>) -> Result<Option<SessionId>, CliError> {
        let client = match self {
            Self::Here(here) => return here.make(id, agent).await,
            Self::Daemon(client) => client,
        };
        // A session in which nobody could answer is not begun.
        let ready: Ready = client.get("/readyz").await?;
        if let Some(hint) = ready.hint {
            let missing = match id {
                Some(id) => match client.get::<SessionRow>(&format!("/api/v1/sessions/{id}")).await {
                    Ok(_) => String::new(),
                    Err(error @ CliError::Unavailable(_)) => return Err(error),
                    Err(_) => format!("There is no session {id} yet, and nobody could answer in it. "),
                },
                None => String::new(),
            };
            return Err(CliError::Failed(format!("{missing}{hint}")));
        }
        let mut wish = json!({"agent": agent});
        if let Some(id) = id {
            wish["id"] = json!(id);
        }
        match client.try_post::<SessionRow>("/api/v1/sessions", &wish).await? {
            Ok(row) => Ok(Some(row.id)),
            Err(failure) if failure.code == Code::Exists => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn show(&self, id: &SessionId) -> Result<SessionRow, CliError> {
        match self {
            Self::Here(here) => here.show(id).await,
            Self::Daemon(client) => client.get(&format!("/api/v1/sessions/{id}")).await,
        }
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
