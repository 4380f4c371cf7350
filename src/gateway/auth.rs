//! Nobody without a principal, nobody beyond their role.

use std::future::{Ready, ready};

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use mosaic_types::{Code, Failure, Principal, UserRole};

use super::error::ApiError;
use super::server::Gate;

/// The principal behind a request; on every route under `/api` and `/v1` there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker(pub(super) Principal);

/// The least role for a request: reading takes a viewer, everything else a member.
fn least(method: &Method) -> UserRole {
    if *method == Method::GET || *method == Method::HEAD { UserRole::Viewer } else { UserRole::Member }
}

/// Lets a request on only with a good token and a role that reaches.
pub(super) async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let bearer = request.headers().get("authorization").and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let gate = request.app_data::<Data<Gate>>().expect("the gate is set where the server is made");
    let principal = bearer.and_then(|token| gate.principals.bearer(token));
    let Some(principal) = principal else {
        let sentence = if bearer.is_some() {
            "This token is not known here. `mosaic token create` makes a new one."
        } else {
            "A token is needed: send `Authorization: Bearer TOKEN`. `mosaic token create` makes one."
        };
        return Err(ApiError(Failure::new(Code::Unauthorized, sentence)).into());
    };
    let least = least(request.method());
    if principal.role < least {
        let sentence = format!("This takes the role {least}; this token has {}.", principal.role);
        return Err(ApiError(Failure::new(Code::Forbidden, sentence)).into());
    }
    request.extensions_mut().insert(Asker(principal));
    next.call(request).await
}

impl FromRequest for Asker {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let asker = request.extensions().get::<Self>().copied();
        ready(asker.ok_or_else(|| ApiError(Failure::new(Code::Unauthorized, "A token is needed."))))
    }
}
