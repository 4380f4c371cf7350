//! What all wires share: a configured server, the reading of an answer as it comes, errors and their meaning.
//!
//! A wire itself is small: its types, pure conversions to and from `mosaic_types`, a [`Reader`], and where to send what.

pub(crate) mod assemble;
pub(crate) mod call_id;
pub(crate) mod dialogue;
mod parts;
mod peer;
mod server;
pub(crate) mod sse;
mod stream;

use mosaic_types::ChatRequest;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName};
use serde::{Deserialize, Deserializer};

pub(crate) use parts::{CallPiece, Parts};
pub(crate) use peer::Peer;
pub(crate) use server::{Base, adapter};

use crate::{ModelFacts, ModelInfo, ProviderError};

/// Reads null as the empty value: imitators of a wire write it where the documentation has nothing.
pub(crate) fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// One way of asking for an answer and of telling it, at one configured server.
pub(crate) trait Wire: Send + Sync + 'static {
    /// Reads one answer.
    type Reader: Reader;

    /// The header that carries the key, and its value.
    fn key(&self, key: &str) -> (HeaderName, String);

    /// Adds what every request carries beside the key.
    fn headers(&self, _headers: &mut HeaderMap) {}

    /// Where a call is sent.
    fn chat_url(&self, request: &ChatRequest) -> Url;

    /// What is sent there.
    fn body(&self, request: &ChatRequest) -> Vec<u8>;

    /// What a streamed answer is.
    fn stream_type(&self) -> &'static str {
        "text/event-stream"
    }

    /// A reader for one answer.
    fn reader(&self) -> Self::Reader;

    /// Where the models are listed.
    fn models_url(&self) -> Url;

    /// What is known of a model because of how this wire asks it.
    fn facts(&self, _model: &str) -> ModelFacts {
        ModelFacts::default()
    }

    /// The models of a list, in its order.
    fn models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, serde_json::Error>;
}

/// Reads the answer of one call and says what is in it. Remembers only what the wire spreads over several events.
pub(crate) trait Reader: Send + Unpin + 'static {
    /// Takes in an event of a stream; `kind` is its name, empty if it has none.
    fn event(&mut self, kind: &str, data: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError>;

    /// Takes in a whole answer.
    fn whole(&mut self, text: &str, parts: &mut Parts, peer: &Peer) -> Result<(), ProviderError>;
}
