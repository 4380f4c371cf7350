//! Every route there is, and who may use it: one list, from which the server is built.
//!
//! A route that is not in the list does not exist. Its guard is bound to the resource that the router found, not to a
//! path that is looked at a second time: `/%61pi` and `/api` are one path to the router.

use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, QueryConfig, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, ResponseError, Route};
use mosaic_types::{Code, Failure, UserRole};

use super::access::Access;
use super::error::{Answer, ApiError};
use super::{
    attachments, auth, back, document, health, hooks, info, lately, messages, models, openai, pairings, routing,
    sessions, setup, signin, tokens, trial, usage, users, web as dashboard, ws,
};

const OPEN: Access = Access::Open;
const VIEWER: Access = Access::Least(UserRole::Viewer);
const MEMBER: Access = Access::Least(UserRole::Member);
const OWNER: Access = Access::Least(UserRole::Owner);

/// Paths below these tell nothing to one without a principal, not even that they do not exist.
const GUARDED: [&str; 2] = ["/api/", "/v1/"];

/// A route as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRow {
    /// As in `GET`.
    pub method: String,
    /// As the router writes it: `/api/v1/sessions/{id}`.
    pub path: &'static str,
    pub access: Access,
}

/// Every route there is, for tests and for documents.
pub fn table() -> Vec<RouteRow> {
    let row = |entry: Entry| RouteRow { method: entry.method.to_string(), path: entry.path, access: entry.access };
    entries().into_iter().map(row).collect()
}

struct Entry {
    method: Method,
    path: &'static str,
    access: Access,
    route: Route,
}

fn on<F, Args>(method: Method, path: &'static str, access: Access, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Entry { route: web::method(method.clone()).to(handler), method, path, access }
}

fn get<F, Args>(path: &'static str, access: Access, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    on(Method::GET, path, access, handler)
}

fn post<F, Args>(path: &'static str, access: Access, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    on(Method::POST, path, access, handler)
}

/// The list. Lines of one path stand together; the router tries paths in this order.
fn entries() -> Vec<Entry> {
    vec![
        post("/v1/chat/completions", MEMBER, openai::complete),
        get("/v1/models", VIEWER, openai::models::models),
        get("/v1/models/{id:.*}", VIEWER, openai::models::model),
        get("/api/v1/sessions", VIEWER, sessions::list),
        post("/api/v1/sessions", MEMBER, sessions::create),
        get("/api/v1/sessions/{id}", VIEWER, sessions::show),
        on(Method::PATCH, "/api/v1/sessions/{id}", MEMBER, sessions::change),
        on(Method::DELETE, "/api/v1/sessions/{id}", MEMBER, sessions::delete),
        get("/api/v1/sessions/{id}/messages", VIEWER, messages::list),
        post("/api/v1/sessions/{id}/messages", MEMBER, messages::submit),
        post("/api/v1/sessions/{id}/retry", MEMBER, back::retry),
        post("/api/v1/sessions/{id}/fork", MEMBER, back::fork),
        post("/api/v1/sessions/{id}/cancel", MEMBER, messages::cancel),
        get("/api/v1/sessions/{id}/events", VIEWER, messages::events),
        get("/api/v1/sessions/{id}/attachments/{attachment}", VIEWER, attachments::show),
        get("/api/v1/agents", VIEWER, info::agents),
        get("/api/v1/models", VIEWER, models::list),
        get("/api/v1/providers", VIEWER, info::providers),
        post("/api/v1/providers", OWNER, setup::add),
        // It costs a call, so it takes the role that may make calls.
        post("/api/v1/providers/{name}/test", MEMBER, trial::test),
        get("/api/v1/channels", VIEWER, info::channels),
        // It says something to somebody.
        post("/api/v1/channels/{name}/test", OWNER, trial::channel),
        get("/api/v1/pairings", OWNER, pairings::list),
        post("/api/v1/pairings", OWNER, pairings::approve),
        on(Method::PUT, "/api/v1/pairings/{channel}/{sender}", OWNER, pairings::link),
        on(Method::DELETE, "/api/v1/pairings/{channel}/{sender}", OWNER, pairings::revoke),
        get("/api/v1/usage", VIEWER, usage::sums),
        get("/api/v1/routing/rules", VIEWER, routing::list),
        post("/api/v1/routing/rules", MEMBER, routing::create),
        // Before the rules by their ids, of which this is none.
        get("/api/v1/routing/rules/effective", VIEWER, routing::effective),
        on(Method::PATCH, "/api/v1/routing/rules/{id}", MEMBER, routing::change),
        on(Method::DELETE, "/api/v1/routing/rules/{id}", MEMBER, routing::delete),
        // Of texts that the asker has; nothing is asked or changed.
        post("/api/v1/routing/explain", VIEWER, routing::explain),
        get("/api/v1/tree", VIEWER, info::tree),
        get("/api/v1/observe", VIEWER, lately::lately),
        get("/api/v1/me", VIEWER, info::me),
        get("/api/v1/users", OWNER, users::list),
        post("/api/v1/users", OWNER, users::add),
        on(Method::PATCH, "/api/v1/users/{id}", OWNER, users::change),
        on(Method::DELETE, "/api/v1/users/{id}", OWNER, users::remove),
        get("/api/v1/audit", OWNER, users::audit),
        get("/api/v1/tokens", VIEWER, tokens::list),
        post("/api/v1/tokens", MEMBER, tokens::create),
        post("/api/v1/links", OWNER, signin::link),
        on(Method::DELETE, "/api/v1/tokens/{id}", MEMBER, tokens::revoke),
        // Faults are planted in builds for it only.
        #[cfg(feature = "chaos")]
        post("/api/v1/chaos", OWNER, super::chaos::plant),
        // Of texts that the asker has; nothing is read or changed.
        post("/api/v1/render", VIEWER, dashboard::render),
        get("/openapi.json", VIEWER, document::openapi),
        // They hold nobody's data.
        get("/", OPEN, dashboard::page),
        get("/assets/{build}/{name}", OPEN, dashboard::asset),
        get("/claim", OPEN, signin::page),
        post("/claim", OPEN, signin::claim),
        get("/claim.js", OPEN, signin::script),
        post("/login", OPEN, signin::login),
        post("/logout", VIEWER, signin::logout),
        // Open to a socket that says who it is in its first frame.
        get("/ws", OPEN, ws::open),
        // Open to platforms that know the secret of their channel.
        post("/hooks/{channel}", OPEN, hooks::take),
        get("/healthz", OPEN, health::alive),
        get("/readyz", OPEN, health::ready),
        // Totals over all users: any of them may see how the house is.
        get("/metrics", VIEWER, info::metrics),
    ]
}

/// Who may use one path, by method.
type Doors = Rc<[(Method, Access)]>;

/// Hangs every route on the server, each path behind its guard.
pub(super) fn configure(config: &mut ServiceConfig) {
    let mut entries = entries().into_iter().peekable();
    while let Some(first) = entries.next() {
        let path = first.path;
        let mut doors = vec![(first.method, first.access)];
        let mut resource = web::resource(path).route(first.route);
        while let Some(next) = entries.next_if(|next| next.path == path) {
            doors.push((next.method, next.access));
            resource = resource.route(next.route);
        }
        // What no entry names is answered with a typed error and the methods that there are (RFC 9110, 15.5.6).
        let allow: Vec<_> = doors.iter().map(|(method, _)| method.as_str()).collect();
        let allow = allow.join(", ");
        let resource = resource.default_service(web::to(move |request| wrong_method(request, allow.clone())));
        let doors: Doors = doors.into();
        let guard = move |request: ServiceRequest, next: Next<BoxBody>| {
            let access = access(&doors, request.method());
            auth::guard(access, request, next)
        };
        config.service(resource.wrap(from_fn(guard)));
    }
    config.app_data(QueryConfig::default().error_handler(|error, _| {
        ApiError(Failure::new(Code::BadRequest, format!("A parameter cannot be read: {error}."))).into()
    }));
    config.default_service(web::to(nothing_here));
}

/// What a method asks for. One that the path does not know asks for a principal, unless the path is open to everyone.
fn access(doors: &[(Method, Access)], method: &Method) -> Access {
    let known = doors.iter().find(|(known, _)| known == method).map(|(_, access)| *access);
    let open = || doors.iter().all(|(_, access)| *access == Access::Open);
    known.unwrap_or_else(|| if open() { Access::Open } else { VIEWER })
}

async fn nothing_here(request: HttpRequest) -> Answer {
    if GUARDED.iter().any(|prefix| request.path().starts_with(prefix)) {
        auth::credential(&request)?;
    }
    Err(ApiError(Failure::new(Code::NotFound, "There is no such route.")))
}

async fn wrong_method(request: HttpRequest, allow: String) -> HttpResponse {
    let sentence = format!("{} is not a method of {}; it knows {allow}.", request.method(), request.path());
    let mut response = ApiError(Failure::new(Code::MethodNotAllowed, sentence)).error_response();
    response.headers_mut().insert(ALLOW, HeaderValue::try_from(allow).expect("methods are plain words"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_one_path_stand_together_and_none_is_there_twice() {
        let rows = table();
        for (at, row) in rows.iter().enumerate() {
            let twice = rows[..at].iter().any(|other| (&other.method, other.path) == (&row.method, row.path));
            assert!(!twice, "{} {} is there twice", row.method, row.path);
            let apart =
                at > 0 && rows[at - 1].path != row.path && rows[..at].iter().any(|other| other.path == row.path);
            assert!(!apart, "{} stands in two places, and the second would never be found", row.path);
        }
    }

    #[test]
    fn nothing_under_a_guarded_path_is_open() {
        for row in table() {
            let guarded = GUARDED.iter().any(|prefix| row.path.starts_with(prefix));
            assert!(!guarded || row.access != Access::Open, "{} {}", row.method, row.path);
        }
    }

    #[test]
    fn a_method_that_a_path_does_not_know_asks_for_a_principal() {
        let doors = [(Method::GET, MEMBER), (Method::POST, OPEN)];
        assert_eq!(access(&doors, &Method::GET), MEMBER);
        assert_eq!(access(&doors, &Method::POST), OPEN);
        assert_eq!(access(&doors, &Method::PUT), VIEWER);
        assert_eq!(access(&doors[1..], &Method::PUT), OPEN);
    }
}
