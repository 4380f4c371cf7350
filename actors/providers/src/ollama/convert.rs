//! To and from the words every room shares. Pure.

use mosaic_types::chat::{Effort, Sampling, ToolOffer};
use mosaic_types::{ChatRequest, StopReason, ToolCall, Usage};

use super::wire::{Body, Call, Format, Function, Line, Message, Models, Offer, Options, Think, Tool};
use crate::ModelInfo;
use crate::wire::dialogue::{Part, object, split};

/// The body of a call to a model that is given a window of `num_ctx` tokens.
pub(super) fn body(request: &ChatRequest, num_ctx: u64) -> Vec<u8> {
    let sampling = &request.sampling;
    let body = Body {
        model: &request.model,
        messages: messages(request),
        // There is no word for a choice among them but to offer none.
        tools: if offers_none(sampling) { Vec::new() } else { request.tools.iter().map(tool).collect() },
        format: format(sampling),
        think: sampling.effort.map(|effort| think(&request.model, effort)),
        options: Options {
            num_ctx,
            num_predict: sampling.max_tokens,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            stop: &sampling.stop,
            seed: sampling.seed,
        },
        stream: request.stream,
        // Unless told so it drops the beginning of a dialogue that is too long, and says nothing of it.
        truncate: false,
        shift: false,
    };
    serde_json::to_vec(&body).expect("texts and numbers are JSON, and memory takes them")
}

fn offers_none(sampling: &Sampling) -> bool {
    sampling.tool_choice.as_ref().is_some_and(|choice| choice == "none")
}

fn messages<'a>(request: &'a ChatRequest) -> Vec<Message<'a>> {
    let (system, parts) = split(&request.messages);
    let mut messages: Vec<Message<'a>> =
        system.into_iter().map(|content| Message { role: "system", content, ..Message::default() }).collect();
    for part in parts {
        match part {
            Part::System(said) => messages.push(Message { role: "system", content: &said.text, ..Message::default() }),
            Part::User(said) => {
                let images = said.images.iter().map(|image| &*image.data).collect();
                messages.push(Message { role: "user", content: &said.text, images, ..Message::default() });
            }
            Part::Assistant(said) => {
                let call = |call: &'a ToolCall| {
                    let function = Function { name: &call.name, arguments: object(&call.arguments) };
                    Call { id: &call.id, function }
                };
                let tool_calls = said.tool_calls.iter().map(call).collect();
                messages.push(Message { role: "assistant", content: &said.text, tool_calls, ..Message::default() });
            }
            Part::Results(results) => messages.extend(results.into_iter().map(|(call, content)| Message {
                role: "tool",
                content,
                tool_name: Some(&call.name),
                tool_call_id: Some(&call.id),
                ..Message::default()
            })),
        }
    }
    messages
}

fn tool(offer: &ToolOffer) -> Tool<'_> {
    let function = Offer { name: &offer.name, description: &offer.description, parameters: &offer.parameters };
    Tool { r#type: "function", function }
}

fn format(sampling: &Sampling) -> Option<Format<'_>> {
    let format = sampling.response_format.as_ref()?;
    match format.get("json_schema").and_then(|schema| schema.get("schema")) {
        Some(schema) => Some(Format::Schema(schema)),
        None => (format["type"] == "json_object").then_some(Format::Word("json")),
    }
}

fn think(model: &str, effort: Effort) -> Think {
    // A model may be of somebody's: `namespace/gpt-oss:20b`.
    if !model.rsplit('/').next().unwrap_or(model).starts_with("gpt-oss") {
        return Think::Whether(effort != Effort::None);
    }
    Think::HowMuch(match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Xhigh => "high",
    })
}

/// Why it stopped; older versions give no reason.
pub(super) fn stop_reason(text: Option<&str>) -> StopReason {
    match text {
        None | Some("" | "stop") => StopReason::Stop,
        Some("length") => StopReason::Length,
        Some(_) => StopReason::Other,
    }
}

/// What was used, if it says so.
pub(super) fn usage(line: &Line<'_>) -> Option<Usage> {
    if line.prompt_eval_count.is_none() && line.eval_count.is_none() {
        return None;
    }
    let cached_input_tokens = line.prompt_eval_cached_count.unwrap_or(0);
    let (input, output) = (line.prompt_eval_count.unwrap_or(0), line.eval_count.unwrap_or(0));
    Some(Usage { cached_input_tokens, ..Usage::new(input, output) })
}

/// The models of a list, in its order: the newest first.
pub(super) fn models(body: &[u8]) -> Result<Vec<ModelInfo>, serde_json::Error> {
    let Models { models } = serde_json::from_slice(body)?;
    Ok(models.into_iter().map(|model| ModelInfo::new(model.name)).collect())
}
