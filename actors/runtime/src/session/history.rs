//! What was said in turns that are over, as far as it is worth keeping.

use std::collections::VecDeque;

use mosaic_types::{ChatMessage, Role};

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
        messages.into_iter().for_each(|message| history.add(message));
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

    pub(super) fn add(&mut self, message: ChatMessage) {
        self.bytes += message.weight_bytes();
        self.messages.push_back(message);
        while self.bytes > self.keep_bytes && self.messages.len() > 2 {
            // An exchange goes as a whole: what was asked, then all up to the next question.
            self.drop_while(|role| role == Role::User);
            self.drop_while(|role| role != Role::User);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ChatMessage> {
        self.messages.iter()
    }

    fn drop_while(&mut self, goes: impl Fn(Role) -> bool) {
        while self.messages.front().is_some_and(|first| goes(first.role)) {
            self.bytes -= self.messages.pop_front().map_or(0, |gone| gone.weight_bytes());
        }
    }
}
