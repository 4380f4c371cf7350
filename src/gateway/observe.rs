//! Counts, times and traces every request.
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
use tracing::{Instrument, Span, field};

use crate::telemetry::context::continue_trace;

/// What a request is counted under.
struct Sight {
    method: &'static str,
    /// `none` where there is no such route.
    route: String,
    status: u16,
    since: Instant,
    span: Span,
}

/// Asked for all day long by machines that watch; a trace of each would bury the others.
const UNTRACED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

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
        let span = if UNTRACED.contains(&route.as_str()) { Span::none() } else { span(request, method, &route) };
        Self { method, route, status: 0, since: Instant::now(), span }
    }
}

/// The request's span, below the caller's where it sent one. Named as OpenTelemetry's conventions for HTTP have it; the
/// query is left out, since strangers may write anything there.
fn span(request: &ServiceRequest, method: &str, route: &str) -> Span {
    let span = tracing::debug_span!(
        parent: None,
        "http.request",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        error.type = field::Empty,
    );
    continue_trace(&span, |name| request.headers().get(name)?.to_str().ok());
    span
}

impl Sight {
    /// A line in the log; the span says which request. Those that nobody traces are told only where everything is.
    fn tell(&self) {
        let Self { method, route, status, .. } = self;
        let ms = || (self.since.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        if self.span.is_disabled() {
            tracing::trace!(parent: None, method, route, status, ms = ms(), "request");
        } else {
            self.span.in_scope(|| tracing::debug!(method, route, status, ms = ms(), "request"));
        }
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        self.tell();
        if !self.span.is_disabled() {
            if self.status > 0 {
                self.span.record("http.response.status_code", self.status);
            }
            if self.status >= 500 {
                self.span.record("otel.status_code", "ERROR").record("error.type", self.status.to_string());
            }
        }
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
    let answer = next.call(request).instrument(sight.span.clone()).await;
    sight.status = match &answer {
        Ok(response) => response.status().as_u16(),
        Err(error) => error.as_response_error().status_code().as_u16(),
    };
    Ok(answer?.map_body(|_, body| Observed { body: Box::pin(body), sight }))
}

/// An answer's body, and the guard that lives as long as it does.
pub(super) struct Observed<B> {
    body: Pin<Box<B>>,
    sight: Sight,
}

impl<B: MessageBody> MessageBody for Observed<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let Self { body, sight } = &mut *self;
        sight.span.in_scope(|| body.as_mut().poll_next(cx))
    }
}
