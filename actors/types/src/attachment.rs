//! Files that go with a message: text that is read, pictures that are looked at.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::AttachmentId;

/// Tokens that a picture is taken for: what Anthropic counts for the largest that it does not shrink, and more than
/// most of OpenAI's and Gemini's cost. <https://platform.claude.com/docs/en/build-with-claude/vision>
pub const PICTURE_TOKENS: usize = 1_600;

/// Bytes that stand around a text file where a model reads it, about.
const MARK_BYTES: usize = 256;

/// The types of pictures that every provider takes.
pub const PICTURES: &[&str] = &["image/png", "image/jpeg", "image/webp", "image/gif"];

/// A file as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttachmentRow {
    pub id: AttachmentId,
    /// As its sender calls it; data, never a path.
    pub name: String,
    /// As in `image/png`; what is no picture is text.
    pub media_type: String,
    pub size_bytes: u64,
}

impl AttachmentRow {
    /// Whether it is to be looked at, not read.
    pub fn is_picture(&self) -> bool {
        PICTURES.contains(&self.media_type.as_str())
    }

    /// What it takes of a model's window, in bytes of text.
    pub fn weight_bytes(&self) -> usize {
        let text = || usize::try_from(self.size_bytes).unwrap_or(usize::MAX).saturating_add(MARK_BYTES);
        if self.is_picture() { PICTURE_TOKENS * 4 } else { text() }
    }
}

/// The files of one message, in the order in which they were given; without what is in them.
pub type Files = Arc<[AttachmentRow]>;

/// A file with what is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    pub row: AttachmentRow,
    pub data: Arc<[u8]>,
}

/// Without what is in it.
impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row.fmt(f)
    }
}

/// What lists show of `all`.
pub fn rows(all: &[Attachment]) -> Files {
    all.iter().map(|file| file.row.clone()).collect()
}
