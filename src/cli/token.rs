//! `mosaic token`: keys to the API, made, listed and revoked.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::settings::parse_span;
use mosaic_types::{Code, Failure, Timestamp, TokenId, UserName, UserRole};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::output::{Out, ago, note, one_line, print, span};
use super::reach::Books;
use super::{CliError, Common};
use crate::outside;
use crate::token::{LONGEST, Minted};

/// Make, list and revoke tokens of the API; without a daemon, straight in the home
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token and print it; it is shown this once
    #[command(after_help = "Example:  export MOSAIC_TOKEN=$(mosaic token create --name laptop)")]
    Create {
        /// What it is for, to tell it from others later
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// What it may do: everything, their own sessions, or read those [default: its user's]
        #[arg(long, value_parser = roles())]
        role: Option<UserRole>,
        /// Whose it is; an owner may name another [default: you]
        #[arg(long, value_name = "NAME")]
        user: Option<UserName>,
        /// Make it worthless after so long, as in 30d or 12h [default: never, or with the caller's]
        #[arg(long, value_name = "SPAN", value_parser = life)]
        expires: Option<Duration>,
    },
    /// List the tokens that were not revoked
    List,
    /// Make a token worthless, at once
    Revoke {
        /// Its id, as `mosaic token list` shows it, or its name where no other has it
        // Not `token`: it would be taken for the option of that name.
        #[arg(value_name = "ID")]
        which: String,
    },
}

fn life(text: &str) -> Result<Duration, String> {
    let span = parse_span(text).map_err(|error| error.to_string())?;
    let range = Duration::from_secs(1)..=LONGEST;
    if range.contains(&span) { Ok(span) } else { Err("a token lasts from 1s to 3650d".to_owned()) }
}

pub(super) fn roles() -> impl TypedValueParser<Value = UserRole> {
    PossibleValuesParser::new(UserRole::ALL.iter().rev().map(|role| role.as_str()))
        .try_map(|role| role.parse::<UserRole>())
}

pub(super) async fn run(common: Common, Token { command }: Token) -> Result<(), CliError> {
    let books = Books::open(&common).await?;
    match command {
        Command::Create { name, role, user, expires } => {
            create(&common, &books, Wish { name, role, user, expires }).await
        }
        Command::List => list(&common, &books).await,
        Command::Revoke { which } => {
            let id = match which.parse() {
                Ok(id) => id,
                Err(_) => named(&books.tokens().await?, &which)?,
            };
            books.revoke(id).await?;
            print(&format!("Revoked token {id}.\n"))
        }
    }
}

/// A token at its making: the one time its text is told.
#[derive(Serialize, Deserialize)]
struct New {
    id: TokenId,
    name: String,
    role: UserRole,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    token: String,
}

/// A token as lists show it.
#[derive(Serialize, Deserialize)]
struct Shown {
    id: TokenId,
    name: String,
    role: UserRole,
    user: String,
    created_at: Timestamp,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    expired: bool,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Shown>,
}

/// What is wanted of a token.
struct Wish {
    name: String,
    role: Option<UserRole>,
    user: Option<UserName>,
    expires: Option<Duration>,
}

async fn create(common: &Common, books: &Books, wish: Wish) -> Result<(), CliError> {
    let user = wish.user.clone();
    let new = books.create(wish).await?;
    if common.json {
        let mut out = Out::new();
        out.json(&new)?;
        return out.end();
    }
    // Alone on stdout, where a script takes it from.
    print(&format!("{}\n", new.token))?;
    let now = outside::system().now();
    let end = match new.expires_at {
        None => "never expires".to_owned(),
        Some(end) => format!("expires in {}", span(end.unix_seconds() - now.unix_seconds())),
    };
    let of = user.map_or_else(String::new, |user| format!("is {user}'s, "));
    note(&format!("This token {of}has the role {} and {end}. Keep it safe: it is not shown again.", new.role));
    note(&format!("To make it worthless:  mosaic token revoke {}", new.id));
    Ok(())
}

/// The id of the one token of that name.
fn named(tokens: &[Shown], name: &str) -> Result<TokenId, CliError> {
    let mut found = tokens.iter().filter(|token| token.name == name);
    match (found.next(), found.next()) {
        (Some(token), None) => Ok(token.id),
        (None, _) => Err(CliError::Failed(format!(
            "no token has the id or the name {:?}. `mosaic token list` shows them.",
            one_line(name)
        ))),
        (Some(_), Some(_)) => Err(CliError::Failed(format!(
            "several tokens have the name {:?}. Take the id that `mosaic token list` shows.",
            one_line(name)
        ))),
    }
}

async fn list(common: &Common, books: &Books) -> Result<(), CliError> {
    let tokens = books.tokens().await?;
    let mut out = Out::new();
    if common.json {
        tokens.iter().try_for_each(|token| out.json(token))?;
    } else if tokens.is_empty() {
        note("There are no tokens but the home's own. `mosaic token create` makes one.");
    } else {
        let now = outside::system().now();
        let cells = |token: &Shown| {
            vec![
                token.id.to_string(),
                token.role.to_string(),
                one_line(&token.user),
                ago(token.created_at, now),
                end(token, now),
                one_line(&token.name),
            ]
        };
        let rows: Vec<_> = tokens.iter().map(cells).collect();
        out.table(&["ID", "ROLE", "USER", "MADE", "EXPIRES", "NAME"], &rows)?;
    }
    out.end()
}

/// When a token ends, as the list says it.
fn end(token: &Shown, now: Timestamp) -> String {
    match token.expires_at {
        None => "never".to_owned(),
        Some(_) if token.expired => "expired".to_owned(),
        Some(end) => format!("in {}", span(end.unix_seconds() - now.unix_seconds())),
    }
}

impl Books {
    async fn create(&self, Wish { name, role, user, expires }: Wish) -> Result<New, CliError> {
        match self {
            Self::Daemon(client) => {
                let mut wish = json!({"name": name, "role": role, "expires_in_s": expires.map(|span| span.as_secs())});
                if let Some(user) = user {
                    wish["user"] = json!(user);
                }
                client.post("/api/v1/tokens", &wish).await
            }
            Self::Here(held) => {
                let end = expires.map(|span| held.outside.now().plus(span));
                let (of, most) = match &user {
                    Some(name) => held.named(name).await.map(|user| (user.id, user.role))?,
                    None => (held.owner, UserRole::Owner),
                };
                let role = role.unwrap_or(most);
                if role > most {
                    let sentence = format!("A token cannot have a higher role ({role}) than its user ({most}).");
                    return Err(Failure::new(Code::Forbidden, sentence).into());
                }
                let Minted { text, row } = Minted::new(&held.outside, of, name, role, end);
                let (name, token) = (row.name.clone(), text.expose().to_owned());
                let new = New { id: row.id, name, role, expires_at: end, token };
                match held.audited("token.create", &new.id.to_string(), Write::CreateToken(row)).await? {
                    Outcome::Written(_) => Ok(new),
                    other => Err(CliError::Failed(format!("the token could not be made: {other:?}"))),
                }
            }
        }
    }

    async fn tokens(&self) -> Result<Vec<Shown>, CliError> {
        match self {
            Self::Daemon(client) => Ok(client.get::<List>("/api/v1/tokens").await?.items),
            Self::Here(held) => {
                let now = held.outside.now();
                let kept = held.store.tokens().await?.into_iter().filter(|token| !token.revoked);
                let shown = kept.map(|token| Shown {
                    id: token.id,
                    name: token.name,
                    role: token.role,
                    user: token.user_name,
                    created_at: token.created_at,
                    expires_at: token.expires_at,
                    expired: token.expires_at.is_some_and(|end| end <= now),
                });
                Ok(shown.collect())
            }
        }
    }

    async fn revoke(&self, id: TokenId) -> Result<(), CliError> {
        match self {
            Self::Daemon(client) => client.delete(&format!("/api/v1/tokens/{id}")).await,
            Self::Here(held) => match held.commit(Write::RevokeToken { token: id, at: held.outside.now() }).await? {
                Outcome::Missing => Err(Failure::not_found("token").into()),
                _ => Ok(()),
            },
        }
    }
}
