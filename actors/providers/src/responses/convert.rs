//! To and from the words every room shares. Pure.

use std::borrow::Cow;

use mosaic_types::chat::{Effort, Sampling, ToolOffer};
use mosaic_types::{ChatMessage, ChatRequest, StopReason, ToolCall, Usage};
use serde_json::{Value, json};

use super::wire::{self, Body, Format, Item, Reasoning, Said, Tagged, Text, Tool, WireUsage};
use crate::wire::dialogue::{Part, split, tidy};

/// The body of a call.
pub(super) fn body(request: &ChatRequest) -> Vec<u8> {
    let sampling = &request.sampling;
    let body = Body {
        model: &request.model,
        input: input(request),
        tools: request.tools.iter().map(tool).collect(),
        // Without tools the wire knows no choice among them and refuses it.
        tool_choice: sampling.tool_choice.as_ref().filter(|_| !request.tools.is_empty()).map(tool_choice),
        text: format(sampling).map(|format| Text { format }),
        reasoning: sampling
            .effort
            .map(|effort| Reasoning { effort: effort.as_str(), summary: (effort != Effort::None).then_some("auto") }),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        max_output_tokens: sampling.max_tokens,
        store: false,
        stream: request.stream.then_some(true),
    };
    serde_json::to_vec(&body).expect("texts and numbers are JSON, and memory takes them")
}

fn input(request: &ChatRequest) -> Vec<Item<'_>> {
    let (system, parts) = split(&request.messages);
    let mut items: Vec<_> = system.into_iter().map(|content| plain("system", content)).collect();
    for part in &parts {
        match part {
            Part::System(said) => items.push(plain("system", &said.text)),
            Part::User(said) => items.push(user(said)),
            Part::Assistant(said) => {
                if !said.text.is_empty() {
                    items.push(plain("assistant", &said.text));
                }
                items.extend(said.tool_calls.iter().map(call));
            }
            Part::Results(results) => items.extend(
                results
                    .iter()
                    .map(|(call, output)| Item::Tagged(Tagged::FunctionCallOutput { call_id: tidy(&call.id), output })),
            ),
        }
    }
    items
}

fn plain<'a>(role: &'static str, text: &'a str) -> Item<'a> {
    Item::Message { role, content: Said::Text(text) }
}

fn user(message: &ChatMessage) -> Item<'_> {
    if message.images.is_empty() {
        return plain("user", &message.text);
    }
    let images = message.images.iter().map(|image| wire::Part::InputImage { image_url: image.data_url() });
    let text = (!message.text.is_empty()).then_some(wire::Part::InputText { text: &message.text });
    Item::Message { role: "user", content: Said::Parts(text.into_iter().chain(images).collect()) }
}

fn call(call: &ToolCall) -> Item<'_> {
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    Item::Tagged(Tagged::FunctionCall { call_id: tidy(&call.id), name: &call.name, arguments })
}

fn tool(offer: &ToolOffer) -> Tool<'_> {
    let ToolOffer { name, description, parameters } = offer;
    Tool { r#type: "function", name, description, parameters, strict: false }
}

/// The same words as on the older wire, but that a named function stands one level higher.
fn tool_choice(choice: &Value) -> Cow<'_, Value> {
    match choice["function"]["name"].as_str() {
        Some(name) => Cow::Owned(json!({"type": "function", "name": name})),
        None => Cow::Borrowed(choice),
    }
}

fn format(sampling: &Sampling) -> Option<Format<'_>> {
    let format = sampling.response_format.as_ref()?;
    match (format.get("json_schema"), format["type"].as_str()) {
        (Some(schema), _) => Some(Format::JsonSchema {
            name: schema["name"].as_str().unwrap_or("answer"),
            schema: schema.get("schema")?,
            strict: schema["strict"].as_bool(),
        }),
        (None, Some("json_object")) => Some(Format::JsonObject),
        _ => None,
    }
}

/// Why an answer is not complete.
pub(super) fn stop_reason(reason: Option<&str>) -> StopReason {
    match reason {
        Some("max_output_tokens") => StopReason::Length,
        Some("content_filter") => StopReason::ContentFilter,
        _ => StopReason::Other,
    }
}

/// What was used.
pub(super) fn usage(wire: WireUsage) -> Usage {
    let input = wire.input_tokens_details.unwrap_or_default();
    Usage {
        cached_input_tokens: input.cached_tokens.unwrap_or(0),
        cache_write_tokens: input.cache_write_tokens.unwrap_or(0),
        reasoning_tokens: wire.output_tokens_details.unwrap_or_default().reasoning_tokens.unwrap_or(0),
        ..Usage::new(wire.input_tokens.unwrap_or(0), wire.output_tokens.unwrap_or(0))
    }
}
