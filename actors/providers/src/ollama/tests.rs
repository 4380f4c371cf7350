//! The contract, and what is particular to this wire. Fixtures follow Ollama's public documentation.

use mosaic_testkit::StandIn;
use mosaic_types::chat::{Effort, ToolOffer};
use mosaic_types::{ChatEvent, ChatMessage, ChatRequest, Role, StopReason, ToolCall, Usage};
use serde_json::{Value, json};

use super::convert;
use super::read::Reader;
use crate::contract::{all, calls, peer, picture, provider_contract, read_stream, read_whole, request};
use crate::wire::sse::Decoder;
use crate::{ProviderError, ProviderSpec};

provider_contract!(super::build);

fn read(lines: &[Value]) -> Result<Vec<ChatEvent>, ProviderError> {
    let stream: String = lines.iter().map(|line| format!("{line}\n")).collect();
    read_stream(Decoder::lines(), Reader::default(), &stream)
}

fn said(message: Value) -> Value {
    json!({"model": "qwen3:8b", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": false})
}

fn done(reason: &str) -> Value {
    json!({"model": "qwen3:8b", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": reason,
        "prompt_eval_count": 9, "prompt_eval_cached_count": 4, "eval_count": 3})
}

fn sent(request: &ChatRequest) -> Value {
    serde_json::from_slice(&convert::body(request, 8192)).expect("a body is JSON")
}

#[test]
fn a_dialogue_that_is_too_long_is_to_be_refused_and_not_cut() {
    let wanted = json!({"model": "m-1", "messages": [{"role": "user", "content": "hi"}],
        "options": {"num_ctx": 8192}, "stream": false, "truncate": false, "shift": false});
    assert_eq!(sent(&request("hi", false)), wanted);
    let refused = "the prompt is longer than the context length currently available to the model";
    let error = peer().status(400, &json!({"error": refused}).to_string(), false, None);
    assert!(matches!(error, ProviderError::ContextOverflow { .. }));
}

#[tokio::test]
async fn the_window_of_a_model_is_the_configured_one() {
    let stand_in = StandIn::start([]);
    // As it stands in many a config: the route of the other wire.
    let base_url = stand_in.base_url() + "/";
    let mut spec = ProviderSpec::new("p".parse().expect("a name"), base_url, None);
    spec.windows = [("m-1".to_owned(), 32_000)].into();
    let provider = super::build(spec).expect("the spec is in order");
    for (model, window) in [("m-1", 32_000), ("m-2", 8192)] {
        let asked = ChatRequest { model: model.into(), ..request("hi", true) };
        all(&*provider, asked).await.1.expect("an answer");
        assert_eq!(provider.facts(model).context_tokens, Some(window));
        assert_eq!(stand_in.last_call().body["options"]["num_ctx"], window);
    }
}

#[test]
fn everything_asked_for_is_said_in_the_wires_words() {
    let mut asked = request("hi", true);
    let mut made = ChatMessage::new(Role::Assistant, "");
    let call = |id: &str, name: &str| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: r#"{"a":1}"#.into(),
        signature: Some("of another".into()),
    };
    made.tool_calls = vec![call("c1", "f"), call("c2", "g")];
    let mut told = ChatMessage::new(Role::Tool, "12:00");
    told.tool_call_id = Some("c2".into());
    asked.messages = [ChatMessage::new(Role::System, "be short"), asked.messages[0].clone(), made, told].into();
    let parameters = json!({"type": "object"});
    asked.tools = [ToolOffer { name: "f".into(), description: "x".into(), parameters: parameters.clone() }].into();
    asked.sampling.max_tokens = Some(9);
    asked.sampling.temperature = Some(0.5);
    asked.sampling.top_p = Some(0.25);
    asked.sampling.stop = vec!["END".into()];
    asked.sampling.seed = Some(7);
    asked.sampling.effort = Some(Effort::Low);
    asked.sampling.response_format = Some(json!({"type": "json_object"}));
    let called = |id: &str, name: &str| json!({"id": id, "function": {"name": name, "arguments": {"a": 1}}});
    let wanted = json!({
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "be short"}, {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "", "tool_calls": [called("c1", "f"), called("c2", "g")]},
            {"role": "tool", "content": crate::wire::dialogue::NO_RESULT, "tool_name": "f", "tool_call_id": "c1"},
            {"role": "tool", "content": "12:00", "tool_name": "g", "tool_call_id": "c2"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "x", "parameters": parameters}}],
        "format": "json", "think": true,
        "options": {"num_ctx": 8192, "num_predict": 9, "temperature": 0.5, "top_p": 0.25, "stop": ["END"], "seed": 7},
        "stream": true, "truncate": false, "shift": false,
    });
    assert_eq!(sent(&asked), wanted);
    asked.sampling.response_format = Some(json!({"type": "json_schema", "json_schema": {"schema": parameters}}));
    asked.sampling.tool_choice = Some(json!("none"));
    asked.sampling.effort = Some(Effort::None);
    let body = sent(&asked);
    assert_eq!((&body["format"], body.get("tools"), &body["think"]), (&parameters, None, &json!(false)));
    asked.model = "gpt-oss:20b".into();
    assert_eq!(sent(&asked)["think"], "low", "it cannot do without");
}

#[test]
fn an_answer_is_read_line_by_line() {
    let tool_calls = json!([{"function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "call_9", "function": {"name": "g", "arguments": {}}}]);
    let events = read(&[
        said(json!({"role": "assistant", "content": "", "thinking": "hm"})),
        said(json!({"role": "assistant", "content": "wait"})),
        said(json!({"role": "assistant", "content": "", "tool_calls": tool_calls})),
        done("stop"),
    ])
    .expect("an answer");
    assert_eq!(events[..2], [ChatEvent::Thinking("hm".into()), ChatEvent::Text("wait".into())]);
    let told = calls(&events);
    assert_eq!((told[0].2.as_str(), told[1].2.as_str()), (r#"{"a":1}"#, "{}"));
    assert!(told[0].0.is_some() && told[1].0.as_deref() == Some("call_9"));
    let usage = Some(Usage { cached_input_tokens: 4, ..Usage::new(9, 3) });
    let model = Some("qwen3:8b".into());
    assert_eq!(events.last(), Some(&ChatEvent::Finished { stop_reason: StopReason::ToolCalls, usage, model }));
}

#[test]
fn ends_are_told_apart() {
    let hi = said(json!({"role": "assistant", "content": "hi"}));
    let stopped = |last: Value| match read(&[hi.clone(), last]).map(|events| events.last().cloned()) {
        Ok(Some(ChatEvent::Finished { stop_reason, .. })) => stop_reason,
        other => panic!("no finish: {other:?}"),
    };
    assert_eq!(stopped(done("stop")), StopReason::Stop);
    assert_eq!(stopped(done("length")), StopReason::Length);
    assert_eq!(stopped(done("load")), StopReason::Other);
    assert_eq!(stopped(json!({"done": true})), StopReason::Stop, "an old version");
    assert!(matches!(read(std::slice::from_ref(&hi)), Err(ProviderError::Truncated { .. })));
    let broke = json!({"error": "model runner has unexpectedly stopped"});
    assert!(matches!(read(&[hi, broke]), Err(ProviderError::ErrorEvent { detail, .. }) if detail.contains("runner")));
    assert!(matches!(read_whole(Reader::default(), "{}"), Err(ProviderError::Undecodable { .. })));
}

#[test]
fn a_picture_goes_along_in_the_wires_form() {
    assert_eq!(sent(&picture("hi"))["messages"][0]["images"], json!(["aWNv"]));
}
