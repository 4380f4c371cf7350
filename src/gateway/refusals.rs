//! Which codes an operation may refuse with, as the document tells them: one response a status, with its codes.

use std::collections::BTreeMap;

use mosaic_types::{Code, Failure};
use serde_json::json;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::error::ErrorBody;

/// Responses by status for `codes`.
pub(super) fn responses(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    // Whoever asks the store for something may ask for what it refuses for good.
    let asks_the_store = codes.contains(&Code::Storage) && !codes.contains(&Code::StorageDefect);
    for code in codes.iter().chain(asks_the_store.then_some(&Code::StorageDefect)) {
        by_status.entry(code.status()).or_default().push(*code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), response(&codes).into())).collect()
}

/// Adds `codes` to what an operation says of itself already.
pub(super) fn add(told: &mut BTreeMap<String, RefOr<Response>>, codes: &[Code]) {
    let mut all: Vec<Code> = codes.to_vec();
    for status in codes.iter().map(|code| code.status().to_string()) {
        let Some(known) = told.get(&status) else { continue };
        let known = serde_json::to_value(known).expect("a response of plain values serialises");
        let words = known.pointer("/content/application~1json/schema/properties/error/allOf/1/properties/code/enum");
        let words = words.and_then(|words| words.as_array()).cloned().unwrap_or_default();
        let known = Code::ALL.iter().filter(|code| words.iter().any(|word| word == code.as_str()));
        all.extend(known.filter(|code| !codes.contains(code)));
    }
    all.sort_by_key(|code| Code::ALL.iter().position(|other| other == code));
    all.dedup();
    told.extend(responses(&all));
}

/// The response of one status.
fn response(codes: &[Code]) -> Response {
    let lines: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
    let failure = Failure::new(codes[0], codes[0].meaning());
    let content = ContentBuilder::new().schema(Some(body(codes))).example(Some(json!(ErrorBody::new(&failure))));
    ResponseBuilder::new().description(lines.join(" ")).content("application/json", content.build()).build()
}

/// The one shape of errors, with these codes only.
fn body(codes: &[Code]) -> Schema {
    let code = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes.iter().map(|code| code.as_str())))
        .build();
    let narrowed = ObjectBuilder::new().property("code", code).build();
    let error: Schema = AllOfBuilder::new().item(Ref::from_schema_name("Failure")).item(narrowed).build().into();
    ObjectBuilder::new().schema_type(Type::Object).property("error", error).required("error").build().into()
}

/// Names a set of codes, for `responses(...)` of an operation.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $($code:ident)|+;)+) => {
        $(
            $(#[$doc])*
            pub(super) struct $name;

            impl utoipa::IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    responses(&[$(Code::$code),+])
                }
            }
        )+
    };
}

// `unauthorized` and `forbidden` are not here: the route table knows where they may come.
refusals! {
    /// Of what asks whether work is taken.
    Readiness = Draining | Storage;
    /// Of a list.
    List = BadRequest | BadCursor | Storage;
    /// Of a list that belongs to a session.
    ListOfSession = BadRequest | BadCursor | NotFound | Storage;
    /// Of a list that is whole, and may be asked for in more than one way.
    Wished = BadRequest;
    /// Of a list that is short enough to be whole.
    Whole = Storage;
    /// Of what is read of one session.
    OneSession = NotFound | Storage;
    /// Of a new session.
    NewSession = BadRequest | AgentNotFound | Exists | TooLarge | TextTooLong | Busy | NoProvider | Storage | Unavailable;
    /// Of a change of a session.
    ChangedSession = BadRequest | NotFound | ModelNotFound | AgentNotFound | TooLarge | TextTooLong | Busy | Internal | Storage | Unavailable;
    /// Of a session made from another.
    ForkedSession = BadRequest | NotFound | TooLarge | TextTooLong | Busy | Draining | Storage | Unavailable;
    /// Of what is asked of a session without a body.
    AskedSession = NotFound | Busy | Internal | Storage | Unavailable;
    /// Of a cancel.
    Cancel = BadRequest | NotFound | Busy | Internal | Storage | Unavailable;
    /// Of a message.
    NewTurn = BadRequest | Invalid | NotFound | ModelNotFound | AgentNotFound | Cancelled | TooLarge | TextTooLong | IdempotencyConflict | Running
        | Busy | Internal | Draining | Storage | Unavailable;
    /// Of a new token.
    NewToken = BadRequest | NotFound | TooLarge | Busy | Storage | Unavailable;
    /// Of a new user.
    NewUser = BadRequest | Exists | TooLarge | Busy | Storage | Unavailable;
    /// Of a user who gets another role.
    ChangedUser = BadRequest | NotFound | Invalid | TooLarge | Busy | Storage | Unavailable;
    /// Of a user who is removed.
    RemovedUser = NotFound | Invalid | Busy | Storage | Unavailable;
    /// Of a platform's call.
    Call = BadRequest | Unauthorized | NotFound | TooLarge | Busy | Unavailable;
    /// Of a link or a token that signs a browser in.
    SignIn = BadRequest | Unauthorized | LockedOut | TooLarge | Busy | Storage | Unavailable;
    /// Of a browser that is signed out.
    SignOut = BadRequest | Busy | Storage | Unavailable;
    /// Of a new link.
    NewLink = BadRequest | NotFound | TooLarge | Busy | Storage | Unavailable;
    /// Of a token's end.
    RevokedToken = NotFound | Busy | Storage | Unavailable;
    /// Of an upgrade; `too_slow` is told in a frame.
    Upgrade = BadRequest | TooSlow | Unavailable;
    /// Of a file of the dashboard.
    OneAsset = NotFound;
    /// Of a new rule.
    NewRule = BadRequest | AgentNotFound | ModelNotFound | Exists | TooLarge | Busy | Storage | Unavailable;
    /// Of a rule that is changed.
    ChangedRule = BadRequest | NotFound | AgentNotFound | ModelNotFound | Exists | TooLarge | Busy | Storage | Unavailable;
    /// Of a text whose way is explained.
    Explaining = BadRequest | AgentNotFound | TooLarge | TextTooLong;
    /// Of texts that are rendered.
    Rendering = BadRequest | TooLarge | Unavailable;
    /// Of a model that is looked up.
    OneModel = ModelNotFound;
    /// Of a provider that is added: among them what it answers itself.
    AddedProvider = BadRequest | Exists | TooLarge | ModelNotFound | ProviderAuth | ProviderQuota | ProviderRateLimited
        | ProviderOverloaded | ProviderUnreachable | ProviderStalled | ProviderBadAnswer | ProviderRejected | Draining;
    /// Of a provider that is tried.
    OneProvider = BadRequest | NotFound | TooLarge | Draining;
    /// Of a stranger who is let in.
    Approval = BadRequest | NotFound | TooLarge | Busy | Storage | Unavailable;
    /// Of a channel that is tried.
    OneChannel = NotFound | Busy | Unavailable;
    /// Of a completion, stateless or a session's turn.
    Completion = BudgetExceeded | BadRequest | Invalid | NotFound | ModelNotFound | AgentNotFound | Cancelled | TooLarge | TextTooLong
        | IdempotencyConflict | Busy | Internal | ProviderAuth | ProviderQuota | ProviderRateLimited
        | ProviderOverloaded | ProviderUnreachable | ProviderStalled | ProviderBadAnswer | ProviderRejected
        | ContextOverflow | ContentFiltered | Crashed | StepLimit | Draining | NoProvider | Storage | Unavailable;
}
