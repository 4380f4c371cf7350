//! What is asked by GET and its like, beside the socket.

use std::pin::Pin;
use std::time::Duration;

use mosaic_types::attachment::AttachmentRow;
use mosaic_types::journal::TurnState;
use mosaic_types::page::Page;
use mosaic_types::{Seq, SessionEvent, SessionId, TurnId};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use crate::cli::{CliError, Client};
use crate::detect::NO_PROVIDER;
use crate::tui::file::File;
use crate::tui::model::{Deed, News, Parcel, Wish};
use crate::tui::wire::{Agent, Listed, Said};

/// Events of a session that are read when it is opened.
const TAIL: i64 = 600;
/// Events that are read at once as somebody scrolls up; what the daemon gives at the most.
const PAGE: i64 = 200;

/// So long a message with its files may take on the way.
const UPLOAD: Duration = Duration::from_secs(60);
/// How often one is sent where nobody answers, and the pause between.
const TRIES: u32 = 3;
const AGAIN: Duration = Duration::from_secs(1);

/// What is under way, and the news that it brings.
pub(super) type Fetch<'a> = Pin<Box<dyn Future<Output = Vec<News>> + 'a>>;

/// Asks for what is wished beside what is said on the socket. What is not answered in time is asked for again by
/// whoever wants it.
pub(super) fn wish(client: &Client, wish: Wish) -> Fetch<'_> {
    match wish {
        Wish::Say(_) => Box::pin(std::future::ready(Vec::new())),
        Wish::List => soon(async {
            let page = client.get::<Page<Listed>>("/api/v1/sessions?limit=100").await;
            page.map(|page| vec![News::Sessions(page.items)])
        }),
        Wish::Search(text) => soon(async move {
            let query =
                reqwest::Url::parse_with_params("http://any/api/v1/sessions?limit=50&archived=all", [("q", &text)]);
            let path = query.map(|url| format!("{}?{}", url.path(), url.query().unwrap_or_default()));
            let path = path.map_err(|error| CliError::Failed(error.to_string()))?;
            let page = client.get::<Page<Listed>>(&path).await?;
            Ok(vec![News::Found(text, page.items)])
        }),
        Wish::Locate(session) => soon(locate(client, session)),
        Wish::Models => soon(models(client)),
        Wish::House => house(client),
        Wish::Send(parcel) => Box::pin(async move { vec![News::Said(send(client, *parcel).await)] }),
        Wish::Older(session, before) => Box::pin(async move {
            let page = timeout(PATIENCE, older(client, &session, before)).await.ok().and_then(Result::ok);
            vec![News::Older { session, before, page }]
        }),
        Wish::Fetch(session, rows) => Box::pin(async move {
            let late = || Err(CliError::Unavailable("they did not come in time".to_owned()));
            let files = timeout(UPLOAD, files(client, &session, &rows)).await.unwrap_or_else(|_| late());
            vec![News::Files(session, files.map_err(|error| error.to_string()))]
        }),
        Wish::Do(deed) => Box::pin(async move {
            let done = timeout(PATIENCE, act(client, &deed)).await;
            let late = || Err(CliError::Unavailable("Nobody answered in time; look whether it was done.".to_owned()));
            let done = done.unwrap_or_else(|_| late()).map_err(|error| error.to_string());
            vec![News::Done(deed, done)]
        }),
    }
}

/// The connection tells what is wrong, where something is.
fn soon<'a>(fetch: impl Future<Output = Result<Vec<News>, CliError>> + 'a) -> Fetch<'a> {
    Box::pin(async move { timeout(PATIENCE, fetch).await.ok().and_then(Result::ok).unwrap_or_default() })
}

/// Who answers here, and whether anybody can.
pub(super) fn house(client: &Client) -> Fetch<'_> {
    soon(async {
        let mut told = Vec::new();
        if let Ok(page) = client.get::<Page<Agent>>("/api/v1/agents").await {
            told.push(News::Agents(page.items));
        }
        if let Ok(page) = client.get::<Page<IgnoredAny>>("/api/v1/providers").await {
            told.push(News::Advice(page.items.is_empty().then(|| NO_PROVIDER.to_owned())));
        }
        Ok(told)
    })
}

/// Models by name: those of the config first, then those that providers list.
async fn models(client: &Client) -> Result<Vec<News>, CliError> {
    #[derive(Deserialize)]
    struct Model {
        id: String,
        configured: bool,
    }
    let mut all = client.get::<Page<Model>>("/api/v1/models?listed=true").await?.items;
    all.sort_by_key(|model| !model.configured);
    Ok(vec![News::Models(all.into_iter().map(|model| model.id).collect())])
}

/// What was journaled just before that number; with the number of its first event, if there is more before it.
async fn older(
    client: &Client,
    session: &SessionId,
    before: Seq,
) -> Result<(Vec<SessionEvent>, Option<Seq>), CliError> {
    let after = (before - 1 - PAGE).max(0);
    let path = format!("/api/v1/sessions/{session}/events?after={after}&limit={}", before - 1 - after);
    let page = client.get::<Events>(&path).await?;
    Ok((page.items, (after > 0).then_some(after + 1)))
}

/// The files that came with a message, as they were sent.
async fn files(client: &Client, session: &SessionId, rows: &[AttachmentRow]) -> Result<Vec<File>, CliError> {
    let mut files = Vec::new();
    for row in rows {
        let data = client.bytes(&format!("/api/v1/sessions/{session}/attachments/{}", row.id)).await?;
        files.push(File::of(row.name.clone(), data).map_err(CliError::Failed)?);
    }
    Ok(files)
}

/// Sends a message with files; answers as the socket would. It is tried again under its key, which it is taken by once.
async fn send(client: &Client, parcel: Parcel) -> Said {
    let mut tries = 0;
    loop {
        tries += 1;
        let sent = timeout(UPLOAD, send_once(client, &parcel)).await;
        let late = || Err(CliError::Unavailable("the daemon did not take it in time".to_owned()));
        match sent.unwrap_or_else(|_| late()) {
            Ok(ack) => return ack,
            Err(CliError::Unavailable(_)) if tries < TRIES => sleep(AGAIN).await,
            Err(error) => {
                return Said::Error { id: Some(parcel.key), session: None, code: None, message: error.to_string() };
            }
        }
    }
}

async fn send_once(client: &Client, parcel: &Parcel) -> Result<Said, CliError> {
    #[derive(Deserialize)]
    struct Receipt {
        session: SessionId,
        turn: TurnId,
        state: TurnState,
    }
    let session = match &parcel.session {
        Some(session) => session.to_string(),
        None => {
            let wish = json!({"id": parcel.key, "agent": parcel.agent});
            match client.post::<IgnoredAny>("/api/v1/sessions", &wish).await {
                Err(error @ CliError::Unavailable(_)) => return Err(error),
                // Of a refusal the message itself is told; that it is there already is what is wanted.
                Ok(_) | Err(_) => parcel.key.clone(),
            }
        }
    };
    let files: Vec<_> = parcel.files.iter().map(File::json).collect();
    let mut body = json!({"text": parcel.text, "attachments": files});
    let more = [("mode", parcel.mode), ("model", parcel.model.as_deref()), ("replaces", parcel.replaces.as_deref())];
    for (name, value) in more.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
        body[*name] = json!(value);
    }
    let path = format!("/api/v1/sessions/{session}/messages");
    let Receipt { session, turn, state } = client.post_once(&path, &body, &parcel.key).await?;
    Ok(Said::Ack { id: parcel.key.clone(), session, turn, state })
}

async fn act(client: &Client, deed: &Deed) -> Result<Option<SessionId>, CliError> {
    #[derive(Deserialize)]
    struct Made {
        id: SessionId,
    }
    let at = |session: &SessionId| format!("/api/v1/sessions/{session}");
    match deed {
        Deed::Rename(session, title) => {
            client.patch::<IgnoredAny>(&at(session), &json!({"title": title})).await.map(|_| None)
        }
        Deed::Archive(session) => {
            client.patch::<IgnoredAny>(&at(session), &json!({"archived": true})).await.map(|_| None)
        }
        Deed::Fork(session) => {
            let made: Made = client.post(&format!("{}/fork", at(session)), &json!({})).await?;
            Ok(Some(made.id))
        }
        Deed::Delete(session) => client.delete(&at(session)).await.map(|()| None),
    }
}

#[derive(Deserialize)]
struct Events {
    items: Vec<SessionEvent>,
}

/// Finds where the newest part of a journal begins, in a few questions: its events are numbered without a gap.
async fn locate(client: &Client, session: SessionId) -> Result<Vec<News>, CliError> {
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
    Ok(vec![News::Located { session, after: (there - TAIL).max(0) }])
}
