//! Where servers of this wire differ in what they take. Each difference is one of their documentation, and named there
//! where the preset is.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// The limit of an answer is `max_completion_tokens`: where this is known, `max_tokens` is old or refused.
    pub(super) max_completion_tokens: bool,
    /// A stream's usage must be asked for.
    pub(super) stream_options: bool,
    /// How much to reason.
    pub(super) effort: EffortAs,
    /// Fields that are not known are passed over, so that signatures can go back with tool calls.
    pub(super) signatures: bool,
    /// `random_seed` in place of `seed`.
    pub(super) random_seed: bool,
    /// `any` in place of `required`, where some tool must be called.
    pub(super) any_tool: bool,
    /// Names of tool calls are nine letters or digits.
    pub(super) short_ids: bool,
}

/// How it is said how much to reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EffortAs {
    /// `reasoning_effort: "low"`
    Word,
    /// `reasoning: {"effort": "low"}`
    Object,
    /// `thinking: {"type": "enabled"}`
    Switch,
}

impl Dialect {
    /// Everybody who is not named: many do not know `max_completion_tokens`.
    pub(super) const COMPATIBLE: Self = Self {
        max_completion_tokens: false,
        stream_options: true,
        effort: EffortAs::Word,
        signatures: true,
        random_seed: false,
        any_tool: false,
        short_ids: false,
    };

    /// OpenAI itself: newer models refuse `max_tokens`, and all fields that it does not know.
    pub(super) const OPENAI: Self = Self { max_completion_tokens: true, signatures: false, ..Self::COMPATIBLE };

    /// The dialect spoken at `host`.
    pub(super) fn of(host: &str) -> Self {
        let openai = ["openai.com", "openai.azure.com"]
            .iter()
            .any(|name| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
        if openai { Self::OPENAI } else { Self::COMPATIBLE }
    }

    /// A call's name as the server takes it. Its own fit; those of another are made to, the same way each time.
    pub(super) fn id(self, id: &str) -> Cow<'_, str> {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        if !self.short_ids || id.len() == 9 && id.chars().all(|letter| letter.is_ascii_alphanumeric()) {
            return Cow::Borrowed(id);
        }
        let mut hash = DefaultHasher::new();
        id.hash(&mut hash);
        let hash = hash.finish();
        Cow::Owned((0..9).map(|at| char::from(LETTERS[(hash >> (5 * at)) as usize % 32])).collect())
    }
}
