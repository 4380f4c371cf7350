//! The contract, and what is particular to this wire. Fixtures follow Google's public documentation.

use mosaic_types::chat::{Effort, ToolOffer};
use mosaic_types::{ChatEvent, ChatMessage, ChatRequest, Role, StopReason, ToolCall, Usage};
use serde_json::{Value, json};

use super::convert;
use super::read::Reader;
use crate::ProviderError;
use crate::contract::{Bed, all, calls, peer, picture, provider_contract, read_stream, read_whole, request, text};
use crate::wire::sse::Decoder;
use crate::wire::{Base, Wire};

provider_contract!(super::build);

fn read(chunks: &[Value]) -> Result<Vec<ChatEvent>, ProviderError> {
    let stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect();
    read_stream(Decoder::default(), Reader::default(), &stream)
}

fn said(parts: Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}],
        "modelVersion": "gemini-2.5-flash"})
}

fn end(reason: &str) -> Value {
    json!({"candidates": [{"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": reason, "index": 0}],
        "usageMetadata": {"promptTokenCount": 12, "cachedContentTokenCount": 4, "candidatesTokenCount": 5,
            "thoughtsTokenCount": 30, "totalTokenCount": 47}})
}

fn sent(request: &ChatRequest) -> Value {
    serde_json::from_slice(&convert::body(request)).expect("a body is JSON")
}

fn of_model(model: &str) -> ChatRequest {
    ChatRequest { model: model.into(), ..request("hi", false) }
}

#[test]
fn a_plain_call_holds_nothing_else() {
    let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    assert_eq!(sent(&request("hi", true)), json!({"contents": contents}));
}

#[test]
fn everything_asked_for_is_said_in_the_wires_words() {
    let mut asked = request("hi", false);
    asked.messages = [ChatMessage::new(Role::System, "be short"), asked.messages[0].clone()].into();
    let parameters = json!({"type": "object", "additionalProperties": false});
    asked.tools =
        [ToolOffer { name: "f".into(), description: "Does f.".into(), parameters: parameters.clone() }].into();
    asked.sampling.max_tokens = Some(9);
    asked.sampling.temperature = Some(1.5);
    asked.sampling.top_p = Some(0.5);
    asked.sampling.seed = Some(7);
    asked.sampling.stop = vec!["END".into()];
    let schema = json!({"type": "array"});
    asked.sampling.response_format = Some(json!({"type": "json_schema", "json_schema": {"schema": schema}}));
    asked.sampling.tool_choice = Some(json!({"type": "function", "function": {"name": "f"}}));
    let wanted = json!({
        "systemInstruction": {"parts": [{"text": "be short"}]},
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations":
            [{"name": "f", "description": "Does f.", "parametersJsonSchema": parameters}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"temperature": 1.5, "topP": 0.5, "maxOutputTokens": 9, "stopSequences": ["END"],
            "seed": 7, "responseMimeType": "application/json", "responseJsonSchema": schema},
    });
    assert_eq!(sent(&asked), wanted);
    for (wish, mode) in [("auto", "AUTO"), ("none", "NONE"), ("required", "ANY")] {
        asked.sampling.tool_choice = Some(json!(wish));
        assert_eq!(sent(&asked)["toolConfig"]["functionCallingConfig"], json!({"mode": mode}));
    }
    asked.sampling.response_format = Some(json!({"type": "json_object"}));
    assert_eq!(sent(&asked)["generationConfig"]["responseMimeType"], "application/json");
}

#[test]
fn thinking_is_asked_for_as_each_generation_wants_it() {
    let thinking = |model: &str, effort| {
        let mut asked = of_model(model);
        asked.sampling.effort = Some(effort);
        sent(&asked)["generationConfig"]["thinkingConfig"].clone()
    };
    let budget = |budget: u64, told: bool| json!({"includeThoughts": told, "thinkingBudget": budget});
    assert_eq!(thinking("gemini-2.5-flash", Effort::Low), budget(2048, true));
    assert_eq!(thinking("gemini-2.5-flash", Effort::None), budget(0, false));
    assert_eq!(thinking("gemini-2.5-pro", Effort::None), budget(128, false));
    let level = |level: &str| json!({"includeThoughts": true, "thinkingLevel": level});
    assert_eq!(thinking("gemini-3-flash-preview", Effort::Minimal), level("low"));
    assert_eq!(thinking("gemini-flash-latest", Effort::Xhigh), level("high"));
    assert_eq!(thinking("gemini-2.0-flash", Effort::High), Value::Null);
    assert_eq!(thinking("gemma-3-27b-it", Effort::High), Value::Null);
}

#[test]
fn signatures_go_back_with_their_calls_and_a_call_of_another_model_has_a_word_in_place_of_one() {
    let parts = json!([
        {"text": "hm", "thought": true},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "their-id", "name": "g"}},
    ]);
    let events = read(&[said(parts), end("STOP")]).expect("an answer");
    let told = calls(&events);
    assert_eq!((told[0].2.as_str(), told[1].2.as_str()), (r#"{"a":1}"#, "{}"));
    assert_eq!(told[1].0.as_deref(), Some("their-id"));
    assert!(matches!(events.last(), Some(ChatEvent::Finished { stop_reason: StopReason::ToolCalls, .. })));
    let ids: Vec<String> = told.iter().filter_map(|call| call.0.clone()).collect();
    assert_ne!(
        ids[0],
        read(&[said(json!([{"functionCall": {"name": "f"}}])), end("STOP")])
            .map(|events| calls(&events)[0].0.clone().unwrap_or_default())
            .expect("an answer"),
        "names are not given twice"
    );

    let call = |id: &str, name: &str, signature: Option<&str>| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: r#"{"a":1}"#.into(),
        signature: signature.map(str::to_owned),
    };
    let dialogue = |first: Option<&str>| {
        let mut made = ChatMessage::new(Role::Assistant, "wait");
        made.tool_calls = vec![call(&ids[0], "f", first), call("their-id", "g", None)];
        let mut told = ChatMessage::new(Role::Tool, "12:00");
        told.tool_call_id = Some("their-id".into());
        let user = request("hi", false).messages[0].clone();
        ChatRequest { messages: [user, made, told].into(), ..of_model("gemini-3-flash-preview") }
    };
    let contents = sent(&dialogue(Some("c2ln")))["contents"].clone();
    let args = json!({"a": 1});
    assert_eq!(
        contents[1],
        json!({"role": "model", "parts": [{"text": "wait"},
            {"functionCall": {"name": "f", "args": args}, "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "their-id", "name": "g", "args": args}}]})
    );
    let unknown = json!({"result": crate::wire::dialogue::NO_RESULT});
    assert_eq!(
        contents[2],
        json!({"role": "user", "parts": [
            {"functionResponse": {"name": "f", "response": unknown}},
            {"functionResponse": {"id": "their-id", "name": "g", "response": {"result": "12:00"}}}]}),
        "every call has a result, in the order of the calls"
    );
    for strange in [None, Some("[]")] {
        let part = sent(&dialogue(strange))["contents"][1]["parts"][1].clone();
        assert_eq!(part["thoughtSignature"], "skip_thought_signature_validator");
    }
    let mut old = dialogue(None);
    old.model = "gemini-2.5-flash".into();
    assert_eq!(sent(&old)["contents"][1]["parts"][1].get("thoughtSignature"), None, "it asks for none");
}

#[test]
fn usage_counts_thoughts_as_a_part_of_the_output() {
    let events = read(&[said(json!([{"text": "hi"}])), end("STOP")]).expect("an answer");
    let usage = Usage { cached_input_tokens: 4, reasoning_tokens: 30, ..Usage::new(12, 35) };
    let model = Some("gemini-2.5-flash".to_owned());
    assert_eq!(events[1], ChatEvent::Finished { stop_reason: StopReason::Stop, usage: Some(usage), model });
}

#[test]
fn ends_are_told_apart_and_what_is_held_back_is_no_answer() {
    let ended = |text: &str, reason: &str| read(&[said(json!([{"text": text}])), end(reason)]);
    for (reason, stop) in [
        ("STOP", StopReason::Stop),
        ("MAX_TOKENS", StopReason::Length),
        ("SAFETY", StopReason::ContentFilter),
        ("OTHER", StopReason::Other),
    ] {
        let events = ended("so far", reason).expect("an answer");
        assert!(matches!(events.last(), Some(ChatEvent::Finished { stop_reason, .. }) if *stop_reason == stop));
    }
    assert!(matches!(ended("", "SAFETY"), Err(ProviderError::ContentFiltered { .. })));
    assert!(matches!(ended("x", "MALFORMED_FUNCTION_CALL"), Err(ProviderError::Undecodable { .. })));
    assert!(matches!(ended("x", "FINISH_REASON_UNSPECIFIED"), Err(ProviderError::Truncated { .. })));
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}});
    assert!(
        matches!(read(&[blocked]), Err(ProviderError::ContentFiltered { detail, .. }) if detail.contains("SAFETY"))
    );
    assert!(matches!(read_whole(Reader::default(), "{}"), Err(ProviderError::Undecodable { .. })));
}

#[test]
fn errors_are_judged_by_their_status_and_details() {
    let error = |status: u16, name: &str, message: &str, details: Value| {
        let body = json!({"error": {"code": status, "message": message, "status": name, "details": details}});
        peer().status(status, &body.to_string(), false, None)
    };
    let key = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
    assert!(matches!(error(400, "INVALID_ARGUMENT", "API key not valid.", key), ProviderError::Auth { .. }));
    let pause = json!([{"@type": "type.googleapis.com/google.rpc.QuotaFailure"},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]);
    let limited = error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", pause);
    assert!(matches!(limited, ProviderError::RateLimited { .. }), "{limited:?}");
    assert_eq!(limited.retry_after(), Some(std::time::Duration::from_millis(34_500)));
    let spent = "Your prepayment credits are depleted.";
    assert!(matches!(error(429, "RESOURCE_EXHAUSTED", spent, json!([])), ProviderError::Quota { .. }));
    let long = "The input token count (9) exceeds the maximum number of tokens allowed (8).";
    assert!(matches!(error(400, "INVALID_ARGUMENT", long, json!([])), ProviderError::ContextOverflow { .. }));
    assert!(matches!(error(404, "NOT_FOUND", "models/m is not found", json!([])), ProviderError::ModelNotFound { .. }));
    let late = json!({"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}});
    assert!(matches!(read(&[said(json!([{"text": "a"}])), late]), Err(ProviderError::Overloaded { .. })));
}

#[tokio::test]
async fn the_key_is_never_a_part_of_the_address_and_a_model_never_another_path() {
    let bed = Bed::new(super::build, []);
    let base = Base::of("http://127.0.0.1:1/v1");
    for (model, path) in [
        ("gemini-2.5-flash", "/v1/models/gemini-2.5-flash:"),
        ("models/m-1", "/v1/models/m-1:"),
        ("tunedModels/mine", "/v1/tunedModels/mine:"),
        ("m/../../x?key=1#y", "/v1/m/..%2F..%2Fx%3Fkey=1%23y:"),
    ] {
        let gemini = super::Gemini::at(&base);
        for (stream, method) in [(true, "streamGenerateContent?alt=sse"), (false, "generateContent")] {
            let url = gemini.chat_url(&ChatRequest { stream, ..of_model(model) });
            assert_eq!(url.as_str(), format!("http://127.0.0.1:1{path}{method}"));
        }
    }
    let events = all(&*bed.provider, request("hello", true)).await.1.expect("an answer");
    assert_eq!(text(&events), "You said: hello");
}

#[test]
fn a_picture_goes_along_in_the_wires_form() {
    assert_eq!(
        sent(&picture("hi"))["contents"][0]["parts"],
        json!([{"inlineData": {"mimeType": "image/png", "data": "aWNv"}}, {"text": "hi"}])
    );
}
