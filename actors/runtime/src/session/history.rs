//! What was said in turns that are over, as far as it is worth keeping.

use std::collections::VecDeque;

use mosaic_types::{ChatMessage, Role};

use crate::agent::run::ends_exchange;

/// Messages of finished turns, oldest first.
#[derive(Debug)]
pub(super) struct History {
    messages: VecDeque<ChatMessage>,
    bytes: usize,
    keep_bytes: usize,
}

impl History {
    /// `keep_bytes`: how much is worth keeping, as bytes of text.
    pub(super) fn new(keep_bytes: usize, messages: Vec<ChatMessage>) -> Self {
        let mut history = Self { messages: VecDeque::new(), bytes: 0, keep_bytes };
        history.add(messages);
        history
    }

    /// Begins anew with these.
    pub(super) fn reset(&mut self, messages: Vec<ChatMessage>) {
        *self = Self::new(self.keep_bytes, messages);
    }

    /// How much text is worth keeping.
    pub(super) fn keep_bytes(&self) -> usize {
        self.keep_bytes
    }

    /// Adds whole turns. Of more than is worth keeping, what tools were asked and said goes first.
    pub(super) fn add(&mut self, mut turns: Vec<ChatMessage>) {
        let weight = |said: &[ChatMessage]| said.iter().map(ChatMessage::weight_bytes).sum::<usize>();
        if weight(&turns) > self.keep_bytes {
            turns.retain(|said| said.role == Role::User || ends_exchange(said));
        }
        self.bytes += weight(&turns);
        self.messages.extend(turns);
        while self.bytes > self.keep_bytes {
            // An exchange goes as a whole: what was asked, then all up to the next question. The newest stays.
            let ends = |pair: (&ChatMessage, &ChatMessage)| ends_exchange(pair.0) && pair.1.role == Role::User;
            let Some(last) = self.messages.iter().zip(self.messages.iter().skip(1)).position(ends) else { break };
            self.bytes -= self.messages.drain(..=last).map(|gone| gone.weight_bytes()).sum::<usize>();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ChatMessage> {
        self.messages.iter()
    }
}

#[cfg(test)]
mod tests {
    use mosaic_types::ToolCall;

    use super::*;

    fn turn(asked: &str, told: usize) -> Vec<ChatMessage> {
        let call = ToolCall { id: "c".into(), name: "f".into(), arguments: "{}".into(), signature: None };
        let asks = ChatMessage { tool_calls: vec![call], ..ChatMessage::new(Role::Assistant, "") };
        let told = ChatMessage { tool_call_id: Some("c".into()), ..ChatMessage::new(Role::Tool, "x".repeat(told)) };
        let (said, more) = (ChatMessage::new(Role::User, asked), ChatMessage::new(Role::User, "more"));
        vec![said, asks, told, more, ChatMessage::new(Role::Assistant, "so")]
    }

    #[test]
    fn a_call_leaves_with_its_result_and_with_all_that_was_asked_with_it() {
        let mut history = History::new(100, turn("first", 40));
        history.add(turn("second", 40));
        assert_eq!(history.iter().map(|said| said.role).collect::<Vec<_>>().len(), 5);
        assert_eq!(&*history.iter().next().expect("a question").text, "second");
        history.add(turn("third", 4_000));
        let kept: Vec<_> = history.iter().map(|said| &*said.text).collect();
        assert_eq!(kept, ["second", "", &"x".repeat(40), "more", "so", "third", "more", "so"], "in words alone");
    }
}
