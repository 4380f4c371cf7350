//! The document of this API, OpenAPI 3.1: what the handlers say of themselves, and what the route table says of them.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use mosaic_types::{Code, SessionEvent, UserRole};
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Info, OpenApi as Document, PathItem, RefOr, Required};

use super::access::Access;
use super::routes::{RouteRow, table};
use super::signin::{self, cookie};
use super::{
    attachments, back, health, hooks, info, lately, messages, models, openai, pairings, refusals, routing, sessions,
    setup, tokens, trial, usage, users, web, ws,
};

/// Name of the scheme by which a token is sent.
const BEARER: &str = "bearer";

/// Name of the scheme by which a browser is known.
const COOKIE: &str = "browser";

/// What every reader should know first.
const ABOUT: &str = "One daemon that runs a team of AI agents. Each conversation is a durable session: what was \
    accepted is stored before it is acknowledged, and a repeat with the same `Idempotency-Key` is never done twice.\n\n\
    **Who asks.** Send `Authorization: Bearer TOKEN`; `mosaic token create` makes one. An `owner` may do everything, a \
    `member` works in sessions of their own, a `viewer` reads them. What is someone else's is answered as if it were \
    not there.\n\n\
    **Errors** have one shape everywhere: `{\"error\":{\"code\",\"message\",\"retry_after_ms\"}}`. Programs read `code` \
    (the schema `Code` lists them all), people read `message`. Where waiting helps, `Retry-After` says for how long.\n\n\
    **Lists** are read page by page: hand `next` back as `cursor` until it is null.\n\n\
    **Streams** are server-sent events. A session's carry a `SessionEvent` each, with its `seq` as `id`; the OpenAI \
    wire's carry a `CompletionChunk` each and end in `[DONE]`.";

/// What handlers say of themselves.
#[derive(OpenApi)]
#[openapi(
    paths(
        health::alive, health::ready, openapi,
        sessions::list, sessions::create, sessions::show, sessions::change, sessions::delete,
        messages::list, messages::submit, messages::cancel, messages::events, back::retry, back::fork,
        attachments::show,
        info::agents, models::list, info::providers, setup::add, info::channels, trial::channel, hooks::take, pairings::list, pairings::approve, pairings::link, pairings::revoke, info::tree, lately::lately, info::me, info::metrics, trial::test, usage::sums,
        routing::list, routing::create, routing::change, routing::delete, routing::effective, routing::explain,
        users::list, users::add, users::change, users::remove, users::audit,
        tokens::list, tokens::create, tokens::revoke,
        web::page, web::asset, web::render, signin::page, signin::script, signin::claim, signin::login, signin::logout, signin::link,
        openai::complete, openai::models::models, openai::models::model, ws::open,
    ),
    components(schemas(SessionEvent, openai::Chunk, Code)),
    tags(
        (name = "sessions", description = "Durable conversations, their messages and what happens in them."),
        (name = "openai", description = "The OpenAI wire: any client that speaks it can talk to agents and models."),
        (name = "house", description = "What there is, how it is, and what was spent."),
        (name = "routing", description = "Which models answer, and why."),
        (name = "users", description = "People, and what they did to the house."),
        (name = "tokens", description = "Who may use this API."),
        (name = "browsers", description = "Browsers signed in and out."),
        (name = "health", description = "For probes, which may ask without a token, and for Prometheus."),
    ),
)]
struct Handlers;

/// The document.
pub fn document() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(assemble)
}

fn assemble() -> Document {
    let mut document = Handlers::openapi();
    document.info = Info::builder()
        .title("Mosaic")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(utoipa::openapi::License::new("MIT OR Apache-2.0")))
        .build();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
        "A token, as `mosaic token create` prints it; the owner's own is the file `token` in the home.",
    ));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(token.build()));
    let cookie = ApiKeyValue::with_description(
        cookie::NAME,
        "The cookie of a browser that is signed in, by `POST /claim` or `POST /login`. What changes something also \
         takes the header `X-CSRF-Token`, as `GET /api/v1/me` tells it. Where a token is sent too, that counts.",
    );
    components.add_security_scheme(COOKIE, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    // What handlers say cannot tell a body that may be left out from one that may be null.
    let link = document.paths.paths.get_mut("/api/v1/links").and_then(|item| item.post.as_mut());
    if let Some(RefOr::T(body)) = link.and_then(|link| link.request_body.as_mut()) {
        body.required = Some(Required::False);
    }
    for row in table() {
        let item = document.paths.paths.get_mut(&documented(row.path));
        if let Some(operation) = item.and_then(|item| operation(item, &row.method)) {
            admit(operation, &row);
        }
    }
    document
}

/// The path as OpenAPI writes it: without what the router's patterns say.
pub fn documented(path: &str) -> String {
    path.replace(":.*}", "}")
}

fn operation<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

/// Writes down who may use an operation, and what the rest are told.
fn admit(operation: &mut Operation, row: &RouteRow) {
    // From anywhere: the wrong name, the wrong page, the wrong way.
    let mut codes = vec![Code::ForbiddenHost, Code::ForbiddenOrigin, Code::ForbiddenPeer];
    let reads = row.method == "GET";
    match row.access {
        Access::Open => operation.security = Some(Vec::new()),
        Access::Least(role) => {
            let scheme = |name| SecurityRequirement::new(name, Vec::<String>::new());
            operation.security = Some(vec![scheme(BEARER), scheme(COOKIE)]);
            let note = format!("Takes the role `{role}`.");
            operation.description = Some(match operation.description.take().filter(|text| !text.is_empty()) {
                Some(text) => format!("{text}\n\n{note}"),
                None => note,
            });
            codes.extend([Code::Unauthorized, Code::LockedOut]);
            codes.extend((role > UserRole::Viewer).then_some(Code::Forbidden));
            codes.extend((!reads).then_some(Code::Csrf));
        }
    }
    refusals::add(&mut operation.responses.responses, &codes);
}

/// Says what this API is, in OpenAPI 3.1
///
/// Generated from the handlers, so it is never older than the daemon that serves it.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "house",
    responses((status = 200, description = "This document.", body = Object, content_type = "application/json"))
)]
pub(super) async fn openapi() -> HttpResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document().to_json().expect("a document of plain values serialises"));
    HttpResponse::Ok().content_type("application/json").body(text.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn operations() -> Vec<(String, Value)> {
        let document = serde_json::to_value(document()).expect("it serialises");
        let paths = document["paths"].as_object().expect("paths").clone();
        let of = |(path, item): (String, Value)| {
            let item = item.as_object().expect("an item").clone();
            item.into_iter().map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
        };
        paths.into_iter().flat_map(of).collect()
    }

    #[test]
    fn every_operation_says_who_may_use_it_and_what_else_is_told() {
        for row in table().into_iter().filter(|row| !row.path.ends_with("/chaos")) {
            let name = format!("{} {}", row.method, documented(row.path));
            let all = operations();
            let operation = &all.iter().find(|(other, _)| *other == name).expect("it is told").1;
            let told = |code: Code| {
                let response = &operation["responses"][code.status().to_string()];
                response.to_string().contains(&format!("{:?}", code.as_str()))
            };
            let open = row.access == Access::Open;
            assert_eq!(operation["security"] == json!([]), open, "{name}");
            assert!(open || told(Code::Unauthorized) && told(Code::LockedOut), "{name}");
            assert_eq!(told(Code::Forbidden), !open && row.access != Access::Least(UserRole::Viewer), "{name}");
            assert_eq!(told(Code::Csrf), !open && row.method != "GET", "{name}");
            assert!(told(Code::ForbiddenHost) && told(Code::ForbiddenOrigin), "{name}");
            assert!(operation["summary"].as_str().is_some_and(|summary| !summary.ends_with('.')), "{name}");
        }
    }

    #[test]
    fn every_code_is_told_with_its_status_and_where_it_may_come() {
        let schema = serde_json::to_value(document()).expect("it serialises")["components"]["schemas"]["Code"].clone();
        let words = schema["enum"].as_array().expect("a list of words").clone();
        assert_eq!(words.len(), Code::ALL.len());
        let everything: Vec<_> =
            operations().into_iter().map(|(_, operation)| operation["responses"].clone()).collect();
        for code in Code::ALL {
            assert!(words.contains(&json!(code.as_str())));
            let row = format!("| `{}` | {} |", code.as_str(), code.status());
            assert!(schema["description"].as_str().is_some_and(|text| text.contains(&row)), "{row}");
            let told = |responses: &Value| {
                let response = &responses[code.status().to_string()];
                response.to_string().contains(&format!("{:?}", code.as_str()))
            };
            // What no operation is, none can answer; and commands come over the socket only.
            let nowhere = matches!(code, Code::MethodNotAllowed | Code::CommandNotFound);
            assert_eq!(everything.iter().any(told), !nowhere, "{}", code.as_str());
        }
    }
}
