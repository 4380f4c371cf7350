//! People: listed, added, given another role and removed; and by whom the house was changed.

use std::collections::HashMap;

use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_messages::HandedOver;
use mosaic_types::journal::{NewUser, Outcome, UserRow, Write};
use mosaic_types::page::Page;
use mosaic_types::{Code, Failure, Principal, Timestamp, UserId, UserName, UserRole};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Asker;
use super::error::{Answer, ApiError};
use super::server::Gate;
use super::sessions::limit;
use super::{body, refusals};
use crate::owner::after;

/// Why the last owner stays one.
pub(crate) const LAST: &str =
    "This is the only owner, and a home has one. Make somebody else an owner first: mosaic users role NAME owner.";

/// Who is to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser, example = json!({"name": "bob", "role": "member"}))]
struct Wish {
    /// Nobody else has it, whatever the case of its letters.
    name: UserName,
    /// What they may do: by default `member`.
    #[serde(default)]
    role: Option<UserRole>,
}

/// What is to be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangedUser, example = json!({"role": "viewer"}))]
struct Change {
    role: UserRole,
}

/// A person.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) role: UserRole,
    pub(crate) created_at: Timestamp,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self { id: row.id, name: row.name, role: row.role, created_at: row.created_at }
    }
}

/// Something that was done to the house.
#[derive(Serialize, ToSchema)]
struct Deed {
    at: Timestamp,
    /// The user who did it; its id where they are gone.
    by: String,
    /// As in `user.add`.
    action: String,
    /// What it was done to.
    subject: String,
}

/// How much is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Newest {
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
}

/// The user of that name.
pub(super) async fn named(gate: &Gate, name: &UserName) -> Result<UserRow, ApiError> {
    let users = gate.doors.store.users().await?;
    users.into_iter().find(|user| user.name.eq_ignore_ascii_case(name.as_str())).ok_or_else(|| {
        let sentence = format!("There is no user {name}. `mosaic users list` shows who there is.");
        ApiError(Failure::new(Code::NotFound, sentence))
    })
}

/// For whom something is made: whoever asks, or a user whom only an owner may name.
pub(super) async fn spoken_for(gate: &Gate, who: Principal, name: Option<&UserName>) -> Result<Principal, ApiError> {
    let Some(name) = name else { return Ok(who) };
    if who.role < UserRole::Owner {
        let sentence = "Only an owner makes something for another user; leave the user out and it is for you.";
        return Err(ApiError(Failure::new(Code::Forbidden, sentence)));
    }
    let user = named(gate, name).await?;
    Ok(Principal { user: user.id, role: user.role })
}

/// Lists the users
#[utoipa::path(
    get,
    path = "/api/v1/users",
    operation_id = "list_users",
    tag = "users",
    responses((status = 200, description = "All of them; `next` is always null.", body = Page<User>), refusals::Whole)
)]
pub(super) async fn list(gate: Data<Gate>) -> Answer {
    let items = gate.doors.store.users().await?.into_iter().map(User::from).collect();
    Ok(HttpResponse::Ok().json(Page { items, next: None }))
}

/// Adds a user
///
/// They have nothing yet: make them a token (`POST /api/v1/tokens`) or a sign-in link (`POST /api/v1/links`), or say that
/// somebody on a platform is them (`PUT /api/v1/pairings/{channel}/{sender}`).
#[utoipa::path(
    post,
    path = "/api/v1/users",
    operation_id = "add_user",
    tag = "users",
    request_body = Wish,
    responses((status = 201, description = "Added.", body = User), refusals::NewUser)
)]
pub(super) async fn add(gate: Data<Gate>, Asker(who): Asker, request: HttpRequest, payload: Payload) -> Answer {
    let wish: Wish = body::json(&request, payload, body::API_BYTES).await?;
    let outside = &gate.doors.outside;
    let (id, created_at, role) = (outside.user_id(), outside.now(), wish.role.unwrap_or(UserRole::Member));
    let name = wish.name.to_string();
    let new = NewUser { id, name: name.clone(), role, at: created_at };
    match gate.audited(who, "user.add", name.clone(), Write::CreateUser(new)).await? {
        Outcome::Written(_) => Ok(HttpResponse::Created().json(User { id, name, role, created_at })),
        _ => Err(ApiError(taken(&name))),
    }
}

/// The name is somebody's.
pub(crate) fn taken(name: &str) -> Failure {
    Failure::new(Code::Exists, format!("There is a user {name} already. Choose another name."))
}

/// Nobody else is an owner.
fn last() -> ApiError {
    ApiError(Failure::new(Code::Invalid, LAST))
}

/// The home is that owner's from now on, with its own token and what channels say for nobody in particular.
fn hand_over(gate: &Gate, to: UserId) {
    if let Some(from) = gate.owner.hand_over(to) {
        gate.principals.hand_over(from, gate.owner.principal());
    }
}

/// Gives a user another role
///
/// What lets them in (tokens, browsers, links, accounts on platforms) may do no more than that from this answer on; open
/// sockets and streams that could do more are closed, and can be opened again. What was made for less stays as it is. The
/// last owner stays one.
#[utoipa::path(
    patch,
    path = "/api/v1/users/{id}",
    operation_id = "change_user",
    tag = "users",
    params(("id" = UserId, Path, description = "As the list of users shows it.")),
    request_body = Change,
    responses((status = 200, description = "Changed.", body = User), refusals::ChangedUser)
)]
pub(super) async fn change(
    gate: Data<Gate>,
    Asker(who): Asker,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let Change { role } = body::json(&request, payload, body::API_BYTES).await?;
    let unknown = || ApiError(Failure::not_found("user"));
    let user: UserId = id.parse().map_err(|_| unknown())?;
    let _felt_in_order = gate.owner.changing().await;
    let mut users = gate.doors.store.users().await?;
    let row = users.iter_mut().find(|row| row.id == user).ok_or_else(unknown)?;
    row.role = role;
    let shown = User { id: user, name: row.name.clone(), role, created_at: row.created_at };
    let subject = format!("{}: {role}", row.name);
    match gate.audited(who, "user.role", subject, Write::SetRole { user, role }).await? {
        Outcome::Written(_) => {
            // Of the owners that there are now.
            if let Some(first) = users.iter().find(|row| row.role == UserRole::Owner) {
                hand_over(&gate, first.id);
            }
            gate.principals.set_role(user, role);
            gate.channels.iter().for_each(|channel| channel.pairs.set_role(user, role));
            Ok(HttpResponse::Ok().json(shown))
        }
        Outcome::Closed => Err(last()),
        _ => Err(unknown()),
    }
}

/// Who is removed, as it is kept: also where they are let in still, since a channel's own list names them.
async fn left_on_lists(gate: &Gate, user: &UserRow) -> Result<String, ApiError> {
    let linked = gate.doors.store.pairings().await?;
    let theirs = linked.iter().filter(|row| row.user.as_ref().is_some_and(|speaks_as| speaks_as.id == user.id));
    let named = theirs.filter(|row| gate.channels.iter().any(|channel| channel.names(&row.channel, &row.sender)));
    let named: Vec<String> = named.map(|row| format!("{} {}", row.channel, row.sender)).collect();
    let left = if named.is_empty() { String::new() } else { format!("; still in allow: {}", named.join(", ")) };
    Ok(format!("{}{left}", user.name))
}

/// Removes a user
///
/// From this answer on their tokens, browsers and links are good for nothing, and whoever spoke as them on a platform is a
/// stranger (who is on a channel's own list stays on it). What runs in their sessions is cancelled; the sessions
/// themselves are kept and are those of the home's owner, who is the next owner if they were that themselves. So is what
/// they spent, in the ledger. The last owner cannot be removed.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{id}",
    operation_id = "remove_user",
    tag = "users",
    params(("id" = UserId, Path, description = "As the list of users shows it.")),
    responses((status = 204, description = "Removed."), refusals::RemovedUser)
)]
pub(super) async fn remove(gate: Data<Gate>, Asker(who): Asker, id: Path<String>) -> Answer {
    let unknown = || ApiError(Failure::not_found("user"));
    let user: UserId = id.parse().map_err(|_| unknown())?;
    let _felt_in_order = gate.owner.changing().await;
    let users = gate.doors.store.users().await?;
    let row = users.iter().find(|row| row.id == user).ok_or_else(unknown)?;
    let heir = after(&users, user).ok_or_else(last)?;
    let subject = left_on_lists(&gate, row).await?;
    match gate.audited(who, "user.remove", subject, Write::RemoveUser { user, heir }).await? {
        Outcome::UserRemoved(sessions) => {
            hand_over(&gate, heir);
            gate.principals.remove_user(user);
            gate.channels.iter().for_each(|channel| channel.pairs.forget_user(user));
            gate.doors.routing.forget(user);
            let to = Principal { user: heir, role: UserRole::Owner };
            // A router that dies meanwhile leaves sessions of which the first write is refused: they are read anew then.
            let _ = gate.router.ask(HandedOver { sessions, to }).await;
            Ok(HttpResponse::NoContent().finish())
        }
        Outcome::Closed => Err(last()),
        _ => Err(unknown()),
    }
}

/// Tells by whom the house was changed
///
/// Newest first: users added, given another role and removed, tokens and links made, people let in and linked.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "list_deeds",
    tag = "users",
    params(Newest),
    responses((status = 200, description = "The newest; `next` is always null.", body = Page<Deed>), refusals::List)
)]
pub(super) async fn audit(gate: Data<Gate>, newest: Query<Newest>) -> Answer {
    let limit = limit(newest.limit.as_deref(), None)?;
    let users = gate.doors.store.users().await?;
    let names: HashMap<UserId, String> = users.into_iter().map(|user| (user.id, user.name)).collect();
    let called = |id: UserId| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let rows = gate.doors.store.audit(limit).await?.into_iter();
    let shown = rows.map(|row| Deed {
        at: row.at,
        by: row.by.map_or_else(String::new, called),
        action: row.action,
        subject: row.subject,
    });
    Ok(HttpResponse::Ok().json(Page { items: shown.collect(), next: None }))
}
