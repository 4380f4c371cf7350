//! The way out: answers, previews and notices, at Telegram's pace.

use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::channel::Calling;
use mosaic_types::Point;
use mosaic_types::outbox::{Conversation, Delivery, Item, Shown};
use teloxide_core::payloads::{
    DeleteMessage, EditMessageText, EditMessageTextSetters, SendChatAction, SendChatActionSetters, SendDocumentSetters,
    SendMessage, SendMessageSetters,
};
use teloxide_core::requests::Requester;
use teloxide_core::types::{
    ChatAction, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, LinkPreviewOptions, MessageId, ParseMode,
    ReplyParameters,
};
use tokio::time::{Instant, sleep_until};

use super::html::html;
use super::inbound::{id_text, message_id};
use super::place::Place;
use super::trouble::Trouble;
use super::{CHAT, GROUP, Inner, UNITS};
use crate::button::Button;
use crate::channel::{Preview, Unshown};
use crate::chunk;
use crate::pace::Limit;
use crate::page::{FILE_NAME, Page, Part};

/// A notice that would have to wait longer than this is not said: whoever asked has moved on.
const NOTICE_WAIT: Duration = Duration::from_secs(5);

/// A message as it is sent: markdown, and what may be pressed under it.
struct Sheet<'a> {
    markdown: &'a str,
    button: Option<Button>,
}

impl Sheet<'_> {
    fn keyboard(&self) -> Option<InlineKeyboardMarkup> {
        let made = |button: Button| InlineKeyboardButton::callback(button.label(), button.id());
        self.button.map(|button| InlineKeyboardMarkup::new([[made(button)]]))
    }
}

impl Inner {
    /// Shows the next part of an item.
    pub(super) async fn show(&self, item: &Item, calling: Arc<dyn Calling>) -> Delivery {
        let Some(place) = Place::parse(&item.to.name) else {
            return Delivery::Refused { why: format!("{:?} is no chat of Telegram's", item.to.name) };
        };
        // It waits for its turn in the outbox: what dies there has not been sent, and Telegram cannot be asked.
        let now = Instant::now();
        if let Err(at) = self.pace.borrow_mut().admit(item.id, &place.chat.0, limits(place), now) {
            return Delivery::Later { after: Some(at - now), all: false };
        }
        let (shown, up_to) = match self.style.part(item) {
            Part::Message(page) => (self.lay(place, item, &page, calling).await, page.up_to),
            Part::File(text) => (self.hand_over(place, text, calling).await, None),
        };
        Point::DeliverInCall.pass();
        match shown {
            Ok(id) | Err(Trouble::Taken(id)) => {
                Delivery::Done(Shown { platform_id: id.map(|id| id.to_string()), up_to })
            }
            Err(trouble) => {
                self.rests(place, &trouble);
                trouble.delivery()
            }
        }
    }

    /// Shows a page: in place of the item's preview, or as a message of its own.
    async fn lay(
        &self,
        place: Place,
        item: &Item,
        page: &Page,
        calling: Arc<dyn Calling>,
    ) -> Result<Option<i32>, Trouble> {
        let sheet = Sheet { markdown: &page.text, button: page.button };
        if let Some(preview) = item.preview.as_deref().filter(|_| item.part == 0).and_then(message_id) {
            match self.edit(place, preview, &sheet).await {
                // Somebody took the preview away: the answer is a message of its own then.
                Err(Trouble::Lost) => {}
                Err(Trouble::Same) => return Ok(Some(preview.0)),
                edited => return edited.map(|id| id.map(|id| id.0)),
            }
        }
        if !calling.note().await {
            return Err(Trouble::Failed);
        }
        let sent = self.send(place, item.reply_to.as_deref().filter(|_| item.part == 0), &sheet).await?;
        Ok(sent.map(|id| id.0))
    }

    /// Sends the whole text of an item as a file.
    async fn hand_over(&self, place: Place, text: &str, calling: Arc<dyn Calling>) -> Result<Option<i32>, Trouble> {
        if !calling.note().await {
            return Err(Trouble::Failed);
        }
        let file = InputFile::memory(text.to_owned().into_bytes()).file_name(FILE_NAME);
        let mut send = self.bot.send_document(place.chat, file);
        if let Some(topic) = place.topic {
            send = send.message_thread_id(topic);
        }
        Ok(Some(send.await.map_err(Trouble::from)?.id.0))
    }

    /// Shows how far an answer is, where nothing else wants to go out.
    pub(super) async fn draft(&self, preview: Preview) -> Result<Arc<str>, Unshown> {
        let place = Place::parse(&preview.to.name).ok_or(Unshown::Never)?;
        if !self.pace.borrow_mut().spare(&place.chat.0, limits(place), Instant::now()) {
            return Err(Unshown::Later);
        }
        let text = self.style.under_name(preview.agent.as_ref(), &preview.text);
        let sheet = Sheet { markdown: &text, button: Some(Button::Stop(preview.turn)) };
        let shown = match preview.platform_id.as_deref().and_then(message_id) {
            Some(id) => self.edit(place, id, &sheet).await,
            None => self.send(place, preview.reply_to.as_deref(), &sheet).await,
        };
        match shown {
            Ok(Some(id)) => Ok(id_text(id)),
            Err(Trouble::Same) => preview.platform_id.ok_or(Unshown::Never),
            Err(Trouble::Taken(Some(id))) => Ok(id_text(MessageId(id))),
            Err(trouble @ (Trouble::Flood(_) | Trouble::Away | Trouble::Failed)) => {
                self.rests(place, &trouble);
                Err(Unshown::Later)
            }
            // Nor is a message that somebody took away made anew, and a chat that is closed is not asked again and again.
            Err(Trouble::Lost | Trouble::Never(_)) => Err(Unshown::Never),
            // A message that may or may not be there must not become a second one.
            Ok(None) | Err(_) => Err(if preview.platform_id.is_some() { Unshown::Later } else { Unshown::Never }),
        }
    }

    pub(super) async fn type_in(&self, to: &Conversation) {
        let Some(place) = Place::parse(&to.name) else { return };
        let mut action = SendChatAction::new(place.chat, ChatAction::Typing);
        if let Some(topic) = place.topic {
            action = action.message_thread_id(topic);
        }
        let _ = self.ask(action).await;
    }

    pub(super) async fn take_away(&self, to: &Conversation, platform_id: &str) {
        if let (Some(place), Some(id)) = (Place::parse(&to.name), message_id(platform_id)) {
            let _ = self.ask(DeleteMessage::new(place.chat, id)).await;
        }
    }

    /// Says something that nobody keeps: in as many messages as it takes.
    pub(super) async fn mention(&self, to: &Conversation, reply_to: Option<&str>, text: &str) {
        if self.answer_press(reply_to, text) {
            return;
        }
        let Some(place) = Place::parse(&to.name) else { return };
        for chunk in chunk::all(text, UNITS) {
            if self.turn(place, NOTICE_WAIT).await.is_err() {
                tracing::debug!("a notice is not said: the chat rests");
                return;
            }
            let sent = self.plain(place, reply_to, &chunk.shown(), None).await;
            if let Err(trouble) = sent {
                self.rests(place, &trouble);
                tracing::debug!("a notice could not be said");
                return;
            }
        }
    }

    /// Waits for the moment at which something may go out that must.
    pub(super) async fn turn(&self, place: Place, patience: Duration) -> Result<(), Instant> {
        let now = Instant::now();
        let at = self.pace.borrow_mut().reserve(&place.chat.0, limits(place), now, now + patience)?;
        sleep_until(at).await;
        Ok(())
    }

    pub(super) fn rests(&self, place: Place, trouble: &Trouble) {
        if let Trouble::Flood(wait) = trouble {
            self.pace.borrow_mut().rest(&place.chat.0, limits(place), Instant::now() + *wait);
        }
    }

    /// A new message: with its markup, or plain where Telegram cannot read that.
    async fn send(
        &self,
        place: Place,
        reply_to: Option<&str>,
        sheet: &Sheet<'_>,
    ) -> Result<Option<MessageId>, Trouble> {
        if let Some(html) = html(sheet.markdown) {
            let mut send = SendMessage::new(place.chat, html).parse_mode(ParseMode::Html);
            send = send.link_preview_options(no_preview());
            if let Some(topic) = place.topic {
                send = send.message_thread_id(topic);
            }
            if let Some(reply) = reply(reply_to) {
                send = send.reply_parameters(reply);
            }
            if let Some(keyboard) = sheet.keyboard() {
                send = send.reply_markup(keyboard);
            }
            match self.ask(send).await {
                Err(Trouble::Markup) => {}
                Err(Trouble::Moved(chat)) => {
                    return Box::pin(self.send(Place { chat, ..place }, None, sheet)).await;
                }
                sent => return Ok(Some(sent?.id)),
            }
        }
        self.plain(place, reply_to, sheet.markdown, sheet.keyboard()).await
    }

    async fn plain(
        &self,
        place: Place,
        reply_to: Option<&str>,
        text: &str,
        keyboard: Option<InlineKeyboardMarkup>,
    ) -> Result<Option<MessageId>, Trouble> {
        let mut send = SendMessage::new(place.chat, text).link_preview_options(no_preview());
        if let Some(topic) = place.topic {
            send = send.message_thread_id(topic);
        }
        if let Some(reply) = reply(reply_to) {
            send = send.reply_parameters(reply);
        }
        if let Some(keyboard) = keyboard {
            send = send.reply_markup(keyboard);
        }
        Ok(Some(self.ask(send).await?.id))
    }

    /// Another text for a message of ours; buttons that are not named go.
    async fn edit(&self, place: Place, id: MessageId, sheet: &Sheet<'_>) -> Result<Option<MessageId>, Trouble> {
        if let Some(html) = html(sheet.markdown) {
            let mut edit = EditMessageText::new(place.chat, id, html).parse_mode(ParseMode::Html);
            edit = edit.link_preview_options(no_preview());
            if let Some(keyboard) = sheet.keyboard() {
                edit = edit.reply_markup(keyboard);
            }
            match self.ask(edit).await {
                Err(Trouble::Markup) => {}
                edited => return edited.map(|message| Some(message.id)),
            }
        }
        let mut edit = EditMessageText::new(place.chat, id, sheet.markdown).link_preview_options(no_preview());
        if let Some(keyboard) = sheet.keyboard() {
            edit = edit.reply_markup(keyboard);
        }
        Ok(Some(self.ask(edit).await?.id))
    }
}

fn limits(place: Place) -> &'static [Limit] {
    if place.is_group() { &[CHAT, GROUP] } else { &[CHAT] }
}

fn reply(to: Option<&str>) -> Option<ReplyParameters> {
    // A question that was deleted meanwhile must not hold its answer back.
    to.and_then(message_id).map(|id| ReplyParameters::new(id).allow_sending_without_reply())
}

fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}
