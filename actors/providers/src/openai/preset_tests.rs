//! What each preset sends that OpenAI's own dialect would not.

use mosaic_testkit::StandIn;
use mosaic_types::chat::{Effort, ToolOffer};
use mosaic_types::{ChatMessage, ChatRequest, Role, ToolCall};
use serde_json::{Value, json};

use super::{DEEPSEEK, GROQ, LLAMACPP, MISTRAL, OPENROUTER, XAI, ZAI};
use crate::ProviderSpec;
use crate::contract::{KEY, all, request};
use crate::registry::Kind;

/// The body and the key's header of a call that asks for everything in which they differ.
async fn sent(kind: Kind) -> Value {
    let stand_in = StandIn::builder().key(KEY).start();
    let mut spec = ProviderSpec::new("p".parse().expect("a name"), stand_in.base_url(), None);
    spec.api_key = Some(mosaic_types::Secret::new(KEY));
    let provider = (kind.build)(spec).expect("the spec is in order");
    let mut asked = request("hi", true);
    let mut made = ChatMessage::new(Role::Assistant, "");
    made.tool_calls = vec![ToolCall {
        id: "toolu_of_another".into(),
        name: "f".into(),
        arguments: "{}".into(),
        signature: Some("c2ln".into()),
    }];
    let mut told = ChatMessage::new(Role::Tool, "12:00");
    told.tool_call_id = Some("toolu_of_another".into());
    asked.messages = [asked.messages[0].clone(), made, told].into();
    asked.tools =
        [ToolOffer { name: "f".into(), description: String::new(), parameters: json!({"type": "object"}) }].into();
    asked.sampling.max_tokens = Some(9);
    asked.sampling.seed = Some(7);
    asked.sampling.effort = Some(Effort::Low);
    asked.sampling.tool_choice = Some(json!("required"));
    all(&*provider, ChatRequest { ..asked }).await.1.expect("an answer");
    stand_in.last_call().body
}

/// Which of these fields a body has, and what they hold.
fn held(body: &Value) -> Value {
    let fields = [
        "max_tokens",
        "max_completion_tokens",
        "stream_options",
        "reasoning_effort",
        "reasoning",
        "thinking",
        "seed",
        "random_seed",
        "tool_choice",
    ];
    fields.into_iter().filter_map(|field| Some((field.to_owned(), body.get(field)?.clone()))).collect()
}

#[tokio::test]
async fn every_preset_says_it_in_its_own_words() {
    let usage = json!({"include_usage": true});
    let plain = json!({"stream_options": usage, "seed": 7, "tool_choice": "required"});
    let with = |more: Value| {
        let mut all = plain.clone();
        all.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        all
    };
    let switch = json!({"type": "enabled"});
    for (kind, wanted) in [
        (LLAMACPP, with(json!({"max_tokens": 9, "reasoning_effort": "low"}))),
        (OPENROUTER, with(json!({"max_tokens": 9, "reasoning": {"effort": "low"}}))),
        (GROQ, with(json!({"max_completion_tokens": 9, "reasoning_effort": "low"}))),
        (XAI, with(json!({"max_completion_tokens": 9, "reasoning_effort": "low"}))),
        (DEEPSEEK, with(json!({"max_tokens": 9, "thinking": switch}))),
        (ZAI, with(json!({"max_tokens": 9, "thinking": switch}))),
        (MISTRAL, json!({"max_tokens": 9, "reasoning_effort": "low", "random_seed": 7, "tool_choice": "any"})),
    ] {
        let body = sent(kind).await;
        assert_eq!(held(&body), wanted, "{kind:?}");
        let call = &body["messages"][1]["tool_calls"][0];
        let keeps = [LLAMACPP.name, OPENROUTER.name].contains(&kind.name);
        assert_eq!(call.get("extra_content").is_some(), keeps, "{kind:?}");
        assert_eq!(call["id"], body["messages"][2]["tool_call_id"], "{kind:?}");
    }
}

#[tokio::test]
async fn mistrals_calls_have_nine_letters() {
    let id = sent(MISTRAL).await["messages"][2]["tool_call_id"].as_str().expect("a name").to_owned();
    assert!(id.len() == 9 && id.chars().all(|letter| letter.is_ascii_alphanumeric()), "{id}");
    assert_eq!(super::Dialect { short_ids: true, ..super::Dialect::COMPATIBLE }.id("D681PevKs"), "D681PevKs");
}
