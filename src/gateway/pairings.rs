//! Strangers on channels: who waits to be let in, and who was.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_channels::pairs;
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::page::Page;
use mosaic_types::pairing::{LinkSender, PairingRow};
use mosaic_types::{Code, Failure, Timestamp, UserName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Asker;
use super::error::{Answer, ApiError};
use super::server::Gate;
use super::{body, refusals, users};

/// Digits of a platform's id, at the most.
const SENDER_BYTES: usize = 32;

/// A code that a stranger was given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Approval, example = json!({"code": "ABCD2345"}))]
struct Wish {
    /// Eight letters and digits; case, spaces and hyphens do not matter.
    #[schema(max_length = 64)]
    code: String,
    /// As whom they speak; by default as you, with the role member.
    #[serde(default)]
    user: Option<UserName>,
}

/// As whom somebody on a platform speaks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlatformLink, example = json!({"user": "bob"}))]
struct Link {
    user: UserName,
}

/// Somebody who wrote to a channel and is not on its list.
#[derive(Serialize, ToSchema)]
struct Pairing {
    channel: String,
    /// The platform's id of them.
    sender: String,
    /// As the platform calls them.
    name: String,
    /// They may talk. Otherwise they have a code, and wait.
    paired: bool,
    /// As whom they speak; null: they wait.
    #[schema(required)]
    user: Option<String>,
    created_at: Timestamp,
    /// When the code ends; null for those who are in.
    #[schema(required)]
    expires_at: Option<Timestamp>,
}

impl From<PairingRow> for Pairing {
    fn from(row: PairingRow) -> Self {
        Self {
            paired: row.user.is_some(),
            expires_at: row.user.is_none().then_some(row.expires_at),
            user: row.user.map(|user| user.name),
            channel: row.channel,
            sender: row.sender,
            name: row.name,
            created_at: row.created_at,
        }
    }
}

/// Lists strangers who wait and those who were let in
///
/// Codes are not told: who has one says it. Those of the channels' own lists (`allow`) are not among them.
#[utoipa::path(
    get,
    path = "/api/v1/pairings",
    operation_id = "list_pairings",
    tag = "house",
    responses((status = 200, description = "All of them; `next` is always null.", body = Page<Pairing>), refusals::Whole)
)]
pub(super) async fn list(gate: Data<Gate>) -> Answer {
    let now = gate.doors.outside.now();
    let rows = gate.doors.store.pairings().await?;
    let live = rows.into_iter().filter(|row| row.user.is_some() || row.expires_at > now);
    Ok(HttpResponse::Ok().json(Page { items: live.map(Pairing::from).collect(), next: None }))
}

/// Lets a stranger in
///
/// Whoever was given this code may talk to the channel from now on, as people on its list may, and speaks as `user`:
/// sessions of their private chats, budgets and sums are that user's.
#[utoipa::path(
    post,
    path = "/api/v1/pairings",
    operation_id = "approve_pairing",
    tag = "house",
    request_body = Wish,
    responses((status = 200, description = "They are in.", body = Pairing), refusals::Approval)
)]
pub(super) async fn approve(gate: Data<Gate>, Asker(who): Asker, request: HttpRequest, payload: Payload) -> Answer {
    let wish: Wish = body::json(&request, payload, body::API_BYTES).await?;
    let unknown = || {
        let sentence = "No stranger waits with that code. A code has eight letters and digits and is good for an hour.";
        ApiError(Failure::new(Code::NotFound, sentence))
    };
    let hash = pairs::hash(&wish.code).ok_or_else(unknown)?;
    let user = match wish.user {
        Some(name) => users::named(&gate, &name).await?.id,
        None => who.user,
    };
    let pair = Write::Pair { hash, user, at: gate.doors.outside.now() };
    match gate.audited(who, "pairing.approve", "a stranger with a code", pair).await? {
        Outcome::Paired(row) => Ok(let_in(&gate, row)),
        _ => Err(unknown()),
    }
}

/// Whom the store lets in is let in here too.
fn let_in(gate: &Gate, row: PairingRow) -> HttpResponse {
    let channel = gate.channels.iter().find(|channel| *channel.name == *row.channel);
    if let (Some(channel), Some(user)) = (channel, &row.user) {
        channel.pairs.let_in(&row.sender, user.principal());
        // It may have been removed in this very moment.
        if gate.principals.is_removed(user.id) {
            channel.pairs.forget_user(user.id);
        }
    }
    HttpResponse::Ok().json(Pairing::from(row))
}

/// Says as whom somebody on a platform speaks
///
/// Also for those who are let in by the channel's own list; who was not let in yet is from now on, without a code. The
/// session of their private chat goes along with them at their next message; what several people say in one place is the
/// channel's.
#[utoipa::path(
    put,
    path = "/api/v1/pairings/{channel}/{sender}",
    operation_id = "link_pairing",
    tag = "house",
    params(("channel" = String, Path), ("sender" = String, Path, description = "The platform's id of them.")),
    request_body = Link,
    responses((status = 200, description = "They speak as that user.", body = Pairing), refusals::Approval)
)]
pub(super) async fn link(
    gate: Data<Gate>,
    Asker(who): Asker,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let wish: Link = body::json(&request, payload, body::API_BYTES).await?;
    let (channel, sender) = path.into_inner();
    let channel = gate.channels.iter().find(|known| *known.name == *channel);
    let channel = channel.ok_or_else(|| ApiError(Failure::not_found("channel")))?;
    // Ids of platforms are numbers.
    if sender.is_empty() || sender.len() > SENDER_BYTES || !sender.bytes().all(|byte| byte.is_ascii_digit()) {
        let sentence = "A sender is the platform's number of somebody, as `mosaic pair list` shows it.";
        return Err(ApiError(Failure::new(Code::BadRequest, sentence)));
    }
    let user = users::named(&gate, &wish.user).await?;
    let subject = format!("{} {sender} as {}", channel.name, user.name);
    let (hash, at) = (gate.doors.outside.bytes(), gate.doors.outside.now());
    let (name, account) = (channel.name.clone(), channel.account.clone());
    let link = LinkSender { channel: name, account, sender: sender.into(), user: user.id, hash, at };
    match gate.audited(who, "pairing.link", subject, Write::LinkSender(link)).await? {
        Outcome::Paired(row) => Ok(let_in(&gate, row)),
        _ => Err(ApiError(Failure::not_found("user"))),
    }
}

/// Forgets a stranger, or somebody who was let in
///
/// From this answer on they are strangers; what they said stays.
#[utoipa::path(
    delete,
    path = "/api/v1/pairings/{channel}/{sender}",
    operation_id = "revoke_pairing",
    tag = "house",
    params(("channel" = String, Path), ("sender" = String, Path, description = "As the list shows it.")),
    responses((status = 204, description = "They are strangers."), refusals::RevokedToken)
)]
pub(super) async fn revoke(gate: Data<Gate>, Asker(who): Asker, path: Path<(String, String)>) -> Answer {
    let (channel, sender) = path.into_inner();
    let unpair = Write::Unpair { channel: channel.as_str().into(), sender: sender.as_str().into() };
    match gate.audited(who, "pairing.revoke", format!("{channel} {sender}"), unpair).await? {
        Outcome::Missing => Err(ApiError(Failure::not_found("pairing"))),
        _ => {
            if let Some(channel) = gate.channels.iter().find(|known| *known.name == *channel) {
                channel.pairs.forget(&sender);
            }
            Ok(HttpResponse::NoContent().finish())
        }
    }
}
