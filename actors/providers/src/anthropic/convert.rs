//! To and from the words every room shares. Pure.

use mosaic_types::chat::{Effort, Image, Sampling, ToolOffer};
use mosaic_types::{ChatMessage, ChatRequest, StopReason, ToolCall, Usage};
use serde_json::Value;
use serde_json::value::RawValue;

use super::wire::{
    Block, Body, CacheControl, Content, Format, Message, Model, Models, OutputConfig, Source, Thinking, Tool,
    ToolChoice, WireUsage,
};
use crate::catalogue::claude_output_tokens;
use crate::wire::dialogue::{Part, object, split, tidy};
use crate::{ModelFacts, ModelInfo};

/// The limit of an answer where nobody asked for one and the model is not known: the wire wants one, and every model
/// since Claude 3.5 takes this.
const MAX_TOKENS: u64 = 8192;

/// Tokens that a model must be given to think at all.
const LEAST_THINKING: u64 = 1024;

/// The body of a call.
pub(super) fn body(request: &ChatRequest) -> Vec<u8> {
    let sampling = &request.sampling;
    let max_tokens = sampling.max_tokens.or_else(|| claude_output_tokens(&request.model)).unwrap_or(MAX_TOKENS);
    let (system, parts) = split(&request.messages);
    let (thinking, effort) = thinking(&request.model, sampling.effort, max_tokens);
    let body = Body {
        model: &request.model,
        max_tokens,
        tools: tools(request, system.is_empty()),
        // Without tools the wire knows no choice among them and refuses it.
        tool_choice: sampling.tool_choice.as_ref().filter(|_| !request.tools.is_empty()).and_then(tool_choice),
        system: instructions(&system),
        messages: messages(&parts),
        thinking,
        output_config: OutputConfig { effort, format: format(sampling) },
        // Its scale ends at 1, OpenAI's at 2.
        temperature: sampling.temperature.map(|temperature| temperature.min(1.0)),
        top_p: sampling.top_p,
        stop_sequences: &sampling.stop,
        stream: request.stream.then_some(true),
    };
    serde_json::to_vec(&body).expect("texts and numbers are JSON, and memory takes them")
}

/// The last of them ends what is the same in every call of an agent: the tools stand before it.
fn instructions<'a>(system: &[&'a str]) -> Vec<Block<'a>> {
    let last = system.len().saturating_sub(1);
    let block = |(at, text): (usize, &&'a str)| Block::Text {
        text,
        cache_control: (at == last).then_some(CacheControl::Ephemeral),
    };
    system.iter().enumerate().map(block).collect()
}

fn tools<'a>(request: &'a ChatRequest, ends_prefix: bool) -> Vec<Tool<'a>> {
    let last = request.tools.len().saturating_sub(1);
    let tool = |(at, offer): (usize, &'a ToolOffer)| Tool {
        name: &offer.name,
        description: &offer.description,
        input_schema: &offer.parameters,
        cache_control: (ends_prefix && at == last).then_some(CacheControl::Ephemeral),
    };
    request.tools.iter().enumerate().map(tool).collect()
}

/// The dialogue: what one side said in a row is one message, as results and what follows them must be.
fn messages<'a>(parts: &[Part<'a>]) -> Vec<Message<'a>> {
    let mut messages: Vec<(&'static str, Vec<Block<'a>>)> = Vec::new();
    for part in parts {
        let (role, blocks) = match part {
            Part::System(message) | Part::User(message) => ("user", user(message)),
            Part::Assistant(message) => ("assistant", assistant(message)),
            Part::Results(results) => {
                let result = |(call, content): &(&'a ToolCall, &'a str)| Block::ToolResult {
                    tool_use_id: tidy(&call.id),
                    content,
                };
                ("user", results.iter().map(result).collect())
            }
        };
        match messages.last_mut() {
            Some((last, so_far)) if *last == role => so_far.extend(blocks),
            _ => messages.push((role, blocks)),
        }
    }
    let plain = |blocks: Vec<Block<'a>>| match blocks[..] {
        [Block::Text { text, .. }] => Content::Text(text),
        _ => Content::Blocks(blocks),
    };
    messages.into_iter().map(|(role, blocks)| Message { role, content: plain(blocks) }).collect()
}

/// What is to be looked at stands before what is said of it, as the documentation asks for.
fn user<'a>(message: &'a ChatMessage) -> Vec<Block<'a>> {
    let image = |Image { media_type, data }: &'a Image| Block::Image { source: Source::Base64 { media_type, data } };
    let mut blocks: Vec<_> = message.images.iter().map(image).collect();
    if !message.text.is_empty() {
        blocks.push(text(message));
    }
    blocks
}

fn text(message: &ChatMessage) -> Block<'_> {
    Block::Text { text: &message.text, cache_control: None }
}

fn assistant(message: &ChatMessage) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    // Thinking comes first, and only where it is ours: another provider's signature is no list.
    let kept = message.tool_calls.first().and_then(|call| call.signature.as_deref());
    let kept: Vec<&RawValue> = kept.and_then(|kept| serde_json::from_str(kept).ok()).unwrap_or_default();
    blocks.extend(kept.into_iter().map(Block::Kept));
    if !message.text.is_empty() {
        blocks.push(text(message));
    }
    blocks.extend(message.tool_calls.iter().map(|call| Block::ToolUse {
        id: tidy(&call.id),
        name: &call.name,
        input: object(&call.arguments),
    }));
    blocks
}

/// What OpenAI's clients ask for, in this wire's words; what it has no word for is the model's own choice.
fn tool_choice(choice: &Value) -> Option<ToolChoice<'_>> {
    match choice.as_str() {
        Some("auto") => Some(ToolChoice::Auto),
        Some("none") => Some(ToolChoice::None),
        Some("required") => Some(ToolChoice::Any),
        _ => choice["function"]["name"].as_str().map(|name| ToolChoice::Tool { name }),
    }
}

/// A schema; the wire has no "some JSON" without one.
fn format(sampling: &Sampling) -> Option<Format<'_>> {
    let schema = sampling.response_format.as_ref()?.get("json_schema")?.get("schema")?;
    Some(Format::JsonSchema { schema })
}

/// How to think, and how hard: Claude 4.6 and later decide for themselves, those before are given a budget, which must
/// leave room for the answer.
fn thinking(model: &str, effort: Option<Effort>, max_tokens: u64) -> (Option<Thinking>, Option<&'static str>) {
    let Some(effort) = effort.filter(|effort| *effort != Effort::None) else { return (None, None) };
    if !wants_budget(model) {
        let effort = match effort {
            Effort::None | Effort::Minimal | Effort::Low => "low",
            Effort::Medium => "medium",
            // What is above has another name from model to model.
            Effort::High | Effort::Xhigh => "high",
        };
        return (Some(Thinking::Adaptive { display: "summarized" }), Some(effort));
    }
    let wanted = match effort {
        Effort::None | Effort::Minimal => LEAST_THINKING,
        Effort::Low => 2048,
        Effort::Medium => 8192,
        Effort::High => 16_384,
        Effort::Xhigh => 32_768,
    };
    let budget_tokens = wanted.min(max_tokens / 2);
    ((budget_tokens >= LEAST_THINKING).then_some(Thinking::Enabled { budget_tokens }), None)
}

fn wants_budget(model: &str) -> bool {
    let old = ["claude-3", "claude-opus-4-1", "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"];
    old.iter().any(|old| model.starts_with(old))
        // Claude 4 itself carries a date or a zero.
        || ["claude-opus-4", "claude-sonnet-4"].iter().any(|name| {
            model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("-0") || rest.starts_with("-2"))
        })
}

/// Why it stopped.
pub(super) fn stop_reason(text: &str) -> StopReason {
    match text {
        "end_turn" | "stop_sequence" => StopReason::Stop,
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "tool_use" => StopReason::ToolCalls,
        "refusal" => StopReason::ContentFilter,
        _ => StopReason::Other,
    }
}

/// What was used so far: what is told later counts for more, and holds for the whole answer.
pub(super) fn usage(known: &mut WireUsage, told: WireUsage) -> Usage {
    known.input_tokens = told.input_tokens.or(known.input_tokens);
    known.cache_creation_input_tokens = told.cache_creation_input_tokens.or(known.cache_creation_input_tokens);
    known.cache_read_input_tokens = told.cache_read_input_tokens.or(known.cache_read_input_tokens);
    known.output_tokens = told.output_tokens.or(known.output_tokens);
    let (read, written) = (known.cache_read_input_tokens.unwrap_or(0), known.cache_creation_input_tokens.unwrap_or(0));
    let input = known.input_tokens.unwrap_or(0).saturating_add(read).saturating_add(written);
    Usage {
        cached_input_tokens: read,
        cache_write_tokens: written,
        ..Usage::new(input, known.output_tokens.unwrap_or(0))
    }
}

/// The models of a list, in its order.
pub(super) fn models(body: &[u8]) -> Result<Vec<ModelInfo>, serde_json::Error> {
    let models: Models = serde_json::from_slice(body)?;
    let info = |model: Model| {
        let (context_tokens, output_tokens) = (model.max_input_tokens, model.max_tokens);
        ModelInfo { id: model.id, facts: ModelFacts { context_tokens, output_tokens, ..ModelFacts::default() } }
    };
    Ok(models.data.into_iter().map(info).collect())
}
