//! The request and response shapes of the OpenAI wire, as far as Mosaic speaks it.

mod answer;
mod request;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(in crate::gateway) use answer::Chunk;
pub(super) use answer::{CallKind, CallPiece, Choice, ChunkChoice, Completed, Delta, FunctionPiece, Said, SaidCall};
pub(super) use request::Completion;

/// What a provider wants to have back with a tool call, under the name that Google's own endpoint of this wire gives it:
/// clients that know it send it back as it came.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = CompletionCallExtra)]
pub(super) struct Extra {
    #[serde(default)]
    google: Signed,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = CompletionCallSignature)]
struct Signed {
    #[serde(default)]
    thought_signature: Option<String>,
}

impl From<String> for Extra {
    fn from(thought_signature: String) -> Self {
        Self { google: Signed { thought_signature: Some(thought_signature) } }
    }
}

impl Extra {
    /// The signature in it.
    fn signature(self) -> Option<String> {
        self.google.thought_signature
    }
}
