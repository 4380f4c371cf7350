//! A provider added by its owner while the daemon runs.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_providers::config::{KINDS, Kind};
use mosaic_types::{Code, Failure, ProviderName, Secret};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::error::{Answer, ApiError};
use super::server::Gate;
use super::{body, refusals};
use crate::config::clean_key;
use crate::setup::Wish;

/// A provider to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProvider, example = json!({"kind": "openai", "api_key": "sk-…"}))]
struct New {
    /// As in `mosaic providers add KIND`: `openai`, `anthropic`, `ollama` and so on.
    #[schema(max_length = 64)]
    kind: String,
    /// Kept in the home, in a file that only its owner can read. Left out where the server asks for none.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, format = Password, max_length = 16_384)]
    api_key: Option<Secret>,
    /// Its address; by default the usual one of its kind.
    #[serde(default)]
    #[schema(max_length = 2_048)]
    base_url: Option<String>,
    /// What it is called here; by default its kind.
    #[serde(default)]
    name: Option<ProviderName>,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    // What is no text is told without repeating it: it may be a key all the same.
    let value = serde_json::Value::deserialize(from)?;
    match value {
        serde_json::Value::Null => Ok(None),
        serde_json::Value::String(text) => Ok(Some(Secret::new(text))),
        _ => Err(D::Error::custom("api_key is a text")),
    }
}

/// A provider that is used from now on.
#[derive(Serialize, ToSchema)]
#[schema(as = AddedProvider)]
struct Added {
    name: ProviderName,
    /// Those that it lists, as it names them.
    models: Vec<String>,
}

/// Adds a provider
///
/// It is asked for its models, which costs nothing and proves the key; then it is written to the home with its key, as
/// `mosaic providers add` does, and used from that moment on, by agents that name no models of their own too. What is
/// wrong with the key or the address is told with the provider's own code, and nothing is changed.
#[utoipa::path(
    post,
    path = "/api/v1/providers",
    operation_id = "add_provider",
    tag = "house",
    request_body = New,
    responses((status = 201, description = "Added, and in use.", body = Added), refusals::AddedProvider)
)]
pub(super) async fn add(gate: Data<Gate>, request: HttpRequest, payload: Payload) -> Answer {
    let New { kind, api_key, base_url, name } = body::json(&request, payload, body::API_BYTES).await?;
    let bad = |sentence: String| ApiError(Failure::new(Code::BadRequest, sentence));
    let kind = Kind::find(&kind).ok_or_else(|| {
        let all: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        bad(format!("kind is one of {}.", all.join(", ")))
    })?;
    let key = api_key.filter(|key| !key.expose().trim().is_empty());
    let key = key.map(|key| clean_key(key.expose(), "api_key")).transpose();
    let key = key.map_err(|why| bad(format!("{why}.")))?;
    let name = name.map_or_else(|| kind.name.parse(), Ok).map_err(|error| bad(format!("name: {error}.")))?;
    let _busy = gate.doors.work.admit()?;
    let wish = Wish { kind, name: name.clone(), base_url, key };
    let models = gate.setup.add(&gate.doors, wish).await?;
    Ok(HttpResponse::Created().json(Added { name, models }))
}
