//! One configured server: sends it calls, and tells a good answer from a refusal.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};

use mosaic_types::{ChatRequest, ProviderName, Secret};
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use reqwest::{Method, Request, Response, Url};

use super::Wire;
use super::assemble::Assembler;
use super::parts::ANSWER_BYTES;
use super::peer::Peer;
use super::sse::Decoder;
use super::stream::{Answer, Shape};
use crate::catalogue::Maker;
use crate::client::{self, CONNECT, Way};
use crate::retry_after::retry_after;
use crate::spec::ProviderSpec;
use crate::trace;
use crate::{ChatStream, ModelFacts, ModelInfo, Provider, ProviderError, Work};

/// Bytes read of an error's body; what is shown of it is far less.
const ERROR_BYTES: usize = 16 << 10;

/// The address that a provider was configured with.
#[derive(Debug, Clone)]
pub(crate) struct Base(Url);

impl Base {
    fn read(spec: &ProviderSpec) -> Result<Self, String> {
        let name = &spec.name;
        let base = Url::parse(spec.base_url.trim_end_matches('/'))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none());
        let base = base.ok_or_else(|| {
            format!(
                "Provider {name} has a base_url that is no address; write one such as \"https://api.openai.com/v1\"."
            )
        })?;
        if base.username().is_empty() && base.password().is_none() {
            Ok(Self(base))
        } else {
            Err(format!("Provider {name} has credentials in its base_url; name them in api_key_env instead."))
        }
    }

    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self(Url::parse(text).expect("an address"))
    }

    /// The address of a path below it.
    pub(crate) fn below(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Whether it names no path.
    pub(crate) fn is_bare(&self) -> bool {
        self.0.path() == "/"
    }

    /// The host alone.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

/// Makes the adapter of a wire for a configured server.
///
/// # Errors
/// The address or the key cannot be used; a sentence for the person who wrote the config.
pub(crate) fn adapter<W: Wire>(
    spec: ProviderSpec,
    wire: impl FnOnce(&Base, &ProviderSpec) -> W,
) -> Result<Arc<dyn Provider>, String> {
    let base = Base::read(&spec)?;
    let wire = wire(&base, &spec);
    let name = spec.name;
    // A file's last line end is not part of the key.
    let clean = |key: Secret| Some(Secret::new(key.expose().trim())).filter(|key| !key.expose().is_empty());
    let more = spec.more_keys.into_iter().map(|more| (more.name, clean(more.key)));
    let keys = std::iter::once((spec.key_name, spec.api_key.and_then(clean))).chain(more);
    let (mut names, mut passes) = (Vec::new(), Vec::new());
    for (key_name, key) in keys {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("mosaic/", env!("CARGO_PKG_VERSION"))));
        if let Some(key) = &key {
            let (header, value) = wire.key(key.expose());
            let mut value = HeaderValue::try_from(value).map_err(|_| {
                format!("A key of provider {name} holds a character that cannot be sent; check where it is kept.")
            })?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        wire.headers(&mut headers);
        names.push(key_name);
        passes.push(Pass { key: key.map(Arc::new), headers });
    }
    let way = Way::to(&base.0);
    let (maker, listed) = (Maker::at(base.host()), RwLock::default());
    Ok(Arc::new(Adapter(Arc::new(Server { name, names, passes, way, wire, maker, listed }))))
}

/// A key, and the headers that carry it.
struct Pass {
    key: Option<Arc<Secret>>,
    headers: HeaderMap,
}

/// All of a call that does not depend on the call is made once.
struct Server<W> {
    name: ProviderName,
    /// Of the keys.
    names: Vec<String>,
    /// At least one, be it without a key.
    passes: Vec<Pass>,
    way: Way,
    wire: W,
    maker: Option<&'static Maker>,
    /// What the list said of its models, when it was last asked for.
    listed: RwLock<HashMap<String, ModelFacts>>,
}

struct Adapter<W>(Arc<Server<W>>);

impl<W: Wire> Provider for Adapter<W> {
    fn name(&self) -> &ProviderName {
        &self.0.name
    }

    fn facts(&self, model: &str) -> ModelFacts {
        let server = &self.0;
        let listed = server.listed.read().unwrap_or_else(PoisonError::into_inner).get(model).copied();
        let known = server.maker.map(|maker| maker.facts(model)).unwrap_or_default();
        listed.unwrap_or_default().or(server.wire.facts(model)).or(known)
    }

    fn models(&self) -> Work<Result<Vec<ModelInfo>, ProviderError>> {
        self.models_with(0)
    }

    fn keys(&self) -> &[String] {
        &self.0.names
    }

    fn models_with(&self, key: usize) -> Work<Result<Vec<ModelInfo>, ProviderError>> {
        let server = self.0.clone();
        Box::pin(async move { server.list(server.pass(key)).await })
    }

    fn chat(&self, request: ChatRequest) -> Work<Result<ChatStream, ProviderError>> {
        self.chat_with(0, request)
    }

    fn chat_with(&self, key: usize, request: ChatRequest) -> Work<Result<ChatStream, ProviderError>> {
        let server = self.0.clone();
        Box::pin(async move { server.ask(server.pass(key), request).await })
    }
}

impl<W: Wire> Server<W> {
    fn pass(&self, key: usize) -> &Pass {
        &self.passes[key.min(self.passes.len() - 1)]
    }

    async fn ask(&self, pass: &Pass, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let peer = Peer { provider: self.name.clone(), key: pass.key.clone(), model: Some(request.model.clone()) };
        let mut http = Request::new(Method::POST, self.wire.chat_url(&request));
        let headers = http.headers_mut();
        headers.clone_from(&pass.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if request.stream { self.wire.stream_type() } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        *http.body_mut() = Some(self.wire.body(&request).into());
        drop(request);
        let response = self.send(http, &peer).await?;
        let shape = shape(&response, &peer, accept)?;
        let events = if shape == Shape::Lines { Decoder::lines() } else { Decoder::default() };
        let assembler = Assembler::new(peer.clone(), events, self.wire.reader());
        Ok(Box::pin(Answer::new(response, shape, peer, assembler)))
    }

    async fn list(&self, pass: &Pass) -> Result<Vec<ModelInfo>, ProviderError> {
        let peer = Peer { provider: self.name.clone(), key: pass.key.clone(), model: None };
        let mut http = Request::new(Method::GET, self.wire.models_url());
        http.headers_mut().clone_from(&pass.headers);
        http.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut response = self.send(http, &peer).await?;
        if shape(&response, &peer, "application/json")? != Shape::Whole {
            return Err(ProviderError::WrongType { provider: peer.provider, found: "an event stream".into() });
        }
        let mut body = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(|error| peer.truncated(&root_cause(&error)))? {
            if body.len() + bytes.len() > ANSWER_BYTES {
                return Err(peer.too_large("a list of models", ANSWER_BYTES));
            }
            body.extend_from_slice(&bytes);
        }
        let models = self.wire.models(&body).map_err(|error| peer.unreadable(&error))?;
        let told = models.iter().filter(|model| model.facts != ModelFacts::default());
        let told = told.map(|model| (model.id.clone(), model.facts)).collect();
        *self.listed.write().unwrap_or_else(PoisonError::into_inner) = told;
        Ok(models)
    }

    /// Sends a request; an answer without success is an error.
    async fn send(&self, mut request: Request, peer: &Peer) -> Result<Response, ProviderError> {
        let unreachable =
            |detail: &str| ProviderError::Unreachable { provider: self.name.clone(), detail: peer.show(detail) };
        trace::tell_next(request.headers_mut());
        let client = client::of_this_thread(self.way).map_err(|error| unreachable(&error))?;
        let response = client.execute(request).await.map_err(|error| {
            if error.is_timeout() {
                unreachable(&format!("no connection within {} s", CONNECT.as_secs()))
            } else {
                unreachable(&root_cause(&error))
            }
        })?;
        if response.status().is_success() { Ok(response) } else { Err(refused(response, peer).await) }
    }
}

/// The error of an answer without success.
async fn refused(mut response: Response, peer: &Peer) -> ProviderError {
    let status = response.status().as_u16();
    let pause = retry_after(response.headers());
    if response.status().is_redirection() {
        let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = target.and_then(|target| response.url().join(target).ok());
        // Path and query of a stranger's address may hold anything; its origin is what base_url needs.
        let target = target.map_or_else(String::new, |url| url.origin().ascii_serialization());
        let body = format!("to {target}");
        return peer.status(status, body.trim_end_matches("to "), false, pause);
    }
    let mut body = Vec::new();
    // A body that cannot be read to its end does not change what the status says.
    while let Ok(Some(bytes)) = response.chunk().await {
        let room = ERROR_BYTES - body.len();
        body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            return peer.status(status, &String::from_utf8_lossy(&body), true, pause);
        }
    }
    peer.status(status, &String::from_utf8_lossy(&body), false, pause)
}

/// The shape in which the answer comes; `wanted` where the server does not say.
fn shape(response: &Response, peer: &Peer, wanted: &str) -> Result<Shape, ProviderError> {
    let text = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let wrong =
        |found: &str| Err(ProviderError::WrongType { provider: peer.provider.clone(), found: peer.show(found) });
    if let Some(encoding) = text(CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        // None was offered: to unpack it would be to trust its size.
        return wrong(&format!("the encoding {encoding}"));
    }
    let found = text(CONTENT_TYPE).unwrap_or(wanted);
    let essence = found.split(';').next().unwrap_or_default().trim();
    let lines = ["application/x-ndjson", "application/ndjson", "application/jsonl"];
    if essence.eq_ignore_ascii_case("text/event-stream") {
        Ok(Shape::Events)
    } else if lines.iter().any(|lines| essence.eq_ignore_ascii_case(lines)) {
        Ok(Shape::Lines)
    } else if essence.eq_ignore_ascii_case("application/json") {
        Ok(Shape::Whole)
    } else {
        wrong(&format!("the content type {essence}"))
    }
}

/// What lies at the bottom of an error of the HTTP client; the layers above only repeat that it failed.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    match deepest.downcast_ref::<reqwest::Error>() {
        // Its address may hold what should not be shown.
        Some(_) => "the connection failed".into(),
        None => deepest.to_string(),
    }
}
