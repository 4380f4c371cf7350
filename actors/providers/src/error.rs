//! Why a call of a model failed, the same list for every provider.

use std::sync::Arc;
use std::time::Duration;

use mosaic_types::{Classify, Code, ErrorClass, Failure, ProviderName};

/// A failed call. `detail` holds what the other side said: in part, on one line, and never with the key in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Refused, reset, unknown host, TLS: there was no answer at all.
    #[error("provider {provider} cannot be reached: {detail}")]
    Unreachable { provider: ProviderName, detail: String },
    #[error("provider {provider} refused the key: {detail}")]
    Auth { provider: ProviderName, detail: String },
    #[error("provider {provider} wants to be paid: {detail}")]
    Quota { provider: ProviderName, detail: String },
    #[error("provider {provider} asked for a pause ({retry_after:?}): {detail}")]
    RateLimited { provider: ProviderName, retry_after: Option<Duration>, detail: String },
    /// It answered 5xx or says that it has too much to do.
    #[error("provider {provider} is overloaded or broken ({retry_after:?}): {detail}")]
    Overloaded { provider: ProviderName, retry_after: Option<Duration>, detail: String },
    #[error("provider {provider} has no model {model}: {detail}")]
    ModelNotFound { provider: ProviderName, model: Arc<str>, detail: String },
    #[error("provider {provider} refused the request: {detail}")]
    Rejected { provider: ProviderName, detail: String },
    /// Not followed, since the key would go along.
    #[error("provider {provider} redirects: {detail}")]
    Redirected { provider: ProviderName, detail: String },
    #[error("the conversation does not fit {provider}/{model}: {detail}")]
    ContextOverflow { provider: ProviderName, model: Arc<str>, detail: String },
    #[error("provider {provider} filtered the content: {detail}")]
    ContentFiltered { provider: ProviderName, detail: String },
    /// Made by the runtime, which keeps the idle limit.
    #[error("provider {provider} sent nothing for {idle:?}")]
    Stalled { provider: ProviderName, idle: Duration },
    /// The answer ended before it was complete.
    #[error("provider {provider} cut its answer off: {detail}")]
    Truncated { provider: ProviderName, detail: String },
    #[error("provider {provider} sent an event we cannot read: {detail}")]
    Undecodable { provider: ProviderName, detail: String },
    /// An answer that began with success turned into an error of no known kind.
    #[error("provider {provider} broke off with an error: {detail}")]
    ErrorEvent { provider: ProviderName, detail: String },
    /// The answer is no chat at all: a captive portal, a proxy's page, an encoding nobody asked for.
    #[error("provider {provider} answered with {found}")]
    WrongType { provider: ProviderName, found: String },
    /// `what` passed `limit` bytes.
    #[error("provider {provider} sent {what} of more than {limit} bytes")]
    TooLarge { provider: ProviderName, what: &'static str, limit: usize },
}

impl ProviderError {
    /// How long the provider asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Overloaded { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The code it is known by outside.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } => Code::ProviderUnreachable,
            Self::Auth { .. } => Code::ProviderAuth,
            Self::Quota { .. } => Code::ProviderQuota,
            Self::RateLimited { .. } => Code::ProviderRateLimited,
            Self::Overloaded { .. } => Code::ProviderOverloaded,
            Self::ModelNotFound { .. } => Code::ModelNotFound,
            Self::Rejected { .. } | Self::Redirected { .. } => Code::ProviderRejected,
            Self::ContextOverflow { .. } => Code::ContextOverflow,
            Self::ContentFiltered { .. } => Code::ContentFiltered,
            Self::Stalled { .. } => Code::ProviderStalled,
            Self::Truncated { .. }
            | Self::Undecodable { .. }
            | Self::ErrorEvent { .. }
            | Self::WrongType { .. }
            | Self::TooLarge { .. } => Code::ProviderBadAnswer,
        }
    }

    /// The failure as a person is told: what happened and what to do.
    pub fn failure(&self) -> Failure {
        let failure = Failure::new(self.code(), self.sentence());
        match self.retry_after() {
            Some(wait) => failure.after(wait),
            None => failure,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Unreachable { provider, detail } => format!(
                "Provider {provider} cannot be reached{}. Check that it is running and that its base_url is right, then try again.",
                said(detail)
            ),
            Self::Auth { provider, detail } => {
                format!("Provider {provider} refused its key{}. Set a valid key for it, then try again.", said(detail))
            }
            Self::Quota { provider, detail } => format!(
                "Provider {provider} has no credit left for this key{}. Add credit there or choose another model.",
                said(detail)
            ),
            Self::RateLimited { provider, retry_after, detail } => format!(
                "Provider {provider} is limiting how often it may be asked{}. Try again {}.",
                said(detail),
                soon(*retry_after)
            ),
            Self::Overloaded { provider, retry_after, detail } => format!(
                "Provider {provider} is overloaded or has a fault of its own{}. Try again {}.",
                said(detail),
                soon(*retry_after)
            ),
            Self::ModelNotFound { provider, model, detail } => format!(
                "Provider {provider} has no model named {model}{}. Choose one that it lists, or check its base_url.",
                said(detail)
            ),
            Self::Rejected { provider, detail } => format!(
                "Provider {provider} refused the request as wrong{}. Change the request or choose another model.",
                said(detail)
            ),
            Self::Redirected { provider, detail } => format!(
                "Provider {provider} answers from another address{}. Set its base_url to that address.",
                said(detail)
            ),
            Self::ContextOverflow { provider, model, detail } => format!(
                "The conversation is too long for {provider}/{model}{}. Shorten it, start a new one, or choose a model with a larger window.",
                said(detail)
            ),
            Self::ContentFiltered { provider, detail } => format!(
                "The content filter of provider {provider} held the answer back{}. Put it in other words or choose another model.",
                said(detail)
            ),
            Self::Stalled { provider, idle } => format!(
                "Provider {provider} sent nothing for {} s. Try again, or choose another model.",
                idle.as_secs_f64().ceil()
            ),
            Self::Truncated { provider, detail } => {
                format!("The answer of provider {provider} was cut off{}. Try again.", said(detail))
            }
            Self::Undecodable { provider, detail } => format!(
                "The answer of provider {provider} could not be read{}. Try again; if it stays so, check its base_url.",
                said(detail)
            ),
            Self::ErrorEvent { provider, detail } => {
                format!("Provider {provider} broke its answer off with an error{}. Try again.", said(detail))
            }
            Self::WrongType { provider, found } => format!(
                "Provider {provider} answered with {found} instead of a chat. Check its base_url and any proxy on the way.",
            ),
            Self::TooLarge { provider, what, limit } => format!(
                "Provider {provider} sent {what} of more than {limit} bytes, which was refused. Try again, or choose another model.",
            ),
        }
    }
}

/// The detail in brackets, if there is one.
fn said(detail: &str) -> String {
    let detail = detail.trim_end_matches('.');
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

fn soon(wait: Option<Duration>) -> String {
    match wait {
        Some(wait) => format!("in {} s", wait.as_secs_f64().ceil()),
        None => "in a moment".into(),
    }
}

impl Classify for ProviderError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Auth { .. } | Self::Quota { .. } => ErrorClass::Denied,
            Self::Overloaded { .. } => ErrorClass::Overloaded,
            Self::ModelNotFound { .. } => ErrorClass::NotFound,
            Self::Rejected { .. }
            | Self::Redirected { .. }
            | Self::ContextOverflow { .. }
            | Self::ContentFiltered { .. } => ErrorClass::Invalid,
            Self::Unreachable { .. }
            | Self::RateLimited { .. }
            | Self::Stalled { .. }
            | Self::Truncated { .. }
            | Self::Undecodable { .. }
            | Self::ErrorEvent { .. }
            | Self::WrongType { .. }
            | Self::TooLarge { .. } => ErrorClass::Transient { retry_after: self.retry_after() },
        }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        error.failure()
    }
}
