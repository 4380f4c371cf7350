//! Event streams: a turn's events, or all of a session's, as server-sent ones.
//!
//! Each journaled event carries its seq as `id`, so that a client which was cut off says in `Last-Event-ID` where it
//! was. A stream that has nothing to say says so every 15 s, and ends with the credential it was asked for with.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::LocalBoxStream;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use mosaic_runtime::Work;
use mosaic_runtime::events::{Ended, Follow, Told};
use mosaic_types::{Code, Failure, Seq, SessionEvent, TurnId};
use tokio::time::{Instant, Sleep, sleep};

use super::error::{ApiError, ErrorBody};
use super::events::Following;
use super::principals::{End, Ending};

/// Pause after which a stream shows that it is alive; proxies give up on a silent one after 30 s at the earliest.
const BEAT: Duration = Duration::from_secs(15);

/// Whether the client wants its answer as an event stream.
pub(super) fn wanted(request: &HttpRequest) -> bool {
    let accepts = request.headers().get("accept").and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/event-stream"))
}

/// The position that a client says it has come to.
pub(super) fn last_event(request: &HttpRequest) -> Result<Option<Seq>, ApiError> {
    let Some(value) = request.headers().get("last-event-id") else { return Ok(None) };
    let seq = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|seq: &Seq| *seq >= 0);
    let sentence = "Last-Event-ID is the id of an event of this session: a whole number from 0.";
    seq.map(Some).ok_or_else(|| ApiError(Failure::new(Code::BadCursor, sentence)))
}

/// A turn's events as they come.
pub(super) fn of_turn(following: Following) -> LocalBoxStream<'static, Bytes> {
    stream::unfold(following, |mut following| async move {
        let bytes = match following.next().await {
            Ok(Some(event)) => frame(&event),
            Ok(None) => return None,
            Err(error) => error_frame(&error.0),
        };
        Some((bytes, following))
    })
    .boxed_local()
}

/// A session's events from a position on; of one turn to its end, where it is named.
pub(super) fn of_session(follow: Follow, turn: Option<TurnId>, work: Work) -> LocalBoxStream<'static, Bytes> {
    stream::unfold(Some((follow, work)), move |state| async move {
        let (mut follow, work) = state?;
        loop {
            match follow.next().await {
                Ok(Told::Event(event)) if turn.is_none_or(|turn| event.turn == Some(turn)) => {
                    let over = turn.is_some() && event.body.is_end();
                    return Some((frame(&event), (!over).then_some((follow, work))));
                }
                Ok(Told::Event(_) | Told::CaughtUp(_)) => {}
                Err(ended) => return Some((error_frame(&why(ended, &work)), None)),
            }
        }
    })
    .boxed_local()
}

/// What the reader is told of a stream's end.
fn why(ended: Ended, work: &Work) -> Failure {
    match ended {
        Ended::Removed => Failure::not_found("session"),
        Ended::Failed(failure) => failure,
        Ended::Lagged => work.refuse_new().err().unwrap_or_else(|| {
            let sentence = "You read too slowly and were cut off. Ask again with the last id as Last-Event-ID.";
            Failure::new(Code::TooSlow, sentence)
        }),
    }
}

/// Answers with a stream that lives as long as its credential.
pub(super) fn answer(events: LocalBoxStream<'static, Bytes>, ending: Ending) -> HttpResponse {
    let ending = async move { ending.wait().await }.boxed_local();
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(Pulse { events, ending, beat: Box::pin(sleep(BEAT)), every: BEAT, over: false })
}

/// Events, or signs of life between them.
struct Pulse {
    events: LocalBoxStream<'static, Bytes>,
    ending: LocalBoxFuture<'static, End>,
    beat: Pin<Box<Sleep>>,
    every: Duration,
    over: bool,
}

impl Stream for Pulse {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        if this.ending.poll_unpin(cx).is_ready() {
            this.over = true;
            let failure = Failure::new(Code::Unauthorized, "What this stream was asked for with is good no more.");
            return Poll::Ready(Some(Ok(error_frame(&failure))));
        }
        let piece = match this.events.poll_next_unpin(cx) {
            Poll::Ready(piece) => piece,
            Poll::Pending if this.beat.as_mut().poll(cx).is_ready() => Some(Bytes::from_static(b": nothing new\n\n")),
            Poll::Pending => return Poll::Pending,
        };
        this.beat.as_mut().reset(Instant::now() + this.every);
        Poll::Ready(piece.map(Ok))
    }
}

/// A failure to follow on; the turn itself is not concerned.
fn error_frame(failure: &Failure) -> Bytes {
    let text = serde_json::to_string(&ErrorBody::new(failure)).unwrap_or_default();
    Bytes::from(format!("event: error\ndata: {text}\n\n"))
}

/// An event as a server-sent one; `id` is its seq, so that a client can say where it was.
fn frame(event: &SessionEvent) -> Bytes {
    let mut text = String::with_capacity(192);
    if let Some(seq) = event.seq {
        text.push_str("id: ");
        text.push_str(&seq.to_string());
        text.push('\n');
    }
    text.push_str("data: ");
    text.push_str(&serde_json::to_string(event).unwrap_or_default());
    text.push_str("\n\n");
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_stream_with_nothing_to_say_shows_that_it_lives_and_ends_with_its_credential() {
        let (end, ended) = tokio::sync::oneshot::channel();
        let every = Duration::from_millis(5);
        let mut pulse = Pulse {
            events: stream::iter([Bytes::from_static(b"first")]).chain(stream::pending()).boxed_local(),
            ending: async move { ended.await.unwrap_or(End::Expired) }.boxed_local(),
            beat: Box::pin(sleep(every)),
            every,
            over: false,
        };
        let mut next = async || pulse.next().await.map(|piece| piece.expect("it cannot fail"));
        assert_eq!(next().await.as_deref(), Some(&b"first"[..]));
        for _ in 0..3 {
            assert_eq!(next().await.as_deref(), Some(&b": nothing new\n\n"[..]));
        }
        end.send(End::Revoked).expect("it waits");
        let last = next().await.expect("a last word");
        assert!(last.starts_with(b"event: error") && String::from_utf8_lossy(&last).contains("unauthorized"));
        assert_eq!(next().await, None);
    }
}
