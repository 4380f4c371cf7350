//! The socket's side of REST: connections, tokens, faults.

use serde_json::{Value, json};

use super::routes::{self, Answer, Ask};
use super::state::{Fault, Shared, State};
use super::{OTHER_TOKEN, TOKEN};
use crate::form::form;
use crate::platform::Answers;
use crate::request::{Connection, Gone, Request};

impl Answers for State {
    async fn answer(connection: &mut Connection, request: &Request, memory: &Shared) -> Result<(), Gone> {
        answer(connection, request, memory).await
    }
}

async fn answer(connection: &mut Connection, request: &Request, shared: &Shared) -> Result<(), Gone> {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    if let Some(file) = path.strip_prefix("/attachments/") {
        let data = shared.look(|state| state.files.get(file).cloned());
        let status = if data.is_some() { 200 } else { 404 };
        return connection.send(&response(status, "application/octet-stream", &data.unwrap_or_default())).await;
    }
    let headers = request.headers();
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let Some(path) = path.strip_prefix("/api/v10/") else {
        return say(connection, &refusal(404, 0, "404: Not Found")).await;
    };
    // What belongs to an interaction is known by the interaction's own token.
    let own_token = path.starts_with("interactions/") || path.starts_with("webhooks/");
    let token = header("authorization").strip_prefix("Bot ");
    if !own_token && !matches!(token, Some(TOKEN | OTHER_TOKEN)) {
        return say(connection, &refusal(401, 0, "401: Unauthorized")).await;
    }
    if !header("user-agent").starts_with("DiscordBot (") {
        return say(connection, &refusal(403, 40_333, "Internal network error")).await;
    }
    let body = serde_json::from_slice(&request.body).unwrap_or_else(|_| with_file(&request.body));
    let ask = Ask { method: &request.method, path, query, body };
    let kind = ask.kind();
    let fault = shared.change(|state| state.fault(kind));
    match fault {
        Some(Fault::Flood(seconds)) => return say(connection, &flood(seconds, false)).await,
        Some(Fault::FloodAll(seconds)) => return say(connection, &flood(seconds, true)).await,
        Some(Fault::Refuse(status, code, sentence)) => return say(connection, &refusal(status, code, &sentence)).await,
        Some(Fault::CutBefore) => return Err(Gone),
        Some(Fault::Mute) => return connection.until(std::future::pending()).await,
        Some(Fault::Garbage) => return connection.send(&response(502, "text/html", b"<html>Bad Gateway</html>")).await,
        Some(Fault::CutAfter) => {
            let _ = shared.change(|state| routes::call(state, &ask));
            return Err(Gone);
        }
        None => {}
    }
    let answered = shared.change(|state| routes::call(state, &ask));
    say(connection, &answered).await
}

/// A message that comes with a file (API reference, "Uploading Files").
fn with_file(body: &[u8]) -> Value {
    let form = form(body);
    let mut message: Value =
        form["payload_json"].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or_default());
    if message.is_object() {
        message["file"] = json!([form["file_name"], form["file_text"]]);
    }
    message
}

fn flood(seconds: f64, global: bool) -> Answer {
    (429, json!({"message": "You are being rate limited.", "retry_after": seconds, "global": global}))
}

/// As Discord says no.
pub(super) fn refusal(status: u16, code: u64, sentence: &str) -> Answer {
    (status, json!({"code": code, "message": sentence}))
}

async fn say(connection: &mut Connection, (status, body): &Answer) -> Result<(), Gone> {
    let body = if *status == 204 { String::new() } else { body.to_string() };
    connection.send(&response(*status, "application/json", body.as_bytes())).await
}

fn response(status: u16, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("HTTP/1.1 {status} Because\r\ncontent-type: {kind}\r\n{length}\r\n");
    [head.as_bytes(), body].concat()
}
