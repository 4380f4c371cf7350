//! The contract, and what is particular to this wire. Fixtures follow OpenAI's public documentation.

use mosaic_types::chat::{Effort, ToolOffer};
use mosaic_types::{ChatEvent, ChatMessage, ChatRequest, Role, StopReason, ToolCall, Usage};
use serde_json::{Value, json};

use super::convert;
use super::read::Reader;
use crate::ProviderError;
use crate::contract::{calls, picture, provider_contract, read_stream, read_whole, request, text};
use crate::wire::sse::Decoder;

provider_contract!(super::build);

fn read(events: &[Value]) -> Result<Vec<ChatEvent>, ProviderError> {
    let event = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    read_stream(Decoder::default(), Reader::default(), &events.iter().map(event).collect::<String>())
}

fn sent(request: &ChatRequest) -> Value {
    serde_json::from_slice(&convert::body(request)).expect("a body is JSON")
}

fn said(text: &str) -> Value {
    json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": text})
}

fn end(status: &str, more: Value) -> Value {
    let mut response = json!({"id": "resp_1", "object": "response", "status": status, "error": null,
        "incomplete_details": null, "model": "gpt-5-mini-2025-08-07", "output": [],
        "usage": {"input_tokens": 20, "input_tokens_details": {"cached_tokens": 8}, "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 6}, "total_tokens": 29}});
    for (name, value) in more.as_object().into_iter().flatten() {
        response[name] = value.clone();
    }
    json!({"type": format!("response.{status}"), "response": response})
}

#[test]
fn a_plain_call_holds_nothing_but_that_nothing_is_to_be_kept() {
    let input = json!([{"role": "user", "content": "hi"}]);
    assert_eq!(sent(&request("hi", false)), json!({"model": "m-1", "input": input, "store": false}));
    assert_eq!(sent(&request("hi", true))["stream"], true);
}

#[test]
fn everything_asked_for_is_said_in_the_wires_words() {
    let mut asked = request("hi", false);
    let mut made = ChatMessage::new(Role::Assistant, "wait");
    let call = |id: &str, arguments: &str| ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        signature: None,
    };
    made.tool_calls = vec![call("call_1", r#"{"a":1}"#), call("call_2", " ")];
    let mut told = ChatMessage::new(Role::Tool, "12:00");
    told.tool_call_id = Some("call_1".into());
    asked.messages = [ChatMessage::new(Role::System, "be short"), asked.messages[0].clone(), made, told].into();
    let parameters = json!({"type": "object"});
    asked.tools = [ToolOffer { name: "f".into(), description: String::new(), parameters: parameters.clone() }].into();
    asked.sampling.max_tokens = Some(9);
    asked.sampling.temperature = Some(0.5);
    asked.sampling.top_p = Some(0.25);
    asked.sampling.effort = Some(Effort::Medium);
    asked.sampling.tool_choice = Some(json!({"type": "function", "function": {"name": "f"}}));
    asked.sampling.response_format =
        Some(json!({"type": "json_schema", "json_schema": {"name": "x", "schema": parameters, "strict": true}}));
    let called = |id: &str, arguments: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": arguments});
    let output = |id: &str, output: &str| json!({"type": "function_call_output", "call_id": id, "output": output});
    let wanted = json!({
        "model": "m-1", "store": false,
        "input": [{"role": "system", "content": "be short"}, {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "wait"}, called("call_1", r#"{"a":1}"#), called("call_2", "{}"),
            output("call_1", "12:00"), output("call_2", crate::wire::dialogue::NO_RESULT)],
        "tools": [{"type": "function", "name": "f", "parameters": parameters, "strict": false}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "x", "schema": parameters, "strict": true}},
        "reasoning": {"effort": "medium", "summary": "auto"},
        "max_output_tokens": 9, "temperature": 0.5, "top_p": 0.25,
    });
    assert_eq!(sent(&asked), wanted);
    asked.sampling.tool_choice = Some(json!("required"));
    asked.sampling.response_format = Some(json!({"type": "json_object"}));
    asked.sampling.effort = Some(Effort::None);
    let body = sent(&asked);
    assert_eq!(
        (&body["tool_choice"], &body["text"]),
        (&json!("required"), &json!({"format": {"type": "json_object"}}))
    );
    assert_eq!(body["reasoning"], json!({"effort": "none"}));
}

#[test]
fn an_answer_is_read_event_by_event() {
    let part = json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0});
    let thought =
        |text: &str| json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": text});
    let item = |at: u32, id: &str, arguments: &str| {
        json!({"type": "response.output_item.added", "output_index": at,
        "item": {"type": "function_call", "id": "fc", "call_id": id, "name": "f", "arguments": arguments}})
    };
    let arguments = |at: u32, kind: &str, field: &str, text: &str| {
        let mut event = json!({"type": format!("response.function_call_arguments.{kind}"), "output_index": at});
        event[field] = text.into();
        event
    };
    let events = read(&[
        json!({"type": "response.created", "response": {"status": "in_progress", "model": "gpt-5-mini"}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "summary": []}}),
        part.clone(),
        thought("one"),
        part,
        thought("two"),
        said("wa"),
        said("it"),
        item(2, "call_1", ""),
        arguments(2, "delta", "delta", "{\"a\""),
        arguments(2, "delta", "delta", ":1}"),
        arguments(2, "done", "arguments", "{\"a\":1}"),
        item(3, "call_2", ""),
        arguments(3, "done", "arguments", "{}"),
        json!({"type": "response.of_tomorrow", "x": 1}),
        end("completed", json!({})),
    ])
    .expect("an answer");
    assert_eq!(events[..2], [ChatEvent::Thinking("one\n\ntwo".into()), ChatEvent::Text("wait".into())]);
    let told: Vec<_> = calls(&events).into_iter().map(|call| (call.0.unwrap_or_default(), call.2)).collect();
    assert_eq!(told, [("call_1".to_owned(), r#"{"a":1}"#.to_owned()), ("call_2".to_owned(), "{}".to_owned())]);
    let usage = Usage { cached_input_tokens: 8, reasoning_tokens: 6, ..Usage::new(20, 9) };
    let model = Some("gpt-5-mini-2025-08-07".into());
    let finished = ChatEvent::Finished { stop_reason: StopReason::ToolCalls, usage: Some(usage), model };
    assert_eq!(events.last(), Some(&finished));
}

#[test]
fn ends_are_told_apart_and_a_failure_is_no_answer() {
    let cut =
        |reason: &str| read(&[said("so far"), end("incomplete", json!({"incomplete_details": {"reason": reason}}))]);
    for (reason, stop) in [
        ("max_output_tokens", StopReason::Length),
        ("content_filter", StopReason::ContentFilter),
        ("odd", StopReason::Other),
    ] {
        let events = cut(reason).expect("an answer");
        assert!(matches!(events.last(), Some(ChatEvent::Finished { stop_reason, .. }) if *stop_reason == stop));
    }
    let failed = |code: &str| read(&[said("a"), end("failed", json!({"error": {"code": code, "message": "x"}}))]);
    assert!(matches!(failed("rate_limit_exceeded"), Err(ProviderError::RateLimited { .. })));
    assert!(matches!(failed("server_error"), Err(ProviderError::ErrorEvent { .. })));
    let error = |code: &str| read(&[said("a"), json!({"type": "error", "code": code, "message": "x", "param": null})]);
    assert!(matches!(error("context_length_exceeded"), Err(ProviderError::ContextOverflow { .. })));
    assert!(matches!(read(&[said("a")]), Err(ProviderError::Truncated { .. })), "no last event, no answer");
    let refusal = json!({"type": "response.refusal.delta", "output_index": 0, "delta": "I cannot."});
    assert_eq!(text(&read(&[refusal, end("completed", json!({}))]).expect("an answer")), "I cannot.");
}

#[test]
fn a_whole_answer_says_the_same() {
    let whole = json!({"id": "resp_1", "object": "response", "status": "completed", "error": null, "model": "m",
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "yes", "annotations": []}, {"type": "refusal", "refusal": " and no"}]},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"}],
        "usage": {"input_tokens": 3, "output_tokens": 4}});
    let events = read_whole(Reader::default(), &whole.to_string()).expect("an answer");
    assert_eq!(events[..2], [ChatEvent::Thinking("hm".into()), ChatEvent::Text("yes and no".into())]);
    assert_eq!(calls(&events).len(), 1);
    let failed = json!({"status": "failed", "error": {"code": "server_error", "message": "x"}, "output": []});
    assert!(matches!(read_whole(Reader::default(), &failed.to_string()), Err(ProviderError::ErrorEvent { .. })));
    assert!(matches!(read_whole(Reader::default(), "{}"), Err(ProviderError::Undecodable { .. })));
}

#[test]
fn a_picture_goes_along_in_the_wires_form() {
    assert_eq!(
        sent(&picture("hi"))["input"][0]["content"],
        json!([{"type": "input_text", "text": "hi"}, {"type": "input_image", "image_url": "data:image/png;base64,aWNv"}])
    );
}
