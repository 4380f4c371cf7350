//! The one shape in which a request is told that it failed.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use mosaic_store::StoreError;
use mosaic_types::Failure;
use serde::Serialize;
use utoipa::ToSchema;

/// A failure on its way to an HTTP client.
#[derive(Debug, Clone)]
pub(super) struct ApiError(pub(super) Failure);

/// What handlers answer.
pub(super) type Answer = Result<HttpResponse, ApiError>;

/// What a request that failed is told.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct ErrorBody<'a> {
    error: &'a Failure,
}

impl<'a> ErrorBody<'a> {
    pub(super) fn new(error: &'a Failure) -> Self {
        Self { error }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if !matches!(error, StoreError::BadCursor) {
            tracing::warn!(%error, "the store could not be read");
        }
        Self(error.into())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(wait) = self.0.retry_after_ms {
            response.insert_header(("retry-after", wait.div_ceil(1_000).max(1).to_string()));
        }
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header(("www-authenticate", "Bearer"));
        }
        response.json(ErrorBody::new(&self.0))
    }
}
