//! Tokens: made, listed and revoked. A token's text is answered once, at its making.

use std::time::Duration;

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_types::journal::{Outcome, TokenRow, Write};
use mosaic_types::page::Page;
use mosaic_types::{Code, Failure, Principal, Timestamp, TokenId, UserName, UserRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Asker, Bearing};
use super::error::{Answer, ApiError};
use super::server::Gate;
use super::{body, refusals, users};
use crate::token::{LONGEST, Minted};

/// What is wanted of a new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken, example = json!({"name": "phone", "role": "member"}))]
struct Wish {
    /// What it is for, to tell it from others.
    #[serde(default)]
    name: Option<String>,
    /// By default the user's, or where none is named the caller's; never a higher one.
    #[serde(default)]
    role: Option<UserRole>,
    /// Whose it is: by default the caller's. Only an owner may name another.
    #[serde(default)]
    user: Option<UserName>,
    /// Its life in seconds, ten years at the most; not together with `expires_at`.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 315_360_000)]
    expires_in_s: Option<u64>,
    /// When it ends, in the future. By default with what it is made with; never later.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

impl Wish {
    /// When the token is to expire; one never outlasts the credential it is made with (`until`).
    fn end(&self, now: Timestamp, until: Option<Timestamp>) -> Result<Option<Timestamp>, ApiError> {
        let bad = |sentence: &'static str| Err(ApiError(Failure::new(Code::BadRequest, sentence)));
        let asked = match (self.expires_in_s, self.expires_at) {
            (Some(_), Some(_)) => return bad("Send expires_in_s or expires_at, not both."),
            (Some(span), None) if !(1..=LONGEST.as_secs()).contains(&span) => {
                return bad("expires_in_s is 1 to 315360000 seconds, which are ten years.");
            }
            (Some(span), None) => Some(now.plus(Duration::from_secs(span))),
            (None, Some(end)) if end <= now => return bad("expires_at is in the past."),
            (None, Some(end)) => Some(end),
            (None, None) => until,
        };
        match (asked, until) {
            (Some(asked), Some(until)) if asked > until => {
                let sentence = format!("A token cannot last longer than the one it is made with, which ends {until}.");
                Err(ApiError(Failure::new(Code::Forbidden, sentence)))
            }
            (asked, _) => Ok(asked),
        }
    }
}

/// A token as lists show it.
#[derive(Serialize, ToSchema)]
struct Token {
    id: TokenId,
    name: String,
    role: UserRole,
    /// Whose it is.
    user: String,
    created_at: Timestamp,
    /// Null: it does not end by itself.
    #[schema(required)]
    expires_at: Option<Timestamp>,
    expired: bool,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
struct MadeToken {
    id: TokenId,
    name: String,
    role: UserRole,
    /// Null: it does not end by itself.
    #[schema(required)]
    expires_at: Option<Timestamp>,
    /// The token itself. It is told this once and kept nowhere.
    token: String,
}

/// Lists tokens
///
/// One's own; an owner sees all. Revoked ones are not listed.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    operation_id = "list_tokens",
    tag = "tokens",
    responses((status = 200, description = "All tokens; `next` is always null.", body = Page<Token>), refusals::Whole)
)]
pub(super) async fn list(gate: Data<Gate>, Asker(who): Asker) -> Answer {
    let tokens = gate.doors.store.tokens().await?;
    let now = gate.doors.outside.now();
    let items: Vec<_> = tokens
        .into_iter()
        .filter(|token| !token.revoked && (who.role == UserRole::Owner || token.user == who.user))
        .map(|token| Token {
            id: token.id,
            name: token.name,
            role: token.role,
            user: token.user_name,
            created_at: token.created_at,
            expires_at: token.expires_at,
            expired: token.expires_at.is_some_and(|end| end <= now),
        })
        .collect();
    Ok(HttpResponse::Ok().json(Page { items, next: None }))
}

/// Makes a token
///
/// With the caller's role and end, or a lower role and an earlier end. Its text is in this answer and nowhere else: only
/// its hash is kept.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    operation_id = "create_token",
    tag = "tokens",
    request_body = Wish,
    responses((status = 201, description = "Made.", body = MadeToken), refusals::NewToken)
)]
pub(super) async fn create(gate: Data<Gate>, Bearing(by): Bearing, request: HttpRequest, payload: Payload) -> Answer {
    let wish: Wish = body::json(&request, payload, body::API_BYTES).await?;
    let who = by.principal;
    let of = users::spoken_for(&gate, who, wish.user.as_ref()).await?;
    let role = wish.role.unwrap_or(of.role);
    if role > of.role && wish.user.is_some() {
        let sentence = format!("A token cannot have a higher role ({role}) than its user ({}).", of.role);
        return Err(ApiError(Failure::new(Code::Forbidden, sentence)));
    }
    if role > who.role {
        let sentence =
            format!("A token cannot have a higher role ({role}) than the one it is made with ({}).", who.role);
        return Err(ApiError(Failure::new(Code::Forbidden, sentence)));
    }
    let end = wish.end(gate.doors.outside.now(), by.until)?;
    let minted = Minted::new(&gate.doors.outside, of.user, wish.name.unwrap_or_default(), role, end);
    let (id, hash) = (minted.row.id, minted.row.hash);
    let name = minted.row.name.clone();
    gate.audited(who, "token.create", id.to_string(), Write::CreateToken(minted.row)).await?;
    gate.principals.admit(hash, Some(id), Principal { user: of.user, role }, end);
    let token = minted.text.expose().to_owned();
    Ok(HttpResponse::Created().json(MadeToken { id, name, role, expires_at: end, token }))
}

/// Revokes a token
///
/// It is worth nothing from this answer on. One with a higher role than the caller's cannot be revoked.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    operation_id = "revoke_token",
    tag = "tokens",
    params(("id" = TokenId, Path, description = "As the list of tokens shows it.")),
    responses((status = 204, description = "Revoked."), refusals::RevokedToken)
)]
pub(super) async fn revoke(gate: Data<Gate>, Asker(who): Asker, id: Path<String>) -> Answer {
    let unknown = || ApiError(Failure::not_found("token"));
    let id: TokenId = id.parse().map_err(|_| unknown())?;
    let tokens = gate.doors.store.tokens().await?;
    let theirs = |token: &&TokenRow| token.id == id && (who.role == UserRole::Owner || token.user == who.user);
    let token = tokens.iter().find(theirs).ok_or_else(unknown)?;
    if token.role > who.role {
        let sentence =
            format!("This token has a higher role ({}) than the one it is revoked with ({}).", token.role, who.role);
        return Err(ApiError(Failure::new(Code::Forbidden, sentence)));
    }
    let revoke = Write::RevokeToken { token: id, at: gate.doors.outside.now() };
    match gate.audited(who, "token.revoke", id.to_string(), revoke).await? {
        Outcome::Missing => Err(unknown()),
        _ => {
            gate.principals.revoke(id);
            Ok(HttpResponse::NoContent().finish())
        }
    }
}
