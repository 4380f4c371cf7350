//! Conversations by the names that their keys hold: a chat's number, and a topic's behind a slash.

use teloxide_core::types::{ChatId, MessageId, ThreadId};

/// Where people talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) chat: ChatId,
    /// A topic of a forum.
    pub(super) topic: Option<ThreadId>,
}

impl Place {
    /// As it stands in a key.
    pub(super) fn name(&self) -> String {
        match self.topic {
            Some(ThreadId(MessageId(topic))) => format!("{}/{topic}", self.chat.0),
            None => self.chat.0.to_string(),
        }
    }

    /// The place of a key.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (chat, topic) = match name.split_once('/') {
            Some((chat, topic)) => (chat, Some(ThreadId(MessageId(topic.parse().ok()?)))),
            None => (name, None),
        };
        Some(Self { chat: ChatId(chat.parse().ok()?), topic })
    }

    /// Whether there are several people: the numbers of groups are negative.
    pub(super) fn is_group(&self) -> bool {
        self.chat.0 < 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_written() {
        for name in ["42", "-100123", "-100123/7"] {
            let place = Place::parse(name).expect(name);
            assert_eq!(place.name(), name);
            assert_eq!(place.is_group(), name.starts_with('-'));
        }
        for bad in ["", "x", "1/", "1/x", "1/2/3"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }
}
