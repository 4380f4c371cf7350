//! Talks to a daemon over HTTP, as any other client would.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use mosaic_types::{Code, Failure, Secret, SessionEvent};
use reqwest::{Method, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{CliError, Common, trust, unreached};
use crate::home::Home;
use crate::telemetry::context::headers as trace_headers;

/// A daemon that can be reached, with the token for it.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<Secret>,
    url_from: Source,
    token_from: Source,
}

/// The home's own daemon, as a place.
pub(super) const HOME: &str = "home";

/// Where an address or a token came from. What is named with the command goes before a login, and that before the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A flag or its variable.
    Given,
    /// Typed, or piped in.
    Entered,
    /// `mosaic login`.
    Login,
    /// The home's own daemon.
    Home,
    Nowhere,
}

impl Source {
    /// A word for programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Entered => "entered",
            Self::Login => "login",
            Self::Home => "home",
            Self::Nowhere => "nowhere",
        }
    }

    /// In words; `flags` are those that give it.
    pub(super) fn describe(self, flags: &str) -> String {
        match self {
            Self::Given => format!("by {flags}"),
            Self::Entered => "by hand".to_owned(),
            Self::Login => "by `mosaic login`".to_owned(),
            Self::Home => "by the daemon that runs on this home".to_owned(),
            Self::Nowhere => "none".to_owned(),
        }
    }
}

/// An address without what does not belong there.
fn clean(url: &str) -> Result<String, CliError> {
    let wrong =
        |why: &str| CliError::Usage(format!("the address of a daemon is http://HOST:PORT or https://HOST; {why}."));
    // `localhost:14242` would be read as an address of the scheme `localhost`.
    if !url.contains("://") {
        let scheme = if is_local(&format!("http://{url}")) { "http" } else { "https" };
        return Err(match reqwest::Url::parse(&format!("{scheme}://{url}")) {
            Ok(_) => {
                CliError::Usage(format!("{url} does not say how it is spoken to; did you mean {scheme}://{url} ?"))
            }
            Err(_) => wrong("this one is neither"),
        });
    }
    let parsed = reqwest::Url::parse(url).map_err(|error| wrong(&format!("this one cannot be read: {error}")))?;
    if !["http", "https"].contains(&parsed.scheme()) {
        return Err(wrong("this one is neither"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(wrong("this one holds a name or password, which belong into --token"));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(wrong("this one goes on after it"));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

/// A turn's events as they come.
pub(super) type Events = Pin<Box<dyn Stream<Item = Result<SessionEvent, CliError>>>>;

#[derive(Deserialize)]
struct ErrorBody {
    error: Failure,
}

/// Whether an address is of this machine.
fn is_local(base: &str) -> bool {
    let host = reqwest::Url::parse(base).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Whether an address goes on after the host.
fn has_path(base: &str) -> bool {
    reqwest::Url::parse(base).is_ok_and(|url| url.path() != "/")
}

impl Client {
    /// The daemon that was named by `--url`, else that of the login, else the one that runs on the home; `None` where
    /// there is none of them.
    ///
    /// The home's token is offered only to the home's own daemon, and the login's only at its address.
    pub(in crate::cli) fn find(common: &Common) -> Result<Option<Self>, CliError> {
        // Looked at and not made: whoever names everything needs no home.
        let home = Home::locate(common.home.as_deref(), &common.env());
        let login = home.as_ref().map_or(Ok(None), Home::login)?;
        let (base, url_from, cert_sha256) = match (&common.url, &login) {
            (Some(url), _) => (clean(url)?, Source::Given, None),
            (None, Some(login)) => (clean(&login.url)?, Source::Login, None),
            (None, None) => {
                match common.home()?.daemon().and_then(|daemon| Some((daemon.url()?, daemon.cert_sha256))) {
                    Some((url, cert_sha256)) => (url, Source::Home, cert_sha256),
                    None => return Ok(None),
                }
            }
        };
        let (token, token_from) = match (&common.token, login, url_from) {
            (Some(token), ..) => (Some(Secret::new(token)), Source::Given),
            (None, Some(login), _) if login.url == base => (Some(login.token), Source::Login),
            (None, _, Source::Home) => (common.home()?.token()?, Source::Home),
            (None, ..) => (None, Source::Nowhere),
        };
        Ok(Some(Self::new(base, token, url_from, token_from, cert_sha256.as_deref())?))
    }

    /// The daemon that runs on the home, whatever else is named.
    pub(super) fn of_home(home: &Home) -> Result<Option<Self>, CliError> {
        let found = home.daemon().and_then(|daemon| Some((daemon.url()?, daemon.cert_sha256)));
        let made = |(url, cert): (String, Option<String>)| {
            Self::new(url, home.token()?, Source::Home, Source::Home, cert.as_deref())
        };
        found.map(made).transpose()
    }

    /// The daemon at `url`, with a token that is yet to be tried.
    pub(super) fn at(url: &str, token: Secret, token_from: Source) -> Result<Self, CliError> {
        Self::new(clean(url)?, Some(token), Source::Given, token_from, None)
    }

    /// As [`Client::find`], for commands that cannot do without.
    pub(super) fn need(common: &Common) -> Result<Self, CliError> {
        Self::find(common)?.ok_or_else(|| {
            let sentence = "no daemon is running on this home. Start one with `mosaic up`, or name another with --url or \
                            `mosaic login`.";
            CliError::Unavailable(sentence.to_owned())
        })
    }

    /// `cert_sha256`: the one certificate that the daemon must show; without it, any that is vouched for.
    fn new(
        base: String,
        token: Option<Secret>,
        url_from: Source,
        token_from: Source,
        cert_sha256: Option<&str>,
    ) -> Result<Self, CliError> {
        let tls = match cert_sha256 {
            Some(hash) => trust::only(hash).map_err(|error| CliError::Failed(error.to_string()))?,
            // The certificates that providers are reached with: the system may have none, as in a container.
            None => mosaic_providers::client::tls().map_err(CliError::Failed)?,
        };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none());
        // A proxy has no business between a person and the daemon on the same machine.
        let http = if is_local(&base) || cert_sha256.is_some() { http.no_proxy() } else { http };
        let http = http.build().map_err(|error| CliError::Failed(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self { http, base, token, url_from, token_from })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = trace_headers().into_iter().fold(request, |request, (name, value)| request.header(name, value));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, CliError> {
        self.checked(self.send_any(request).await?).await
    }

    /// The answer, whatever it says.
    async fn send_any(&self, request: RequestBuilder) -> Result<Response, CliError> {
        request.send().await.map_err(|error| {
            let why = unreached::why(&self.base, &error);
            CliError::Unavailable(format!("cannot reach the daemon at {}: {why}", self.base))
        })
    }

    /// The answer, if it is a good one.
    async fn checked(&self, response: Response) -> Result<Response, CliError> {
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        Err(match response.json::<ErrorBody>().await {
            Ok(body) if body.error.code == Code::Unauthorized => {
                let source = match self.token_from {
                    Source::Given => "; the token came from --token or MOSAIC_TOKEN",
                    Source::Entered => "; the token was read from stdin",
                    Source::Login => "; the token is that of the login: `mosaic login` takes another",
                    Source::Home | Source::Nowhere => "",
                };
                CliError::Failed(format!("{} (asked {}{source})", body.error.message, self.base))
            }
            // A path in the address is seldom meant: it is that of another client, as in `…/v1`.
            Ok(body) if body.error.code == Code::NotFound && has_path(&self.base) => CliError::Failed(format!(
                "{} (asked {}; the address of a daemon is without a path, as in http://HOST:PORT)",
                body.error.message, self.base
            )),
            Ok(body) => body.error.into(),
            Err(_) => CliError::Failed(format!("{} answered {status}, which is not Mosaic's way.", self.base)),
        })
    }

    /// GET, as JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.read(self.send(self.request(Method::GET, path)).await?).await
    }

    /// GET, as it is; for what is known to be small enough to be held.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Vec<u8>, CliError> {
        let response = self.send(self.request(Method::GET, path)).await?;
        let whole = response.bytes().await.map_err(|error| CliError::Unavailable(error.to_string()))?;
        Ok(whole.to_vec())
    }

    /// Upgrades a new connection to a WebSocket; frames are the caller's business.
    pub(crate) async fn upgrade(&self, path: &str) -> Result<reqwest::Upgraded, CliError> {
        use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};

        let key = generate_key();
        let request = self
            .request(Method::GET, path)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key);
        let response = self.send_any(request).await?;
        let accepted = response.headers().get("sec-websocket-accept").and_then(|value| value.to_str().ok());
        if response.status().as_u16() != 101 || accepted != Some(derive_accept_key(key.as_bytes()).as_str()) {
            let status = response.status();
            self.checked(response).await?;
            return Err(CliError::Failed(format!("{} answered {status}, which is not Mosaic's way.", self.base)));
        }
        response.upgrade().await.map_err(|error| CliError::Unavailable(error.to_string()))
    }

    /// POST of JSON, answered by JSON.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &serde_json::Value) -> Result<T, CliError> {
        self.read(self.send(self.request(Method::POST, path).json(body)).await?).await
    }

    /// As [`Client::post`], for those who tell one refusal from another.
    pub(super) async fn try_post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Result<T, Failure>, CliError> {
        let response = self.send_any(self.request(Method::POST, path).json(body)).await?;
        if response.status().is_success() {
            return Ok(Ok(self.read(response).await?));
        }
        Ok(Err(self.read::<ErrorBody>(response).await?.error))
    }

    /// As [`Client::post`], under an idempotency key.
    pub(crate) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
        key: &str,
    ) -> Result<T, CliError> {
        let request = self.request(Method::POST, path).header("idempotency-key", key).json(body);
        self.read(self.send(request).await?).await
    }

    /// PATCH of JSON, answered by JSON.
    pub(crate) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &serde_json::Value) -> Result<T, CliError> {
        self.read(self.send(self.request(Method::PATCH, path).json(body)).await?).await
    }

    /// PUT of JSON, answered by JSON.
    pub(crate) async fn put<T: DeserializeOwned>(&self, path: &str, body: &serde_json::Value) -> Result<T, CliError> {
        self.read(self.send(self.request(Method::PUT, path).json(body)).await?).await
    }

    /// DELETE, answered by nothing.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), CliError> {
        self.send(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// Where the daemon answers, as in `http://127.0.0.1:14242`.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The daemon by a name that stays: the home's own answers at another address each time.
    pub(super) fn place(&self) -> &str {
        if self.url_from == Source::Home { HOME } else { &self.base }
    }

    /// Where the address and the token came from.
    pub(super) fn sources(&self) -> (Source, Source) {
        (self.url_from, self.token_from)
    }

    /// Whether what is sent can be read on the way.
    pub(super) fn is_exposed(&self) -> bool {
        self.base.starts_with("http://") && !is_local(&self.base)
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, CliError> {
        response.json().await.map_err(|error| {
            CliError::Failed(format!("the daemon at {} answered what cannot be read: {error}", self.base))
        })
    }

    /// Submits a message and follows its turn.
    pub(super) async fn submit(&self, session: &str, text: &str, key: &str) -> Result<Events, CliError> {
        let request = self
            .request(Method::POST, &format!("/api/v1/sessions/{session}/messages"))
            .header("accept", "text/event-stream")
            .header("idempotency-key", key)
            .json(&serde_json::json!({"text": text}));
        let response = self.send(request).await?;
        let pieces = Box::pin(response.bytes_stream());
        let lines = stream::unfold((pieces, Vec::new()), |(mut pieces, mut rest)| async move {
            loop {
                if let Some(end) = rest.windows(2).position(|two| two == b"\n\n") {
                    let event: Vec<u8> = rest.drain(..end + 2).collect();
                    return Some((Ok(event), (pieces, rest)));
                }
                match pieces.next().await {
                    Some(Ok(piece)) => rest.extend_from_slice(&piece),
                    Some(Err(error)) => return Some((Err(error), (pieces, rest))),
                    None => return None,
                }
            }
        });
        Ok(Box::pin(lines.filter_map(|event| async move {
            match event {
                Ok(event) => decode(&event).transpose(),
                Err(_) => {
                    let sentence = "the daemon went away in the middle of the answer; it goes on when it is back.";
                    Some(Err(CliError::Unavailable(sentence.to_owned())))
                }
            }
        })))
    }
}

/// The session event in one server-sent event, if there is one.
fn decode(event: &[u8]) -> Result<Option<SessionEvent>, CliError> {
    let text = String::from_utf8_lossy(event);
    let data: String = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    if data.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(&data)
        .map(Some)
        .map_err(|error| CliError::Failed(format!("the daemon sent an event that cannot be read: {error}")))
}
