//! What a good answer is, and how it comes.

use std::time::Duration;

use futures_util::StreamExt;
use mosaic_testkit::{Gate, StandIn, Step};
use mosaic_types::chat::{Image, ToolOffer};
use mosaic_types::{ChatEvent, ChatMessage, Role, StopReason, ToolCall, Usage};

use super::{Bed, Build, KEY, all, calls, next, request, text};
use crate::ProviderError;

pub(crate) async fn speaks(build: Build) {
    let bed = Bed::new(
        build,
        [Step::say("hi Ada, hi"), Step::say("hi Ada, hi"), Step::say(""), Step::say_in("äöü 𝄞", 4, Duration::ZERO)],
    );
    for stream in [true, false] {
        let events = all(&*bed.provider, request("hello", stream)).await.1.expect("an answer");
        assert_eq!(text(&events), "hi Ada, hi");
        let usage = Usage::new(10, 3);
        assert_eq!(finish(&events), (StopReason::Stop, Some(usage), Some("m-1")));
    }
    assert_eq!(text(&bed.stream("x").await.expect("an empty answer is an answer")), "");
    assert_eq!(text(&bed.stream("x").await.expect("an answer")), "äöü 𝄞");
}

pub(crate) async fn thinks(build: Build) {
    let step = Step::think_say("let me see", "yes");
    let bed = Bed::new(build, [step.clone(), step]);
    for stream in [true, false] {
        let events = all(&*bed.provider, request("hello", stream)).await.1.expect("an answer");
        assert_eq!((thinking(&events).as_str(), text(&events).as_str()), ("let me see", "yes"));
    }
}

pub(crate) async fn calls_tools(build: Build) {
    let tools = [("clock", r#"{"tz":"Europe/Berlin"}"#), ("dice", "{}")]
        .map(|(name, arguments)| (name.into(), arguments.into()));
    let step = Step::CallTools { text: "wait".into(), calls: tools.to_vec() };
    let bed = Bed::new(build, [step.clone(), step]);
    for stream in [true, false] {
        let events = all(&*bed.provider, request("hello", stream)).await.1.expect("an answer");
        let called = calls(&events);
        assert_eq!((text(&events).as_str(), called.len()), ("wait", 2));
        for (call, (name, arguments)) in called.iter().zip(&tools) {
            assert!(call.0.as_ref().is_some_and(|id| !id.is_empty()));
            assert_eq!((call.1.as_ref(), &call.2), (Some(name), arguments));
        }
        assert_eq!(finish(&events).0, StopReason::ToolCalls);
    }
}

pub(crate) async fn sends_what_was_asked_and_no_more(build: Build) {
    let bed = Bed::new(build, []);
    bed.stream("hi").await.expect("an answer");
    let call = bed.last_call();
    assert!(call.body_bytes < 300, "{}", call.body);
    assert_eq!(call.last_user(), Some("hi"));
    assert!(call.headers.iter().any(|(_, value)| value.contains(KEY)), "the key goes where it belongs");
    assert!(!call.body.to_string().contains(KEY));
}

pub(crate) async fn takes_a_dialogue_with_tools(build: Build) {
    let call = ToolCall { id: "c1".into(), name: "clock".into(), arguments: String::new(), signature: None };
    let mut asked = ChatMessage::new(Role::Assistant, "");
    asked.tool_calls.push(call);
    let mut told = ChatMessage::new(Role::Tool, "12:00");
    told.tool_call_id = Some("c1".into());
    let mut request = request("time?", true);
    let system = ChatMessage::new(Role::System, "be short");
    request.messages = [system, request.messages[0].clone(), asked, told].into();
    request.tools = [ToolOffer {
        name: "clock".into(),
        description: "Tells the time.".into(),
        parameters: serde_json::json!({"type": "object"}),
    }]
    .into();
    let bed = Bed::new(build, [Step::say("noon")]);
    let events = all(&*bed.provider, request).await.1.expect("an answer");
    assert_eq!(text(&events), "noon");
    let body = bed.last_call().body.to_string();
    for part in ["be short", "time?", "12:00", "c1", "clock", "Tells the time."] {
        assert!(body.contains(part), "{part} is missing in {body}");
    }
}

pub(crate) async fn shows_pictures(build: Build) {
    let mut request = request("what is this?", true);
    let mut message = request.messages[0].clone();
    message.images = vec![Image { media_type: "image/png".into(), data: "iVBORw0KGgo=".into() }];
    let mut bare = message.clone();
    bare.text = "".into();
    request.messages = [message, ChatMessage::new(Role::Assistant, "A cat."), bare].into();
    let bed = Bed::new(build, [Step::say("The same cat.")]);
    let events = all(&*bed.provider, request).await.1.expect("an answer");
    assert_eq!(text(&events), "The same cat.");
    let body = bed.last_call().body.to_string();
    assert_eq!(body.matches("iVBORw0KGgo=").count(), 2, "{body}");
    assert!(body.contains("what is this?") && !body.contains(r#""text":"""#), "no text is no part: {body}");
}

pub(crate) async fn lists_its_models(build: Build) {
    let bed = Bed::of(build, StandIn::builder().models(["b", "a"]).key(KEY));
    let models = bed.provider.models().await.expect("a list");
    assert_eq!(models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(bed.stand_in.progress().calls, 0, "it costs no call");
    let facts = models.iter().map(|model| model.facts).find(|facts| facts.context_tokens.is_some());
    if let Some(listed) = facts {
        assert_eq!(bed.provider.facts("a").context_tokens, listed.context_tokens, "and what it says is kept");
    }
    assert_eq!(bed.provider.facts("a").price, None, "a stranger's price is not known");
    let bed = Bed::of(build, StandIn::builder().key("another"));
    assert!(matches!(bed.provider.models().await, Err(ProviderError::Auth { .. })));
}

pub(crate) async fn a_flood_passes(build: Build) {
    let bed = Bed::new(build, [Step::Flood { bytes: 3_000_000 }]);
    let mut stream = bed.provider.chat(request("hello", true)).await.expect("it begins");
    let (mut bytes, mut largest) = (0, 0);
    while let Some(event) = stream.next().await {
        if let ChatEvent::Text(text) = event.expect("an answer") {
            bytes += text.len();
            largest = largest.max(text.len());
        }
    }
    assert_eq!(bytes, 3_000_000);
    assert!(largest < 1 << 20, "passed on as it comes, not gathered: {largest}");
}

pub(crate) async fn text_comes_when_it_is_said(build: Build) {
    let gate = Gate::new();
    let bed = Bed::new(build, [Step::hold_after(&gate, "one two three four", 2)]);
    let mut stream = bed.provider.chat(request("hello", true)).await.expect("it begins");
    let mut said = String::new();
    while said != "one two " {
        said.push_str(&text(&[next(&mut stream).await]));
    }
    // The stand-in comes to the gate after it has sent what is before it: the rest is still held.
    gate.arrived(1).await;
    gate.open();
    while let Some(event) = stream.next().await {
        said.push_str(&text(&[event.expect("it is well")]));
    }
    assert_eq!(said, "one two three four");
}

pub(crate) async fn connections_are_used_again(build: Build) {
    let bed = Bed::new(build, []);
    for stream in [true, false, true, true, false] {
        all(&*bed.provider, request("hello", stream)).await.1.expect("an answer");
    }
    bed.provider.models().await.expect("a list");
    assert_eq!(bed.stand_in.progress().connections, 1);
}

fn thinking(events: &[ChatEvent]) -> String {
    let thought = |event: &ChatEvent| if let ChatEvent::Thinking(text) = event { Some(text.clone()) } else { None };
    events.iter().filter_map(thought).collect()
}

fn finish(events: &[ChatEvent]) -> (StopReason, Option<Usage>, Option<&str>) {
    match events.last() {
        Some(ChatEvent::Finished { stop_reason, usage, model }) => (*stop_reason, *usage, model.as_deref()),
        other => panic!("not a finish: {other:?}"),
    }
}
