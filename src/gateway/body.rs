//! Reads what a client sent, never more than the route's limit.

use actix_web::HttpRequest;
use actix_web::web::{BytesMut, Payload};
use futures_util::StreamExt;
use mosaic_types::{Code, Failure};
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// Bytes of a body under `/api`.
pub(super) const API_BYTES: usize = 1 << 20;
/// Bytes of a body under `/v1`, where whole dialogues are sent.
pub(super) const V1_BYTES: usize = 32 << 20;
/// Bytes of a body that holds a message with files: no more of them could go to a model in one call either.
pub(super) const MESSAGE_BYTES: usize = V1_BYTES;

/// The body as JSON of the wanted shape.
pub(super) async fn json<T: DeserializeOwned + Send + 'static>(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<T, ApiError> {
    let bytes = read(request, payload, limit).await?;
    if bytes.len() <= API_BYTES {
        return parse(&bytes);
    }
    // Others are served by this thread, and what is large takes it a while.
    let parsed = actix_web::web::block(move || parse(&bytes)).await;
    parsed.unwrap_or_else(|_| Err(Failure::new(Code::Internal, "The body could not be read.").into()))
}

/// The same of a body that may be left out.
pub(super) async fn json_or_nothing<T: DeserializeOwned + Default>(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<T, ApiError> {
    let bytes = read(request, payload, limit).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) }
}

/// The body as it is.
pub(super) async fn whole(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Vec<u8>, ApiError> {
    Ok(read(request, payload, limit).await?.to_vec())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Failure::new(Code::BadRequest, "The body is not a JSON object.").into());
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let sentence = format!("The body is not the JSON that this route takes: {error}.");
        Failure::new(Code::BadRequest, sentence).into()
    })
}

async fn read(request: &HttpRequest, mut payload: Payload, limit: usize) -> Result<BytesMut, ApiError> {
    let too_large = || {
        let (size, unit) = if limit < 1 << 20 { (limit >> 10, "KiB") } else { (limit >> 20, "MiB") };
        let sentence = format!("The body is over this route's limit of {size} {unit}.");
        ApiError(Failure::new(Code::TooLarge, sentence))
    };
    let length = request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::with_capacity(length.unwrap_or(1_024));
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|error| {
            ApiError(Failure::new(Code::BadRequest, format!("The body could not be read: {error}.")))
        })?;
        if bytes.len() + piece.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
