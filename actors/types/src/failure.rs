//! What went wrong, in the one form that crosses mailboxes, the journal and the wire.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::{self, schema};

/// Answers "what next?" for every reader of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// May pass by itself: try again, after this long if it is known.
    Transient { retry_after: Option<Duration> },
    /// Too much at once: try later or elsewhere.
    Overloaded,
    /// The request itself is wrong; sending it again changes nothing.
    Invalid,
    /// What was named does not exist (or is not the asker's).
    NotFound,
    /// Not allowed, or credentials are missing or refused.
    Denied,
    /// Ours or a library's mistake.
    Defect,
}

/// Is implemented by every error that a reader must act on.
pub trait Classify {
    /// The class of this error.
    fn class(&self) -> ErrorClass;
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $status:literal;)+) => {
        /// Machine-readable reason of a failure; the list is part of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }
        }
    };
}

codes! {
    /// The request could not be read.
    BadRequest = "bad_request", 400;
    /// The request can be read, and what it wants cannot be; the message says what can.
    Invalid = "invalid", 422;
    /// A cursor that Mosaic did not give out.
    BadCursor = "bad_cursor", 400;
    /// The body is over its limit.
    TooLarge = "too_large", 413;
    /// The text is over its limit.
    TextTooLong = "text_too_long", 422;
    /// No or wrong credentials.
    Unauthorized = "unauthorized", 401;
    /// The role does not reach.
    Forbidden = "forbidden", 403;
    /// A browser changed something without the text that its own pages send along.
    Csrf = "csrf", 403;
    /// The daemon is not called so.
    ForbiddenHost = "forbidden_host", 403;
    /// A page of another site.
    ForbiddenOrigin = "forbidden_origin", 403;
    /// Plain HTTP from where it could be read on the way.
    ForbiddenPeer = "forbidden_peer", 403;
    /// Too many failures from this address.
    LockedOut = "locked_out", 429;
    /// Nothing here by that name.
    NotFound = "not_found", 404;
    /// This route does not know the method.
    MethodNotAllowed = "method_not_allowed", 405;
    /// No agent and no `provider/model` by that name.
    ModelNotFound = "model_not_found", 404;
    /// An agent that is not configured.
    AgentNotFound = "agent_not_found", 404;
    /// No slash command by that name.
    CommandNotFound = "command_not_found", 404;
    /// The idempotency key was used with another body.
    IdempotencyConflict = "idempotency_conflict", 422;
    /// The name is taken.
    Exists = "exists", 409;
    /// Something runs or waits in the session, which this takes to be idle.
    Running = "running", 409;
    /// The session's queue is full.
    Busy = "busy", 429;
    /// A reader was slower than what it reads; it may read on from where it was.
    TooSlow = "too_slow", 408;
    /// The daemon is stopping.
    Draining = "draining", 503;
    /// An actor is down or restarting.
    Unavailable = "unavailable", 503;
    /// The store refused or failed.
    Storage = "storage", 503;
    /// The store refuses this for good: a mistake of ours, or damage.
    StorageDefect = "storage_defect", 500;
    /// No provider is configured or found.
    NoProvider = "no_provider", 503;
    /// A budget is spent.
    BudgetExceeded = "budget_exceeded", 402;
    /// The provider refused the key.
    ProviderAuth = "provider_auth", 502;
    /// The provider wants to be paid.
    ProviderQuota = "provider_quota", 502;
    /// The provider asked for a pause.
    ProviderRateLimited = "provider_rate_limited", 502;
    /// The provider answered 5xx or says it is overloaded.
    ProviderOverloaded = "provider_overloaded", 502;
    /// No connection to the provider.
    ProviderUnreachable = "provider_unreachable", 502;
    /// Nothing came for too long.
    ProviderStalled = "provider_stalled", 502;
    /// The provider's answer could not be read or was cut off.
    ProviderBadAnswer = "provider_bad_answer", 502;
    /// The provider refused the request as wrong.
    ProviderRejected = "provider_rejected", 502;
    /// The conversation does not fit the model.
    ContextOverflow = "context_overflow", 502;
    /// The provider's filter held the answer back.
    ContentFiltered = "content_filtered", 502;
    /// The model asked for tools more often than its agent allows for one message.
    StepLimit = "step_limit", 502;
    /// The turn's own run died three times.
    Crashed = "crashed", 502;
    /// The turn was cancelled.
    Cancelled = "cancelled", 409;
    /// A mistake of ours.
    Internal = "internal", 500;
}

schema!(Code, {
    let rows = Code::ALL.iter().map(|code| format!("| `{}` | {} | {} |", code.as_str(), code.status(), code.meaning()));
    let table = rows.collect::<Vec<_>>().join("\n");
    let description = format!(
        "Why something failed, for programs. A turn that failed answers 502 to whoever waited for it, whatever its \
         code.\n\n| code | status | meaning |\n| --- | --- | --- |\n{table}"
    );
    schema::words(&description, Code::ALL.iter().map(|code| code.as_str()))
});

/// What to do next where there is no provider, in the same words on every surface.
pub const NO_PROVIDER: &str = "No model provider is set up. Run `mosaic providers add openai`, or open the link that \
     `mosaic link` prints while Mosaic runs: what is added there is used at once. Or set OPENAI_API_KEY (or \
     ANTHROPIC_API_KEY, GEMINI_API_KEY, OPENROUTER_API_KEY), or start Ollama, and start Mosaic again.";

/// A failure that a person or a program is told: a code, and a whole sentence with what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub code: Code,
    /// What happened and what to do, for people; its wording may change.
    pub message: Cow<'static, str>,
    /// How long to wait before trying again, in milliseconds, where waiting helps.
    #[serde(default)]
    #[schema(required)]
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    /// Adds how long to wait before trying again.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Of a write: whether it is known that it changed nothing.
    pub fn changed_nothing(&self) -> bool {
        matches!(self.code, Code::Storage | Code::StorageDefect | Code::Busy)
    }

    /// What is not there, or is someone else's: the two must look alike.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Code::NotFound, format!("There is no {what} by that name."))
    }
}

impl Classify for Failure {
    fn class(&self) -> ErrorClass {
        let retry_after = self.retry_after_ms.map(Duration::from_millis);
        match self.code {
            Code::NotFound | Code::ModelNotFound | Code::AgentNotFound | Code::CommandNotFound => ErrorClass::NotFound,
            Code::Unauthorized
            | Code::Forbidden
            | Code::Csrf
            | Code::ForbiddenHost
            | Code::ForbiddenOrigin
            | Code::ForbiddenPeer
            | Code::BudgetExceeded
            | Code::ProviderAuth
            | Code::ProviderQuota => ErrorClass::Denied,
            Code::Busy | Code::LockedOut | Code::Draining | Code::TooSlow | Code::ProviderOverloaded => {
                ErrorClass::Overloaded
            }
            Code::Unavailable
            | Code::Storage
            | Code::ProviderRateLimited
            | Code::ProviderUnreachable
            | Code::ProviderStalled
            | Code::ProviderBadAnswer => ErrorClass::Transient { retry_after },
            Code::Crashed | Code::Internal | Code::StorageDefect => ErrorClass::Defect,
            _ => ErrorClass::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_on_the_wire_is_the_one_in_the_table() {
        for code in Code::ALL {
            let json = serde_json::to_string(code).expect("a code serialises");
            assert_eq!(json, format!("{:?}", code.as_str()));
        }
    }
}
