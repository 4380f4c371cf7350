//! Browsers are signed in, by a one-time link or with a token, and signed out.

pub(super) mod cookie;

use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::signin::Browser;
use mosaic_types::{Code, Failure, Principal, Timestamp, TokenId, UserId, UserName, UserRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Asker, Bearing};
use super::border::{Border, Class};
use super::error::{Answer, ApiError};
use super::principals::{Principals, hash_of};
use super::server::Gate;
use super::{body, refusals, users, web};
use crate::link::Link;
use crate::token::draw;

/// Bytes of what a stranger may send.
const STRANGER_BYTES: usize = 4 << 10;

/// For so long a stranger may take to send it.
const STRANGER_PATIENCE: Duration = Duration::from_secs(10);

/// Nothing but the page's own script and the dashboard's looks, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// Shows the page that a sign-in link opens
///
/// The link's code stands behind the `#`, which a browser sends to nobody; the page sends it on, which spends it.
#[utoipa::path(
    get,
    path = "/claim",
    operation_id = "show_claim",
    tag = "browsers",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(super) async fn page() -> HttpResponse {
    let page = include_str!("claim.html").replace("{assets}", web::folder());
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", POLICY))
        .body(page)
}

/// Serves the script of that page
#[utoipa::path(
    get,
    path = "/claim.js",
    operation_id = "show_claim_script",
    tag = "browsers",
    responses((status = 200, description = "The script.", body = String, content_type = "text/javascript"))
)]
pub(super) async fn script() -> HttpResponse {
    HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(include_str!("claim.js"))
}

/// What a stranger sent, who may send little and must not take long.
async fn said<T: serde::de::DeserializeOwned + Send + 'static>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<T, ApiError> {
    let reading = body::json(request, payload, STRANGER_BYTES);
    tokio::time::timeout(STRANGER_PATIENCE, reading).await.unwrap_or_else(|_| {
        let sentence = "The body took too long to come.";
        Err(ApiError(Failure::new(Code::BadRequest, sentence)))
    })
}

/// The code of a sign-in link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Claim {
    /// What stands behind the `#` of the link.
    code: String,
}

/// A browser that was just signed in; the answer sets its cookie.
#[derive(Serialize, ToSchema)]
struct SignedIn {
    user: UserId,
    role: UserRole,
    /// What its pages send as `X-CSRF-Token` with what changes something.
    csrf: String,
}

/// Signs a browser in by a link
///
/// The link is spent by it. After ten failures within a minute an address waits for a minute.
#[utoipa::path(
    post,
    path = "/claim",
    operation_id = "claim",
    tag = "browsers",
    request_body = Claim,
    responses((status = 200, description = "Signed in.", body = SignedIn), refusals::SignIn)
)]
pub(super) async fn claim(gate: Data<Gate>, request: HttpRequest, payload: Payload) -> Answer {
    let border = Border::of(&request);
    // Also with a good code: here alone it must not pay to try.
    border.may_try(&request, Class::Claim)?;
    let Claim { code } = said(&request, payload).await?;
    let hash = hash_of(&code);
    let now = gate.doors.outside.now();
    let links = gate.doors.store.links().await?;
    let good = links.into_iter().find(|link| link.hash == hash && !link.spent && link.expires_at > now);
    let who = good.map(|link| Principal { user: link.user, role: link.role });
    let signed_in = match who {
        Some(who) => sign_in(&gate, &request, who, None, None, Some(hash)).await?,
        None => None,
    };
    signed_in.ok_or_else(|| {
        let sentence =
            "This link was used, was replaced by a newer one, or has expired. `mosaic link` makes a new one.";
        ApiError(border.failed(&request, Class::Claim, Failure::new(Code::Unauthorized, sentence)))
    })
}

/// A token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

/// Signs a browser in with a token
///
/// It is signed out when the token is revoked or expires.
#[utoipa::path(
    post,
    path = "/login",
    operation_id = "login",
    tag = "browsers",
    request_body = Login,
    responses((status = 200, description = "Signed in.", body = SignedIn), refusals::SignIn)
)]
pub(super) async fn login(gate: Data<Gate>, request: HttpRequest, payload: Payload) -> Answer {
    let Login { token } = said(&request, payload).await?;
    let refused = |failure| ApiError(Border::of(&request).failed(&request, Class::Login, failure));
    let by = gate.principals.bearer(token.trim()).map_err(|why| refused(why.into()))?;
    let signed_in = sign_in(&gate, &request, by.principal, by.token, by.until, None).await?;
    signed_in.ok_or_else(|| refused(super::principals::Refused::Unknown.into()))
}

/// Signs a browser in, unless the link or the token it comes with ends meanwhile.
async fn sign_in(
    gate: &Gate,
    request: &HttpRequest,
    who: Principal,
    token: Option<TokenId>,
    until: Option<Timestamp>,
    link: Option<[u8; 32]>,
) -> Result<Option<HttpResponse>, ApiError> {
    let text = draw(&gate.doors.outside);
    let now = gate.doors.outside.now();
    let last = now.plus(Principals::BROWSER_LIFE);
    let expires_at = until.map_or(last, |until| until.min(last));
    let (hash, Principal { user, role }) = (hash_of(&text), who);
    let browser = Browser { hash, user, role, token, created_at: now, seen_at: now, expires_at };
    match gate.doors.commit(Write::SignIn { browser: browser.clone(), link }).await? {
        Outcome::Written(_) => {}
        _ => return Ok(None),
    }
    let Some(gone) = gate.principals.sign_in(&browser) else { return Ok(None) };
    for browser in gone {
        gate.doors.commit(Write::SignOut { browser }).await?;
    }
    let secure = Border::of(request).peer(request).secure;
    let csrf = Principals::csrf_of(&text);
    let mut answer = HttpResponse::Ok();
    answer.cookie(cookie::keep(&text, Principals::BROWSER_LIFE, secure));
    Ok(Some(answer.json(SignedIn { user, role, csrf })))
}

/// Signs this browser out
#[utoipa::path(
    post,
    path = "/logout",
    operation_id = "logout",
    tag = "browsers",
    responses((status = 204, description = "Signed out; the browser forgets its cookie."), refusals::SignOut)
)]
pub(super) async fn logout(gate: Data<Gate>, Bearing(by): Bearing, request: HttpRequest) -> Answer {
    let Some(browser) = by.browser else {
        let sentence = "No browser is signed in here; a token ends by DELETE /api/v1/tokens/{id}.";
        return Err(ApiError(Failure::new(Code::BadRequest, sentence)));
    };
    // It ends here also where the store cannot be told; then it would come back with the next start, so say so.
    gate.principals.sign_out(&browser);
    gate.doors.commit(Write::SignOut { browser }).await?;
    let secure = Border::of(&request).peer(&request).secure;
    Ok(HttpResponse::NoContent().cookie(cookie::forget(secure)).finish())
}

/// A link that was just made.
#[derive(Serialize, ToSchema)]
struct MadeLink {
    /// To be opened in a browser, once.
    url: String,
    expires_at: Timestamp,
}

/// Whom a link signs in; without a body, the caller.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewLink, example = json!({"user": "bob"}))]
struct LinkWish {
    #[serde(default)]
    user: Option<UserName>,
}

/// Makes a sign-in link
///
/// For the caller, or for another user with that one's role. An older one of theirs that was not used is void from now
/// on.
#[utoipa::path(
    post,
    path = "/api/v1/links",
    operation_id = "create_link",
    tag = "browsers",
    request_body(content = LinkWish, description = "May be left out."),
    responses((status = 201, description = "The link; it is told this once.", body = MadeLink), refusals::NewLink)
)]
pub(super) async fn link(gate: Data<Gate>, Asker(who): Asker, request: HttpRequest, payload: Payload) -> Answer {
    let wish: LinkWish = body::json_or_nothing(&request, payload, body::API_BYTES).await?;
    let of = users::spoken_for(&gate, who, wish.user.as_ref()).await?;
    let link = Link::new(&gate.doors.outside, of, Link::ASKED_FOR);
    let expires_at = link.row.expires_at;
    let subject = wish.user.map_or_else(|| "themselves".to_owned(), |user| user.to_string());
    gate.audited(who, "link.create", subject, Write::CreateLink(link.row.clone())).await?;
    let url = link.url(&Border::of(&request).base(&request));
    Ok(HttpResponse::Created().json(MadeLink { url, expires_at }))
}
