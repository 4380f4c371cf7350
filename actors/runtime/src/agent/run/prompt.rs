//! What is sent to the model: the system prompt and as much of the dialogue as fits, newest first.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use mosaic_types::{ChatMessage, Role};

/// Assumed where a model's window is not configured.
const UNKNOWN_WINDOW: usize = 8_192;

/// In place of what a tool said, where that does not fit any more.
const LEFT_OUT: &str = "[What this call said is left out: it does not fit. Call the tool again if you need it.]";

/// What a model is told where a call has no result: it must be told something.
const NO_RESULT: &str = "The outcome of this call is not known.";

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

/// The messages of a call. `dialogue` ends in the inputs to answer and in what tools said since, which are always sent;
/// before them, whole exchanges are kept, newest first, until the budget is spent. A call of a tool and its result are of
/// one exchange, so neither is ever sent alone.
pub(super) fn messages(system: &Arc<str>, dialogue: &[ChatMessage], budget: usize) -> Arc<[ChatMessage]> {
    let system = (!system.is_empty()).then(|| ChatMessage::new(Role::System, system.clone()));
    let room = budget.saturating_sub(system.as_ref().map_or(0, tokens));
    let (mut from, mut left) = (dialogue.len(), room);
    for (index, message) in dialogue.iter().enumerate().rev() {
        let cost = tokens(message);
        if cost > left && from < dialogue.len() {
            break;
        }
        left = left.saturating_sub(cost);
        // An exchange begins with what a person said, in one message or several: never cut between it and its answer, also
        // where more was said while tools ran.
        let begins = || index == 0 || ends_exchange(&dialogue[index - 1]);
        if message.role == Role::User && begins() {
            from = index;
        }
    }
    let mut sent: Vec<_> = dialogue[from..].to_vec();
    shorten(&mut sent, room);
    system.into_iter().chain(sent).collect()
}

/// Whether what was asked before is answered with this.
pub(crate) fn ends_exchange(message: &ChatMessage) -> bool {
    message.role == Role::Assistant && message.tool_calls.is_empty()
}

/// Where even the exchange that is to be answered does not fit, leaves out what tools said in it, the oldest first.
fn shorten(sent: &mut [ChatMessage], room: usize) {
    let mut over = sent.iter().map(tokens).sum::<usize>().saturating_sub(room);
    for message in sent.iter_mut().filter(|message| message.role == Role::Tool && message.text.len() > LEFT_OUT.len()) {
        if over == 0 {
            break;
        }
        let before = tokens(message);
        message.text = LEFT_OUT.into();
        over = over.saturating_sub(before - tokens(message));
    }
}

/// The messages as a model takes them that calls tools, or none (`offered`): every call has one result right behind it,
/// and no result is without its call. To a model that is offered none, what was called is told in words.
pub(super) fn with_tools(messages: Arc<[ChatMessage]>, offered: bool) -> Arc<[ChatMessage]> {
    if messages.iter().all(|message| message.role != Role::Tool && message.tool_calls.is_empty()) {
        return messages;
    }
    let mut whole = Vec::with_capacity(messages.len());
    let mut rest = messages.iter().peekable();
    while let Some(message) = rest.next() {
        if message.role == Role::Tool {
            continue;
        }
        if message.tool_calls.is_empty() {
            whole.push(message.clone());
            continue;
        }
        let mut results = HashMap::new();
        while let Some(result) = rest.next_if(|next| next.role == Role::Tool) {
            results.entry(result.tool_call_id.as_deref().unwrap_or_default()).or_insert(&result.text);
        }
        let said = |id: &str| results.get(id).map_or_else(|| NO_RESULT.into(), |text| Arc::clone(text));
        if offered {
            whole.push(message.clone());
            whole.extend(message.tool_calls.iter().map(|call| ChatMessage {
                tool_call_id: Some(call.id.clone()),
                ..ChatMessage::new(Role::Tool, said(&call.id))
            }));
        } else {
            let mut text = message.text.as_ref().to_owned();
            for call in &message.tool_calls {
                let _ = write!(text, "\n[{} {} said: {}]", call.name, call.arguments, said(&call.id));
            }
            whole.push(ChatMessage::new(Role::Assistant, text.trim_start()));
        }
    }
    whole.into()
}
