//! What every provider keeps, whatever its wire: one suite, run against a stand-in over a real socket.
//!
//! An adapter's `tests.rs` says `provider_contract!(build);` and gets one test for each promise.

mod answers;
mod misfortunes;

use std::sync::Arc;

use futures_util::StreamExt;
use mosaic_testkit::provider::{Builder, Call};
use mosaic_testkit::{StandIn, Step};
use mosaic_types::chat::{Image, Sampling};
use mosaic_types::{ChatEvent, ChatMessage, ChatRequest, Role, Secret};

use crate::wire::assemble::Assembler;
use crate::wire::sse::Decoder;
use crate::wire::{Peer, Reader};
use crate::{ChatStream, Provider, ProviderError, ProviderSpec};
pub(crate) use answers::*;
pub(crate) use misfortunes::*;

/// Makes the adapter under test.
pub(crate) type Build = fn(ProviderSpec) -> Result<Arc<dyn Provider>, String>;

/// Planted in every call; must not come back in an error.
pub(crate) const KEY: &str = "sk-planted-1234567890";

macro_rules! provider_contract {
    ($build:expr) => {
        $crate::contract::provider_contract! { $build =>
            speaks thinks calls_tools sends_what_was_asked_and_no_more takes_a_dialogue_with_tools shows_pictures lists_its_models
            misfortunes_are_typed_errors misfortunes_of_whole_answers_are_typed_errors refusals_are_told_apart
            pauses_are_passed_on the_key_is_never_shown nobody_there_is_unreachable long_lines_are_refused
            endless_answers_are_refused a_flood_passes silence_is_the_runtimes_to_end
            dropping_the_stream_ends_the_call text_comes_when_it_is_said connections_are_used_again
            seeded_misfortunes_are_never_answers
        }
    };
    ($build:expr => $($case:ident)+) => {
        $(#[tokio::test]
        async fn $case() {
            $crate::contract::$case($build).await;
        })+
    };
}
pub(crate) use provider_contract;

/// A stand-in and the adapter that talks to it.
pub(crate) struct Bed {
    pub(crate) stand_in: StandIn,
    pub(crate) provider: Arc<dyn Provider>,
}

impl Bed {
    pub(crate) fn new(build: Build, script: impl IntoIterator<Item = Step>) -> Self {
        Self::of(build, StandIn::builder().script(script))
    }

    pub(crate) fn of(build: Build, stand_in: Builder) -> Self {
        let stand_in = stand_in.start();
        let provider = adapter(build, stand_in.base_url());
        Self { stand_in, provider }
    }

    /// One streamed call to its end.
    pub(crate) async fn stream(&self, text: &str) -> Result<Vec<ChatEvent>, ProviderError> {
        all(&*self.provider, request(text, true)).await.1
    }

    pub(crate) fn last_call(&self) -> Call {
        self.stand_in.last_call()
    }
}

pub(crate) fn adapter(build: Build, base_url: String) -> Arc<dyn Provider> {
    let name = "double".parse().expect("a valid name");
    build(ProviderSpec::new(name, base_url, Some(Secret::new(KEY)))).expect("the spec is in order")
}

/// Whom the readers under test read from.
pub(crate) fn peer() -> Peer {
    Peer {
        provider: "p".parse().expect("a name"),
        key: Some(Arc::new(Secret::new("sk-12345678"))),
        model: Some("m".into()),
    }
}

/// The answer in a stream.
pub(crate) fn read_stream<R: Reader>(
    events: Decoder,
    reader: R,
    stream: &str,
) -> Result<Vec<ChatEvent>, ProviderError> {
    let mut assembler = Assembler::new(peer(), events, reader);
    assembler.push(stream.as_bytes())?;
    if !assembler.is_done() {
        assembler.end(None)?;
    }
    Ok(std::iter::from_fn(|| assembler.pop()).collect())
}

/// The answer in one JSON text.
pub(crate) fn read_whole<R: Reader>(reader: R, text: &str) -> Result<Vec<ChatEvent>, ProviderError> {
    let mut assembler = Assembler::new(peer(), Decoder::default(), reader);
    assembler.whole(text.as_bytes())?;
    Ok(std::iter::from_fn(|| assembler.pop()).collect())
}

pub(crate) fn request(text: &str, stream: bool) -> ChatRequest {
    ChatRequest {
        model: "m-1".into(),
        messages: [ChatMessage::new(Role::User, text)].into(),
        tools: [].into(),
        sampling: Sampling::default(),
        stream,
    }
}

/// The same with a picture, `aWNv` in base64.
pub(crate) fn picture(text: &str) -> ChatRequest {
    let mut asked = request(text, false);
    let mut message = asked.messages[0].clone();
    message.images = vec![Image { media_type: "image/png".into(), data: "aWNv".into() }];
    asked.messages = [message].into();
    asked
}

/// What came before the end, and how it ended.
pub(crate) async fn all(
    provider: &dyn Provider,
    request: ChatRequest,
) -> (Vec<ChatEvent>, Result<Vec<ChatEvent>, ProviderError>) {
    let mut stream = match provider.chat(request).await {
        Ok(stream) => stream,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(stream.next().await.is_none(), "an error is the end");
                return (events, Err(error));
            }
        }
    }
    assert!(matches!(events.last(), Some(ChatEvent::Finished { .. })), "an end without error is a finish: {events:?}");
    let finishes = events.iter().filter(|event| matches!(event, ChatEvent::Finished { .. })).count();
    assert_eq!(finishes, 1, "{events:?}");
    (events.clone(), Ok(events))
}

pub(crate) fn text(events: &[ChatEvent]) -> String {
    events
        .iter()
        .filter_map(|event| if let ChatEvent::Text(text) = event { Some(text.as_str()) } else { None })
        .collect()
}

/// The calls in the events, put together.
pub(crate) fn calls(events: &[ChatEvent]) -> Vec<(Option<String>, Option<String>, String)> {
    let mut calls = Vec::new();
    for event in events {
        if let ChatEvent::ToolCall { index, id, name, arguments, .. } = event {
            let at = *index as usize;
            if at == calls.len() {
                calls.push((None, None, String::new()));
            }
            let call: &mut (Option<String>, Option<String>, String) = &mut calls[at];
            assert!(id.is_none() || call.0.is_none(), "an id is told once");
            assert!(name.is_none() || call.1.is_none(), "a name is told once");
            call.0 = call.0.take().or(id.clone());
            call.1 = call.1.take().or(name.clone());
            call.2.push_str(arguments);
        }
    }
    calls
}

pub(crate) async fn next(stream: &mut ChatStream) -> ChatEvent {
    stream.next().await.expect("there is more").expect("it is well")
}
