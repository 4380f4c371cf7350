//! The answer to it, whole or in pieces.

use mosaic_types::Usage;
use serde::Serialize;
use utoipa::ToSchema;

use super::Extra;

/// Tokens, as this wire counts them.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = CompletionUsage)]
pub(in crate::gateway::openai) struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
}

/// Of the prompt; left out where it is none.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = CompletionPromptDetails)]
struct PromptDetails {
    cached_tokens: u64,
}

/// Of the completion; left out where it is none.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = CompletionDetails)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input_tokens,
            completion_tokens: usage.output_tokens,
            total_tokens: usage.input_tokens.saturating_add(usage.output_tokens),
            prompt_tokens_details: (usage.cached_input_tokens > 0)
                .then_some(PromptDetails { cached_tokens: usage.cached_input_tokens }),
            completion_tokens_details: (usage.reasoning_tokens > 0)
                .then_some(CompletionDetails { reasoning_tokens: usage.reasoning_tokens }),
        }
    }
}

/// A whole answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionAnswer)]
pub(in crate::gateway::openai) struct Completed<'a> {
    pub(in crate::gateway::openai) id: &'a str,
    pub(in crate::gateway::openai) object: &'static str,
    pub(in crate::gateway::openai) created: i64,
    pub(in crate::gateway::openai) model: &'a str,
    pub(in crate::gateway::openai) choices: [Choice<'a>; 1],
    pub(in crate::gateway::openai) usage: WireUsage,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionChoice)]
pub(in crate::gateway::openai) struct Choice<'a> {
    pub(in crate::gateway::openai) index: u32,
    pub(in crate::gateway::openai) message: Said<'a>,
    pub(in crate::gateway::openai) finish_reason: &'a str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionSaid)]
pub(in crate::gateway::openai) struct Said<'a> {
    pub(in crate::gateway::openai) role: &'static str,
    /// `null` where the model only called tools.
    #[schema(required)]
    pub(in crate::gateway::openai) content: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(in crate::gateway::openai) tool_calls: &'a [SaidCall],
}

/// A tool call of a whole answer.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CompletionSaidCall)]
pub(in crate::gateway::openai) struct SaidCall {
    pub(in crate::gateway::openai) id: String,
    #[serde(rename = "type")]
    pub(in crate::gateway::openai) kind: CallKind,
    pub(in crate::gateway::openai) function: SaidFunction,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway::openai) extra_content: Option<Extra>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CompletionSaidFunction)]
pub(in crate::gateway::openai) struct SaidFunction {
    pub(in crate::gateway::openai) name: String,
    pub(in crate::gateway::openai) arguments: String,
}

/// The only kind of call this wire has.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CompletionCallKind)]
pub(in crate::gateway::openai) enum CallKind {
    #[default]
    Function,
}

/// A piece of a streamed answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionChunk)]
pub(in crate::gateway) struct Chunk<'a> {
    pub(in crate::gateway::openai) id: &'a str,
    pub(in crate::gateway::openai) object: &'static str,
    pub(in crate::gateway::openai) created: i64,
    pub(in crate::gateway::openai) model: &'a str,
    /// None in the chunk that tells the usage.
    pub(in crate::gateway::openai) choices: Vec<ChunkChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway::openai) usage: Option<WireUsage>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionChunkChoice)]
pub(in crate::gateway::openai) struct ChunkChoice<'a> {
    pub(in crate::gateway::openai) index: u32,
    pub(in crate::gateway::openai) delta: Delta<'a>,
    #[schema(required)]
    pub(in crate::gateway::openai) finish_reason: Option<&'a str>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CompletionDelta)]
pub(in crate::gateway::openai) struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway::openai) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway::openai) content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway::openai) reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway::openai) tool_calls: Option<[CallPiece<'a>; 1]>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionCallPiece)]
pub(in crate::gateway::openai) struct CallPiece<'a> {
    pub(in crate::gateway::openai) index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway::openai) id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway::openai) kind: Option<CallKind>,
    pub(in crate::gateway::openai) function: FunctionPiece<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway::openai) extra_content: Option<Extra>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionFunctionPiece)]
pub(in crate::gateway::openai) struct FunctionPiece<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gateway::openai) name: Option<&'a str>,
    pub(in crate::gateway::openai) arguments: &'a str,
}
