//! To and from the words every room shares. Pure.

use mosaic_types::chat::{Effort, ToolOffer};
use mosaic_types::{ChatMessage, ChatRequest, StopReason, Usage};
use serde_json::Value;

use super::wire::{
    Blob, Body, CallingConfig, Content, Declaration, FunctionCall, FunctionResponse, GenerationConfig, Model, Models,
    Outcome, Part, ThinkingConfig, ToolConfig, Tools, WireUsage,
};
use crate::wire::call_id::given;
use crate::wire::dialogue::{self, object, split};
use crate::{ModelFacts, ModelInfo};

/// What stands in the place of a signature that is not to be had, since another model made the call.
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The body of a call.
pub(super) fn body(request: &ChatRequest) -> Vec<u8> {
    let (system, parts) = split(&request.messages);
    let system =
        (!system.is_empty()).then(|| Content { role: None, parts: system.into_iter().map(Part::Text).collect() });
    // Without tools the wire knows no choice among them.
    let choice = request.sampling.tool_choice.as_ref().filter(|_| !request.tools.is_empty());
    let body = Body {
        system_instruction: system,
        contents: contents(&parts, signs(&request.model)),
        tools: tools(&request.tools),
        tool_config: choice.and_then(tool_config),
        generation_config: generation(request),
    };
    serde_json::to_vec(&body).expect("texts and numbers are JSON, and memory takes them")
}

/// The dialogue: what one side said in a row is one content.
fn contents<'a>(parts: &[dialogue::Part<'a>], signed: bool) -> Vec<Content<'a>> {
    let mut contents: Vec<Content<'a>> = Vec::new();
    for part in parts {
        let (role, parts) = match part {
            dialogue::Part::System(message) | dialogue::Part::User(message) => ("user", user(message)),
            dialogue::Part::Assistant(message) => ("model", model(message, signed)),
            dialogue::Part::Results(results) => {
                let result = |(call, result): &(&'a mosaic_types::ToolCall, &'a str)| {
                    let (id, response) = (given(&call.id), Outcome { result });
                    Part::FunctionResponse(FunctionResponse { id, name: &call.name, response })
                };
                ("user", results.iter().map(result).collect())
            }
        };
        match contents.last_mut() {
            Some(last) if last.role == Some(role) => last.parts.extend(parts),
            _ => contents.push(Content { role: Some(role), parts }),
        }
    }
    contents
}

fn user(message: &ChatMessage) -> Vec<Part<'_>> {
    let images = message.images.iter();
    let text = (!message.text.is_empty()).then_some(Part::Text(&message.text));
    images.map(|image| Part::InlineData(Blob { mime_type: &image.media_type, data: &image.data })).chain(text).collect()
}

fn model(message: &ChatMessage, signed: bool) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    if !message.text.is_empty() {
        parts.push(Part::Text(&message.text));
    }
    // Of calls made at once only the first is signed. A list is Anthropic's.
    let ours = |signature: &&str| !signature.starts_with('[');
    parts.extend(message.tool_calls.iter().enumerate().map(|(at, call)| Part::Call {
        function_call: FunctionCall { id: given(&call.id), name: &call.name, args: object(&call.arguments) },
        thought_signature: call.signature.as_deref().filter(ours).or((signed && at == 0).then_some(NO_SIGNATURE)),
    }));
    parts
}

fn tools(offers: &[ToolOffer]) -> Vec<Tools<'_>> {
    if offers.is_empty() {
        return Vec::new();
    }
    let declared = offers.iter().map(|offer| Declaration {
        name: &offer.name,
        description: &offer.description,
        parameters_json_schema: &offer.parameters,
    });
    vec![Tools { function_declarations: declared.collect() }]
}

/// What OpenAI's clients ask for, in this wire's words; what it has no word for is the model's own choice.
fn tool_config(choice: &Value) -> Option<ToolConfig<'_>> {
    let named = choice["function"]["name"].as_str();
    let mode = match (choice.as_str(), named) {
        (Some("auto"), _) => "AUTO",
        (Some("none"), _) => "NONE",
        (Some("required"), _) | (_, Some(_)) => "ANY",
        _ => return None,
    };
    Some(ToolConfig {
        function_calling_config: CallingConfig { mode, allowed_function_names: named.map(|name| [name]) },
    })
}

fn generation(request: &ChatRequest) -> GenerationConfig<'_> {
    let sampling = &request.sampling;
    let format = sampling.response_format.as_ref();
    let schema = format.and_then(|format| format.get("json_schema")?.get("schema"));
    let wants_json = schema.is_some() || format.is_some_and(|format| format["type"] == "json_object");
    GenerationConfig {
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        max_output_tokens: sampling.max_tokens,
        stop_sequences: &sampling.stop,
        seed: sampling.seed,
        response_mime_type: wants_json.then_some("application/json"),
        response_json_schema: schema,
        thinking_config: sampling.effort.and_then(|effort| thinking(&request.model, effort)),
    }
}

/// Whether a model wants signatures with its calls: Gemini 3 and later do.
fn signs(model: &str) -> bool {
    model.starts_with("gemini-") && !["gemini-1", "gemini-2"].iter().any(|old| model.starts_with(old))
}

/// How much to think, as the model's generation wants to be told; those that do not think take no such word.
fn thinking(model: &str, effort: Effort) -> Option<ThinkingConfig> {
    let include_thoughts = effort != Effort::None;
    if model.starts_with("gemini-2.5") {
        // Pro thinks a little in any case, the others can do without; 24,576 is the most that all of them take.
        let least = if model.contains("pro") { 128 } else { 0 };
        let budget = match effort {
            Effort::None => least,
            Effort::Minimal => 512,
            Effort::Low => 2048,
            Effort::Medium => 8192,
            Effort::High | Effort::Xhigh => 24_576,
        };
        return Some(ThinkingConfig { include_thoughts, thinking_budget: Some(budget), thinking_level: None });
    }
    let level = match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Xhigh => "high",
    };
    signs(model).then_some(ThinkingConfig { include_thoughts, thinking_budget: None, thinking_level: Some(level) })
}

/// Why it stopped; an error's text where the model did what nobody can use.
pub(super) fn stop_reason(text: &str) -> Result<Option<StopReason>, &'static str> {
    Ok(Some(match text {
        "" | "FINISH_REASON_UNSPECIFIED" => return Ok(None),
        "STOP" => StopReason::Stop,
        "MAX_TOKENS" => StopReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => StopReason::ContentFilter,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" | "MALFORMED_RESPONSE" => {
            return Err("the model made a call that its provider could not read");
        }
        _ => StopReason::Other,
    }))
}

/// What was used. The wire counts thoughts beside the answer, and what tools of its own read beside the prompt.
pub(super) fn usage(wire: &WireUsage) -> Usage {
    let thoughts = wire.thoughts_token_count.unwrap_or(0);
    let input = wire.prompt_token_count.unwrap_or(0).saturating_add(wire.tool_use_prompt_token_count.unwrap_or(0));
    Usage {
        cached_input_tokens: wire.cached_content_token_count.unwrap_or(0),
        reasoning_tokens: thoughts,
        ..Usage::new(input, wire.candidates_token_count.unwrap_or(0).saturating_add(thoughts))
    }
}

/// The models of a list that can be talked to, in its order.
pub(super) fn models(body: &[u8]) -> Result<Vec<ModelInfo>, serde_json::Error> {
    let Models { models } = serde_json::from_slice(body)?;
    let talks = |methods: &Vec<String>| methods.iter().any(|method| method == "generateContent");
    let talking = models.into_iter().filter(|model| model.supported_generation_methods.as_ref().is_none_or(talks));
    let plain = |name: String| name.strip_prefix("models/").map_or(name.clone(), str::to_owned);
    let info = |model: Model| {
        let (context_tokens, output_tokens) = (model.input_token_limit, model.output_token_limit);
        let facts = ModelFacts { context_tokens, output_tokens, reasoning: model.thinking, ..ModelFacts::default() };
        ModelInfo { id: plain(model.name), facts }
    };
    Ok(talking.map(info).collect())
}
