//! The contract, and what is particular to this wire. Fixtures follow Anthropic's public documentation.

use mosaic_types::chat::{Effort, ToolOffer};
use mosaic_types::{ChatEvent, ChatMessage, ChatRequest, Role, StopReason, ToolCall, Usage};
use serde_json::{Value, json};

use super::convert;
use super::read::Reader;
use crate::ProviderError;
use crate::contract::{calls, peer, picture, provider_contract, read_stream, read_whole, request, text};
use crate::wire::sse::Decoder;

provider_contract!(super::build);

/// A stream of these events.
fn read(events: &[Value]) -> Result<Vec<ChatEvent>, ProviderError> {
    let stream: String = events.iter().map(|event| format!("event: x\ndata: {event}\n\n")).collect();
    read_stream(Decoder::default(), Reader::default(), &stream)
}

fn sent(request: &ChatRequest) -> Value {
    serde_json::from_slice(&convert::body(request)).expect("a body is JSON")
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
        "model": "claude-haiku-4-5-20251001", "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 7, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 2000,
            "output_tokens": 1}}})
}

fn block(index: u32, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u32, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str) -> [Value; 2] {
    let last = json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
        "usage": {"output_tokens": 30}});
    [last, json!({"type": "message_stop"})]
}

fn with_tools(tools: &[&str]) -> ChatRequest {
    let offer = |name: &&str| ToolOffer {
        name: (*name).into(),
        description: String::new(),
        parameters: json!({"type": "object"}),
    };
    ChatRequest { tools: tools.iter().map(offer).collect(), ..request("hi", false) }
}

#[test]
fn a_plain_call_holds_nothing_but_the_limit_that_the_wire_wants() {
    let messages = json!([{"role": "user", "content": "hi"}]);
    assert_eq!(sent(&request("hi", false)), json!({"model": "m-1", "max_tokens": 8192, "messages": messages}));
    assert_eq!(sent(&request("hi", true))["stream"], true);
    let known = ChatRequest { model: "claude-haiku-4-5-20251001".into(), ..request("hi", true) };
    assert_eq!(sent(&known)["max_tokens"], 64_000, "as the catalogue has it");
}

#[test]
fn what_is_the_same_in_every_call_is_marked_for_the_cache() {
    let mark = json!({"type": "ephemeral"});
    let mut asked = with_tools(&["f", "g"]);
    let tools = sent(&asked)["tools"].clone();
    assert_eq!((&tools[0].get("cache_control"), &tools[1]["cache_control"]), (&None, &mark));
    asked.messages = [ChatMessage::new(Role::System, "be short"), asked.messages[0].clone()].into();
    let body = sent(&asked);
    assert_eq!(body["system"], json!([{"type": "text", "text": "be short", "cache_control": mark}]));
    assert_eq!(body["tools"][1].get("cache_control"), None, "tools stand before the system prompt");
    assert_eq!(body["messages"], json!([{"role": "user", "content": "hi"}]), "what changes is not marked");
}

#[test]
fn everything_asked_for_is_said_in_the_wires_words() {
    let mut asked = with_tools(&["f"]);
    asked.sampling.max_tokens = Some(9);
    asked.sampling.temperature = Some(1.7);
    asked.sampling.top_p = Some(0.5);
    asked.sampling.stop = vec!["END".into()];
    asked.sampling.seed = Some(1);
    let schema = json!({"type": "object", "properties": {}});
    asked.sampling.response_format =
        Some(json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": true}}));
    for (wish, said) in [
        (json!("auto"), json!({"type": "auto"})),
        (json!("none"), json!({"type": "none"})),
        (json!("required"), json!({"type": "any"})),
        (json!({"type": "function", "function": {"name": "f"}}), json!({"type": "tool", "name": "f"})),
        (json!({"type": "odd"}), Value::Null),
    ] {
        asked.sampling.tool_choice = Some(wish);
        assert_eq!(sent(&asked)["tool_choice"], said);
    }
    let body = sent(&asked);
    let wanted = json!({
        "model": "m-1", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
        "temperature": 1.0, "top_p": 0.5, "stop_sequences": ["END"],
    });
    assert_eq!(body, wanted);
    asked.tools = [].into();
    asked.sampling.tool_choice = Some(json!("auto"));
    assert_eq!(sent(&asked).get("tool_choice"), None, "there is nothing to choose from");
}

#[test]
fn thinking_is_asked_for_as_each_model_wants_it() {
    let thinking = |model: &str, effort, max_tokens| {
        let mut asked = request("hi", false);
        asked.model = model.into();
        asked.sampling.effort = Some(effort);
        asked.sampling.max_tokens = max_tokens;
        let body = sent(&asked);
        (body["thinking"].clone(), body["output_config"]["effort"].clone())
    };
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    assert_eq!(thinking("claude-opus-4-6", Effort::Minimal, None), (adaptive.clone(), json!("low")));
    assert_eq!(thinking("claude-new-9", Effort::Xhigh, None), (adaptive, json!("high")));
    for (model, effort, max_tokens, budget) in [
        ("claude-haiku-4-5-20251001", Effort::Low, None, 2048),
        ("claude-sonnet-4-20250514", Effort::High, Some(40_000), 16_384),
        ("claude-opus-4-0", Effort::High, Some(4000), 2000),
    ] {
        let budget = json!({"type": "enabled", "budget_tokens": budget});
        assert_eq!(thinking(model, effort, max_tokens), (budget, Value::Null), "{model}");
    }
    for nothing in [thinking("claude-opus-4-6", Effort::None, None), thinking("claude-opus-4-1", Effort::High, Some(9))]
    {
        assert_eq!(nothing, (Value::Null, Value::Null), "not wanted, or no room for it");
    }
}

#[test]
fn thoughts_go_back_with_the_calls_that_they_led_to() {
    let thought = json!({"type": "thinking", "thinking": "let me see", "signature": "c2ln"});
    let hidden = json!({"type": "redacted_thinking", "data": "eHl6"});
    let mut events = vec![
        start(),
        block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "let me "})),
        delta(0, json!({"type": "thinking_delta", "thinking": "see"})),
        delta(0, json!({"type": "signature_delta", "signature": "c2ln"})),
        stop(0),
        block(1, hidden.clone()),
        stop(1),
        block(2, json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}})),
        delta(2, json!({"type": "input_json_delta", "partial_json": ""})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "{\"a\":1}"})),
        stop(2),
        block(3, json!({"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}})),
        stop(3),
    ];
    events.extend(end("tool_use"));
    let events = read(&events).expect("an answer");
    let known = |id: &str, name: &str, arguments: &str| (Some(id.into()), Some(name.into()), arguments.into());
    assert_eq!(calls(&events), [known("toolu_1", "f", r#"{"a":1}"#), known("toolu_2", "g", "{}")]);
    let signatures: Vec<_> = events
        .iter()
        .filter_map(|event| if let ChatEvent::ToolCall { signature, .. } = event { signature.clone() } else { None })
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&signatures[0]).expect("a list"), json!([thought, hidden]));

    let mut said = ChatMessage::new(Role::Assistant, "wait");
    let call = |id: &str, signature: Option<&String>| ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: r#"{"a":1}"#.into(),
        signature: signature.cloned(),
    };
    said.tool_calls = vec![call("toolu_1", signatures.first()), call("call:2", Some(&"of another provider".into()))];
    let mut told = ChatMessage::new(Role::Tool, "12:00");
    told.tool_call_id = Some("toolu_1".into());
    let mut asked = request("hi", false);
    asked.messages = [asked.messages[0].clone(), said, told, ChatMessage::new(Role::User, "and?")].into();
    let messages = sent(&asked)["messages"].clone();
    let input = json!({"a": 1});
    let other = messages[1]["content"][4]["id"].clone();
    assert_eq!(
        messages[1]["content"],
        json!([thought, hidden, {"type": "text", "text": "wait"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": input},
            {"type": "tool_use", "id": other, "name": "f", "input": input}])
    );
    assert_eq!(
        messages[2]["content"],
        json!([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "12:00"},
            {"type": "tool_result", "tool_use_id": other, "content": crate::wire::dialogue::NO_RESULT},
            {"type": "text", "text": "and?"}]),
        "results come first, and every call has one"
    );
    assert_eq!(messages.as_array().map(Vec::len), Some(3));
}

#[test]
fn usage_counts_the_cache_as_a_part_of_the_input() {
    let mut events = vec![start(), block(0, json!({"type": "text", "text": ""}))];
    events.extend([delta(0, json!({"type": "text_delta", "text": "hi"})), stop(0)]);
    events.extend(end("end_turn"));
    let usage = Usage { cached_input_tokens: 2000, cache_write_tokens: 100, ..Usage::new(2107, 30) };
    let model = Some("claude-haiku-4-5-20251001".into());
    let finished = ChatEvent::Finished { stop_reason: StopReason::Stop, usage: Some(usage), model };
    assert_eq!(read(&events).expect("an answer"), [ChatEvent::Text("hi".into()), finished]);
}

#[test]
fn stop_reasons_are_told_apart_and_a_refusal_is_no_answer() {
    let ended = |said: &str, reason: &str| {
        let mut events = vec![start(), block(0, json!({"type": "text", "text": said}))];
        events.extend(end(reason));
        read(&events)
    };
    for (reason, stop) in [
        ("end_turn", StopReason::Stop),
        ("stop_sequence", StopReason::Stop),
        ("max_tokens", StopReason::Length),
        ("model_context_window_exceeded", StopReason::Length),
        ("pause_turn", StopReason::Other),
        ("refusal", StopReason::ContentFilter),
    ] {
        let events = ended("so far", reason).expect("an answer");
        assert!(matches!(events.last(), Some(ChatEvent::Finished { stop_reason, .. }) if *stop_reason == stop));
    }
    assert!(matches!(ended("", "refusal"), Err(ProviderError::ContentFiltered { .. })));
    assert!(matches!(read(&[start(), json!({"type": "message_stop"})]), Err(ProviderError::Truncated { .. })));
}

#[test]
fn what_is_not_known_is_passed_over() {
    let mut events = vec![
        json!({"type": "ping"}),
        json!({"type": "of_tomorrow", "x": [1]}),
        start(),
        block(0, json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}})),
        delta(0, json!({"type": "input_json_delta", "partial_json": "{}"})),
        stop(0),
        block(1, json!({"type": "text", "text": ""})),
        delta(1, json!({"type": "citations_delta", "citation": {}})),
        delta(1, json!({"type": "text_delta", "text": "yes"})),
    ];
    events.extend(end("end_turn"));
    let events = read(&events).expect("an answer");
    assert_eq!((text(&events).as_str(), calls(&events).len()), ("yes", 0));
}

#[test]
fn what_imitators_of_the_wire_say_is_understood() {
    // LiteLLM: thoughts without signatures, null in place of what is absent, all that was read told at the end.
    let whole = json!({"type": "message", "model": "m", "stop_reason": "tool_use", "content": [
        {"type": "thinking", "thinking": "hm", "signature": null}, {"type": "text", "text": null},
        {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}]});
    let events = read_whole(Reader::default(), &whole.to_string()).expect("an answer");
    assert_eq!(events[0], ChatEvent::Thinking("hm".into()));
    let unsigned = |event: &ChatEvent| matches!(event, ChatEvent::ToolCall { signature: None, .. });
    assert!(unsigned(&events[1]), "{events:?}");
    let last = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 10, "output_tokens": 6}});
    let begin = json!({"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 0}}});
    let events = read(&[begin, last, json!({"type": "message_stop"})]).expect("an answer");
    let usage = Some(Usage::new(10, 6));
    assert_eq!(events, [ChatEvent::Finished { stop_reason: StopReason::Stop, usage, model: Some("m".into()) }]);
    let unknown = "anthropic_messages: Invalid model name passed in model=nope.";
    let body = json!({"type": "error", "error": {"type": "invalid_request_error", "message": unknown}});
    assert!(matches!(peer().status(400, &body.to_string(), false, None), ProviderError::ModelNotFound { .. }));
}

#[test]
fn a_whole_answer_says_the_same() {
    let whole = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "text", "text": "wait"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 4}});
    let events = read_whole(Reader::default(), &whole.to_string()).expect("an answer");
    assert_eq!(events[..2], [ChatEvent::Thinking("hm".into()), ChatEvent::Text("wait".into())]);
    let arguments: Vec<_> = calls(&events).into_iter().map(|call| call.2).collect();
    assert_eq!(arguments, [r#"{"a":1}"#, "{}"]);
    let broken = |text: &str| read_whole(Reader::default(), text);
    assert!(matches!(broken("{}"), Err(ProviderError::Undecodable { .. })));
    assert!(matches!(broken("{\"content\":["), Err(ProviderError::Truncated { .. })));
}

#[test]
fn errors_are_judged_by_their_types_and_words() {
    let error = |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}});
    let told = |kind: &str| read(&[start(), error(kind, "x")]).expect_err("an error");
    assert!(matches!(told("overloaded_error"), ProviderError::Overloaded { .. }));
    assert!(matches!(told("api_error"), ProviderError::Overloaded { .. }));
    assert!(matches!(told("rate_limit_error"), ProviderError::RateLimited { .. }));
    assert!(matches!(told("billing_error"), ProviderError::Quota { .. }));
    assert!(matches!(told("odd_error"), ProviderError::ErrorEvent { .. }));
    let refused =
        |status, kind: &str, message: &str| peer().status(status, &error(kind, message).to_string(), false, None);
    assert!(matches!(refused(529, "overloaded_error", "Overloaded"), ProviderError::Overloaded { .. }));
    assert!(matches!(refused(413, "request_too_large", "x"), ProviderError::ContextOverflow { .. }));
    assert!(matches!(refused(404, "not_found_error", "model: m"), ProviderError::ModelNotFound { .. }));
    let too_long = "prompt is too long: 210000 tokens > 200000 maximum";
    assert!(matches!(refused(400, "invalid_request_error", too_long), ProviderError::ContextOverflow { .. }));
    let filtered = "Output blocked by content filtering policy";
    assert!(matches!(refused(400, "invalid_request_error", filtered), ProviderError::ContentFiltered { .. }));
    let broke = "Your credit balance is too low to access the Anthropic API.";
    assert!(matches!(refused(400, "invalid_request_error", broke), ProviderError::Quota { .. }));
}

#[test]
fn a_picture_goes_along_in_the_wires_form() {
    assert_eq!(
        sent(&picture("hi"))["messages"][0]["content"],
        json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aWNv"}},
        {"type": "text", "text": "hi"}])
    );
}
