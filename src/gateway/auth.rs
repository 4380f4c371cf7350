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
use super::principals::Credential;
use super::server::Gate;

/// The principal behind a request; on every route that is not open there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker(pub(super) Principal);

/// Who asks, by the token of the request.
pub(super) fn credential(request: &HttpRequest) -> Result<Credential, ApiError> {
    let bearer = request.headers().get("authorization").and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let gate = request.app_data::<Data<Gate>>().expect("the gate is set where the server is made");
    match bearer {
        Some(token) => gate.principals.bearer(token).map_err(|refused| ApiError(refused.into())),
        None => {
            let sentence = "A token is needed: send `Authorization: Bearer TOKEN`. `mosaic token create` makes one.";
            Err(ApiError(Failure::new(Code::Unauthorized, sentence)))
        }
    }
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
    let known = credential(request.request());
    match known.and_then(|known| Ok(access.check(known.principal.role).map(|()| known)?)) {
        Ok(known) => {
            request.extensions_mut().insert(known);
            next.call(request).await
        }
        Err(refused) => Ok(request.error_response(refused)),
    }
}

impl FromRequest for Asker {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found(request).map(|credential| Self(credential.principal)))
    }
}

/// As [`Asker`], with how the principal was known and when that ends.
#[derive(Debug, Clone)]
pub(super) struct Bearing(pub(super) Credential);

impl FromRequest for Bearing {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found(request).map(Self))
    }
}

/// The credential that the guard found good.
fn found(request: &HttpRequest) -> Result<Credential, ApiError> {
    let found = request.extensions().get::<Credential>().cloned();
    found.ok_or_else(|| ApiError(Failure::new(Code::Unauthorized, "A token is needed.")))
}
