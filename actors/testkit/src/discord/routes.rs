//! What each route does.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::server::refusal;
use super::state::{BOT_ID, Room, Said, Shown, State, bot, timestamp};
use super::{APPLICATION, dm};

/// A status, and what is said.
pub(super) type Answer = (u16, Value);

/// A call.
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    /// Behind the version.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) body: Value,
}

impl Ask<'_> {
    /// What tests call it.
    pub(super) fn kind(&self) -> &'static str {
        let parts: Vec<&str> = self.path.split('/').collect();
        match (self.method, parts.as_slice()) {
            ("GET", ["gateway" | "gateway/bot"] | ["gateway", "bot"]) => "gateway",
            ("GET", ["users", "@me"]) => "me",
            ("GET", ["applications", "@me"]) => "application",
            ("PUT", ["applications", _, "commands"]) => "publish",
            ("POST", ["users", "@me", "channels"]) => "open",
            ("GET", ["guilds", _, "members", _]) => "member",
            ("GET", ["channels", _]) => "channel",
            ("GET", ["channels", _, "messages"]) => "history",
            ("POST", ["channels", _, "messages"]) if !self.body["file"].is_null() => "upload",
            ("POST", ["channels", _, "messages"]) => "send",
            ("PATCH", ["channels", _, "messages", _]) => "edit",
            ("DELETE", ["channels", _, "messages", _]) => "delete",
            ("POST", ["channels", _, "messages", _, "threads"]) => "thread",
            ("POST", ["channels", _, "typing"]) => "typing",
            ("POST", ["interactions", _, _, "callback"]) => "respond",
            ("POST", ["webhooks", _, _]) => "follow up",
            ("PATCH", ["webhooks", _, _, "messages", "@original"]) => "complete",
            _ => "unknown",
        }
    }

    fn part(&self, at: usize) -> u64 {
        self.path.split('/').nth(at).and_then(|part| part.parse().ok()).unwrap_or(0)
    }

    fn argument(&self, name: &str) -> Option<u64> {
        let found = self.query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        found.and_then(|(_, value)| value.parse().ok())
    }
}

/// What comes of a call.
pub(super) fn call(state: &mut State, ask: &Ask<'_>) -> Answer {
    let done = match ask.kind() {
        "gateway" => Ok(gateway(state)),
        "me" => Ok(bot()),
        "application" => {
            // Message content for a bot that is in few guilds (API reference, "Application flags").
            let flags = if state.content { 1 << 19 } else { 0 };
            Ok(json!({"id": APPLICATION.to_string(), "name": "Mosaic", "flags": flags, "bot_public": true}))
        }
        "publish" => {
            state.commands = ask.body.as_array().cloned().unwrap_or_default();
            Ok(Value::Array(state.commands.clone()))
        }
        "open" => open(state, &ask.body),
        "channel" => channel(state, ask.part(1)),
        "member" => member(state, ask.part(3)),
        "history" => history(state, ask),
        "send" | "upload" => send(state, ask.part(1), &ask.body),
        "edit" => edit(state, ask.part(1), ask.part(3), &ask.body),
        "delete" => delete(state, ask.part(1), ask.part(3)),
        "thread" => open_thread(state, ask),
        "typing" => {
            state.typed += 1;
            Ok(Value::Null)
        }
        "respond" => respond(state, ask),
        "follow up" => follow_up(state, ask),
        "complete" => complete(state, ask),
        _ => Err(refusal(404, 0, "404: Not Found")),
    };
    match done {
        Ok(Value::Null) => (204, Value::Null),
        Ok(body) => (200, body),
        Err(refused) => refused,
    }
}

fn gateway(state: &State) -> Value {
    let limit = json!({"total": 1_000, "remaining": state.remaining, "reset_after": 14_400_000, "max_concurrency": 1});
    json!({"url": state.gateway, "shards": 1, "session_start_limit": limit})
}

fn open(state: &mut State, body: &Value) -> Result<Value, Answer> {
    let user = body["recipient_id"].as_str().and_then(|id| id.parse().ok());
    let room = dm(user.ok_or_else(|| invalid("recipient_id"))?);
    state.rooms.entry(room).or_insert(Room::of(None));
    channel(state, room)
}

fn channel(state: &State, room: u64) -> Result<Value, Answer> {
    let found = state.rooms.get(&room).ok_or_else(|| refusal(404, 10_003, "Unknown Channel"))?;
    let last = state.history.get(&room).and_then(|all| all.last()).map(|said| said.id.to_string());
    let kind = match (found.guild, found.parent) {
        (None, _) => 1,
        (Some(_), None) if found.forum => 15,
        (Some(_), None) => 0,
        (Some(_), Some(_)) => 11,
    };
    Ok(json!({"id": room.to_string(), "type": kind, "guild_id": found.guild.map(|id| id.to_string()),
        "parent_id": found.parent.map(|id| id.to_string()), "last_message_id": last,
        "owner_id": found.owner.map(|id| id.to_string())}))
}

/// The guilds, as they are told when a session begins.
pub(super) fn guilds(state: &State) -> Vec<Value> {
    let all: BTreeSet<u64> = state.rooms.values().filter_map(|room| room.guild).collect();
    let rooms = |guild, threads| -> Vec<Value> {
        let of = |room: &Room| room.guild == Some(guild) && room.parent.is_some() == threads;
        let of = state.rooms.iter().filter(|(_, room)| of(room));
        of.filter_map(|(id, _)| channel(state, *id).ok()).collect()
    };
    let told =
        |guild: u64| json!({"id": guild.to_string(), "channels": rooms(guild, false), "threads": rooms(guild, true)});
    all.into_iter().map(told).collect()
}

fn member(state: &State, user: u64) -> Result<Value, Answer> {
    let roles: Vec<String> = state.roles.get(&user).into_iter().flatten().map(u64::to_string).collect();
    Ok(json!({"user": {"id": user.to_string()}, "roles": roles}))
}

/// A thread that begins with a message has its number (API reference, "Start Thread from Message").
fn open_thread(state: &mut State, ask: &Ask<'_>) -> Result<Value, Answer> {
    let (room, message) = (ask.part(1), ask.part(3));
    may_write(state, room)?;
    let of = state.rooms[&room];
    if of.guild.is_none() || of.parent.is_some() {
        return Err(refusal(400, 50_024, "Cannot execute action on this channel type"));
    }
    if !state.history.get(&room).is_some_and(|all| all.iter().any(|said| said.id == message)) {
        return Err(refusal(404, 10_008, "Unknown Message"));
    }
    if state.rooms.contains_key(&message) {
        return Err(refusal(400, 160_004, "A thread has already been created for this message"));
    }
    if !matches!(ask.body["name"].as_str().map_or(0, |name| name.chars().count()), 1..=100) {
        return Err(invalid("name: Must be between 1 and 100 in length."));
    }
    state.rooms.insert(message, Room { parent: Some(room), owner: Some(BOT_ID), ..Room::of(of.guild) });
    let thread = channel(state, message)?;
    state.happen("THREAD_CREATE", &thread);
    Ok(thread)
}

fn history(state: &State, ask: &Ask<'_>) -> Result<Value, Answer> {
    let room = ask.part(1);
    may_write(state, room)?;
    let after = ask.argument("after").unwrap_or(0);
    let limit = usize::try_from(ask.argument("limit").unwrap_or(50)).unwrap_or(50);
    let said = state.history.get(&room).map(Vec::as_slice).unwrap_or_default();
    let found: Vec<&Said> = said.iter().filter(|said| said.id > after).collect();
    // After a message, the first that follow it; else the last; and always the newest first.
    let some = if after > 0 { &found[..found.len().min(limit)] } else { &found[found.len().saturating_sub(limit)..] };
    // What is asked for this way does not say where it was said, nor its nonce, which is not kept.
    let bare = |said: &&Said| {
        let mut message = said.message.clone();
        message.as_object_mut().expect("an object").retain(|key, _| !["guild_id", "member", "nonce"].contains(&&**key));
        message
    };
    Ok(some.iter().rev().map(bare).collect())
}

fn invalid(field: &str) -> Answer {
    refusal(400, 50_035, &format!("Invalid Form Body: {field}"))
}

fn may_write(state: &State, room: u64) -> Result<(), Answer> {
    match state.rooms.get(&room) {
        None => Err(refusal(404, 10_003, "Unknown Channel")),
        Some(Room { forum: true, .. }) => Err(refusal(400, 50_024, "Cannot execute action on this channel type")),
        Some(Room { guild: Some(_), .. }) if state.closed.contains(&room) => {
            Err(refusal(403, 50_001, "Missing Access"))
        }
        Some(_) if state.closed.contains(&room) => Err(refusal(403, 50_007, "Cannot send messages to this user")),
        Some(_) => Ok(()),
    }
}

fn text(body: &Value) -> Result<String, Answer> {
    let text = body["content"].as_str().unwrap_or_default();
    match text.encode_utf16().count() {
        0 => Err(refusal(400, 50_006, "Cannot send an empty message")),
        1..=2_000 => Ok(text.trim().to_owned()),
        _ => Err(invalid("content: Must be 2000 or fewer in length.")),
    }
}

fn buttons(body: &Value) -> Vec<(String, String)> {
    let rows = body["components"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.flat_map(|row| row["components"].as_array().into_iter().flatten())
        .map(|button| (text(&button["label"]), text(&button["custom_id"])))
        .inspect(|(_, id)| assert!((1..=100).contains(&id.chars().count()), "no custom_id of Discord's: {id:?}"))
        .collect()
}

fn closed(body: &Value) -> bool {
    body["allowed_mentions"]["parse"].as_array().is_some_and(Vec::is_empty)
}

fn send(state: &mut State, room: u64, body: &Value) -> Result<Value, Answer> {
    may_write(state, room)?;
    let text = if body["file"].is_null() { text(body)? } else { String::new() };
    let nonce = body["nonce"].as_str().map(str::to_owned);
    if nonce.as_ref().is_some_and(|nonce| nonce.len() > 25) {
        return Err(invalid("nonce: Must be 25 or fewer in length."));
    }
    if body["enforce_nonce"] == true && nonce.is_some() && !state.forgets {
        let shown = state.shown.get(&room).and_then(|all| all.iter().find(|shown| shown.nonce == nonce));
        if let Some(id) = shown.map(|shown| shown.id) {
            let said = state.history[&room].iter().find(|said| said.id == id);
            return Ok(said.map_or(Value::Null, |said| said.message.clone()));
        }
    }
    let reply_to = body["message_reference"]["message_id"].as_str().and_then(|id| id.parse().ok());
    if let Some(question) = reply_to {
        let known = state.history.get(&room).is_some_and(|all| all.iter().any(|said| said.id == question));
        if !known && body["message_reference"]["fail_if_not_exists"] != false {
            return Err(invalid("message_reference: Unknown message"));
        }
    }
    state.sends.push((Instant::now(), room));
    Ok(show(state, room, &text, reply_to, nonce, body, false))
}

/// Has people see a message of the bot.
fn show(
    state: &mut State,
    room: u64,
    text: &str,
    reply_to: Option<u64>,
    nonce: Option<String>,
    body: &Value,
    private: bool,
) -> Value {
    let id = state.id();
    let mut message = message(id, room, state.rooms.get(&room).and_then(|room| room.guild), text, nonce.as_deref());
    let part = |at: usize| body["file"][at].as_str().map(str::to_owned);
    let file = part(0).zip(part(1));
    if let Some((name, text)) = &file {
        let url = format!("{}/attachments/{room}/{name}", state.origin);
        message["attachments"] =
            json!([{"id": id.to_string(), "filename": name, "size": text.len(), "url": url, "proxy_url": url}]);
    }
    let shown = Shown {
        id,
        text: text.to_owned(),
        reply_to,
        buttons: buttons(body),
        nonce,
        closed: closed(body),
        private,
        edits: 0,
        file,
    };
    state.shown.entry(room).or_default().push(shown);
    if !private {
        state.history.entry(room).or_default().push(Said { id, message: message.clone() });
        // The bot hears itself.
        state.happen("MESSAGE_CREATE", &message);
    }
    message
}

/// A message of the bot.
fn message(id: u64, room: u64, guild: Option<u64>, text: &str, nonce: Option<&str>) -> Value {
    let mut message = json!({"id": id.to_string(), "channel_id": room.to_string(), "author": bot(), "content": text,
        "timestamp": timestamp(id), "edited_timestamp": null, "tts": false, "mention_everyone": false, "mentions": [],
        "mention_roles": [], "attachments": [], "embeds": [], "pinned": false, "type": 0});
    if let Some(nonce) = nonce {
        message["nonce"] = json!(nonce);
    }
    if let Some(guild) = guild {
        message["guild_id"] = json!(guild.to_string());
    }
    message
}

fn find(state: &mut State, room: u64, id: u64) -> Result<&mut Shown, Answer> {
    let shown = state.shown.get_mut(&room).and_then(|all| all.iter_mut().find(|shown| shown.id == id));
    shown.ok_or_else(|| refusal(404, 10_008, "Unknown Message"))
}

fn edit(state: &mut State, room: u64, id: u64, body: &Value) -> Result<Value, Answer> {
    may_write(state, room)?;
    change(state, room, id, body)?;
    state.sends.push((Instant::now(), room));
    let said = state.history.get_mut(&room).and_then(|all| all.iter_mut().find(|said| said.id == id));
    let message = said.map_or(Value::Null, |said| {
        said.message["content"] = body["content"].clone();
        said.message.clone()
    });
    state.happen("MESSAGE_UPDATE", &message);
    Ok(message)
}

fn change(state: &mut State, room: u64, id: u64, body: &Value) -> Result<(), Answer> {
    let text = if body["content"].is_null() { None } else { Some(text(body)?) };
    let shown = find(state, room, id)?;
    if let Some(text) = text {
        shown.text = text;
        shown.closed &= closed(body);
    }
    if !body["components"].is_null() {
        shown.buttons = buttons(body);
    }
    shown.edits += 1;
    Ok(())
}

fn delete(state: &mut State, room: u64, id: u64) -> Result<Value, Answer> {
    find(state, room, id)?;
    state.shown.entry(room).or_default().retain(|shown| shown.id != id);
    state.history.entry(room).or_default().retain(|said| said.id != id);
    Ok(Value::Null)
}

/// The first answer to an interaction (API reference, "Interaction callback type").
fn respond(state: &mut State, ask: &Ask<'_>) -> Result<Value, Answer> {
    let (id, token) = (ask.part(1), ask.path.split('/').nth(2).unwrap_or_default());
    let found = state.asked.iter().position(|asked| asked.id == id && asked.token == token);
    let at = found.ok_or_else(|| refusal(404, 10_062, "Unknown interaction"))?;
    if state.asked[at].answered {
        return Err(refusal(400, 40_060, "Interaction has already been acknowledged."));
    }
    let (room, on, data) = (state.asked[at].room, state.asked[at].on, ask.body["data"].clone());
    let private = data["flags"].as_u64().unwrap_or(0) & 64 != 0;
    let answer = match (ask.body["type"].as_u64(), on) {
        (Some(4), _) => {
            let text = text(&data)?;
            show(state, room, &text, None, None, &data, private)["id"].as_str().and_then(|id| id.parse().ok())
        }
        (Some(5), _) | (Some(6), Some(_)) => None,
        (Some(7), Some(on)) => {
            change(state, room, on, &data)?;
            None
        }
        _ => return Err(invalid("type")),
    };
    state.asked[at].answered = true;
    state.asked[at].answer = answer;
    Ok(Value::Null)
}

fn asked(state: &State, ask: &Ask<'_>) -> Result<usize, Answer> {
    let token = ask.path.split('/').nth(2).unwrap_or_default();
    let found = state.asked.iter().position(|asked| asked.token == token && asked.answered);
    found.ok_or_else(|| refusal(404, 10_015, "Unknown Webhook"))
}

fn follow_up(state: &mut State, ask: &Ask<'_>) -> Result<Value, Answer> {
    let at = asked(state, ask)?;
    let (room, text) = (state.asked[at].room, text(&ask.body)?);
    let private = ask.body["flags"].as_u64().unwrap_or(0) & 64 != 0;
    Ok(show(state, room, &text, None, None, &ask.body, private))
}

fn complete(state: &mut State, ask: &Ask<'_>) -> Result<Value, Answer> {
    let at = asked(state, ask)?;
    let (room, on, answer) = (state.asked[at].room, state.asked[at].on, state.asked[at].answer);
    if let Some(id) = on.or(answer) {
        change(state, room, id, &ask.body)?;
        return Ok(json!({"id": id.to_string()}));
    }
    let text = text(&ask.body)?;
    let shown = show(state, room, &text, None, None, &ask.body, false);
    state.asked[at].answer = shown["id"].as_str().and_then(|id| id.parse().ok());
    Ok(shown)
}
