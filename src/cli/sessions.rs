//! `mosaic sessions`: what was said, listed, shown, exported and removed.

use std::collections::HashMap;
use std::io::IsTerminal;

use clap::{Args, Subcommand};
use mosaic_store::StoreError;
use mosaic_types::journal::{ChangeSession, MessageRow, Outcome, SessionQuery, SessionRow, Write};
use mosaic_types::page::{Limit, Page};
use mosaic_types::{EventBody, Failure, Role, Seq, SessionEvent, SessionId, limits};
use serde::Deserialize;
use serde_json::json;

use super::output::{Out, ago, ask, for_terminal, moment, note, one_line, print};
use super::reach::{Books, Held};
use super::{CliError, Common};
use crate::outside;

/// Work with what was said; without a daemon, straight from the home
#[derive(Debug, Args)]
pub(super) struct Sessions {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List sessions, the one used last first
    #[command(after_help = "The id goes on with a session:  mosaic chat --session ID \"and then?\"")]
    List {
        /// Rows of a page
        #[arg(long, value_name = "N", default_value_t = limits::PAGE.0,
              value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::PAGE.1)))]
        limit: u32,
        /// Read on from here; the page before names it
        #[arg(long, value_name = "C")]
        cursor: Option<String>,
        /// Only those with this text in their title or in their newest messages
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Those that are put away
        #[arg(long, conflicts_with = "all")]
        archived: bool,
        /// Those that are put away too
        #[arg(long)]
        all: bool,
    },
    /// Put a session away: lists leave it out; a message to it brings it back
    Archive { id: String },
    /// Print a session's transcript, with the turns that failed or were cancelled
    Show { id: String },
    /// Print all messages of a session, one JSON object a line
    #[command(after_help = "Example:  mosaic sessions export ID > session.jsonl")]
    Export { id: String },
    /// Remove a session with all that was said in it, for good
    Delete {
        id: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

pub(super) async fn run(common: Common, Sessions { command }: Sessions) -> Result<(), CliError> {
    let id = match &command {
        Command::List { .. } => None,
        Command::Show { id } | Command::Export { id } | Command::Archive { id } | Command::Delete { id, .. } => {
            Some(named(id)?)
        }
    };
    let books = Books::open(&common).await?;
    match (command, id) {
        (Command::List { limit, cursor, search, archived, all }, _) => {
            let archived = if all { None } else { Some(archived) };
            let text = search.filter(|text| !text.is_empty());
            if text.as_ref().is_some_and(|text| text.chars().count() > limits::SEARCH_CHARS) {
                return Err(CliError::Usage(format!("--search has at most {} characters.", limits::SEARCH_CHARS)));
            }
            list(&common, &books, &SessionQuery { archived, text, ..SessionQuery::default() }, limit, cursor).await
        }
        (Command::Archive { .. }, Some(id)) => {
            books.archive(&id).await?;
            print(&format!("Archived session {id}; a message to it brings it back.\n"))
        }
        (Command::Show { .. }, Some(id)) => show(&common, &books, &id).await,
        (Command::Export { .. }, Some(id)) => export(&books, &id).await,
        (Command::Delete { yes, .. }, Some(id)) => delete(&books, &id, yes).await,
        (_, None) => Err(no_session().into()),
    }
}

/// A text that can be no id names no session.
fn named(id: &str) -> Result<SessionId, CliError> {
    id.parse().map_err(|_| no_session().into())
}

fn no_session() -> Failure {
    Failure::not_found("session")
}

async fn list(
    common: &Common,
    books: &Books,
    ask: &SessionQuery,
    limit: u32,
    cursor: Option<String>,
) -> Result<(), CliError> {
    let page = books.sessions(ask, limit, cursor).await?;
    let mut out = Out::new();
    if common.json {
        page.items.iter().try_for_each(|row| out.json(row))?;
    } else if page.items.is_empty() && (ask.text.is_some() || ask.archived == Some(true)) {
        note("There are no such sessions.");
    } else if page.items.is_empty() {
        note("There are no sessions yet. `mosaic chat \"hello\"` begins one.");
    } else {
        let now = outside::system().now();
        let cells = |row: &SessionRow| {
            vec![
                row.id.to_string(),
                if row.archived { "archived" } else { row.state.as_str() }.to_owned(),
                row.agent.to_string(),
                ago(row.updated_at, now),
                one_line(&row.title),
            ]
        };
        let rows: Vec<_> = page.items.iter().map(cells).collect();
        out.table(&["ID", "STATE", "AGENT", "UPDATED", "TITLE"], &rows)?;
    }
    out.end()?;
    if let Some(next) = page.next {
        note(&format!("There are more:  mosaic sessions list --limit {limit} --cursor {next}"));
    }
    Ok(())
}

/// Turns that ended without a whole answer, in the order of their ends. These are in the journal and no part of the
/// transcript; what there is of an answer is, right before its turn's end.
async fn unanswered(books: &Books, id: &SessionId) -> Result<Vec<(Seq, SessionEvent)>, CliError> {
    let (mut found, mut after) = (Vec::new(), 0);
    // By turn: under which number it was accepted. By number: whose input it is.
    let (mut begun, mut inputs) = (HashMap::new(), HashMap::new());
    loop {
        let page = books.events(id, after).await?;
        let last = page.last().and_then(|event| event.seq);
        let full = page.len() == limits::PAGE.1 as usize;
        for mut event in page {
            let Some((seq, turn)) = event.seq.zip(event.turn) else { continue };
            match &mut event.body {
                EventBody::TurnAccepted { .. } => {
                    begun.entry(turn).or_insert(seq);
                    inputs.insert(seq, turn);
                }
                EventBody::MessagesSuperseded { from } => {
                    let first = inputs.get(from).and_then(|turn| begun.get(turn)).copied().unwrap_or(*from);
                    found.retain(|(_, end): &(Seq, SessionEvent)| {
                        end.turn.and_then(|turn| begun.get(&turn)).is_none_or(|accepted| *accepted < first)
                    });
                }
                EventBody::TurnFailed { text, .. } | EventBody::TurnCancelled { text } => {
                    // It is a message of the transcript.
                    *text = None;
                    found.push((seq, event));
                }
                _ => {}
            }
        }
        match last.filter(|_| full) {
            Some(seq) => after = seq,
            None => return Ok(found),
        }
    }
}

/// What a person is told of a turn that ended without an answer.
fn ending(event: &SessionEvent) -> String {
    match &event.body {
        EventBody::TurnFailed { code, message, .. } => format!("! failed ({}): {}", code.as_str(), one_line(message)),
        _ => "! cancelled".to_owned(),
    }
}

async fn show(common: &Common, books: &Books, id: &SessionId) -> Result<(), CliError> {
    let row = books.session(id).await?;
    let mut ends = unanswered(books, id).await?.into_iter().peekable();
    let mut out = Out::new();
    if common.json {
        let mut cursor = None;
        loop {
            let page = books.messages(id, cursor).await?;
            for message in &page.items {
                while let Some((_, event)) = ends.next_if(|(seq, _)| *seq < message.seq) {
                    out.json(&event)?;
                }
                out.json(message)?;
            }
            cursor = page.next;
            if cursor.is_none() {
                ends.try_for_each(|(_, event)| out.json(&event))?;
                return out.end();
            }
        }
    }
    let title = one_line(&row.title);
    out.line(if title.is_empty() { "(no title)" } else { &title })?;
    let (agent, state, begun) = (&row.agent, row.state.as_str(), moment(row.created_at));
    out.line(&format!("session {id}, agent {agent}, {state}, begun {begun}"))?;
    let mut cursor = None;
    loop {
        let page = books.messages(id, cursor).await?;
        for message in &page.items {
            while let Some((_, event)) = ends.next_if(|(seq, _)| *seq < message.seq) {
                out.line(&format!("\n{}", ending(&event)))?;
            }
            out.line("")?;
            out.line(&format!("{}  {}", speaker(message), moment(message.created_at)))?;
            // Set in, so that no text can pass for the line that says who speaks.
            for line in message.text.lines() {
                out.line(format!("  {}", for_terminal(line)).trim_end())?;
            }
            for file in &message.attachments {
                let (name, kind) = (one_line(&file.name), one_line(&file.media_type));
                out.line(&format!("  [file {name}, {kind}, {} bytes]", file.size_bytes))?;
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            ends.try_for_each(|(_, event)| out.line(&format!("\n{}", ending(&event))))?;
            return out.end();
        }
    }
}

fn speaker(message: &MessageRow) -> String {
    match (message.role, &message.agent) {
        (Role::Assistant, Some(agent)) => agent.to_string(),
        (role, _) => role.as_str().to_owned(),
    }
}

async fn export(books: &Books, id: &SessionId) -> Result<(), CliError> {
    let mut out = Out::new();
    let mut cursor = None;
    loop {
        let page = books.messages(id, cursor).await?;
        page.items.iter().try_for_each(|message| out.json(message))?;
        cursor = page.next;
        if cursor.is_none() {
            return out.end();
        }
    }
}

async fn delete(books: &Books, id: &SessionId, yes: bool) -> Result<(), CliError> {
    let row = books.session(id).await?;
    if !yes {
        if !std::io::stdin().is_terminal() {
            let sentence = "there is nobody to ask here whether the session may go: pass --yes if it may.";
            return Err(CliError::Usage(sentence.to_owned()));
        }
        let title = one_line(&row.title);
        let answer = ask(&format!("Remove session {id} (\"{title}\") with all that was said in it? [y/N] "))?;
        if !["y", "yes"].contains(&answer.to_lowercase().as_str()) {
            note("It stays.");
            return Err(CliError::Told);
        }
    }
    books.delete(id).await?;
    print(&format!("Removed session {id}.\n"))
}

/// The part of a path that says which sessions are wanted.
fn asking(ask: &SessionQuery) -> String {
    let archived = ask.archived.map_or_else(|| "all".to_owned(), |archived| archived.to_string());
    let mut text = String::new();
    for byte in ask.text.iter().flat_map(|text| text.bytes()) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    format!("&archived={archived}&q={text}")
}

/// The part of a path that reads on from a cursor. One that cannot stand in a path is none of ours.
fn reading(limit: u32, cursor: Option<&str>) -> Result<String, CliError> {
    let Some(cursor) = cursor else { return Ok(format!("?limit={limit}")) };
    if !cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)) {
        return Err(StoreError::BadCursor.into());
    }
    Ok(format!("?limit={limit}&cursor={cursor}"))
}

#[derive(Deserialize)]
struct Events {
    items: Vec<SessionEvent>,
}

impl Books {
    async fn sessions(
        &self,
        ask: &SessionQuery,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<Page<SessionRow>, CliError> {
        match self {
            Self::Daemon(client) => {
                let path = format!("/api/v1/sessions{}{}", reading(limit, cursor.as_deref())?, asking(ask));
                client.get(&path).await
            }
            Self::Here(held) => {
                let limit = Limit::new(Some(limit)).unwrap_or_default();
                let ask = SessionQuery { user: Some(held.owner), platforms: true, ..ask.clone() };
                Ok(held.store.sessions(ask, cursor, limit).await?)
            }
        }
    }

    async fn archive(&self, id: &SessionId) -> Result<(), CliError> {
        match self {
            Self::Daemon(client) => {
                let path = format!("/api/v1/sessions/{id}");
                client.patch::<SessionRow>(&path, &json!({"archived": true})).await.map(drop)
            }
            Self::Here(held) => {
                let row = held.visible(id).await?;
                let (session, agent, title, model) = (row.id.clone(), row.agent, row.title, row.model);
                // Nobody else holds it: this process holds the home.
                let Outcome::Claimed(epoch) = held.commit(Write::Claim { session: row.id }).await? else {
                    return Err(no_session().into());
                };
                let at = outside::system().now();
                let user = row.user;
                let change = ChangeSession { session, epoch, user, agent, title, archived: true, model, at };
                held.commit(Write::Change(change)).await.map(drop)
            }
        }
    }

    async fn session(&self, id: &SessionId) -> Result<SessionRow, CliError> {
        match self {
            Self::Daemon(client) => client.get(&format!("/api/v1/sessions/{id}")).await,
            Self::Here(held) => held.visible(id).await,
        }
    }

    /// As many as fit a page, oldest first.
    async fn messages(&self, id: &SessionId, cursor: Option<String>) -> Result<Page<MessageRow>, CliError> {
        let most = limits::PAGE.1;
        match self {
            Self::Daemon(client) => {
                let path = format!("/api/v1/sessions/{id}/messages{}", reading(most, cursor.as_deref())?);
                client.get(&path).await
            }
            Self::Here(held) => {
                held.visible(id).await?;
                Ok(held.store.messages(id, cursor, Limit::new(Some(most)).unwrap_or_default()).await?)
            }
        }
    }

    /// What was journaled after a position, as many as fit a page.
    async fn events(&self, id: &SessionId, after: Seq) -> Result<Vec<SessionEvent>, CliError> {
        let most = limits::PAGE.1;
        match self {
            Self::Daemon(client) => {
                let path = format!("/api/v1/sessions/{id}/events?after={after}&limit={most}");
                client.get::<Events>(&path).await.map(|page| page.items)
            }
            Self::Here(held) => {
                held.visible(id).await?;
                Ok(held.store.events(id, after, Limit::new(Some(most)).unwrap_or_default()).await?)
            }
        }
    }

    async fn delete(&self, id: &SessionId) -> Result<(), CliError> {
        match self {
            Self::Daemon(client) => client.delete(&format!("/api/v1/sessions/{id}")).await,
            Self::Here(held) => match held.commit(Write::Delete { session: id.clone() }).await? {
                Outcome::Missing => Err(no_session().into()),
                _ => Ok(()),
            },
        }
    }
}

impl Held {
    async fn visible(&self, id: &SessionId) -> Result<SessionRow, CliError> {
        let row = self.store.session(id).await?;
        let row = row.filter(|row| self.principal().may_see(row.user, &row.channel));
        row.ok_or_else(|| no_session().into())
    }
}
