//! What is large and text goes out in fewer bytes, to those who take gzip.
//!
//! Only whole answers: a stream is told piece by piece as it comes. Nothing under `/v1`, where a millisecond counts more
//! than bytes; nothing small. What stands in an answer beside a secret of the asker (`GET /api/v1/me`) is small, so its
//! length does not tell of it either.

use actix_http::encoding::Encoder;
use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CONTENT_ENCODING, CONTENT_TYPE, ContentEncoding, Encoding, Header, HeaderValue,
    VARY,
};
use actix_web::middleware::Next;

/// What is shorter gains nothing.
const LEAST_BYTES: u64 = 1_024;

/// What shrinks. Pictures do not; an event stream has no length.
const TYPES: [&str; 5] = ["application/json", "text/html", "text/css", "text/javascript", "image/svg+xml"];

/// The middleware.
pub(super) async fn shrink<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<Encoder<B>, B>>, actix_web::Error> {
    let spared = request.path().starts_with("/v1/");
    let taken = request.headers().contains_key(ACCEPT_ENCODING) && takes_gzip(&request);
    let mut answer = next.call(request).await?;
    if spared || !is_worth(&answer) {
        return Ok(answer.map_into_right_body());
    }
    // Who keeps an answer must not hand it to one who takes another form.
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    if !taken {
        return Ok(answer.map_into_right_body());
    }
    Ok(answer.map_body(|head, body| EitherBody::left(Encoder::response(ContentEncoding::Gzip, head, body))))
}

fn takes_gzip(request: &ServiceRequest) -> bool {
    let wishes = AcceptEncoding::parse(request.request()).ok();
    let best = wishes.and_then(|wishes| wishes.negotiate([Encoding::gzip(), Encoding::identity()].iter()));
    best == Some(Encoding::gzip())
}

fn is_worth<B: MessageBody>(answer: &ServiceResponse<B>) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    matches!(answer.response().body().size(), BodySize::Sized(bytes) if bytes >= LEAST_BYTES)
        && TYPES.contains(&kind)
        && !answer.headers().contains_key(CONTENT_ENCODING)
}
