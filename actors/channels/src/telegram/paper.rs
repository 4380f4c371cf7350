//! Long answers as files, where a channel is told so: the first part is a message, and the whole comes behind it.

use std::sync::Arc;

use mosaic_messages::channel::Calling;
use mosaic_types::outbox::{Delivery, Item, Shown};
use teloxide_core::payloads::SendDocumentSetters;
use teloxide_core::requests::Requester;
use teloxide_core::types::InputFile;

use super::Inner;
use super::place::Place;
use super::trouble::Trouble;

/// What stands under the first part.
pub(super) const FOLLOWS: &str = "\n\n*(The whole answer is in the file.)*";

/// Room for that.
pub(super) const UNITS: usize = 64;

/// Answers are Markdown.
const NAME: &str = "answer.md";

impl Inner {
    /// Sends the whole text of an item as a file.
    pub(super) async fn hand_over(&self, place: Place, item: &Item, calling: &Arc<dyn Calling>) -> Delivery {
        if !calling.clone().note().await {
            return Delivery::Later { after: None, all: false };
        }
        let file = InputFile::memory(item.content.text().to_owned().into_bytes()).file_name(NAME);
        let mut send = self.bot.send_document(place.chat, file);
        if let Some(topic) = place.topic {
            send = send.message_thread_id(topic);
        }
        match send.await.map_err(Trouble::from) {
            Ok(sent) => Delivery::Done(Shown { platform_id: Some(sent.id.0.to_string()), up_to: None }),
            Err(trouble) => {
                self.rests(place, &trouble);
                trouble.delivery()
            }
        }
    }
}
