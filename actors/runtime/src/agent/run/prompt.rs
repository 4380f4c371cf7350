//! What is sent to the model: the system prompt and as much of the dialogue as fits, newest first.

use std::sync::Arc;

use mosaic_types::{ChatMessage, Role};

/// Assumed where a model's window is not configured.
const UNKNOWN_WINDOW: usize = 8_192;

/// Tokens a call's input may have: the agent's bound, and 80 % of the model's window so that an answer fits too.
pub(super) fn budget(context_tokens: usize, window: Option<usize>) -> usize {
    context_tokens.min(window.unwrap_or(UNKNOWN_WINDOW) * 4 / 5)
}

/// A cautious estimate: four bytes a token, a picture as [`PICTURE_TOKENS`](mosaic_types::attachment::PICTURE_TOKENS)
/// has it, and four tokens of wrapping a message. Exact counts differ by model and are not worth a tokenizer for each.
fn tokens(message: &ChatMessage) -> usize {
    message.weight_bytes().div_ceil(4) + 4
}

/// What a text of so many bytes may be in tokens.
pub(super) fn tokens_of(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

/// What a call's input may be in tokens.
pub(super) fn estimate(messages: &[ChatMessage]) -> u64 {
    u64::try_from(messages.iter().map(tokens).sum::<usize>()).unwrap_or(u64::MAX)
}

/// The messages of a call. `dialogue` ends in the inputs to answer, which are always sent; before them, whole exchanges
/// are kept, newest first, until the budget is spent.
pub(super) fn messages(system: &Arc<str>, dialogue: &[ChatMessage], budget: usize) -> Arc<[ChatMessage]> {
    let system = (!system.is_empty()).then(|| ChatMessage::new(Role::System, system.clone()));
    let mut left = budget.saturating_sub(system.as_ref().map_or(0, tokens));
    let mut from = dialogue.len();
    for (index, message) in dialogue.iter().enumerate().rev() {
        let cost = tokens(message);
        if cost > left && from < dialogue.len() {
            break;
        }
        left = left.saturating_sub(cost);
        // An exchange begins with what a person said, in one message or several: never cut between it and its answer.
        if message.role == Role::User && (index == 0 || dialogue[index - 1].role != Role::User) {
            from = index;
        }
    }
    system.into_iter().chain(dialogue[from..].iter().cloned()).collect()
}
