//! Bounds that more than one room keeps.

use std::time::Duration;

/// Characters of one input, at the most.
pub const TEXT_CHARS: usize = 100_000;

/// Events of a journal that a fork takes over, at the most: the longest copy holds up other writes for about as long as a
/// slow disk's sync does.
pub const FORKED_EVENTS: i64 = 50_000;

/// Bytes of texts and files that a fork takes over, at the most.
pub const FORKED_BYTES: i64 = 64 << 20;

/// Files that go with one input, at the most.
pub const ATTACHMENTS: usize = 8;

/// Bytes of a text file: some 64,000 tokens, half of what usual models read at once.
pub const TEXT_FILE_BYTES: usize = 256 << 10;

/// Bytes of a picture: what Anthropic takes, the least of all.
/// <https://platform.claude.com/docs/en/build-with-claude/vision>
pub const PICTURE_BYTES: usize = 5 << 20;

/// Characters of a file's name, at the most.
pub const FILE_NAME_CHARS: usize = 200;

/// Inputs that may wait beside the running turn, in turns of their own or for its next step; the next is refused as
/// busy.
pub const WAITING_INPUTS: usize = 20;

/// Inputs that one turn takes; what would be the next gets a turn of its own. Bounds what a turn that is steered again
/// and again holds in memory.
pub const TURN_INPUTS: usize = 100;

/// Calls of tools in one answer of a model, at the most; of those beyond, the model is told.
pub const TOOL_CALLS: usize = 16;

/// Bytes of the arguments of one call; one with more is not run, and its model is told.
pub const TOOL_ARGUMENTS_BYTES: usize = 64 << 10;

/// Bytes of what one call says; the rest is left out, and the model is told so. Some 8,000 tokens: a quarter of what an
/// agent is sent.
pub const TOOL_RESULT_BYTES: usize = 32 << 10;

/// Characters of a call's arguments and of its result that events tell.
pub const TOOL_TOLD_CHARS: usize = 200;

/// Rules that say which models answer, of one person or of the config.
pub const RULES: usize = 100;

/// For so long an idempotency key names its turn.
pub const IDEMPOTENCY: Duration = Duration::from_secs(7 * 24 * 3600);

/// Rows of a page where none are asked for, and at the most.
pub const PAGE: (u32, u32) = (50, 200);

/// Messages of one session that a search looks into, the newest first.
pub const SEARCHED_MESSAGES: i64 = 20;

/// Sessions whose messages a search looks into, those that changed last. Titles are looked at in all of them, in the index
/// that lists read. Both bounds keep a search that finds nothing below a tenth of a second, without an index that each
/// message would pay for.
pub const SEARCHED_SESSIONS: i64 = 1_000;

/// Characters of a search, at the most.
pub const SEARCH_CHARS: usize = 200;

/// Characters of a session's title, taken from its first message.
pub const TITLE_CHARS: usize = 60;
