//! The OpenAI wire: chat completions and the list of models, as OpenAI and everybody who imitates it serve them.

mod assemble;
mod convert;
mod error;
mod sse;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

use std::error::Error;
use std::sync::Arc;

use mosaic_types::{ChatRequest, ProviderName, Secret};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT,
};
use reqwest::{Method, Request, Response, Url};

use crate::client::{self, CONNECT, Way};
use crate::registry::Entry;
use crate::retry_after::retry_after;
use crate::spec::ProviderSpec;
use crate::trace;
use crate::{ChatStream, ModelInfo, Provider, ProviderError, Work};
use assemble::ANSWER_BYTES;
use convert::Dialect;
use error::Peer;
use stream::{Answer, Shape};

/// This kind of provider.
pub const ENTRY: Entry = Entry { kind: "openai", build };

/// Bytes read of an error's body; what is shown of it is far less.
const ERROR_BYTES: usize = 16 << 10;

/// One configured server. All of a call that does not depend on the call is made once.
#[derive(Debug)]
struct OpenAi {
    name: ProviderName,
    key: Option<Arc<Secret>>,
    chat: Url,
    models: Url,
    headers: HeaderMap,
    way: Way,
    dialect: Dialect,
}

fn build(spec: ProviderSpec) -> Result<Arc<dyn Provider>, String> {
    let name = spec.name;
    let base = Url::parse(spec.base_url.trim_end_matches('/'))
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none());
    let base = base.ok_or_else(|| {
        format!("Provider {name} has a base_url that is no address; write one such as \"https://api.openai.com/v1\".")
    })?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err(format!("Provider {name} has credentials in its base_url; name them in api_key_env instead."));
    }
    // A file's last line end is not part of the key.
    let key = spec.api_key.map(|key| Secret::new(key.expose().trim())).filter(|key| !key.expose().is_empty());
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("mosaic/", env!("CARGO_PKG_VERSION"))));
    if let Some(key) = &key {
        let bearer = HeaderValue::try_from(format!("Bearer {}", key.expose()));
        let mut bearer = bearer.map_err(|_| {
            format!("The key of provider {name} holds a character that cannot be sent; check where it is kept.")
        })?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    let below = |path: &str| {
        let mut url = base.clone();
        url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
        url
    };
    Ok(Arc::new(Adapter(Arc::new(OpenAi {
        chat: below("chat/completions"),
        models: below("models"),
        way: Way::to(&base),
        dialect: Dialect::of(base.host_str().unwrap_or_default()),
        name,
        key: key.map(Arc::new),
        headers,
    }))))
}

struct Adapter(Arc<OpenAi>);

impl Provider for Adapter {
    fn name(&self) -> &ProviderName {
        &self.0.name
    }

    fn models(&self) -> Work<Result<Vec<ModelInfo>, ProviderError>> {
        let server = self.0.clone();
        Box::pin(async move { server.list().await })
    }

    fn chat(&self, request: ChatRequest) -> Work<Result<ChatStream, ProviderError>> {
        let server = self.0.clone();
        Box::pin(async move { server.ask(request).await })
    }
}

impl OpenAi {
    async fn ask(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let peer = Peer { provider: self.name.clone(), key: self.key.clone(), model: Some(request.model.clone()) };
        let mut http = Request::new(Method::POST, self.chat.clone());
        let headers = http.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if request.stream { "text/event-stream" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        *http.body_mut() = Some(convert::body(&request, self.dialect).into());
        drop(request);
        let response = self.send(http, &peer).await?;
        let shape = shape(&response, &peer, accept)?;
        Ok(Box::pin(Answer::new(response, shape, peer)))
    }

    async fn list(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let peer = Peer { provider: self.name.clone(), key: self.key.clone(), model: None };
        let mut http = Request::new(Method::GET, self.models.clone());
        http.headers_mut().clone_from(&self.headers);
        http.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut response = self.send(http, &peer).await?;
        if shape(&response, &peer, "application/json")? != Shape::Whole {
            return Err(ProviderError::WrongType { provider: peer.provider, found: "an event stream".into() });
        }
        let mut body = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(|error| peer.truncated(&root_cause(&error)))? {
            if body.len() + bytes.len() > ANSWER_BYTES {
                let provider = peer.provider;
                return Err(ProviderError::TooLarge { provider, what: "a list of models", limit: ANSWER_BYTES });
            }
            body.extend_from_slice(&bytes);
        }
        convert::models(&body).map_err(|error| peer.undecodable(&error.to_string()))
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
    if essence.eq_ignore_ascii_case("text/event-stream") {
        Ok(Shape::Events)
    } else if essence.eq_ignore_ascii_case("application/json") {
        Ok(Shape::Whole)
    } else {
        wrong(&format!("the content type {essence}"))
    }
}

/// What lies at the bottom of an error of the HTTP client; the layers above only repeat that it failed.
fn root_cause(error: &reqwest::Error) -> String {
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
