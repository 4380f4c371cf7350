//! `mosaic users`: people, listed, added, given another role and removed.

use clap::{Args, Subcommand};
use mosaic_types::journal::{Deed, NewUser, Outcome, UserRow, Write};
use mosaic_types::{Code, Failure, UserName, UserRole};
use serde::Deserialize;
use serde_json::json;

use super::output::{Out, ago, note, one_line, print};
use super::reach::{Books, Held};
use super::token::roles;
use super::{CliError, Common};
use crate::gateway::users::{LAST, User, taken};
use crate::outside;
use crate::owner::after;

/// Let more people than one use this house; without a daemon, straight in the home
#[derive(Debug, Args)]
#[command(after_help = "A second person, who signs in by a link and talks to the bot from Telegram:\n\n  \
                        mosaic users add bob\n  \
                        mosaic link --user bob\n  \
                        mosaic pair approve ABCD2345 --user bob")]
pub(super) struct Users {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List who there is
    List,
    /// Add somebody; what they may do is bounded by their role
    #[command(after_help = "A viewer reads their own sessions, a member talks in them, an owner may do everything.\n\
                            Then give them a way in: mosaic link --user NAME, mosaic token create --user NAME,\n\
                            or for who writes to a bot: mosaic pair approve CODE --user NAME.")]
    Add {
        /// Up to 64 of A-Z a-z 0-9 _ -; nobody else has it, whatever the case of its letters
        name: UserName,
        /// What they may do
        #[arg(long, value_parser = roles(), default_value = "member")]
        role: UserRole,
    },
    /// Give somebody another role
    #[command(
        after_help = "What lets them in may do no more than that at once: tokens, browsers, links, accounts on platforms.\n\
                            For more than before, make them a new token or link. The last owner stays one."
    )]
    Role {
        /// As `mosaic users list` shows it
        name: UserName,
        /// What they may do
        #[arg(value_parser = roles())]
        role: UserRole,
    },
    /// Remove somebody: their tokens, browsers, links and platform accounts let nobody in any more
    #[command(
        after_help = "Their sessions and what they spent are kept: the sessions are the home's owner's from then on.\n\
                            Who is on a channel's own list (allow) stays on it."
    )]
    Remove {
        /// As `mosaic users list` shows it
        name: UserName,
    },
}

#[derive(Deserialize)]
struct List {
    items: Vec<User>,
}

pub(super) async fn run(common: Common, Users { command }: Users) -> Result<(), CliError> {
    let books = Books::open(&common).await?;
    match command {
        Command::List => list(&common, &books.users().await?),
        Command::Add { name, role } => {
            let user = books.add(&name, role).await?;
            if common.json {
                let mut out = Out::new();
                out.json(&user)?;
                return out.end();
            }
            print(&format!("Added {}, a {}.\n", user.name, user.role))?;
            note(&format!(
                "Give them a way in:  mosaic link --user {0}   or  mosaic token create --user {0}",
                user.name
            ));
            Ok(())
        }
        Command::Role { name, role } => {
            let known = books.named(&name).await?;
            let user = books.change(&known, role).await?;
            if common.json {
                let mut out = Out::new();
                out.json(&user)?;
                return out.end();
            }
            print(&format!("{} is now: {role}.\n", one_line(&user.name)))?;
            if role > known.role {
                note(&format!(
                    "What they have keeps the role it was made with. For more:  mosaic link --user {0}   or  mosaic token \
                     create --user {0}",
                    user.name
                ));
            }
            Ok(())
        }
        Command::Remove { name } => {
            let user = books.named(&name).await?;
            books.remove(&user).await?;
            print(&format!("Removed {}. What lets them in is worth nothing any more.\n", one_line(&user.name)))?;
            note("Their sessions are kept: they are those of the home's owner now.");
            Ok(())
        }
    }
}

/// There is nobody by that name.
pub(super) fn unknown(name: &UserName) -> CliError {
    CliError::from(Failure::new(
        Code::NotFound,
        format!("There is no user {name}. `mosaic users list` shows who there is."),
    ))
}

fn list(common: &Common, users: &[User]) -> Result<(), CliError> {
    let mut out = Out::new();
    if common.json {
        users.iter().try_for_each(|user| out.json(user))?;
    } else {
        let now = outside::system().now();
        let cells = |user: &User| vec![one_line(&user.name), user.role.to_string(), ago(user.created_at, now)];
        let rows: Vec<_> = users.iter().map(cells).collect();
        out.table(&["NAME", "ROLE", "ADDED"], &rows)?;
    }
    out.end()
}

impl Books {
    async fn users(&self) -> Result<Vec<User>, CliError> {
        match self {
            Self::Daemon(client) => Ok(client.get::<List>("/api/v1/users").await?.items),
            Self::Here(held) => Ok(held.store.users().await?.into_iter().map(User::from).collect()),
        }
    }

    async fn add(&self, name: &UserName, role: UserRole) -> Result<User, CliError> {
        match self {
            Self::Daemon(client) => client.post("/api/v1/users", &json!({"name": name, "role": role})).await,
            Self::Here(held) => {
                let (id, created_at, name) = (held.outside.user_id(), held.outside.now(), name.to_string());
                let new = NewUser { id, name: name.clone(), role, at: created_at };
                match held.audited("user.add", &name, Write::CreateUser(new)).await? {
                    Outcome::Written(_) => Ok(User { id, name, role, created_at }),
                    _ => Err(taken(&name).into()),
                }
            }
        }
    }

    /// The user of that name.
    async fn named(&self, name: &UserName) -> Result<User, CliError> {
        let mut users = self.users().await?.into_iter();
        users.find(|user| user.name.eq_ignore_ascii_case(name.as_str())).ok_or_else(|| unknown(name))
    }

    async fn change(&self, user: &User, role: UserRole) -> Result<User, CliError> {
        match self {
            Self::Daemon(client) => client.patch(&format!("/api/v1/users/{}", user.id), &json!({"role": role})).await,
            Self::Here(held) => {
                let set = Write::SetRole { user: user.id, role };
                match held.audited("user.role", &format!("{}: {role}", user.name), set).await? {
                    Outcome::Written(_) => Ok(User { role, name: user.name.clone(), ..*user }),
                    Outcome::Closed => Err(Failure::new(Code::Invalid, LAST).into()),
                    _ => Err(Failure::not_found("user").into()),
                }
            }
        }
    }

    async fn remove(&self, user: &User) -> Result<(), CliError> {
        match self {
            Self::Daemon(client) => client.delete(&format!("/api/v1/users/{}", user.id)).await,
            Self::Here(held) => {
                let last = || CliError::from(Failure::new(Code::Invalid, LAST));
                let heir = after(&held.store.users().await?, user.id).ok_or_else(last)?;
                let remove = Write::RemoveUser { user: user.id, heir };
                match held.audited("user.remove", &user.name, remove).await? {
                    Outcome::UserRemoved(_) => Ok(()),
                    Outcome::Closed => Err(last()),
                    _ => Err(Failure::not_found("user").into()),
                }
            }
        }
    }
}

impl Held {
    /// One write, kept as the owner's.
    pub(super) async fn audited(&self, action: &'static str, subject: &str, write: Write) -> Result<Outcome, CliError> {
        let (id, at, by) = (self.outside.uuid(), self.outside.now(), self.owner);
        let deed = Deed { id, at, by, action, subject: subject.to_owned() };
        self.commit(Write::Audited { deed, write: Box::new(write) }).await
    }

    /// The user of that name.
    pub(super) async fn named(&self, name: &UserName) -> Result<UserRow, CliError> {
        let users = self.store.users().await?;
        users.into_iter().find(|user| user.name.eq_ignore_ascii_case(name.as_str())).ok_or_else(|| unknown(name))
    }
}
