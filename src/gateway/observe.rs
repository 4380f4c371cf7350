//! Counts and times every request.
//!
//! A request is over with the last byte of its answer, so the guard travels in the body. What is counted is the
//! pattern of the route that was asked for, never the path: strangers may ask for any path.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use mosaic_types::metric;
use tokio::time::Instant;

/// What a request is counted under.
struct Sight {
    method: &'static str,
    /// `none` where there is no such route.
    route: String,
    status: u16,
    since: Instant,
}

impl Sight {
    fn of(request: &ServiceRequest) -> Self {
        let method = match *request.method() {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            Method::HEAD => "HEAD",
            Method::OPTIONS => "OPTIONS",
            Method::PUT => "PUT",
            _ => "other",
        };
        let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
        Self { method, route, status: 0, since: Instant::now() }
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        let class = match self.status {
            100..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500..600 => "5xx",
            // The client left before there was an answer.
            _ => "none",
        };
        let route = std::mem::take(&mut self.route);
        metrics::histogram!(metric::HTTP_SECONDS.name, "route" => route.clone()).record(self.since.elapsed());
        let labels =
            [("method", self.method.into()), ("status", class.into()), ("route", metrics::SharedString::from(route))];
        metrics::counter!(metric::HTTP_REQUESTS.name, &labels).increment(1);
    }
}

/// The middleware.
pub(super) async fn observe<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Observed<B>>, actix_web::Error> {
    let mut sight = Sight::of(&request);
    let answer = next.call(request).await;
    sight.status = match &answer {
        Ok(response) => response.status().as_u16(),
        Err(error) => error.as_response_error().status_code().as_u16(),
    };
    Ok(answer?.map_body(|_, body| Observed { body: Box::pin(body), _sight: sight }))
}

/// An answer's body, and the guard that lives as long as it does.
pub(super) struct Observed<B> {
    body: Pin<Box<B>>,
    _sight: Sight,
}

impl<B: MessageBody> MessageBody for Observed<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_mut().poll_next(cx)
    }
}
