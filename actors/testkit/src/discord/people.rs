//! What people do.

use serde_json::{Value, json};

use super::state::{Asked, BOT_ID, Room, Said, State, bot, timestamp, user};
use super::{APPLICATION, Discord, dm};

/// Something that somebody says.
#[derive(Debug, Clone)]
pub struct Saying {
    room: u64,
    guild: Option<u64>,
    user: u64,
    text: String,
    roles: Vec<u64>,
    bot: bool,
    more: Value,
}

impl Saying {
    /// To the bot alone.
    pub fn direct(user: u64, text: impl Into<String>) -> Self {
        Self { room: dm(user), guild: None, user, text: text.into(), roles: Vec::new(), bot: false, more: json!({}) }
    }

    /// In a room of a guild.
    pub fn guild(guild: u64, room: u64, user: u64, text: impl Into<String>) -> Self {
        Self { room, guild: Some(guild), ..Self::direct(user, text) }
    }

    /// In another room.
    #[must_use]
    pub fn in_room(mut self, room: u64) -> Self {
        self.room = room;
        self
    }

    /// As the answer to a message of the bot, without calling it.
    #[must_use]
    pub fn replying_to(mut self, message: u64) -> Self {
        let room = self.room.to_string();
        self.more["type"] = json!(19);
        self.more["message_reference"] = json!({"message_id": message.to_string(), "channel_id": room});
        let mut replied = base(message, self.room, bot(), "…");
        replied["referenced_message"] = Value::Null;
        self.more["referenced_message"] = replied;
        self
    }

    /// By somebody with these roles.
    #[must_use]
    pub fn with_roles(mut self, roles: &[u64]) -> Self {
        self.roles = roles.to_vec();
        self
    }

    /// With a file.
    #[must_use]
    pub fn with_file(mut self, discord: &Discord, name: &str, media_type: &str, data: &[u8]) -> Self {
        let path = format!("{}/{name}", self.room);
        discord.shared.change(|state| state.files.insert(path.clone(), data.to_vec()));
        let url = format!("{}/attachments/{path}?ex=1&is=2&hm=3", discord.url());
        let file = json!({"id": "77", "filename": name, "size": data.len(), "url": url, "proxy_url": url,
            "content_type": media_type});
        self.more["attachments"] = json!([file]);
        self
    }

    /// By a program.
    #[must_use]
    pub fn by_a_bot(mut self) -> Self {
        self.bot = true;
        self
    }

    pub(super) fn say(&self, state: &mut State) -> u64 {
        let id = state.id();
        self.say_as(state, id);
        id
    }

    fn say_as(&self, state: &mut State, id: u64) {
        let message = self.message(id);
        settle(state, self);
        state.history.entry(self.room).or_default().push(Said { id, message: message.clone() });
        state.happen("MESSAGE_CREATE", &message);
    }

    fn message(&self, id: u64) -> Value {
        let author = user(self.user, &format!("user{}", self.user), self.bot);
        let mut message = base(id, self.room, author, &self.text);
        if self.text.contains(&format!("<@{BOT_ID}>")) {
            message["mentions"] = json!([bot()]);
        }
        if let Some(guild) = self.guild {
            message["guild_id"] = json!(guild.to_string());
            message["member"] = member(&self.roles);
        }
        for (key, value) in self.more.as_object().into_iter().flatten() {
            message[key] = value.clone();
        }
        message
    }
}

fn base(id: u64, room: u64, author: Value, text: &str) -> Value {
    json!({"id": id.to_string(), "channel_id": room.to_string(), "author": author, "content": text,
        "timestamp": timestamp(id), "edited_timestamp": null, "tts": false, "mention_everyone": false, "mentions": [],
        "mention_roles": [], "attachments": [], "embeds": [], "pinned": false, "type": 0})
}

fn member(roles: &[u64]) -> Value {
    let roles: Vec<String> = roles.iter().map(u64::to_string).collect();
    json!({"roles": roles, "joined_at": "2024-01-01T00:00:00.000000+00:00", "deaf": false, "mute": false, "flags": 0})
}

impl Discord {
    /// Somebody says something; answers the message's number.
    pub fn say(&self, saying: &Saying) -> u64 {
        self.shared.change(|state| saying.say(state))
    }

    /// Somebody says something as soon as the bot listens for the first time.
    pub fn say_once_heard(&self, saying: &Saying) {
        self.shared.change(|state| match state.sessions.is_empty() {
            true => state.unsaid.push(saying.clone()),
            false => drop(saying.say(state)),
        });
    }

    /// Somebody changes what they said.
    pub fn edit(&self, message: u64, saying: &Saying) {
        self.shared.change(|state| {
            let mut edited = saying.message(message);
            edited["edited_timestamp"] = json!(timestamp(state.id()));
            state.happen("MESSAGE_UPDATE", &edited);
        });
    }

    /// A link of a message was looked up: it is told again, and was not changed by anybody.
    pub fn unfurl(&self, message: u64, saying: &Saying) {
        self.shared.change(|state| state.happen("MESSAGE_UPDATE", &saying.message(message)));
    }

    /// A thread begins in a room.
    pub fn open_thread(&self, thread: u64, room: u64, guild: u64) {
        let opened = Room { parent: Some(room), ..Room::of(Some(guild)) };
        self.shared.change(|state| state.rooms.insert(thread, opened));
    }

    /// Somebody begins a post in a forum: a thread whose number is that of its first message. Answers that.
    pub fn post(&self, forum: u64, saying: &Saying) -> u64 {
        self.shared.change(|state| {
            let id = state.id();
            let owner = Some(saying.user);
            state.rooms.insert(forum, Room { forum: true, ..Room::of(saying.guild) });
            state.rooms.insert(id, Room { parent: Some(forum), owner, ..Room::of(saying.guild) });
            saying.clone().in_room(id).say_as(state, id);
            id
        })
    }

    /// Somebody types a slash command; the saying's text is the name, then what is in its one option.
    pub fn command(&self, saying: &Saying) -> u64 {
        let (name, rest) = saying.text.split_once(' ').unwrap_or((&saying.text, ""));
        let known = self.commands();
        let known = known.iter().find(|known| known["name"] == name);
        let option = known.and_then(|known| known["options"][0]["name"].as_str()).unwrap_or("text").to_owned();
        let options = if rest.is_empty() { json!([]) } else { json!([{"name": option, "type": 3, "value": rest}]) };
        let data = json!({"id": "9", "name": name, "type": 1, "options": options});
        self.interact(2, saying, data, None)
    }

    /// Somebody presses the first button under a message of the bot. Panics if there is none.
    pub fn press(&self, saying: &Saying, message: u64) -> u64 {
        let shown = self.seen(saying.room).into_iter().find(|shown| shown.id == message).expect("the message is there");
        let (_, id) = shown.buttons.first().expect("there is a button").clone();
        self.press_late(saying, message, &id)
    }

    /// Somebody presses a button that hung under a message of the bot, and may be gone by now.
    pub fn press_late(&self, saying: &Saying, message: u64, button: &str) -> u64 {
        self.interact(3, saying, json!({"custom_id": button, "component_type": 2}), Some(message))
    }

    fn interact(&self, kind: u8, saying: &Saying, data: Value, on: Option<u64>) -> u64 {
        self.shared.change(|state| {
            settle(state, saying);
            let id = state.id();
            let token = format!("interaction-token-{id}");
            let person = user(saying.user, &format!("user{}", saying.user), false);
            let mut told = json!({"id": id.to_string(), "application_id": APPLICATION.to_string(), "type": kind,
                "token": token, "version": 1, "channel_id": saying.room.to_string(), "data": data, "locale": "en-GB"});
            match saying.guild {
                Some(guild) => {
                    told["guild_id"] = json!(guild.to_string());
                    told["member"] = member(&saying.roles);
                    told["member"]["user"] = person;
                }
                None => told["user"] = person,
            }
            if let Some(on) = on {
                told["message"] = base(on, saying.room, bot(), "…");
            }
            state.asked.push(Asked { id, token, room: saying.room, on, answered: false, answer: None });
            state.happen("INTERACTION_CREATE", &told);
            id
        })
    }

    /// Interactions that were not answered.
    pub fn unanswered(&self) -> usize {
        self.shared.look(|state| state.asked.iter().filter(|asked| !asked.answered).count())
    }

    /// Somebody takes a message away.
    pub fn delete(&self, room: u64, message: u64) {
        self.shared.change(|state| {
            state.shown.entry(room).or_default().retain(|shown| shown.id != message);
            state.history.entry(room).or_default().retain(|said| said.id != message);
        });
    }
}

/// The room exists from when somebody is in it.
fn settle(state: &mut State, saying: &Saying) {
    state.roles.insert(saying.user, saying.roles.clone());
    state.rooms.entry(saying.room).or_insert(Room::of(saying.guild));
}
