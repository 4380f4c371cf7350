//! The cookie of a browser that is signed in, and what a page must send along with it.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use mosaic_types::{Code, Failure};
use subtle::ConstantTimeEq;

use crate::gateway::principals::Principals;

/// What the cookie is called.
pub(in crate::gateway) const NAME: &str = "mosaic_session";

/// The header in which a page sends what `GET /api/v1/me` told it.
const CSRF: &str = "x-csrf-token";

/// What the browser sent, if it sent one.
pub(in crate::gateway) fn sent(request: &HttpRequest) -> Option<String> {
    // None is the usual case, and looked for without parsing.
    request.headers().contains_key("cookie").then(|| request.cookie(NAME))?.map(|cookie| cookie.value().to_owned())
}

/// A cookie for the browser to keep. No script may read it, and no page of another site can make a browser send it:
/// `Strict` costs nothing, since the pages here are public and ask for what they show by themselves.
pub(super) fn keep(text: &str, life: std::time::Duration, secure: bool) -> Cookie<'static> {
    let life = Duration::seconds(i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
    let cookie = Cookie::build(NAME, text.to_owned()).path("/").http_only(true).same_site(SameSite::Strict);
    cookie.secure(secure).max_age(life).finish()
}

/// A cookie that makes the browser forget the one it has.
pub(super) fn forget(secure: bool) -> Cookie<'static> {
    keep("", std::time::Duration::ZERO, secure)
}

/// What only reads needs no more than the cookie; what changes something must come from a page that was told the text.
///
/// # Errors
/// `csrf`.
pub(in crate::gateway) fn same_page(request: &HttpRequest, cookie: &str) -> Result<(), Failure> {
    if matches!(request.method().as_str(), "GET" | "HEAD") {
        return Ok(());
    }
    let sent = request.headers().get(CSRF).map_or(&b""[..], |value| value.as_bytes());
    if sent.ct_eq(Principals::csrf_of(cookie).as_bytes()).into() {
        return Ok(());
    }
    let sentence = "Send the header X-CSRF-Token along with the cookie; GET /api/v1/me says what stands in it.";
    Err(Failure::new(Code::Csrf, sentence))
}
