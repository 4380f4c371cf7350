//! To and from the words every room shares. Pure.

use std::borrow::Cow;

use mosaic_types::chat::{Effort, ToolOffer};
use mosaic_types::{ChatMessage, ChatRequest, Price, Role, StopReason, ToolCall, Usage};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::dialect::{Dialect, EffortAs};
use super::wire::{
    Body, CalledFunction, Extra, ImageUrl, List, Message, Models, OfferedFunction, Part, Reasoning, Said, Signed,
    StreamOptions, Switch, Tool, WireUsage, Wired,
};
use crate::{ModelFacts, ModelInfo};

/// The body of a call.
pub(crate) fn body(request: &ChatRequest, dialect: Dialect) -> Vec<u8> {
    let sampling = &request.sampling;
    let limit = |named: bool| sampling.max_tokens.filter(|_| named);
    let (effort, thinks) = (sampling.effort, |effort| if effort == Effort::None { "disabled" } else { "enabled" });
    let body = Body {
        model: &request.model,
        messages: List(&request.messages, dialect),
        tools: List(&request.tools, dialect),
        // Without tools the wire knows no choice among them and refuses it.
        tool_choice: sampling.tool_choice.as_ref().filter(|_| !request.tools.is_empty()).map(|choice| {
            match choice.as_str() {
                Some("required") if dialect.any_tool => Cow::Owned(Value::from("any")),
                _ => Cow::Borrowed(choice),
            }
        }),
        response_format: sampling.response_format.as_ref(),
        reasoning_effort: effort.filter(|_| dialect.effort == EffortAs::Word).map(Effort::as_str),
        reasoning: effort
            .filter(|_| dialect.effort == EffortAs::Object)
            .map(|effort| Reasoning { effort: effort.as_str() }),
        thinking: effort.filter(|_| dialect.effort == EffortAs::Switch).map(|effort| Switch { r#type: thinks(effort) }),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        max_tokens: limit(!dialect.max_completion_tokens),
        max_completion_tokens: limit(dialect.max_completion_tokens),
        stop: &sampling.stop,
        seed: sampling.seed.filter(|_| !dialect.random_seed),
        random_seed: sampling.seed.filter(|_| dialect.random_seed),
        stream: request.stream.then_some(true),
        stream_options: (request.stream && dialect.stream_options).then_some(StreamOptions { include_usage: true }),
    };
    let text: usize = request.messages.iter().map(|message| message.text.len() + 48).sum();
    let mut bytes = Vec::with_capacity(text + text / 16 + 256);
    serde_json::to_writer(&mut bytes, &body).expect("texts and numbers are JSON, and memory takes them");
    bytes
}

impl Wired for ChatMessage {
    fn wired(&self, dialect: Dialect) -> impl Serialize {
        let only_calls = self.role == Role::Assistant && self.text.is_empty() && !self.tool_calls.is_empty();
        Message {
            role: self.role,
            content: (!only_calls).then(|| said(self)),
            tool_calls: List(&self.tool_calls, dialect),
            tool_call_id: self.tool_call_id.as_deref().map(|id| dialect.id(id)),
        }
    }
}

fn said(message: &ChatMessage) -> Said<'_> {
    if message.images.is_empty() {
        return Said::Text(&message.text);
    }
    let images = message.images.iter().map(|image| Part::ImageUrl { image_url: ImageUrl { url: image.data_url() } });
    let text = (!message.text.is_empty()).then_some(Part::Text { text: &message.text });
    Said::Parts(text.into_iter().chain(images).collect())
}

impl Wired for ToolCall {
    fn wired(&self, dialect: Dialect) -> impl Serialize {
        // A model that calls a tool without arguments may write none, which servers refuse to be sent back.
        let arguments = if self.arguments.trim().is_empty() { "{}" } else { &self.arguments };
        // Some refuse fields that they do not know; of the others, whoever gave a signature wants it back.
        let signature = self.signature.as_deref().filter(|_| dialect.signatures);
        let extra_content =
            signature.map(|signature| Extra { google: Some(Signed { thought_signature: Some(signature.into()) }) });
        let function = CalledFunction { name: &self.name, arguments };
        Tool { id: Some(dialect.id(&self.id)), r#type: "function", function, extra_content }
    }
}

impl Wired for ToolOffer {
    fn wired(&self, _: Dialect) -> impl Serialize {
        let function =
            OfferedFunction { name: &self.name, description: &self.description, parameters: &self.parameters };
        Tool { id: None, r#type: "function", function, extra_content: None::<Extra<'_>> }
    }
}

/// The reason of a finish; an empty one is none.
pub(crate) fn stop_reason(text: &str) -> Option<StopReason> {
    match text {
        "" => None,
        "stop" | "end_turn" | "eos" | "stop_sequence" => Some(StopReason::Stop),
        "length" | "max_tokens" | "model_length" => Some(StopReason::Length),
        "tool_calls" | "function_call" | "tool_use" => Some(StopReason::ToolCalls),
        // The second is what Z.ai says.
        "content_filter" | "sensitive" => Some(StopReason::ContentFilter),
        _ => Some(StopReason::Other),
    }
}

/// What was used, if the server says it in a form we know; a strange one is no reason to lose an answer.
pub(crate) fn usage(raw: &RawValue) -> Option<Usage> {
    let wire: WireUsage = serde_json::from_str(raw.get()).ok()?;
    if wire.prompt_tokens.is_none() && wire.completion_tokens.is_none() {
        return None;
    }
    let prompt = wire.prompt_tokens_details.unwrap_or_default();
    Some(Usage {
        // DeepSeek has a name of its own.
        cached_input_tokens: prompt.cached_tokens.or(wire.prompt_cache_hit_tokens).unwrap_or(0),
        // OpenRouter's, for upstreams where writing has a price.
        cache_write_tokens: prompt.cache_write_tokens.unwrap_or(0),
        reasoning_tokens: wire.completion_tokens_details.unwrap_or_default().reasoning_tokens.unwrap_or(0),
        ..Usage::new(wire.prompt_tokens.unwrap_or(0), wire.completion_tokens.unwrap_or(0))
    })
}

/// The text of a call's arguments: a string is unwrapped, an object stays the JSON it is.
pub(crate) fn arguments(raw: &RawValue) -> Result<String, serde_json::Error> {
    match raw.get() {
        "null" => Ok(String::new()),
        text if text.starts_with('"') => serde_json::from_str(text),
        text => Ok(text.to_owned()),
    }
}

/// What servers say of a model, each under a name of its own: OpenRouter (prices per token, as texts), Groq, Mistral, vLLM.
fn facts(model: &Value) -> ModelFacts {
    let whole = |names: &[&str]| names.iter().find_map(|name| model.pointer(name)?.as_u64());
    let has = |list: &str, word: &str| {
        model.pointer(list)?.as_array().map(|list| list.iter().any(|entry| entry.as_str() == Some(word)))
    };
    let usd_per_mtok = |name: &str| {
        let per_token: f64 = model.pointer("/pricing")?.get(name)?.as_str()?.parse().ok()?;
        // A router's price is that of whom it asks: it says -1. Rounded, since a millionth of a cent is none.
        (per_token >= 0.0).then(|| (per_token * 1e12).round() / 1e6)
    };
    let price = usd_per_mtok("prompt").zip(usd_per_mtok("completion")).map(|(input, output)| Price {
        cached_input_usd_per_mtok: usd_per_mtok("input_cache_read"),
        cache_write_usd_per_mtok: usd_per_mtok("input_cache_write"),
        ..Price::new(input, output)
    });
    ModelFacts {
        context_tokens: whole(&["/context_length", "/context_window", "/max_model_len", "/max_context_length"]),
        output_tokens: whole(&["/top_provider/max_completion_tokens", "/max_completion_tokens"]),
        price,
        vision: has("/architecture/input_modalities", "image")
            .or_else(|| model.pointer("/capabilities/vision")?.as_bool()),
        tools: has("/supported_parameters", "tools")
            .or_else(|| model.pointer("/capabilities/function_calling")?.as_bool()),
        reasoning: has("/supported_parameters", "reasoning"),
    }
}

/// The models of a list, in its order.
pub(crate) fn models(body: &[u8]) -> Result<Vec<ModelInfo>, serde_json::Error> {
    let (Models::Wrapped { data: models } | Models::Bare(models)) = serde_json::from_slice(body)?;
    Ok(models.into_iter().map(|model| ModelInfo { facts: facts(&model.more.into()), id: model.id }).collect())
}
