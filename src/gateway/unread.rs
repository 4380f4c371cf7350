//! Reads to its end what a client still sends when it has its answer already.
//!
//! A connection that is closed with something unread is reset, and a reset may overtake the answer: whoever uploads too
//! much would not learn why it was refused. actix-http has a linger for that, which is switched off here. It would let
//! every WebSocket end late, since a socket's side of a connection never ends for it; and its clock is looked at twice a
//! second, so that on a busy machine its time may be over before it begins, which it does not notice (3.20,
//! `TimerState::init`): that connection stays for good.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::time::{Sleep, sleep};

/// For so long after its answer a client may send what nobody reads.
const GOODBYE: Duration = Duration::from_secs(3);

/// What a client sends. It is shared: with a handler, and with the body of the answer, which reads on where the handler
/// left off. `None` once it is at its end.
#[derive(Clone)]
struct Sent(Rc<RefCell<Option<Payload>>>);

impl Stream for Sent {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut sent = self.0.borrow_mut();
        let Some(payload) = sent.as_mut() else { return Poll::Ready(None) };
        let polled = payload.poll_next_unpin(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            *sent = None;
        }
        polled
    }
}

/// The middleware.
pub(super) async fn drain<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Drained<B>>, actix_web::Error> {
    let headers = request.headers();
    // What comes after an upgrade is no body.
    let has_body = !headers.contains_key(header::UPGRADE)
        && (headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING));
    let rest = has_body.then(|| {
        let sent = Sent(Rc::new(RefCell::new(Some(request.take_payload()))));
        request.set_payload(Payload::Stream { payload: Box::pin(sent.clone()) });
        sent
    });
    let answer = next.call(request).await?;
    Ok(answer.map_body(|_, body| Drained { body: Some(Box::pin(body)), rest, patience: None }))
}

/// An answer's body, which ends when also the request's has ended.
pub(super) struct Drained<B> {
    /// `None` when all of it was said.
    body: Option<Pin<Box<B>>>,
    rest: Option<Sent>,
    patience: Option<Pin<Box<Sleep>>>,
}

impl<B: MessageBody> MessageBody for Drained<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.as_ref().map_or(BodySize::None, |body| body.size())
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let Self { body, rest, patience } = &mut *self;
        if let Some(saying) = body {
            match saying.as_mut().poll_next(cx) {
                Poll::Ready(None) => *body = None,
                polled => return polled,
            }
        }
        let Some(sent) = rest else { return Poll::Ready(None) };
        let patience = patience.get_or_insert_with(|| Box::pin(sleep(GOODBYE)));
        if patience.as_mut().poll(cx).is_pending() {
            loop {
                match sent.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(_)) | None) => break,
                    Poll::Pending => return Poll::Pending,
                }
            }
        }
        *rest = None;
        Poll::Ready(None)
    }
}
