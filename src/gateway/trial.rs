//! Tries a provider or a channel out.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_channels::Check;
use mosaic_runtime::doors::unreached;
use mosaic_types::{ChannelName, Code, Failure, ModelRef, ProviderName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{Answer, ApiError};
use super::server::Gate;
use super::{body, refusals};

/// What is to be tried.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProviderTest, example = json!({}))]
struct Wish {
    /// One of its models, as it names it itself. By default the one that an agent asks first, else the first it lists.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    model: Option<String>,
}

/// How a trial went.
#[derive(Serialize, ToSchema)]
struct Trial {
    provider: ProviderName,
    /// The model that was asked, or was to be.
    model: String,
    /// It answered.
    ok: bool,
    /// From the question to the end of the answer, in milliseconds; null where there was none.
    #[schema(required)]
    latency_ms: Option<u64>,
    /// Why there was none.
    #[schema(required)]
    error: Option<Failure>,
}

/// There is none of that name: which there are. A name that none can have is not repeated.
fn unknown(what: &'static str, name: Option<String>, mut known: Vec<String>) -> ApiError {
    known.sort();
    let Some(name) = name else { return ApiError(Failure::not_found(what)) };
    let those = match known.as_slice() {
        [] => format!("There is none; a table [{what}s.{name}] in config.toml makes one."),
        known => format!("Those there are: {}.", known.join(", ")),
    };
    ApiError(Failure::new(Code::NotFound, format!("There is no {what} {name}. {those}")))
}

/// Tries a provider with one tiny call
///
/// Proves its key and a model: the model is asked to say one word. That costs a few tokens, so it takes the role that may
/// make calls, and it waits for a place as any call does. A provider that fails is a result, `ok: false`, and no failure
/// of this request.
#[utoipa::path(
    post,
    path = "/api/v1/providers/{name}/test",
    operation_id = "test_provider",
    tag = "house",
    params(("name" = ProviderName, Path)),
    request_body = Wish,
    responses((status = 200, description = "How it went.", body = Trial), refusals::OneProvider)
)]
pub(super) async fn test(gate: Data<Gate>, name: Path<String>, request: HttpRequest, payload: Payload) -> Answer {
    let wish: Wish = body::json(&request, payload, body::API_BYTES).await?;
    let name = name.parse::<ProviderName>().ok();
    let provider = name.as_ref().and_then(|name| gate.doors.providers.get(name));
    let provider = provider.ok_or_else(|| {
        let known = gate.doors.providers.all().iter().map(|provider| provider.adapter.name().to_string()).collect();
        unknown("provider", name.as_ref().map(ToString::to_string), known)
    })?;
    // Held to the end, so that a daemon that stops lets it finish.
    let _busy = gate.doors.work.admit()?;
    let name = provider.adapter.name().clone();
    let model = match wish.model {
        Some(model) => format!("{name}/{model}")
            .parse::<ModelRef>()
            .map_err(|_| ApiError(Failure::new(Code::BadRequest, "model is a model's name of 1 to 256 bytes.")))?,
        None => {
            let profiles = gate.doors.agents.profiles();
            let asked = profiles.iter().flat_map(|agent| &agent.models).find(|model| model.provider == name).cloned();
            asked.unwrap_or_else(|| ModelRef { provider: name.clone(), model: ModelRef::AUTO.into() })
        }
    };
    let trial = match provider.try_out(&model, &gate.doors.outside).await {
        Ok(tried) => Trial {
            provider: name,
            model: tried.model.to_string(),
            ok: true,
            latency_ms: Some(u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX)),
            error: None,
        },
        Err(failure) => {
            Trial { provider: name, model: model.model.to_string(), ok: false, latency_ms: None, error: Some(failure) }
        }
    };
    Ok(HttpResponse::Ok().json(trial))
}

/// One thing that was looked at.
#[derive(Serialize, ToSchema)]
struct ChannelNote {
    ok: bool,
    /// How it is and, where it is not well, what to do and where.
    text: String,
}

/// How a channel's trial went.
#[derive(Serialize, ToSchema)]
struct ChannelTrial {
    channel: String,
    /// All is well.
    ok: bool,
    notes: Vec<ChannelNote>,
}

/// Tries a channel
///
/// Proves its token, looks at the rights that it needs, and sends a test message to the first user or chat of its
/// `allow`. What is not well is a result, `ok: false`, and no failure of this request.
#[utoipa::path(
    post,
    path = "/api/v1/channels/{name}/test",
    operation_id = "test_channel",
    tag = "house",
    params(("name" = String, Path)),
    responses((status = 200, description = "How it went.", body = ChannelTrial), refusals::OneChannel)
)]
pub(super) async fn channel(gate: Data<Gate>, name: Path<String>) -> Answer {
    let known = gate.channels.iter().find(|channel| *channel.name == **name);
    let channel = known.ok_or_else(|| {
        let known = gate.channels.iter().map(|channel| channel.name.to_string()).collect();
        unknown("channel", name.parse::<ChannelName>().ok().map(|name| name.to_string()), known)
    })?;
    let asked = channel.link.ask(Check).await;
    let notes = asked.map_err(|error| ApiError(unreached("The channel", &error)))?;
    let (ok, channel) = (notes.iter().all(|note| note.ok), channel.name.to_string());
    let notes = notes.into_iter().map(|note| ChannelNote { ok: note.ok, text: note.text }).collect();
    Ok(HttpResponse::Ok().json(ChannelTrial { channel, ok, notes }))
}
