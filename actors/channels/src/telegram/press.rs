//! Buttons: what comes of one that is pressed, and the answer that Telegram waits for.

use std::collections::HashMap;
use std::sync::Arc;

use teloxide_core::payloads::{AnswerCallbackQuery, AnswerCallbackQuerySetters, EditMessageReplyMarkup};
use teloxide_core::types::{CallbackQueryId, MessageId};

use super::Inner;
use super::place::Place;
use crate::channel::{Heard, Hearing};
use crate::talk::Talk;

/// Characters that are shown to whoever pressed, at the most (Bot API, `answerCallbackQuery`).
const CHARS: usize = 200;

/// A button that was pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Press {
    /// What Telegram wants to be answered.
    pub(super) query: CallbackQueryId,
    /// The message that the button is on.
    pub(super) on: MessageId,
}

/// Presses that are being heard, and what there is to say to whoever pressed.
pub(super) type Presses = HashMap<Arc<str>, Option<String>>;

impl Inner {
    /// Hears a button, and answers it. One that did what it was there for goes; one that did not says why, and stays.
    pub(super) async fn hear_press(&self, Press { query, on }: Press, heard: Heard, talk: &Talk) -> Hearing {
        let (key, place) = (heard.event.clone(), Place::parse(&heard.conversation));
        let admitted = talk.admits(&heard);
        self.presses.borrow_mut().insert(key.clone(), None);
        let hearing = talk.hear(heard).await;
        let said = self.presses.borrow_mut().remove(&key).flatten();
        if let Hearing::Again(_) = hearing {
            return hearing;
        }
        let (text, done) = match said {
            Some(text) => (text, false),
            None if admitted => ("Done.".to_owned(), true),
            None => ("This bot was not told to listen to you here.".to_owned(), false),
        };
        let answered = self.ask(AnswerCallbackQuery::new(query).text(text)).await.is_ok();
        if let Some(place) = place.filter(|_| done) {
            let gone = self.ask(EditMessageReplyMarkup::new(place.chat, on)).await;
            tracing::debug!(gone = gone.is_ok(), "a button did what it was there for");
        }
        tracing::debug!(answered, "a button was pressed");
        hearing
    }

    /// Has a text be the answer to a press that is being heard; `false` where it is none, or too long for one.
    pub(super) fn answer_press(&self, reply_to: Option<&str>, text: &str) -> bool {
        let mut presses = self.presses.borrow_mut();
        let Some(said) = reply_to.and_then(|key| presses.get_mut(key)) else { return false };
        let fits = said.is_none() && text.chars().count() <= CHARS;
        if fits {
            *said = Some(text.to_owned());
        }
        fits
    }
}
