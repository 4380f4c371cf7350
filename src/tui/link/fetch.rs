//! What is asked by GET and its like, beside the socket.

use std::pin::Pin;

use mosaic_types::journal::MessageRow;
use mosaic_types::page::Page;
use mosaic_types::{Seq, SessionEvent, SessionId};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::time::timeout;

use super::PATIENCE;
use crate::cli::{CliError, Client};
use crate::detect::NO_PROVIDER;
use crate::tui::model::{Deed, News, Wish};
use crate::tui::wire::{Agent, Listed};

/// Events of a session that are read when it is opened.
const TAIL: i64 = 600;
/// Messages that are read at once as somebody scrolls up.
const PAGE: usize = 100;

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
        Wish::Older(session, before) => Box::pin(async move {
            let page = timeout(PATIENCE, older(client, &session, before)).await.ok().and_then(Result::ok);
            vec![News::Older { session, before, page }]
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

/// Models by name; agents, which the same list has, are asked for otherwise.
async fn models(client: &Client) -> Result<Vec<News>, CliError> {
    #[derive(Deserialize)]
    struct Model {
        id: String,
    }
    #[derive(Deserialize)]
    struct Models {
        data: Vec<Model>,
    }
    let all = client.get::<Models>("/v1/models").await?;
    Ok(vec![News::Models(all.data.into_iter().map(|model| model.id).filter(|id| id.contains('/')).collect())])
}

async fn older(client: &Client, session: &SessionId, before: Seq) -> Result<(Vec<MessageRow>, Option<Seq>), CliError> {
    let path = format!("/api/v1/sessions/{session}/messages?before={before}&limit={PAGE}");
    let page = client.get::<Page<MessageRow>>(&path).await?;
    Ok((page.items, page.next.and_then(|next| next.parse().ok())))
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

/// Finds where the newest part of a journal begins, in a few questions: its events are numbered without a gap.
async fn locate(client: &Client, session: SessionId) -> Result<Vec<News>, CliError> {
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
    Ok(vec![News::Located { session, after: (there - TAIL).max(0) }])
}
