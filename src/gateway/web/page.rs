//! The page itself.

use actix_web::{HttpRequest, HttpResponse};

use super::assets::folder;
use crate::gateway::auth;

/// Its own modules, styles and pictures and nothing else; what becomes HTML goes through the one policy that
/// `render.js` makes; nobody may frame it. `blob:` is for pictures that a person attaches, before they are sent.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types mosaic";

/// Shows the dashboard
///
/// One page for everything. It holds no data: it asks this API for what it shows, by the browser's cookie, and where
/// the browser is not signed in it says how to sign in.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "show_dashboard",
    tag = "browsers",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(in crate::gateway) async fn page(request: HttpRequest) -> HttpResponse {
    // So that a page that is not signed in need not ask first, and shows the right thing from the start.
    let known = auth::signed_in(&request);
    let page = include_str!("assets/page.html").replace("{assets}", folder());
    // Who comes by a link on another site's page has sent no cookie (`SameSite=Strict`) and may have one all the same.
    let elsewhere = request.headers().get("sec-fetch-site").is_some_and(|site| site.as_bytes() == b"cross-site");
    let known = if known {
        "yes"
    } else if elsewhere {
        "ask"
    } else {
        "no"
    };
    let page = page.replace("{signed-in}", known);
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", POLICY))
        .body(page)
}
