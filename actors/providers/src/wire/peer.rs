//! What a server says when it says no, and what that means.

use std::sync::Arc;
use std::time::Duration;

use mosaic_types::{ProviderName, Secret};
use serde_json::Value;

use crate::ProviderError;
use crate::shown::shown;

/// Whom a call went to, and for which model: what every error of it must tell.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) provider: ProviderName,
    pub(crate) key: Option<Arc<Secret>>,
    /// None where no model was named, as when listing them.
    pub(crate) model: Option<Arc<str>>,
}

/// An error as the server put it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    message: String,
    /// Its `code` and `type`, in lower case.
    codes: String,
    /// An HTTP status told in the body.
    number: Option<u16>,
    /// A pause asked for in the body.
    pause: Option<Duration>,
}

impl Said {
    /// Reads an error out of a body or an event: OpenAI's shape, those of its imitators, or any text.
    pub(crate) fn read(text: &str) -> Self {
        match serde_json::from_str::<Value>(text) {
            Ok(value) => Self::of(&value),
            Err(_) if text.trim_start().starts_with('<') => Self { message: "a web page".into(), ..Self::default() },
            Err(_) => Self { message: text.to_owned(), ..Self::default() },
        }
    }

    fn of(value: &Value) -> Self {
        let inner = match &value["error"] {
            Value::Null => value,
            inner => inner,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        // FastAPI says `detail`, routers put their upstream's words in `metadata.raw`.
        let message = text(inner).or_else(|| text(&inner["message"])).or_else(|| text(&inner["detail"]));
        let mut message = message.unwrap_or_else(|| value.to_string());
        if let Some(raw) = inner["metadata"]["raw"].as_str() {
            message = format!("{message}: {raw}");
        }
        let code = match &inner["code"] {
            Value::String(code) => code.clone(),
            Value::Number(code) => code.to_string(),
            _ => String::new(),
        };
        let mut codes = format!("{code} {}", inner["type"].as_str().unwrap_or_default());
        let mut pause = None;
        // Google's: a word for the status, and details of many kinds.
        codes = format!("{codes} {}", inner["status"].as_str().unwrap_or_default());
        for detail in inner["details"].as_array().into_iter().flatten() {
            codes = format!("{codes} {}", detail["reason"].as_str().unwrap_or_default());
            let seconds = detail["retryDelay"].as_str().and_then(|delay| delay.strip_suffix('s')?.parse().ok());
            pause = pause.or(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()));
        }
        let number = code.parse().ok().filter(|number| (400..600).contains(number));
        Self { message, codes: codes.to_ascii_lowercase(), number, pause }
    }
}

impl Peer {
    /// What may be shown of a text.
    pub(crate) fn show(&self, text: &str) -> String {
        shown(text, false, self.key.as_deref())
    }

    /// The answer ended too early.
    pub(crate) fn truncated(&self, detail: &str) -> ProviderError {
        ProviderError::Truncated { provider: self.provider.clone(), detail: self.show(detail) }
    }

    /// Something in the answer makes no sense.
    pub(crate) fn undecodable(&self, detail: &str) -> ProviderError {
        ProviderError::Undecodable { provider: self.provider.clone(), detail: self.show(detail) }
    }

    /// A filter held the answer back.
    pub(crate) fn filtered(&self, detail: &str) -> ProviderError {
        ProviderError::ContentFiltered { provider: self.provider.clone(), detail: self.show(detail) }
    }

    /// An event that is not what the wire says.
    pub(crate) fn unreadable(&self, error: &serde_json::Error) -> ProviderError {
        self.undecodable(&error.to_string())
    }

    /// As [`Peer::unreadable`], for a whole answer: half of one was cut off.
    pub(crate) fn unreadable_whole(&self, error: &serde_json::Error) -> ProviderError {
        if error.is_eof() { self.truncated("the answer is half a JSON text") } else { self.unreadable(error) }
    }

    /// `what` passed its bound.
    pub(crate) fn too_large(&self, what: &'static str, limit: usize) -> ProviderError {
        ProviderError::TooLarge { provider: self.provider.clone(), what, limit }
    }

    /// The error for an HTTP status with the beginning of its body.
    pub(crate) fn status(&self, status: u16, body: &str, cut: bool, pause: Option<Duration>) -> ProviderError {
        let said = Said::read(body);
        let words = shown(&said.message, cut, self.key.as_deref());
        let detail = if words.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {words}") };
        self.judge(Some(status), &said, detail, pause)
    }

    /// The error for an error object in an answer that began with success.
    pub(crate) fn broken_off(&self, text: &str) -> ProviderError {
        let said = Said::read(text);
        let detail = self.show(&said.message);
        self.judge(said.number, &said, detail, None)
    }

    fn judge(&self, status: Option<u16>, said: &Said, detail: String, retry_after: Option<Duration>) -> ProviderError {
        let provider = self.provider.clone();
        let retry_after = retry_after.or(said.pause);
        let message = said.message.to_ascii_lowercase();
        let code = |names: &[&str]| names.iter().any(|name| said.codes.contains(name));
        let wording = |parts: &[&str]| parts.iter().any(|part| message.contains(part));

        if status == Some(402) || code(&["insufficient_quota", "billing"]) || wording(OUT_OF_CREDIT) {
            return ProviderError::Quota { provider, detail };
        }
        if status == Some(429) || code(&["rate_limit", "too_many_requests"]) {
            return ProviderError::RateLimited { provider, retry_after, detail };
        }
        if code(&["content_filter", "content_policy", "responsibleaipolicy"])
            || wording(FILTERED)
            || (status == Some(403) && wording(&["moderation", "flagged"]))
        {
            return ProviderError::ContentFiltered { provider, detail };
        }
        if matches!(status, Some(401 | 403)) || code(REFUSED_KEY) {
            return ProviderError::Auth { provider, detail };
        }
        if let Some(model) = self.model.clone() {
            let may_overflow = matches!(status, None | Some(400 | 413 | 422 | 500));
            if may_overflow && (code(TOO_LONG_CODES) || wording(TOO_LONG)) {
                return ProviderError::ContextOverflow { provider, model, detail };
            }
            let unknown = message.contains("model")
                && wording(&["does not exist", "not found", "not a valid model", "invalid model name"]);
            if status == Some(404) || code(&["model_not_found"]) || (status == Some(400) && unknown) {
                return ProviderError::ModelNotFound { provider, model, detail };
            }
        }
        match status {
            // 408, 409 and 425 are told apart from other refusals by all official clients: they may pass.
            Some(408 | 409 | 425 | 500..) => ProviderError::Overloaded { provider, retry_after, detail },
            Some(300..400) => ProviderError::Redirected { provider, detail },
            Some(_) => ProviderError::Rejected { provider, detail },
            None if code(&["overloaded", "unavailable", "api_error"]) => {
                ProviderError::Overloaded { provider, retry_after, detail }
            }
            None => ProviderError::ErrorEvent { provider, detail },
        }
    }
}

/// OpenAI's codes, Anthropic's, Google's.
const REFUSED_KEY: &[&str] = &[
    "invalid_api_key",
    "authentication_error",
    "permission_error",
    "api_key_invalid",
    "unauthenticated",
    "permission_denied",
];

/// How Anthropic words it.
const FILTERED: &[&str] = &["content filtering policy"];

/// OpenAI's code, llama.cpp's, and Anthropic's for a body beyond any window.
const TOO_LONG_CODES: &[&str] =
    &["context_length_exceeded", "exceed_context_size", "context_window_exceeded", "request_too_large"];

/// How servers without a code word it (OpenAI and vLLM, llama.cpp, Anthropic's compatible route, Gemini's).
const TOO_LONG: &[&str] = &[
    "maximum context length",
    "context length",
    "context window",
    "context size",
    "prompt is too long",
    "input is too long",
    "input token count",
    // Z.ai.
    "prompt exceeds max length",
];

/// How servers word an empty account beside the status 402.
const OUT_OF_CREDIT: &[&str] =
    &["insufficient credits", "insufficient balance", "credit balance is too low", "prepayment credits"];
