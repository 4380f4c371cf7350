//! Calls of Discord's REST, each made once: what comes of one that failed is its caller's business.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mosaic_types::Secret;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect, retry};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::trouble::Trouble;
use crate::channel::Unfetched;

/// Discord asks for a name of this form (API reference, "User Agent").
const USER_AGENT: &str = concat!("DiscordBot (Mosaic, ", env!("CARGO_PKG_VERSION"), ")");

/// A call is given up after so long: well below the outbox's own patience.
const CALL: Duration = Duration::from_secs(20);

/// Without a number in its answer a 429 is waited out for so long.
const FLOOD: Duration = Duration::from_secs(1);

/// REST, by one token.
pub(super) struct Rest {
    client: reqwest::Client,
    /// Up to the version, with a slash at its end.
    base: String,
    origin: String,
    token: Secret,
}

/// Where an address leads, and nothing else of it.
pub(super) fn origin(url: &str) -> String {
    url.parse::<reqwest::Url>().map_or_else(|_| "an odd address".to_owned(), |url| url.origin().ascii_serialization())
}

/// What a refusal says (API reference, "Error Messages", "Rate Limit Response Structure").
#[derive(Debug, Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    message: String,
    retry_after: Option<f64>,
    #[serde(default)]
    global: bool,
}

impl Rest {
    pub(super) fn new(api_url: &str, token: Secret) -> Self {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(ClientConfig::clone(&tls()))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .user_agent(USER_AGENT)
            .timeout(CALL)
            .tcp_nodelay(true)
            .build()
            .expect("the settings of a client are always the same");
        Self { client, base: format!("{}/api/v10/", api_url.trim_end_matches('/')), origin: origin(api_url), token }
    }

    /// Where it is called, as people are told.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn token(&self) -> &str {
        self.token.expose()
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Trouble> {
        self.call(Method::GET, path, None::<&()>).await
    }

    /// Calls `path`, which stands behind the version; answers what was said, null where nothing was.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Value, Trouble> {
        let request = self.request(method, path);
        Self::answer(if let Some(body) = body { request.json(body) } else { request }).await
    }

    /// Sends a message with a file of text (API reference, "Uploading Files").
    pub(super) async fn send_file(
        &self,
        path: &str,
        message: &impl Serialize,
        name: &'static str,
        text: &str,
    ) -> Result<Value, Trouble> {
        let message = serde_json::to_string(message).expect("what is built can be written");
        let file = Part::text(text.to_owned()).file_name(name);
        let form = Form::new().text("payload_json", message).part("files[0]", file);
        Self::answer(self.request(Method::POST, path).multipart(form)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.client.request(method, url).header("authorization", format!("Bot {}", self.token.expose()))
    }

    async fn answer(request: RequestBuilder) -> Result<Value, Trouble> {
        // What the library says of an error holds the address, and that may hold the token of an interaction.
        let response = request.send().await.map_err(|error| Self::unsent(&error))?;
        let status = response.status();
        if status.is_success() {
            let body = response.bytes().await.map_err(|_| Trouble::CutOff)?;
            return if body.is_empty() {
                Ok(Value::Null)
            } else {
                serde_json::from_slice(&body).map_err(|_| Trouble::CutOff)
            };
        }
        Err(refused(status, response).await)
    }

    fn unsent(error: &reqwest::Error) -> Trouble {
        if error.is_connect() || error.is_builder() { Trouble::Away } else { Trouble::CutOff }
    }

    /// What is in a file, of `limit` bytes at the most. Its address is whole, and is not told who asks.
    pub(super) async fn download(&self, url: &str, limit: usize) -> Result<Vec<u8>, Unfetched> {
        let mut response = self.client.get(url).send().await.map_err(|_| Unfetched::Later)?;
        match response.status().as_u16() {
            200 => {}
            400..=428 | 430..=499 => return Err(Unfetched::Never),
            _ => return Err(Unfetched::Later),
        }
        let mut data = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|_| Unfetched::Later)? {
            data.extend_from_slice(&piece);
            if data.len() > limit {
                return Err(Unfetched::Never);
            }
        }
        Ok(data)
    }
}

async fn refused(status: StatusCode, response: Response) -> Trouble {
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
    let refusal = response.bytes().await.ok().and_then(|body| serde_json::from_slice::<Refusal>(&body).ok());
    let refusal = refusal.unwrap_or_default();
    judge(status.as_u16(), refusal, header)
}

fn judge(status: u16, refusal: Refusal, header: Option<f64>) -> Trouble {
    match (status, refusal.code) {
        (429, _) => {
            let wait = refusal.retry_after.or(header).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            Trouble::Flood { wait: wait.unwrap_or(FLOOD), all: refusal.global }
        }
        (401, _) => Trouble::Token,
        // The message is not there; or it is another's, or too old to be changed so often.
        (_, 10_008 | 50_005 | 30_046) => Trouble::Lost,
        // A proxy gave up on Discord: what Discord did is not known.
        (502 | 504, _) => Trouble::CutOff,
        (500.., _) => Trouble::Failed,
        (_, code) => Trouble::Never { code, why: refusal.message },
    }
}

/// TLS by our own root certificates, so that a machine or container without any will do.
pub(super) fn tls() -> Arc<ClientConfig> {
    static TLS: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let make = || {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // The provider is named here, so nothing needs to be installed for the process.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    };
    TLS.get_or_init(make).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Refusal {
        serde_json::from_str(text).unwrap_or_default()
    }

    #[test]
    fn a_pause_is_asked_for_in_full_wherever_it_stands() {
        let body = r#"{"message": "You are being rate limited.", "retry_after": 148.7, "global": false}"#;
        let wait = Duration::from_secs_f64(148.7);
        assert_eq!(judge(429, refusal(body), Some(149.0)), Trouble::Flood { wait, all: false });
        let global = r#"{"message": "You are being rate limited.", "retry_after": 2, "global": true}"#;
        assert_eq!(judge(429, refusal(global), None), Trouble::Flood { wait: Duration::from_secs(2), all: true });
        let header = Trouble::Flood { wait: Duration::from_secs(7), all: false };
        assert_eq!(judge(429, refusal("<html>"), Some(7.0)), header);
        for odd in [None, Some(-1.0), Some(f64::NAN), Some(1e300)] {
            assert_eq!(judge(429, Refusal::default(), odd), Trouble::Flood { wait: FLOOD, all: false }, "{odd:?}");
        }
    }

    #[test]
    fn each_refusal_has_its_meaning() {
        assert_eq!(judge(401, refusal(r#"{"message": "401: Unauthorized", "code": 0}"#), None), Trouble::Token);
        assert_eq!(judge(404, refusal(r#"{"message": "Unknown Message", "code": 10008}"#), None), Trouble::Lost);
        assert_eq!(judge(502, refusal("<html>"), None), Trouble::CutOff);
        assert_eq!(judge(500, refusal(""), None), Trouble::Failed);
        let gone = judge(403, refusal(r#"{"message": "Missing Access", "code": 50001}"#), None);
        assert_eq!(gone, Trouble::Never { code: 50_001, why: "Missing Access".into() });
    }
}
