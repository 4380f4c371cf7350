//! What an update says, as the house understands it. Pure: an update in, what was heard out.

use std::sync::Arc;

use mosaic_types::Timestamp;
use mosaic_types::command::Command;
use teloxide_core::types::{
    CallbackQuery, Message, MessageEntity, MessageEntityKind, MessageId, MessageKind, Update, UpdateKind, User,
};

use super::files;
use super::place::Place;
use super::press::Press;
use crate::allow::Mark;
use crate::button::Button;
use crate::channel::{Heard, Sender};

/// Who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Me {
    pub(super) id: u64,
    /// Without the `@`.
    pub(super) name: String,
}

/// What is to be done about an update.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum News {
    Heard(Heard),
    /// A button was pressed: what that says, and what Telegram is owed.
    Pressed {
        heard: Heard,
        press: Press,
    },
    /// Nothing that is meant for us.
    Nothing,
}

/// What an update says.
pub(super) fn read(update: Update, me: &Me) -> News {
    match update.kind {
        UpdateKind::Message(message) | UpdateKind::EditedMessage(message) => {
            heard(&message, me).map_or(News::Nothing, News::Heard)
        }
        UpdateKind::CallbackQuery(query) => pressed(query).unwrap_or(News::Nothing),
        _ => News::Nothing,
    }
}

fn heard(message: &Message, me: &Me) -> Option<Heard> {
    let from = message.from.as_ref()?;
    if message.chat.is_channel() || from.id.0 == me.id {
        return None;
    }
    let direct = message.chat.is_private();
    let edited = match &message.kind {
        MessageKind::Common(common) => common.edit_date,
        // A throw of the dice is a kind of its own.
        MessageKind::Dice(_) => None,
        _ => return None,
    };
    let words = message.text().or_else(|| message.caption());
    // Among several people nobody is told of pictures that show us nothing.
    let files = files::of(message);
    let wordless = words.is_none() && files.is_empty() && direct;
    // A file that comes without a word is called by its name.
    let named = files.first().filter(|_| direct).map(|file| file.name.as_str());
    let text = words.or(named).or(wordless.then_some(""))?;
    let id: Arc<str> = message.id.0.to_string().into();
    let entities = message.entities().or_else(|| message.caption_entities()).unwrap_or_default();
    let replied = message.reply_to_message().and_then(|replied| replied.from.as_ref());
    // In a topic, each message replies to the one that opened it.
    let to_us = replied.is_some_and(|from| from.id.0 == me.id);
    let named = mentions(text, entities, me);
    let (text, ours) = match for_whom(text) {
        Some((_, Some(bot))) if !bot.eq_ignore_ascii_case(&me.name) => return None,
        Some((line, Some(_))) => (line, true),
        // Where there are several bots, a bare command is meant for those who know it.
        Some((line, None)) => {
            let known = line[1..].split_whitespace().next().is_some_and(|name| Command::find(name).is_ok());
            (line, known)
        }
        None => (without_name(text, me), false),
    };
    let text = if text == "/start" || text.starts_with("/start ") { "/help".to_owned() } else { text };
    Some(Heard {
        conversation: place(message).name().into(),
        event: edited.map_or_else(|| id.clone(), |at| format!("{id}:{}", at.timestamp()).into()),
        edits: edited.map(|_| id.clone()),
        wordless,
        files: files.clone(),
        reply_to: (!direct).then_some(id),
        branch: None,
        marks: marks(message, from),
        from: sender(from),
        direct,
        addressed: ours || named || to_us,
        pressed: false,
        text,
        at: Timestamp(edited.unwrap_or(message.date).timestamp_micros()),
    })
}

fn pressed(query: CallbackQuery) -> Option<News> {
    let message = query.message.as_ref()?.regular_message()?;
    let text = Button::command(query.data.as_deref()?)?;
    let event: Arc<str> = format!("press:{}", query.id.0).into();
    let direct = message.chat.is_private();
    let heard = Heard {
        conversation: place(message).name().into(),
        event: event.clone(),
        edits: None,
        wordless: false,
        files: Vec::new(),
        reply_to: Some(event),
        branch: None,
        marks: marks(message, &query.from),
        from: sender(&query.from),
        direct,
        addressed: true,
        pressed: true,
        text,
        at: Timestamp(message.date.timestamp_micros()),
    };
    Some(News::Pressed { heard, press: Press { query: query.id.clone(), on: message.id } })
}

fn place(message: &Message) -> Place {
    Place { chat: message.chat.id, topic: message.thread_id.filter(|_| message.is_topic_message) }
}

fn marks(message: &Message, from: &User) -> Vec<Mark> {
    let chat = Mark::Chat(message.chat.id.0.to_string());
    // Whoever speaks as the group itself shares one number with all who do.
    if from.is_anonymous() || from.is_channel() || from.is_telegram() {
        return vec![chat];
    }
    vec![Mark::User(from.id.0.to_string()), chat]
}

fn sender(from: &User) -> Sender {
    Sender { id: from.id.0.to_string().into(), name: from.full_name(), bot: from.is_bot }
}

/// A text that begins with a command: the line without the bot's name, and that name.
fn for_whom(text: &str) -> Option<(String, Option<String>)> {
    let rest = text.strip_prefix('/')?;
    let (word, tail) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
    let (name, bot) = match word.split_once('@') {
        Some((name, bot)) => (name, Some(bot.to_owned())),
        None => (word, None),
    };
    let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    good.then(|| (format!("/{name}{tail}"), bot))
}

fn mentions(text: &str, entities: &[MessageEntity], me: &Me) -> bool {
    let units: Vec<u16> = text.encode_utf16().collect();
    entities.iter().any(|entity| match &entity.kind {
        MessageEntityKind::Mention => {
            let end = entity.offset.saturating_add(entity.length);
            let named = units.get(entity.offset..end).map(String::from_utf16_lossy);
            named.is_some_and(|named| named.strip_prefix('@').is_some_and(|name| name.eq_ignore_ascii_case(&me.name)))
        }
        MessageEntityKind::TextMention { user } => user.id.0 == me.id,
        _ => false,
    })
}

/// What is said to us begins with our name: that is the address, not the message.
fn without_name(text: &str, me: &Me) -> String {
    let named = text.strip_prefix('@').and_then(|rest| {
        let name = rest.get(..me.name.len())?;
        let rest = &rest[me.name.len()..];
        let ends = !rest.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '_');
        (name.eq_ignore_ascii_case(&me.name) && ends).then(|| rest.trim_start_matches([' ', ',', ':', '\n']))
    });
    named.filter(|rest| !rest.is_empty()).unwrap_or(text).to_owned()
}

/// The message that a number names.
pub(super) fn message_id(id: &str) -> Option<MessageId> {
    id.parse().ok().map(MessageId)
}

/// A message's number as text.
pub(super) fn id_text(id: MessageId) -> Arc<str> {
    id.0.to_string().into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn me() -> Me {
        Me { id: 99, name: "MosaicBot".into() }
    }

    /// The library reads updates from text only: of a JSON value it makes an unknown one.
    fn read_back(update: &Value) -> Update {
        serde_json::from_str(&update.to_string()).expect("an update")
    }

    fn update(message: Value) -> Update {
        let mut whole = json!({"message_id": 7, "date": 1_700_000_000,
            "from": {"id": 5, "is_bot": false, "first_name": "Ada", "last_name": "L"},
            "chat": {"id": 5, "type": "private", "first_name": "Ada"}});
        whole.as_object_mut().expect("an object").extend(message.as_object().expect("an object").clone());
        read_back(&json!({"update_id": 1, "message": whole}))
    }

    fn group(text: &str) -> Value {
        json!({"text": text, "chat": {"id": -100, "type": "supergroup", "title": "Family"}})
    }

    fn hears(update: Update) -> Heard {
        match read(update, &me()) {
            News::Heard(heard) => heard,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_private_message_is_for_us_and_by_its_sender() {
        let heard = hears(update(json!({"text": "hello"})));
        assert_eq!((&*heard.conversation, &*heard.event, heard.direct), ("5", "7", true));
        assert_eq!((heard.text.as_str(), heard.reply_to, heard.from.name.as_str()), ("hello", None, "Ada L"));
        assert_eq!(heard.marks, [Mark::User("5".into()), Mark::Chat("5".into())]);
    }

    #[test]
    fn in_a_group_we_are_addressed_by_name_by_reply_and_by_command() {
        let said = |text, more: Value| {
            let mut message = group(text);
            message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            hears(update(message))
        };
        let plain = said("lovely weather", json!({}));
        assert!(!plain.addressed && !plain.direct);
        assert_eq!(plain.reply_to.as_deref(), Some("7"));
        let name = json!({"entities": [{"type": "mention", "offset": 0, "length": 10}]});
        let named = said("@mosaicbot, what is new?", name);
        assert!(named.addressed);
        assert_eq!(named.text, "what is new?");
        let other = said("@mosaicbots what?", json!({"entities": [{"type": "mention", "offset": 0, "length": 11}]}));
        assert!(!other.addressed);
        assert_eq!(other.text, "@mosaicbots what?");
        let late = said("😀 hey @MosaicBot", json!({"entities": [{"type": "mention", "offset": 7, "length": 10}]}));
        assert!(late.addressed, "offsets count in UTF-16");
        let reply = json!({"reply_to_message": {"message_id": 3, "date": 1, "text": "hi",
            "from": {"id": 99, "is_bot": true, "first_name": "M"}, "chat": {"id": -100, "type": "supergroup", "title": "F"}}});
        assert!(said("and then?", reply).addressed);
        assert!(said("/status", json!({})).addressed);
        assert!(!said("/dance", json!({})).addressed, "another bot may know it");
        let ours = said("/new@mosaicbot poet", json!({}));
        assert_eq!((ours.addressed, ours.text.as_str()), (true, "/new poet"));
    }

    #[test]
    fn what_is_meant_for_others_is_nothing() {
        assert_eq!(read(update(group("/new@otherbot")), &me()), News::Nothing);
        assert_eq!(
            read(update(json!({"text": "x", "from": {"id": 99, "is_bot": true, "first_name": "M"}})), &me()),
            News::Nothing
        );
        let strange = read_back(&json!({"update_id": 1, "message": {"odd": true}}));
        assert_eq!(read(strange, &me()), News::Nothing);
    }

    #[test]
    fn a_topic_is_a_conversation_of_its_own() {
        let mut message = group("/help");
        message["message_thread_id"] = json!(12);
        message["is_topic_message"] = json!(true);
        assert_eq!(&*hears(update(message.clone())).conversation, "-100/12");
        message["is_topic_message"] = json!(false);
        assert_eq!(&*hears(update(message)).conversation, "-100", "a thread of replies is none");
    }

    #[test]
    fn whoever_speaks_as_the_group_is_let_in_by_the_group_only() {
        let mut message = group("/help");
        message["from"] =
            json!({"id": 1_087_968_824, "is_bot": true, "first_name": "Group", "username": "GroupAnonymousBot"});
        assert_eq!(hears(update(message)).marks, [Mark::Chat("-100".into())]);
    }

    #[test]
    fn an_edit_says_what_it_is_a_later_wording_of() {
        let edit = hears(update(json!({"text": "helo", "edit_date": 1_700_000_009})));
        assert_eq!((&*edit.event, edit.edits.as_deref()), ("7:1700000009", Some("7")));
    }

    #[test]
    fn what_holds_neither_words_nor_files_is_heard_of() {
        let poll = json!({"id": "1", "question": "?", "options": [], "total_voter_count": 0, "is_closed": false,
            "is_anonymous": true, "type": "regular", "allows_multiple_answers": false});
        let sticker = json!({"file_id": "s", "file_unique_id": "s", "file_size": 1, "width": 1, "height": 1,
            "is_animated": false, "is_video": false, "type": "regular"});
        for wordless in [
            json!({"location": {"latitude": 1.5, "longitude": 2.5}}),
            json!({"dice": {"emoji": "🎲", "value": 3}}),
            json!({"poll": poll}),
            json!({"sticker": sticker}),
        ] {
            let heard = hears(update(wordless.clone()));
            assert_eq!((heard.text.as_str(), heard.wordless), ("", true), "{wordless}");
        }
        let joined = json!({"new_chat_members": [{"id": 5, "is_bot": false, "first_name": "Ada"}]});
        assert_eq!(read(update(joined), &me()), News::Nothing, "nobody has said anything");
    }

    #[test]
    fn a_picture_is_heard_of_in_its_largest_form() {
        let size = |id: &str, width: u32| json!({"file_id": id, "file_unique_id": id, "width": width, "height": width, "file_size": width});
        let heard = hears(update(json!({"photo": [size("small", 90), size("large", 800)], "caption": "what is it?"})));
        assert_eq!((heard.text.as_str(), heard.wordless), ("what is it?", false));
        assert_eq!(heard.files.iter().map(|file| &*file.id).collect::<Vec<_>>(), ["large"]);
        assert_eq!(hears(update(json!({"photo": [size("one", 9)]}))).text, "photo.jpg");
    }

    #[test]
    fn start_is_the_first_thing_people_press() {
        assert_eq!(hears(update(json!({"text": "/start"}))).text, "/help");
    }
}
