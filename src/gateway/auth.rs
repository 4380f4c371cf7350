//! Nobody without a principal, nobody beyond their role.

use std::future::{Ready, ready};

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use mosaic_types::journal::Write;
use mosaic_types::{Code, Failure, Principal};

use super::access::Access;
use super::border::{Border, Class};
use super::error::ApiError;
use super::principals::Credential;
use super::server::Gate;
use super::signin::cookie;

/// The principal behind a request; on every route that is not open there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker(pub(super) Principal);

/// Who asks: by the token of the request, or where it has none by the cookie of a browser that is signed in.
pub(super) fn credential(request: &HttpRequest) -> Result<Credential, ApiError> {
    let bearer = request.headers().get("authorization").and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let gate = request.app_data::<Data<Gate>>().expect("the gate is set where the server is made");
    let border = Border::of(request);
    if let Some(token) = bearer {
        // A good one always passes: 256 random bits cannot be found by trying, so nobody can shut out who has them.
        return gate.principals.bearer(token).map_err(|why| border.failed(request, Class::Bearer, why.into()).into());
    }
    let Some(text) = cookie::sent(request) else {
        let sentence = "A token is needed: send `Authorization: Bearer TOKEN`. `mosaic token create` makes one.";
        return Err(ApiError(Failure::new(Code::Unauthorized, sentence)));
    };
    let (credential, due) = gate.principals.browser(&text).map_err(|_| {
        let sentence = "This browser is not signed in any more. `mosaic link` makes a link that signs it in.";
        border.failed(request, Class::Cookie, Failure::new(Code::Unauthorized, sentence))
    })?;
    cookie::same_page(request, &text)?;
    if due {
        note_use(gate, &credential);
    }
    Ok(credential)
}

/// Whether the browser's cookie is good. One that is not is no failed try: the page is for everyone.
pub(super) fn signed_in(request: &HttpRequest) -> bool {
    let gate = request.app_data::<Data<Gate>>().expect("the gate is set where the server is made");
    let known = cookie::sent(request).and_then(|text| gate.principals.browser(&text).ok());
    if let Some((credential, true)) = &known {
        note_use(gate, credential);
    }
    known.is_some()
}

/// Has it stored that a browser is in use.
fn note_use(gate: &Data<Gate>, credential: &Credential) {
    let Some(browser) = credential.browser else { return };
    let (gate, at) = (gate.clone(), gate.doors.outside.now());
    actix::spawn(async move {
        if let Err(error) = gate.doors.commit(Write::SeeBrowser { browser, at }).await {
            // The next one is noted in an hour; until then it is only known here.
            tracing::debug!(%error, "that a browser is in use could not be stored");
        }
    });
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
