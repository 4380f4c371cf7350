//! Nobody without a principal, nobody beyond their role.

use std::future::{Ready, ready};

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use mosaic_types::{Code, Failure, Principal};

use super::access::Access;
use super::error::ApiError;
use super::server::Gate;

/// The principal behind a request; on every route that is not open there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker(pub(super) Principal);

/// Who asks, by the token of the request.
pub(super) fn principal(request: &HttpRequest) -> Result<Principal, ApiError> {
    let bearer = request.headers().get("authorization").and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let gate = request.app_data::<Data<Gate>>().expect("the gate is set where the server is made");
    bearer.and_then(|token| gate.principals.bearer(token)).ok_or_else(|| {
        let sentence = if bearer.is_some() {
            "This token is not known here. `mosaic token create` makes a new one."
        } else {
            "A token is needed: send `Authorization: Bearer TOKEN`. `mosaic token create` makes one."
        };
        ApiError(Failure::new(Code::Unauthorized, sentence))
    })
}

/// Lets a request on to its handler only where `access` allows it.
pub(super) async fn guard(
    access: Access,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if access == Access::Open {
        return next.call(request).await;
    }
    let allowed = principal(request.request()).and_then(|who| Ok(access.check(who.role).map(|()| who)?));
    match allowed {
        Ok(who) => {
            request.extensions_mut().insert(Asker(who));
            next.call(request).await
        }
        Err(refused) => Ok(request.error_response(refused)),
    }
}

impl FromRequest for Asker {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let asker = request.extensions().get::<Self>().copied();
        ready(asker.ok_or_else(|| ApiError(Failure::new(Code::Unauthorized, "A token is needed."))))
    }
}
