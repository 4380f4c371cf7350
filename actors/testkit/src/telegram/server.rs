//! The socket's side: connections, tokens, faults, and the poll that is held open.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::methods::{Refusal, call};
use super::state::{Fault, Shared, State};
use crate::form::form;
use crate::http::Client;
use crate::platform::{self, Answers};
use crate::request::{Connection, Gone, Request};

/// The pause before a call that failed is made again.
const CALL_AGAIN: Duration = Duration::from_millis(200);

/// Answers and calls until `stopped`.
pub(super) async fn serve(socket: TcpListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    tokio::runtime::Handle::current().spawn(call_out(shared.clone()));
    platform::serve(socket, shared, stopped).await;
}

impl Answers for State {
    async fn answer(connection: &mut Connection, request: &Request, memory: &Shared) -> Result<(), Gone> {
        answer(connection, request, memory).await
    }
}

async fn answer(connection: &mut Connection, request: &Request, shared: &Shared) -> Result<(), Gone> {
    let path = request.path.split('?').next().unwrap_or_default();
    let token = shared.look(|state| state.token.clone());
    if let Some(file) = path.strip_prefix(&format!("/file/bot{token}/")) {
        let data = shared.look(|state| state.files.get(file).cloned()).unwrap_or_default();
        return connection.send(&response(200, &data)).await;
    }
    let method = path.strip_prefix(&format!("/bot{token}/")).map(str::to_ascii_lowercase);
    let Some(method) = method else {
        return say(connection, &Err((401, "Unauthorized".to_owned())), None).await;
    };
    let ask: Value = serde_json::from_slice(&request.body).unwrap_or_else(|_| form(&request.body));
    let fault = shared.change(|state| state.fault(&method));
    match fault {
        Some(Fault::Flood(seconds)) => {
            let refusal = (429, format!("Too Many Requests: retry after {seconds}"));
            return say(connection, &Err(refusal), Some(seconds)).await;
        }
        Some(Fault::Refuse(status, sentence)) => return say(connection, &Err((status, sentence)), None).await,
        Some(Fault::CutBefore) => return Err(Gone),
        Some(Fault::Mute) => return connection.until(std::future::pending()).await,
        Some(Fault::Garbage) => {
            return connection.send(&response(502, "<html>502 Bad Gateway</html>".as_bytes())).await;
        }
        Some(Fault::CutAfter) => {
            let _ = shared.change(|state| call(state, &method, &ask));
            return Err(Gone);
        }
        None => {}
    }
    let answered = if method == "getupdates" {
        poll(connection, &ask, shared).await?
    } else {
        shared.change(|state| call(state, &method, &ask))
    };
    say(connection, &answered, None).await
}

/// Waits for news as long as the bot asks for. Whoever polls later throws the earlier one out.
async fn poll(connection: &mut Connection, ask: &Value, shared: &Shared) -> Result<Result<Value, Refusal>, Gone> {
    if shared.look(|state| state.webhook.is_some()) {
        let sentence = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the \
                        webhook first";
        return Ok(Err((409, sentence.to_owned())));
    }
    let until = Instant::now() + Duration::from_secs(ask["timeout"].as_u64().unwrap_or(0));
    let limit = usize::try_from(ask["limit"].as_u64().unwrap_or(100)).unwrap_or(100);
    let mut changes = shared.changes();
    let mine = shared.change(|state| {
        if let Some(offset) = ask["offset"].as_u64() {
            state.confirm(offset);
        }
        state.poll += 1;
        state.poll
    });
    let wait = async {
        loop {
            changes.borrow_and_update();
            let (newest, news) = shared.look(|state| {
                let news: Vec<Value> = state.updates.iter().take(limit).map(|(_, update)| update.clone()).collect();
                (state.poll, news)
            });
            if newest != mine {
                let sentence = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is \
                                running";
                return Err((409, sentence.to_owned()));
            }
            let late = Instant::now() >= until;
            if !news.is_empty() || late {
                return Ok(Value::Array(news));
            }
            let _ = timeout_at(until, changes.changed()).await;
        }
    };
    connection.until(wait).await
}

/// Calls whoever wants to be called, with one update after the other; with each again until it is taken.
async fn call_out(shared: Arc<Shared>) {
    let mut changes = shared.changes();
    loop {
        changes.borrow_and_update();
        let next = shared.look(|state| Some((state.webhook.clone()?, state.updates.front()?.clone())));
        let Some(((url, secret), (id, update))) = next else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        match call_with(&url, &secret, &update).await {
            Ok(()) => shared.change(|state| {
                state.confirm(id + 1);
                state.call_failed = None;
            }),
            Err(why) => {
                shared.change(|state| state.call_failed = Some(why));
                tokio::time::sleep(CALL_AGAIN).await;
            }
        }
    }
}

/// One call; the real one wants https.
async fn call_with(url: &str, secret: &str, update: &Value) -> Result<(), String> {
    let (address, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).ok_or("Bad URL")?;
    let address = address.parse().map_err(|_| "Failed to resolve host")?;
    let mut client = Client::connect(address).await.map_err(|_| "Connection refused")?;
    let headers = [("content-type", "application/json"), ("x-telegram-bot-api-secret-token", secret)];
    let answer = client.request("POST", &format!("/{path}"), &headers, update.to_string().as_bytes()).await;
    match answer.map_err(|_| "Connection closed")?.status() {
        200..300 => Ok(()),
        status => Err(format!("Wrong response from the webhook: {status}")),
    }
}

async fn say(
    connection: &mut Connection,
    answered: &Result<Value, Refusal>,
    retry_after: Option<u64>,
) -> Result<(), Gone> {
    let (status, body) = match answered {
        Ok(result) => (200, json!({"ok": true, "result": result})),
        Err((status, sentence)) => {
            let mut body = json!({"ok": false, "error_code": status, "description": sentence});
            if let Some(seconds) = retry_after {
                body["parameters"] = json!({"retry_after": seconds});
            }
            (*status, body)
        }
    };
    connection.send(&response(status, body.to_string().as_bytes())).await
}

fn response(status: u16, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Because\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
