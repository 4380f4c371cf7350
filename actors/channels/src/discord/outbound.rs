//! The way out: answers, previews and notices, at Discord's pace.

use std::sync::Arc;
use std::time::Duration;

use mosaic_types::Point;
use mosaic_types::outbox::{Conversation, Delivery, Item, Shown};
use reqwest::Method;
use serde_json::Value;
use serenity::builder::{CreateActionRow, CreateAllowedMentions, CreateButton, CreateMessage, EditMessage};
use serenity::model::application::ButtonStyle;
use serenity::model::channel::{MessageFlags, MessageReference, MessageReferenceKind, Nonce};
use serenity::model::id::{ChannelId, MessageId};
use tokio::time::{Instant, sleep_until};

use super::trouble::Trouble;
use super::{Inner, ROOM, UNITS};
use crate::button::Button;
use crate::channel::{Preview, Unshown};
use crate::chunk;
use crate::page::{FILE_NAME, Page, Part};

/// A delivery waits for its turn up to so long; what would have to wait longer is put back into the outbox.
const WAIT: Duration = Duration::from_secs(20);

/// A notice that would have to wait longer than this is not said: whoever asked has moved on.
const NOTICE_WAIT: Duration = Duration::from_secs(5);

/// A message as it is sent: markdown, and what may be pressed under it.
struct Sheet<'a> {
    text: &'a str,
    button: Option<Button>,
}

impl Sheet<'_> {
    fn components(&self) -> Vec<CreateActionRow> {
        let made = |button: Button| CreateButton::new(button.id()).label(button.label()).style(ButtonStyle::Secondary);
        self.button.map(|button| CreateActionRow::Buttons(vec![made(button)])).into_iter().collect()
    }
}

impl Inner {
    /// Shows the next part of an item.
    pub(super) async fn show(&self, item: &Item) -> Delivery {
        let Some(room) = room(&item.to.name) else {
            return Delivery::Refused { why: format!("{:?} is no channel of Discord's", item.to.name) };
        };
        if let Err(at) = self.turn(room, WAIT).await {
            return Delivery::Later { after: Some(at - Instant::now()), all: false };
        }
        let (shown, up_to) = match self.style.part(item) {
            Part::Message(page) => (self.lay(room, item, &page).await, page.up_to),
            Part::File(text) => (self.hand_over(room, item, text).await, None),
        };
        Point::DeliverInCall.pass();
        match shown {
            Ok(id) => Delivery::Done(Shown { platform_id: Some(id), up_to }),
            Err(trouble) => {
                self.rests(room, &trouble);
                trouble.delivery()
            }
        }
    }

    /// Shows a page: in place of the item's preview, or as a message of its own.
    async fn lay(&self, room: u64, item: &Item, page: &Page) -> Result<String, Trouble> {
        let sheet = Sheet { text: &page.text, button: page.button };
        if let Some(preview) = item.preview.as_deref().filter(|_| item.part == 0).and_then(number) {
            match self.edit(room, preview, &sheet).await {
                // Somebody took the preview away: the answer is a message of its own then.
                Err(Trouble::Lost) => {}
                edited => return edited,
            }
        }
        let reply_to = item.reply_to.as_deref().filter(|_| item.part == 0);
        self.send(room, reply_to, &sheet, Some(item.nonce())).await
    }

    /// Sends the whole text of an item as a file.
    async fn hand_over(&self, room: u64, item: &Item, text: &str) -> Result<String, Trouble> {
        let message = CreateMessage::new().nonce(Nonce::String(item.nonce())).enforce_nonce(true);
        let message = message.allowed_mentions(nobody());
        id(&self.rest.send_file(&format!("channels/{room}/messages"), &message, FILE_NAME, text).await?)
    }

    /// Shows how far an answer is, where nothing else wants to go out.
    pub(super) async fn draft(&self, preview: Preview) -> Result<Arc<str>, Unshown> {
        let room = room(&preview.to.name).ok_or(Unshown::Never)?;
        if !self.pace.borrow_mut().spare(&room, &ROOM, Instant::now()) {
            return Err(Unshown::Later);
        }
        let text = self.style.under_name(preview.agent.as_ref(), &preview.text);
        let sheet = Sheet { text: &text, button: Some(Button::Stop(preview.turn)) };
        let shown = match preview.platform_id.as_deref().and_then(number) {
            Some(id) => self.edit(room, id, &sheet).await,
            None => self.send(room, preview.reply_to.as_deref(), &sheet, None).await,
        };
        match shown {
            Ok(id) => Ok(id.into()),
            Err(trouble @ (Trouble::Flood { .. } | Trouble::Away | Trouble::Failed)) => {
                self.rests(room, &trouble);
                Err(Unshown::Later)
            }
            // A message that may or may not be there must not become a second one; nor is one that is gone made anew.
            Err(_) => Err(if preview.platform_id.is_some() { Unshown::Later } else { Unshown::Never }),
        }
    }

    pub(super) async fn type_in(&self, to: &Conversation) {
        if let Some(room) = room(&to.name) {
            let _ = self.rest.call(Method::POST, &format!("channels/{room}/typing"), None::<&()>).await;
        }
    }

    pub(super) async fn take_away(&self, to: &Conversation, platform_id: &str) {
        if let (Some(room), Some(id)) = (room(&to.name), number(platform_id)) {
            let _ = self.rest.call(Method::DELETE, &format!("channels/{room}/messages/{id}"), None::<&()>).await;
        }
    }

    /// Says something that nobody keeps: in as many messages as it takes.
    pub(super) async fn mention(&self, to: &Conversation, reply_to: Option<&str>, text: &str) {
        if self.answer(reply_to, text).await {
            return;
        }
        let Some(room) = room(&to.name) else { return };
        for chunk in chunk::all(text, UNITS) {
            if self.turn(room, NOTICE_WAIT).await.is_err() {
                tracing::debug!("a notice is not said: the room rests");
                return;
            }
            let sheet = Sheet { text: &chunk.shown(), button: None };
            if let Err(trouble) = self.send(room, reply_to, &sheet, None).await {
                self.rests(room, &trouble);
                tracing::debug!("a notice could not be said");
                return;
            }
        }
    }

    /// Waits for the moment at which something may go out that must.
    async fn turn(&self, room: u64, patience: Duration) -> Result<(), Instant> {
        let now = Instant::now();
        let at = self.pace.borrow_mut().reserve(&room, &ROOM, now, now + patience)?;
        sleep_until(at).await;
        Ok(())
    }

    fn rests(&self, room: u64, trouble: &Trouble) {
        if let Trouble::Flood { wait, .. } = trouble {
            self.pace.borrow_mut().rest(&room, &ROOM, Instant::now() + *wait);
        }
    }

    /// A new message. With a nonce Discord makes of two that are the same within some minutes one (API reference, "Create
    /// Message", `enforce_nonce`).
    async fn send(
        &self,
        room: u64,
        reply_to: Option<&str>,
        sheet: &Sheet<'_>,
        nonce: Option<String>,
    ) -> Result<String, Trouble> {
        let mut message = CreateMessage::new()
            .content(sheet.text)
            .allowed_mentions(nobody())
            .flags(MessageFlags::SUPPRESS_EMBEDS)
            .components(sheet.components());
        if let Some(nonce) = nonce {
            message = message.nonce(Nonce::String(nonce)).enforce_nonce(true);
        }
        if let Some(question) = reply_to.and_then(number) {
            // A question that was deleted meanwhile must not hold its answer back.
            let reference = MessageReference::new(MessageReferenceKind::Default, ChannelId::new(room))
                .message_id(MessageId::new(question))
                .fail_if_not_exists(false);
            message = message.reference_message(reference);
        }
        let sent = self.rest.call(Method::POST, &format!("channels/{room}/messages"), Some(&message)).await?;
        id(&sent)
    }

    /// Another text for a message of ours; buttons that are not named go.
    async fn edit(&self, room: u64, message: u64, sheet: &Sheet<'_>) -> Result<String, Trouble> {
        let edit = EditMessage::new()
            .content(sheet.text)
            .allowed_mentions(nobody())
            .flags(MessageFlags::SUPPRESS_EMBEDS)
            .components(sheet.components());
        let edited = self.rest.call(Method::PATCH, &format!("channels/{room}/messages/{message}"), Some(&edit)).await?;
        id(&edited)
    }
}

/// A model's words call nobody.
pub(super) fn nobody() -> CreateAllowedMentions {
    CreateAllowedMentions::new().replied_user(false)
}

fn id(message: &Value) -> Result<String, Trouble> {
    message["id"].as_str().map(str::to_owned).ok_or(Trouble::CutOff)
}

/// The room that a conversation's name names.
pub(super) fn room(name: &str) -> Option<u64> {
    number(name)
}

/// A number of Discord's, none of which is 0.
pub(super) fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| *number > 0)
}

/// When a number of Discord's was made, in microseconds (API reference, "Snowflakes").
pub(super) fn made_at(number: u64) -> i64 {
    i64::try_from((number >> 22) + 1_420_070_400_000).unwrap_or(i64::MAX).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_when_it_was_made() {
        assert_eq!(made_at(175_928_847_299_117_063), 1_462_015_105_796_000, "the example of the API reference");
    }

    #[test]
    fn what_is_no_number_names_no_room() {
        assert_eq!(room("1234567890123456789"), Some(1_234_567_890_123_456_789));
        assert!(["", "0", "-1", "x", "1/2", "99999999999999999999"].iter().all(|bad| room(bad).is_none()));
    }
}
