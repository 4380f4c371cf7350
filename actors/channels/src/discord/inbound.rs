//! What a message says, as the house understands it. Pure: a message in, what was heard out.

use std::sync::Arc;

use mosaic_types::Timestamp;
use serenity::model::channel::{Message, MessageType};

use crate::allow::Mark;
use crate::channel::{Heard, HeardFile, Sender};

/// Who we are, and what we may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Me {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) application: u64,
    /// Discord tells us what messages say that are not for us.
    pub(super) content: bool,
}

/// What a message says to us; `None` where it is no person's, or ours.
pub(super) fn read(message: &Message, me: &Me) -> Option<Heard> {
    let said = matches!(message.kind, MessageType::Regular | MessageType::InlineReply);
    if !said || message.author.id.get() == me.id {
        return None;
    }
    let direct = message.guild_id.is_none();
    let edited = message.edited_timestamp;
    let id: Arc<str> = message.id.get().to_string().into();
    let named = message.mentions.iter().any(|user| user.id.get() == me.id);
    let replied = message.referenced_message.as_ref().is_some_and(|replied| replied.author.id.get() == me.id);
    let files = files(message);
    let words = without_name(&message.content, me.id);
    // A file that comes without a word is called by its name, where it is meant for us.
    let alone = files.first().filter(|_| direct || named || replied).map(|file| file.name.clone());
    let text = if words.is_empty() { alone.unwrap_or_default() } else { words.to_owned() };
    Some(Heard {
        conversation: message.channel_id.get().to_string().into(),
        event: edited.map_or_else(|| id.clone(), |at| format!("{id}:{}", at.unix_timestamp()).into()),
        edits: edited.map(|_| id.clone()),
        wordless: direct && text.is_empty(),
        files,
        reply_to: (!direct).then_some(id),
        branch: None,
        marks: marks(message),
        from: Sender {
            id: message.author.id.get().to_string().into(),
            name: message.author.global_name.clone().unwrap_or_else(|| message.author.name.clone()),
            bot: message.author.bot || message.webhook_id.is_some(),
        },
        direct,
        addressed: named || replied,
        pressed: false,
        text,
        // Another wording was not written when the first one was.
        at: Timestamp(edited.unwrap_or(message.timestamp).unix_timestamp().saturating_mul(1_000_000)),
    })
}

fn marks(message: &Message) -> Vec<Mark> {
    let roles = message.member.iter().flat_map(|member| &member.roles).map(|role| Mark::Role(role.get().to_string()));
    let guild = message.guild_id.map(|guild| Mark::Guild(guild.get().to_string()));
    let chat = Mark::Chat(message.channel_id.get().to_string());
    // Whoever writes by a webhook has no number that is theirs.
    let user = message.webhook_id.is_none().then(|| Mark::User(message.author.id.get().to_string()));
    user.into_iter().chain([chat]).chain(guild).chain(roles).collect()
}

fn files(message: &Message) -> Vec<HeardFile> {
    let file = |file: &serenity::model::channel::Attachment| HeardFile {
        id: file.url.as_str().into(),
        name: file.filename.clone(),
        // Without a kind it is looked at whether it is text.
        media_type: file.content_type.clone().unwrap_or_else(|| "text/plain".to_owned()),
        size_bytes: file.size.into(),
    };
    message.attachments.iter().map(file).collect()
}

/// What is said to us begins with our name, or ends with it: that is the address, not the message.
fn without_name(text: &str, me: u64) -> &str {
    let (name, nick) = (format!("<@{me}>"), format!("<@!{me}>"));
    let text = text.trim();
    let first = text.strip_prefix(&*name).or_else(|| text.strip_prefix(&*nick));
    if let Some(rest) = first {
        return rest.trim_start_matches([' ', ',', ':', '\n']);
    }
    let last = text.strip_suffix(&*name).or_else(|| text.strip_suffix(&*nick));
    last.map_or(text, |rest| rest.trim_end_matches([' ', ',', '\n']))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn me() -> Me {
        Me { id: 99, name: "mosaic".into(), application: 98, content: true }
    }

    fn user(id: u64) -> Value {
        json!({"id": id.to_string(), "username": format!("user{id}"), "global_name": "Ada", "discriminator": "0",
            "avatar": null})
    }

    fn message(more: Value) -> Message {
        let mut whole = json!({"id": "7", "channel_id": "5", "author": user(11), "content": "hello",
            "timestamp": "2026-01-02T03:04:05.678000+00:00", "edited_timestamp": null, "tts": false,
            "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
            "pinned": false, "type": 0});
        whole.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::from_value(whole).expect("a message")
    }

    fn guild(more: Value) -> Message {
        let mut whole = json!({"guild_id": "50", "member": {"roles": ["70", "71"], "joined_at": null, "deaf": false,
            "mute": false, "flags": 0}});
        whole.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        message(whole)
    }

    #[test]
    fn a_direct_message_is_for_us_and_by_its_sender() {
        let heard = read(&message(json!({})), &me()).expect("heard");
        assert_eq!((&*heard.conversation, &*heard.event, heard.direct), ("5", "7", true));
        assert_eq!((heard.text.as_str(), heard.reply_to, heard.from.name.as_str()), ("hello", None, "Ada"));
        assert_eq!(heard.marks, [Mark::User("11".into()), Mark::Chat("5".into())]);
        assert_eq!(heard.at, Timestamp(1_767_323_045_000_000));
    }

    #[test]
    fn in_a_guild_we_are_addressed_by_name_and_by_reply() {
        let said = |more| read(&guild(more), &me()).expect("heard");
        let plain = said(json!({"content": "lovely weather"}));
        assert!(!plain.addressed && !plain.direct);
        assert_eq!(plain.reply_to.as_deref(), Some("7"));
        let marks = ["user:11", "chat:5", "guild:50", "role:70", "role:71"].map(|mark| mark.parse().expect("a mark"));
        assert_eq!(plain.marks, marks);
        for (content, text) in
            [("<@99>, what is new?", "what is new?"), ("<@!99> /status", "/status"), ("and you <@99>", "and you")]
        {
            let named = said(json!({"content": content, "mentions": [user(99)]}));
            assert_eq!((named.addressed, named.text.as_str()), (true, text));
        }
        let other = said(json!({"content": "<@98> hello", "mentions": [user(98)]}));
        assert_eq!((other.addressed, other.text.as_str()), (false, "<@98> hello"));
        let mut replied = serde_json::to_value(message(json!({}))).expect("JSON");
        replied["author"] = user(99);
        assert!(said(json!({"type": 19, "referenced_message": replied})).addressed);
        assert!(!said(json!({"content": "@everyone", "mention_everyone": true})).addressed);
    }

    #[test]
    fn what_no_person_said_is_nothing_and_a_webhook_is_a_program_without_a_number() {
        assert_eq!(read(&message(json!({"author": user(99)})), &me()), None);
        assert_eq!(read(&message(json!({"type": 6})), &me()), None, "that something was pinned");
        let hook = read(&guild(json!({"webhook_id": "3", "member": null})), &me()).expect("heard");
        assert!(hook.from.bot && !hook.marks.iter().any(|mark| matches!(mark, Mark::User(_))));
    }

    #[test]
    fn an_edit_says_what_it_is_a_later_wording_of() {
        let edit =
            read(&message(json!({"edited_timestamp": "2026-01-02T03:04:09.000000+00:00"})), &me()).expect("heard");
        assert_eq!((&*edit.event, edit.edits.as_deref()), ("7:1767323049", Some("7")));
        assert_eq!(edit.at, Timestamp(1_767_323_049_000_000), "an old message that is changed now is not late");
    }

    #[test]
    fn files_come_with_their_names_and_a_message_without_anything_to_read_is_heard_of() {
        let file = json!({"id": "1", "filename": "notes.txt", "size": 5, "url": "http://x/notes.txt?ex=1",
            "proxy_url": "http://x", "content_type": "text/plain; charset=utf-8"});
        let heard = read(&message(json!({"content": "", "attachments": [file]})), &me()).expect("heard");
        assert_eq!((heard.text.as_str(), heard.wordless, heard.files.len()), ("notes.txt", false, 1));
        assert_eq!(&*heard.files[0].id, "http://x/notes.txt?ex=1");
        let sticker = read(&message(json!({"content": ""})), &me()).expect("heard");
        assert_eq!((sticker.text.as_str(), sticker.wordless), ("", true));
    }
}
