//! Slash commands and buttons: what is asked for, and the answer that Discord waits for.
//!
//! Discord wants to hear within three seconds, or tells whoever asked that the bot does not respond. What comes of most
//! commands is there at once and is the answer itself; for what takes longer a first answer says that more will follow.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mosaic_types::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use serenity::builder::{
    CreateInteractionResponse, CreateInteractionResponseFollowup, CreateInteractionResponseMessage,
    EditInteractionResponse,
};
use tokio::time::timeout;

use super::outbound::{made_at, nobody, number};
use super::{Inner, UNITS};
use crate::allow::Mark;
use crate::button::Button;
use crate::channel::{Heard, Sender};
use crate::chunk;
use crate::talk::Talk;

/// For so long the answer itself is waited for.
const PROMPT: Duration = Duration::from_millis(1_500);

/// With this the place of an answer begins that goes to an interaction, not to a message.
const MARK: &str = "interaction:";

/// Kinds of interactions (API reference, "Interaction Type").
const COMMAND: u8 = 2;
const BUTTON: u8 = 3;

/// An interaction, as far as it is looked at. It cannot be printed: its token is a secret.
#[derive(Deserialize)]
pub(super) struct Interaction {
    id: String,
    token: String,
    #[serde(rename = "type")]
    kind: u8,
    channel_id: Option<String>,
    guild_id: Option<String>,
    channel: Option<Place>,
    member: Option<Member>,
    user: Option<User>,
    data: Option<Data>,
}

#[derive(Debug, Deserialize)]
struct Place {
    parent_id: Option<String>,
    #[serde(rename = "type", default)]
    kind: u8,
}

#[derive(Debug, Deserialize)]
struct Member {
    user: User,
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct User {
    id: String,
    username: String,
    global_name: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Debug, Deserialize)]
struct Data {
    name: Option<String>,
    custom_id: Option<String>,
    #[serde(default)]
    options: Vec<Filled>,
}

#[derive(Debug, Deserialize)]
struct Filled {
    #[serde(default)]
    value: Value,
}

/// How far its answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Fresh,
    /// It was said that an answer follows.
    Deferred,
    Answered,
}

/// An interaction that waits for its answer. It cannot be printed either.
pub(super) struct Asked {
    id: String,
    /// Whoever has it may answer in our name, for a quarter of an hour.
    token: String,
    button: bool,
    stage: Cell<Stage>,
}

/// What an interaction says, as if it had been typed.
pub(super) fn read(interaction: &Interaction) -> Option<Heard> {
    let (data, channel) = (interaction.data.as_ref()?, interaction.channel_id.as_ref()?);
    let button = interaction.kind == BUTTON;
    let text = match (interaction.kind, &data.name, &data.custom_id) {
        (COMMAND, Some(name), _) => {
            let value = data.options.first().and_then(|option| option.value.as_str()).unwrap_or_default();
            format!("/{name} {value}").trim().to_owned()
        }
        (BUTTON, _, Some(button)) => Button::command(button)?,
        _ => return None,
    };
    let (user, roles) = match (&interaction.member, &interaction.user) {
        (Some(member), _) => (&member.user, member.roles.as_slice()),
        (None, Some(user)) => (user, [].as_slice()),
        (None, None) => return None,
    };
    let marks = [Mark::User(user.id.clone()), Mark::Chat(channel.clone())].into_iter();
    let parent = interaction.channel.as_ref().filter(|place| is_thread(place.kind));
    let parent = parent.and_then(|place| place.parent_id.clone()).map(Mark::Chat);
    let guild = interaction.guild_id.clone().map(Mark::Guild);
    let roles = roles.iter().cloned().map(Mark::Role);
    let key: Arc<str> = format!("{MARK}{}", interaction.id).into();
    Some(Heard {
        conversation: channel.as_str().into(),
        event: key.clone(),
        edits: None,
        files: Vec::new(),
        wordless: false,
        reply_to: Some(key),
        branch: None,
        from: Sender {
            id: user.id.as_str().into(),
            name: user.global_name.clone().unwrap_or_else(|| user.username.clone()),
            bot: user.bot,
        },
        marks: marks.chain(parent).chain(guild).chain(roles).collect(),
        direct: interaction.guild_id.is_none(),
        addressed: true,
        pressed: button,
        text,
        at: Timestamp(number(&interaction.id).map_or(0, made_at)),
    })
}

/// Whether rooms of that kind belong to another (API reference, "Channel Types").
pub(super) fn is_thread(kind: u8) -> bool {
    matches!(kind, 10..=12)
}

impl Inner {
    /// Does what an interaction asks for, and answers it.
    pub(super) async fn serve(self: Rc<Self>, interaction: Interaction, heard: Heard, talk: Rc<Talk>) {
        let key = heard.event.clone();
        if self.knows(&key) {
            return;
        }
        let button = interaction.kind == BUTTON;
        let asked =
            Rc::new(Asked { id: interaction.id, token: interaction.token, button, stage: Cell::new(Stage::Fresh) });
        self.asked.borrow_mut().insert(key.clone(), asked.clone());
        let admitted = talk.admits(&heard);
        let mut work = Box::pin(self.hear_out(heard, &talk));
        if timeout(PROMPT, &mut work).await.is_err() {
            self.defer(&asked).await;
            work.await;
        }
        self.asked.borrow_mut().remove(&key);
        self.close(&asked, admitted).await;
    }

    /// Says something to an interaction; `false` where it is none that waits.
    pub(super) async fn answer(&self, reply_to: Option<&str>, text: &str) -> bool {
        let Some(key) = reply_to.filter(|reply| reply.starts_with(MARK)) else { return false };
        let asked = self.asked.borrow().get(key).cloned();
        let Some(asked) = asked else { return true };
        for chunk in chunk::all(text, UNITS) {
            self.say_to(&asked, chunk.shown()).await;
        }
        true
    }

    async fn say_to(&self, asked: &Asked, text: String) {
        match asked.stage.get() {
            Stage::Fresh => {
                let message = CreateInteractionResponseMessage::new().content(text).allowed_mentions(nobody());
                // Under a button it is seen by whoever pressed it.
                let message = if asked.button { message.ephemeral(true) } else { message };
                self.respond(asked, CreateInteractionResponse::Message(message), Stage::Answered).await;
            }
            Stage::Deferred if !asked.button => {
                let edit = EditInteractionResponse::new().content(text).allowed_mentions(nobody());
                self.complete(asked, &edit).await;
            }
            Stage::Deferred | Stage::Answered => {
                let more = CreateInteractionResponseFollowup::new().content(text).allowed_mentions(nobody());
                let more = if asked.button { more.ephemeral(true) } else { more };
                let path = format!("webhooks/{}/{}", self.application(), asked.token);
                note(self.rest.call(Method::POST, &path, Some(&more)).await.is_ok());
            }
        }
    }

    /// Says that an answer follows.
    async fn defer(&self, asked: &Asked) {
        let response = match asked.button {
            true => CreateInteractionResponse::Acknowledge,
            false => CreateInteractionResponse::Defer(CreateInteractionResponseMessage::new()),
        };
        if asked.stage.get() == Stage::Fresh {
            self.respond(asked, response, Stage::Deferred).await;
        }
    }

    /// It is done: whoever asked is told so where nothing else told them, and a button goes.
    async fn close(&self, asked: &Asked, admitted: bool) {
        let nothing = || CreateInteractionResponseMessage::new().components(Vec::new());
        match (asked.stage.get(), asked.button, admitted) {
            (Stage::Fresh, true, true) => {
                self.respond(asked, CreateInteractionResponse::UpdateMessage(nothing()), Stage::Answered).await;
            }
            (Stage::Deferred, true, true) => {
                self.complete(asked, &EditInteractionResponse::new().components(Vec::new())).await;
            }
            (Stage::Fresh, _, _) => {
                let text = if admitted { "Done." } else { "This bot was not told to listen to you here." };
                let message = CreateInteractionResponseMessage::new().content(text).ephemeral(true);
                self.respond(asked, CreateInteractionResponse::Message(message), Stage::Answered).await;
            }
            (Stage::Deferred, false, _) => self.say_to(asked, "Done.".to_owned()).await,
            (Stage::Deferred, true, false) | (Stage::Answered, ..) => {}
        }
    }

    async fn respond(&self, asked: &Asked, response: CreateInteractionResponse, then: Stage) {
        // Of two that answer at once the second must know of the first.
        asked.stage.set(then);
        let path = format!("interactions/{}/{}/callback", asked.id, asked.token);
        note(self.rest.call(Method::POST, &path, Some(&response)).await.is_ok());
    }

    async fn complete(&self, asked: &Asked, edit: &EditInteractionResponse) {
        asked.stage.set(Stage::Answered);
        let path = format!("webhooks/{}/{}/messages/@original", self.application(), asked.token);
        note(self.rest.call(Method::PATCH, &path, Some(edit)).await.is_ok());
    }

    fn application(&self) -> u64 {
        self.me.borrow().as_ref().map_or(0, |me| me.application)
    }
}

fn note(answered: bool) {
    tracing::debug!(answered, "an interaction was answered");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn interaction(more: Value) -> Interaction {
        let user = json!({"id": "11", "username": "ada", "global_name": "Ada"});
        let mut whole = json!({"id": "175928847299117063", "application_id": "4", "type": 2, "token": "secret",
            "channel_id": "5", "user": user, "version": 1, "data": {"id": "9", "name": "new", "type": 1}});
        whole.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::from_value(whole).expect("an interaction")
    }

    #[test]
    fn a_slash_command_is_what_would_have_been_typed() {
        let option = json!({"data": {"name": "new", "options": [{"name": "agent", "type": 3, "value": "poet"}]}});
        let heard = read(&interaction(option)).expect("heard");
        assert_eq!(
            (heard.text.as_str(), heard.direct, heard.addressed, heard.pressed),
            ("/new poet", true, true, false)
        );
        assert_eq!((&*heard.conversation, heard.from.name.as_str()), ("5", "Ada"));
        assert_eq!(heard.event, heard.reply_to.expect("it is answered by itself"));
        assert_eq!(read(&interaction(json!({}))).expect("heard").text, "/new");
        assert_eq!(heard.at, Timestamp(1_462_015_105_796_000));
    }

    #[test]
    fn in_a_guild_whoever_asks_is_known_by_their_roles_and_a_thread_by_its_room() {
        let member = json!({"guild_id": "50", "user": null, "channel": {"id": "5", "type": 11, "parent_id": "6"},
            "member": {"user": {"id": "12", "username": "eve", "global_name": null}, "roles": ["70"]}});
        let heard = read(&interaction(member)).expect("heard");
        let marks = ["user:12", "chat:5", "chat:6", "guild:50", "role:70"].map(|mark| mark.parse().expect("a mark"));
        assert_eq!((heard.direct, heard.from.name.as_str()), (false, "eve"));
        assert_eq!(heard.marks, marks);
        let room = json!({"guild_id": "50", "channel": {"id": "5", "type": 0, "parent_id": "6"}});
        let category = Mark::Chat("6".into());
        assert!(!read(&interaction(room)).expect("heard").marks.contains(&category), "a category is no room");
    }

    #[test]
    fn only_our_own_buttons_do_something() {
        let press = |id: &str| read(&interaction(json!({"type": 3, "data": {"custom_id": id, "component_type": 2}})));
        let stop = press("stop").expect("heard");
        assert_eq!((stop.text.as_str(), stop.pressed), ("/stop", true));
        assert_eq!(press("retry").map(|heard| heard.text).as_deref(), Some("/retry"));
        assert_eq!(press("new poet"), None);
        assert_eq!(read(&interaction(json!({"type": 1, "data": null}))), None);
    }
}
