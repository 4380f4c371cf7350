//! What one message shows of an item: the same on every platform, but for a message's length.
//!
//! A text that is longer than a message goes on in the next one or, where the channel is told so, its first part is a
//! message and the whole comes behind it as a file.

use mosaic_types::AgentName;
use mosaic_types::outbox::{Content, Item};

use crate::button::Button;
use crate::chunk::{self, units};
use crate::config::ChannelConfig;

/// What stands under the first part of an answer that comes as a file.
const FOLLOWS: &str = "\n\n*(The whole answer is in the file.)*";

/// Of the file: answers are Markdown.
pub(crate) const FILE_NAME: &str = "answer.md";

/// How a channel shows what goes out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Units of UTF-16 in a message.
    units: usize,
    /// What stands between a name and what it says.
    gap: &'static str,
    files: bool,
    names: bool,
}

/// What comes next of an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Message(Page),
    /// The whole text, as a file.
    File(&'a str),
}

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Markdown, which shows something.
    pub(crate) text: String,
    /// What may be pressed under it.
    pub(crate) button: Option<Button>,
    /// Bytes of the whole text that are shown by then, where there is more.
    pub(crate) up_to: Option<usize>,
}

impl Style {
    /// As a channel's table says, for messages of so many units.
    pub(crate) fn new(config: &ChannelConfig, units: usize, gap: &'static str) -> Self {
        Self { units, gap, files: config.files, names: config.names }
    }

    /// The next part of an item.
    pub(crate) fn part<'a>(&self, item: &'a Item) -> Part<'a> {
        let text = item.content.text();
        if self.files && item.part > 0 {
            return Part::File(text);
        }
        let agent = match &item.content {
            Content::Answer { agent, .. } if item.part == 0 => Some(agent),
            _ => None,
        };
        let name = self.name(agent);
        let room = self.units - units(&name);
        let mut chunk = chunk::next(text, item.shown, room);
        let mut shown = chunk.shown();
        if self.files && !chunk.last {
            chunk = chunk::next(text, item.shown, room - units(FOLLOWS));
            shown = chunk.shown() + FOLLOWS;
        }
        // What shows nothing has nothing to fail at; a platform would refuse it.
        if shown.trim().is_empty() {
            "(an empty answer)".clone_into(&mut shown);
        }
        let failed = matches!(item.content, Content::Failed { .. });
        let button = (failed && chunk.last).then_some(Button::Retry(item.turn));
        Part::Message(Page { text: name + &shown, button, up_to: chunk.up_to() })
    }

    /// Units that a message has left for a text of that agent.
    pub(crate) fn room(&self, agent: Option<&AgentName>) -> usize {
        self.units - units(&self.name(agent))
    }

    /// A text of an agent, as it is shown.
    pub(crate) fn under_name(&self, agent: Option<&AgentName>, text: &str) -> String {
        self.name(agent) + text
    }

    /// Whose a text is, as it stands above it; nothing where that is not shown, or not known.
    fn name(&self, agent: Option<&AgentName>) -> String {
        let shown = agent.filter(|_| self.names);
        // An underscore would be a mark.
        shown.map(|agent| format!("**{}**{}", agent.as_str().replace('_', "\\_"), self.gap)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mosaic_types::outbox::Conversation;
    use mosaic_types::{Code, Timestamp, TurnId};
    use proptest::prelude::*;

    use super::*;

    fn style(files: bool, names: bool) -> Style {
        Style { units: 400, gap: "\n", files, names }
    }

    fn item(content: Content) -> Item {
        let here = || Arc::<str>::from("here");
        Item {
            id: 1,
            session: "s".parse().expect("valid"),
            turn: TurnId(uuid::Uuid::nil()),
            to: Conversation { channel: here(), account: here(), name: here() },
            reply_to: None,
            content,
            preview: None,
            part: 0,
            shown: 0,
            attempt: 1,
            holder: None,
            called: false,
            created_at: Timestamp(0),
        }
    }

    fn answer(text: &str) -> Item {
        item(Content::Answer { text: text.to_owned(), agent: "my_poet".parse().expect("valid") })
    }

    fn page(style: Style, item: &Item) -> Page {
        match style.part(item) {
            Part::Message(page) => page,
            Part::File(text) => panic!("a file of {} bytes", text.len()),
        }
    }

    #[test]
    fn an_answer_says_whose_it_is_where_that_is_wanted_and_nothing_else_does() {
        assert_eq!(page(style(false, false), &answer("hello")).text, "hello");
        assert_eq!(page(style(false, true), &answer("hello")).text, "**my\\_poet**\nhello");
        assert_eq!(page(style(false, true), &answer(" \n")).text, "**my\\_poet**\n(an empty answer)");
        let failed = Content::Failed { code: Code::Internal, message: "It broke.".into() };
        let failed = page(style(false, true), &item(failed));
        assert_eq!(
            (failed.text.as_str(), failed.button),
            ("It broke.", Some(Button::Retry(TurnId(uuid::Uuid::nil()))))
        );
        assert_eq!(page(style(false, true), &item(Content::Cancelled {})).text, "Cancelled.");
        let second = Item { part: 1, shown: 3, ..answer("one two") };
        assert_eq!(page(style(false, true), &second).text, " two", "it was said above the first part");
    }

    #[test]
    fn of_a_long_answer_the_first_part_is_a_message_and_the_whole_a_file_where_that_is_wanted() {
        let text = "word ".repeat(200);
        let first = page(style(true, true), &answer(&text));
        assert!(first.text.ends_with(FOLLOWS) && first.up_to.is_some(), "{first:?}");
        let next = Item { part: 1, shown: first.up_to.expect("there is more"), ..answer(&text) };
        assert_eq!(style(true, true).part(&next), Part::File(&text));
        assert!(page(style(true, false), &answer("short")).up_to.is_none(), "a short one is no file");
        assert!(!page(style(false, false), &answer(&text)).text.contains(FOLLOWS));
    }

    proptest! {
        #[test]
        fn no_page_is_longer_than_a_message(text in "[a-zß😀 .\n`]{0,2000}", files: bool, names: bool) {
            let style = style(files, names);
            let mut item = answer(&text);
            loop {
                let page = match style.part(&item) {
                    Part::File(whole) => {
                        prop_assert_eq!(whole, text.as_str());
                        break;
                    }
                    Part::Message(page) => page,
                };
                prop_assert!(units(&page.text) <= style.units, "{}", units(&page.text));
                prop_assert!(!page.text.trim().is_empty());
                match page.up_to {
                    Some(shown) => (item.part, item.shown) = (item.part + 1, shown),
                    None => break,
                }
            }
        }
    }
}
