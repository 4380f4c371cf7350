//! The contract, and what is particular to this wire. Fixtures follow the public documentation of the servers named.

use std::sync::Arc;

use mosaic_testkit::{StandIn, Step};
use mosaic_types::chat::{Effort, ToolOffer};
use mosaic_types::{ChatEvent, ChatMessage, ChatRequest, Price, Role, Secret, StopReason, ToolCall, Usage};
use serde_json::{Value, json};

use super::convert;
use super::dialect::Dialect;
use super::read::Reader;
use crate::contract::{Bed, calls, picture, provider_contract, request, text};
use crate::wire::Peer;
use crate::wire::assemble::Assembler;
use crate::wire::sse::Decoder;
use crate::{ModelFacts, ProviderError, ProviderSpec};

provider_contract!(super::build);

pub(super) fn peer() -> Peer {
    Peer {
        provider: "p".parse().expect("a name"),
        key: Some(Arc::new(Secret::new("sk-12345678"))),
        model: Some("m".into()),
    }
}

pub(super) fn assemble<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ChatEvent>, ProviderError> {
    let (mut assembler, mut events) = (Assembler::new(peer(), Decoder::default(), Reader), Vec::new());
    for part in parts {
        assembler.push(part)?;
        events.extend(std::iter::from_fn(|| assembler.pop()));
    }
    if !assembler.is_done() {
        assembler.end(None)?;
    }
    events.extend(std::iter::from_fn(|| assembler.pop()));
    Ok(events)
}

pub(super) fn stream(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

pub(super) fn read(chunks: &[Value]) -> Result<Vec<ChatEvent>, ProviderError> {
    assemble([stream(chunks).as_bytes()])
}

pub(super) fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

pub(super) fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn sent(request: &ChatRequest, dialect: Dialect) -> Value {
    serde_json::from_slice(&convert::body(request, dialect)).expect("a body is JSON")
}

#[test]
fn a_plain_call_holds_nothing_else() {
    let messages = json!([{"role": "user", "content": "hi"}]);
    assert_eq!(sent(&request("hi", false), Dialect::OPENAI), json!({"model": "m-1", "messages": messages}));
    let streamed =
        json!({"model": "m-1", "messages": messages, "stream": true, "stream_options": {"include_usage": true}});
    assert_eq!(sent(&request("hi", true), Dialect::COMPATIBLE), streamed);
}

#[test]
fn everything_asked_for_is_sent_in_the_wires_form() {
    let mut full = request("hi", false);
    let mut asked = ChatMessage::new(Role::Assistant, "");
    let arguments = [(r#"{"a":1}"#, "c1"), (" ", "c2")];
    let call = |(arguments, id): (&str, &str)| ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        signature: None,
    };
    asked.tool_calls = arguments.map(call).into();
    let mut told = ChatMessage::new(Role::Tool, "");
    told.tool_call_id = Some("c1".into());
    full.messages = [asked, told].into();
    let parameters = json!({"type": "object"});
    full.tools = [ToolOffer { name: "f".into(), description: String::new(), parameters: parameters.clone() }].into();
    full.sampling.max_tokens = Some(9);
    full.sampling.temperature = Some(0.5);
    full.sampling.top_p = Some(1.0);
    full.sampling.stop = vec!["END".into()];
    full.sampling.seed = Some(-1);
    full.sampling.tool_choice = Some(json!("auto"));
    full.sampling.response_format = Some(json!({"type": "json_object"}));
    full.sampling.effort = Some(Effort::Low);
    let called = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let mut wanted = json!({
        "model": "m-1",
        "messages": [
            {"role": "assistant", "content": null, "tool_calls": [called("c1", r#"{"a":1}"#), called("c2", "{}")]},
            {"role": "tool", "content": "", "tool_call_id": "c1"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}],
        "tool_choice": "auto", "response_format": {"type": "json_object"}, "reasoning_effort": "low",
        "temperature": 0.5, "top_p": 1.0, "stop": ["END"], "seed": -1, "max_tokens": 9,
    });
    assert_eq!(sent(&full, Dialect::COMPATIBLE), wanted);
    wanted.as_object_mut().expect("an object").remove("max_tokens");
    wanted["max_completion_tokens"] = 9.into();
    assert_eq!(sent(&full, Dialect::OPENAI), wanted);
    full.tools = [].into();
    assert_eq!(sent(&full, Dialect::OPENAI).get("tool_choice"), None, "there is nothing to choose from");
}

#[test]
fn only_openai_itself_speaks_its_newest_dialect() {
    for (host, dialect) in [
        ("api.openai.com", Dialect::OPENAI),
        ("mine.openai.azure.com", Dialect::OPENAI),
        ("notopenai.com", Dialect::COMPATIBLE),
        ("api.openai.com.evil.org", Dialect::COMPATIBLE),
        ("127.0.0.1", Dialect::COMPATIBLE),
    ] {
        assert_eq!(Dialect::of(host), dialect, "{host}");
    }
}

#[test]
fn usage_may_come_after_the_finish_and_in_strange_forms() {
    let usage = |usage: Value| json!({"choices": [], "usage": usage});
    let good =
        usage(json!({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}));
    for (last, known) in [
        (good.clone(), Some(Usage { cached_input_tokens: 1, ..Usage::new(5, 2) })),
        (
            usage(json!({"prompt_tokens": 9, "prompt_cache_hit_tokens": 4, "completion_tokens": 8,
                "completion_tokens_details": {"reasoning_tokens": 6}})),
            Some(Usage { cached_input_tokens: 4, reasoning_tokens: 6, ..Usage::new(9, 8) }),
        ),
        (usage(json!({"prompt_tokens": 5})), Some(Usage::new(5, 0))),
        (usage(json!({"prompt_tokens": "many"})), None),
        (usage(json!({})), None),
        (usage(Value::Null), None),
    ] {
        let events = read(&[delta(json!({"content": "a"})), finish("length"), last]).expect("an answer");
        let finished = ChatEvent::Finished { stop_reason: StopReason::Length, usage: known, model: None };
        assert_eq!(events, [ChatEvent::Text("a".into()), finished]);
    }
}

#[test]
fn what_servers_list_of_their_models_is_known() {
    let list = json!({"data": [
        {"id": "openrouter", "context_length": 200_000, "top_provider": {"max_completion_tokens": 64_000},
            "architecture": {"input_modalities": ["text", "image"]}, "supported_parameters": ["tools", "seed"],
            "pricing": {"prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003"}},
        {"id": "router", "pricing": {"prompt": "-1", "completion": "-1"}},
        {"id": "groq", "context_window": 131_072, "max_completion_tokens": 65_536},
        {"id": "vllm", "max_model_len": 32_768},
        {"id": "mistral", "max_context_length": 262_144, "capabilities": {"vision": true, "function_calling": false}},
        {"id": "odd", "context_length": "long", "pricing": {"prompt": 3}, "capabilities": []},
    ]});
    let models = convert::models(list.to_string().as_bytes()).expect("a list");
    let facts: Vec<_> = models.iter().map(|model| model.facts).collect();
    let price = Price { cached_input_usd_per_mtok: Some(0.3), ..Price::new(3.0, 15.0) };
    let openrouter = ModelFacts {
        context_tokens: Some(200_000),
        output_tokens: Some(64_000),
        price: Some(price),
        vision: Some(true),
        tools: Some(true),
        reasoning: Some(false),
    };
    let nothing = ModelFacts::default();
    let window = |tokens| ModelFacts { context_tokens: Some(tokens), ..nothing };
    let groq = ModelFacts { output_tokens: Some(65_536), ..window(131_072) };
    let mistral = ModelFacts { vision: Some(true), tools: Some(false), ..window(262_144) };
    assert_eq!(facts, [openrouter, nothing, groq, window(32_768), mistral, nothing]);
}

#[test]
fn text_of_one_read_is_one_event() {
    let chunks: Vec<_> = ["a", "", "b", "c"].map(|text| delta(json!({"content": text}))).into();
    let events = read(&[&chunks[..], &[finish("stop")]].concat()).expect("an answer");
    assert_eq!((events.len(), text(&events).as_str()), (2, "abc"));
}

#[test]
fn every_way_of_thinking_is_heard_once() {
    for thought in [
        json!({"reasoning_content": "hm"}),
        json!({"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}),
        json!({"reasoning": "hm", "reasoning_content": "hm"}),
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
    ] {
        let events = read(&[delta(thought), delta(json!({"content": "yes"})), finish("stop")]).expect("an answer");
        assert_eq!(events[..2], [ChatEvent::Thinking("hm".into()), ChatEvent::Text("yes".into())]);
    }
}

#[test]
fn tool_calls_are_put_together_however_a_server_tells_them() {
    let call = |call: Value| delta(json!({"tool_calls": [call]}));
    let known =
        |id: &str, name: &str, arguments: &str| (Some(id.to_owned()), Some(name.to_owned()), arguments.to_owned());
    let two = [known("c1", "f", r#"{"a":1}"#), known("c2", "g", "{}")];
    let cases: [(&str, Vec<Value>); 4] = [
        (
            "OpenAI: by index, arguments in pieces, interleaved",
            vec![
                call(json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}})),
                call(json!({"index": 0, "function": {"arguments": "{\"a\""}})),
                call(json!({"index": 1, "id": "c2", "type": "function", "function": {"name": "g", "arguments": "{"}})),
                call(json!({"index": 0, "function": {"arguments": ":1}"}})),
                call(json!({"index": 1, "function": {"arguments": "}"}})),
            ],
        ),
        (
            "no index, whole calls",
            vec![delta(json!({"tool_calls": [
                {"id": "c1", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                {"id": "c2", "function": {"name": "g", "arguments": "{}"}},
            ]}))],
        ),
        (
            "index 0 for every call, arguments as objects",
            vec![
                call(json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": {"a": 1}}})),
                call(json!({"index": 0, "id": "c2", "function": {"name": "g", "arguments": {}}})),
            ],
        ),
        (
            "id and name repeated, empty or null",
            vec![
                call(json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": null}})),
                call(json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{\"a\":"}})),
                call(json!({"index": 0, "id": "", "function": {"name": null, "arguments": "1}"}})),
                call(json!({"index": 1, "id": "c2", "function": {"name": "g"}})),
                call(json!({"index": 1, "id": null, "function": {"arguments": "{}"}})),
            ],
        ),
    ];
    for (server, mut chunks) in cases {
        chunks.push(finish("stop"));
        let events = read(&chunks).expect("an answer");
        assert_eq!(calls(&events), two, "{server}");
        assert!(
            matches!(events.last(), Some(ChatEvent::Finished { stop_reason: StopReason::ToolCalls, .. })),
            "{server}"
        );
    }
}

#[test]
fn what_a_server_wants_back_with_a_call_goes_back_to_it() {
    let extra = json!({"google": {"thought_signature": "c2ln"}});
    let told = delta(json!({"tool_calls": [
        {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra}]}));
    let events = read(&[told, finish("tool_calls")]).expect("an answer");
    let signed = |event: &ChatEvent| matches!(event, ChatEvent::ToolCall { signature: Some(it), .. } if it == "c2ln");
    assert!(signed(&events[0]), "{events:?}");
    let mut full = request("hi", false);
    let mut asked = ChatMessage::new(Role::Assistant, "");
    let call = ToolCall { id: "c1".into(), name: "f".into(), arguments: "{}".into(), signature: Some("c2ln".into()) };
    asked.tool_calls = vec![call];
    full.messages = [asked].into();
    let sent_call = |dialect| sent(&full, dialect)["messages"][0]["tool_calls"][0].clone();
    assert_eq!(sent_call(Dialect::COMPATIBLE)["extra_content"], extra);
    assert_eq!(sent_call(Dialect::OPENAI).get("extra_content"), None, "it refuses what it does not know");
}

#[test]
fn calls_without_end_are_refused() {
    let call = |index: u32| delta(json!({"tool_calls": [{"index": index, "id": format!("c{index}")}]}));
    let chunks: Vec<_> = (0..300).map(call).chain([finish("tool_calls")]).collect();
    assert!(matches!(read(&chunks), Err(ProviderError::Undecodable { .. })));
}

#[test]
fn what_is_not_part_of_the_answer_is_passed_over() {
    let odd = "\u{feff}: OPENROUTER PROCESSING\n\ndata:\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n";
    let filter = json!({"choices": [], "prompt_filter_results": []});
    let other = json!({"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "stop"}]});
    let chunks =
        [filter, json!({"choices": null}), other, delta(json!({"content": "yes", "refusal": null})), finish("")];
    let text_of = |tail: &str| assemble([format!("{odd}{}{tail}", stream(&chunks)).as_bytes()]);
    assert_eq!(text(&text_of(&stream(&[finish("stop")])).expect("an answer")), "yes");
    assert!(matches!(text_of("data: [DONE]\n\n"), Err(ProviderError::Truncated { .. })), "no reason, no finish");
}

#[test]
fn an_end_after_the_finish_is_an_end() {
    let whole = stream(&[delta(json!({"content": "a"})), finish("stop")]);
    for tail in ["", "data: [DONE]", "data: [DONE]\n\ndata: junk\n\n", "data: {\"choi"] {
        let events = assemble([format!("{whole}{tail}").as_bytes()]).expect("an answer");
        assert_eq!(events.len(), 2, "{tail}");
    }
}

#[test]
fn what_comes_after_the_end_is_of_no_interest() {
    let whole = stream(&[finish("stop")]) + "data: [DONE]\n\n";
    let events = assemble([whole.as_bytes(), b"data: junk\n\n", b"\xff"]).expect("an answer");
    assert_eq!(events.len(), 1);
}

#[test]
fn a_base_url_is_taken_as_it_is_written() {
    let build = |base_url: &str, key: &str| {
        super::build(ProviderSpec::new("p".parse().expect("a name"), base_url, Some(Secret::new(key)))).map(|_| ())
    };
    for good in ["http://127.0.0.1:1", "https://x/v1/", "http://[::1]:8/a/b"] {
        build(good, "k\n").expect("an address");
    }
    for bad in ["", "x/v1", "ftp://x", "http://x/v1?key=1"] {
        assert!(build(bad, "k").is_err_and(|error| error.contains("https://api.openai.com/v1")), "{bad}");
    }
    assert!(build("http://me:hunter2@x/v1", "k").is_err_and(|error| !error.contains("hunter2")));
    assert!(build("http://x", "k\nk").is_err_and(|error| error.contains("key")));
}

#[tokio::test]
async fn the_address_ends_with_or_without_a_slash_and_the_key_is_optional() {
    let stand_in = StandIn::start([]);
    for base_url in [stand_in.base_url(), stand_in.base_url() + "/"] {
        let provider = super::build(ProviderSpec::new("p".parse().expect("a name"), base_url, None));
        let provider = provider.expect("an address");
        provider.models().await.expect("a list");
        drop(provider.chat(request("hi", true)).await.expect("an answer"));
    }
    assert!(stand_in.calls().iter().all(|call| call.header("authorization").is_none()));
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let other = StandIn::start([]);
    let location = format!("{}/chat/completions?secret=1", other.base_url());
    let redirect = Step::Status { status: 308, headers: vec![("location".into(), location)], body: String::new() };
    let bed = Bed::new(super::build, [redirect]);
    let error = bed.stream("hi").await.expect_err("a redirect");
    let told = format!("HTTP 308: to http://{}", other.address());
    assert_eq!(error, ProviderError::Redirected { provider: "double".parse().expect("a name"), detail: told });
    assert_eq!(other.progress().connections, 0);
}

#[tokio::test]
async fn a_whole_answer_to_a_streamed_call_is_taken_and_the_other_way_round() {
    let whole = json!({"choices": [{"message": {"role": "assistant", "content": "all at once"}}]});
    let empty = json!({"choices": []});
    let script = [Step::Json(whole.to_string()), Step::Json(empty.to_string()), Step::Json("[]".into())];
    let bed = Bed::new(super::build, script);
    assert_eq!(text(&bed.stream("hi").await.expect("an answer")), "all at once");
    assert!(matches!(bed.stream("hi").await, Err(ProviderError::Undecodable { .. })));
    assert!(matches!(bed.stream("hi").await, Err(ProviderError::Undecodable { .. })));
}

#[test]
fn a_picture_goes_along_in_the_wires_form() {
    assert_eq!(
        sent(&picture("hi"), Dialect::COMPATIBLE)["messages"][0]["content"],
        json!([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWNv"}}])
    );
}
