//! What each method does, but for `getUpdates`.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::html::visible;
use super::state::{BOT_NAME, Shown, State, bot, chat};

/// An error as the Bot API says it: its number and its sentence.
pub(super) type Refusal = (u16, String);

fn bad(why: impl Into<String>) -> Refusal {
    (400, format!("Bad Request: {}", why.into()))
}

/// Carries out a method; its name is in lower case.
pub(super) fn call(state: &mut State, method: &str, ask: &Value) -> Result<Value, Refusal> {
    match method {
        "getme" => {
            let mut me = bot();
            let rights = json!({"can_join_groups": true, "can_read_all_group_messages": false,
                "supports_inline_queries": false, "can_connect_to_business": false, "has_main_web_app": false});
            for (key, value) in rights.as_object().into_iter().flatten() {
                me[key] = value.clone();
            }
            Ok(me)
        }
        "getwebhookinfo" => {
            let url = state.webhook.as_ref().map_or("", |(url, _)| url);
            let mut info =
                json!({"url": url, "has_custom_certificate": false, "pending_update_count": state.updates.len()});
            if let Some(why) = &state.call_failed {
                info["last_error_date"] = json!(1_800_000_000);
                info["last_error_message"] = json!(why);
            }
            Ok(info)
        }
        "setwebhook" => {
            let text = |key: &str| ask[key].as_str().unwrap_or_default().to_owned();
            state.webhook = Some((text("url"), text("secret_token")));
            Ok(json!(true))
        }
        "deletewebhook" => {
            state.webhook = None;
            Ok(json!(true))
        }
        "answercallbackquery" => {
            let text = ask["text"].as_str().unwrap_or_default();
            if text.chars().count() > 200 {
                return Err(bad("MESSAGE_TOO_LONG"));
            }
            state.answers.push(text.to_owned());
            Ok(json!(true))
        }
        "sendchataction" => Ok(json!(true)),
        "setmycommands" => {
            let name = |command: &Value| command["command"].as_str().unwrap_or_default().to_owned();
            state.commands = ask["commands"].as_array().into_iter().flatten().map(name).collect();
            Ok(json!(true))
        }
        "getfile" => {
            let id = ask["file_id"].as_str().unwrap_or_default();
            let data = state.files.get(id).ok_or_else(|| bad("invalid file_id"))?;
            Ok(json!({"file_id": id, "file_unique_id": id, "file_size": data.len(), "file_path": id}))
        }
        "sendmessage" => send(state, ask),
        "senddocument" => send_file(state, ask),
        "editmessagetext" => edit(state, ask),
        "editmessagereplymarkup" => {
            let (chat_id, id) = target(ask);
            let shown = find(state, chat_id, id).ok_or_else(|| bad("message to edit not found"))?;
            shown.buttons = buttons(ask);
            let shown = shown.clone();
            Ok(message(chat_id, &shown))
        }
        "deletemessage" => {
            let (chat_id, id) = target(ask);
            if state.shown(chat_id, id).is_none() {
                return Err(bad("message to delete not found"));
            }
            state.delete(chat_id, id);
            Ok(json!(true))
        }
        other => Err((404, format!("Not Found: method {other} is not in the stand-in for @{BOT_NAME}"))),
    }
}

fn send(state: &mut State, ask: &Value) -> Result<Value, Refusal> {
    let chat_id = target(ask).0;
    may_write(state, chat_id)?;
    let text = text(ask)?;
    let id = state.number();
    state.sends.push((Instant::now(), chat_id));
    let shown = Shown {
        id,
        topic: ask["message_thread_id"].as_i64(),
        text,
        sent: ask["text"].as_str().unwrap_or_default().to_owned(),
        reply_to: ask["reply_parameters"]["message_id"].as_i64(),
        buttons: buttons(ask),
        edits: 0,
        file: None,
    };
    let sent = message(chat_id, &shown);
    state.chats.entry(chat_id).or_default().push(shown);
    Ok(sent)
}

/// A file, which the server has read out of the form.
fn send_file(state: &mut State, ask: &Value) -> Result<Value, Refusal> {
    let chat_id = ask["chat_id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
    may_write(state, chat_id)?;
    let field = |name: &str| ask[name].as_str().unwrap_or_default().to_owned();
    let file = (field("file_name"), field("file_text"));
    if file.1.is_empty() {
        return Err(bad("file must be non-empty"));
    }
    let id = state.number();
    state.sends.push((Instant::now(), chat_id));
    let topic = ask["message_thread_id"].as_str().and_then(|topic| topic.parse().ok());
    let (text, sent, size) = (String::new(), String::new(), file.1.len());
    let shown = Shown { id, topic, text, sent, reply_to: None, buttons: Vec::new(), edits: 0, file: Some(file) };
    let mut sent = message(chat_id, &shown);
    sent.as_object_mut().expect("an object").remove("text");
    sent["document"] = json!({"file_id": "f", "file_unique_id": "f", "file_size": size, "file_name": "answer.md"});
    state.chats.entry(chat_id).or_default().push(shown);
    Ok(sent)
}

fn edit(state: &mut State, ask: &Value) -> Result<Value, Refusal> {
    let (chat_id, id) = target(ask);
    may_write(state, chat_id)?;
    let (text, buttons) = (text(ask)?, buttons(ask));
    let sent = ask["text"].as_str().unwrap_or_default();
    let shown = find(state, chat_id, id).ok_or_else(|| bad("message to edit not found"))?;
    if shown.sent == sent && shown.buttons == buttons {
        return Err(bad(
            "message is not modified: specified new message content and reply markup are exactly the same as a current \
             content and reply markup of the message",
        ));
    }
    (shown.text, shown.sent, shown.buttons) = (text, sent.to_owned(), buttons);
    shown.edits += 1;
    let edited = message(chat_id, &shown.clone());
    state.sends.push((Instant::now(), chat_id));
    Ok(edited)
}

fn may_write(state: &State, chat_id: i64) -> Result<(), Refusal> {
    match state.closed.contains(&chat_id) {
        true if chat_id < 0 => Err((403, "Forbidden: bot was kicked from the supergroup chat".to_owned())),
        true => Err((403, "Forbidden: bot was blocked by the user".to_owned())),
        false => Ok(()),
    }
}

/// The text as people see it.
fn text(ask: &Value) -> Result<String, Refusal> {
    let sent = ask["text"].as_str().unwrap_or_default();
    let text = if ask["parse_mode"] == "HTML" { visible(sent).map_err(bad)? } else { sent.to_owned() };
    let text = text.trim();
    match text.encode_utf16().count() {
        0 => Err(bad("message text is empty")),
        1..=4_096 => Ok(text.to_owned()),
        _ => Err(bad("message is too long")),
    }
}

fn buttons(ask: &Value) -> Vec<(String, String)> {
    let rows = ask["reply_markup"]["inline_keyboard"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.flat_map(|row| row.as_array().into_iter().flatten())
        .map(|button| (text(&button["text"]), text(&button["callback_data"])))
        .inspect(|(_, data)| assert!((1..=64).contains(&data.len()), "no callback_data of Telegram's: {data:?}"))
        .collect()
}

/// The chat and the message that a call is about.
fn target(ask: &Value) -> (i64, i64) {
    (ask["chat_id"].as_i64().unwrap_or_default(), ask["message_id"].as_i64().unwrap_or_default())
}

fn find(state: &mut State, chat_id: i64, id: i64) -> Option<&mut Shown> {
    state.chats.get_mut(&chat_id)?.iter_mut().find(|shown| shown.id == id)
}

fn message(chat_id: i64, shown: &Shown) -> Value {
    json!({"message_id": shown.id, "date": 1_800_000_000, "chat": chat(chat_id), "from": bot(), "text": shown.text})
}
