//! Tokens: made, listed and revoked. A token's text is answered once, at its making.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_types::journal::{Outcome, TokenRow, Write};
use mosaic_types::{Code, Failure, TokenId, UserRole};
use serde::Deserialize;
use serde_json::json;

use super::auth::Asker;
use super::body;
use super::error::{Answer, ApiError};
use super::server::Gate;
use crate::token::Minted;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    role: Option<UserRole>,
}

/// `GET /api/v1/tokens`: one's own; an owner sees all.
pub(super) async fn list(gate: Data<Gate>, Asker(who): Asker) -> Answer {
    let tokens = gate.doors.store.tokens().await?;
    let items: Vec<_> = tokens
        .into_iter()
        .filter(|token| !token.revoked && (who.role == UserRole::Owner || token.user == who.user))
        .map(|token| {
            json!({
                "id": token.id,
                "name": token.name,
                "role": token.role,
                "user": token.user_name,
                "created_at": token.created_at,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({"items": items, "next": null})))
}

/// `POST /api/v1/tokens {name?, role?}`: by default with the caller's role, never with a higher one.
pub(super) async fn create(gate: Data<Gate>, Asker(who): Asker, request: HttpRequest, payload: Payload) -> Answer {
    let wish: Wish = body::json(&request, payload, body::API_BYTES).await?;
    let role = wish.role.unwrap_or(who.role);
    if role > who.role {
        let sentence =
            format!("A token cannot have a higher role ({role}) than the one it is made with ({}).", who.role);
        return Err(ApiError(Failure::new(Code::Forbidden, sentence)));
    }
    let minted = Minted::new(&gate.doors.outside, who.user, wish.name.unwrap_or_default(), role);
    let (id, hash) = (minted.row.id, minted.row.hash);
    let name = minted.row.name.clone();
    gate.doors.commit(Write::CreateToken(minted.row)).await?;
    gate.principals.admit(hash, Some(id), mosaic_types::Principal { user: who.user, role });
    Ok(HttpResponse::Created().json(json!({"id": id, "name": name, "role": role, "token": minted.text.expose()})))
}

/// `DELETE /api/v1/tokens/{id}`: at once; never one with a higher role.
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
    match gate.doors.commit(Write::RevokeToken { token: id, at: gate.doors.outside.now() }).await? {
        Outcome::Missing => Err(unknown()),
        _ => {
            gate.principals.revoke(id);
            Ok(HttpResponse::NoContent().finish())
        }
    }
}
