//! Somebody who does not give up: each message is sent with a key of its own until it is acknowledged, now in this form
//! and now in that one, since the key names it in all of them.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use mosaic_testkit::http::{Caller, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::process::At;
use super::{World, socket};

/// For so long one message may be on its way.
const PATIENCE: Duration = Duration::from_secs(180);
/// For so long one request may take.
const REQUEST: Duration = Duration::from_secs(60);

/// A message that was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) person: usize,
    pub(crate) session: usize,
    pub(crate) key: String,
    pub(crate) text: String,
    /// What is to become of it where a turn runs; none: what the agent does.
    pub(crate) mode: Option<&'static str>,
}

/// How somebody hears of a turn.
#[derive(Debug, Clone, Copy)]
enum How {
    Receipt,
    Wait,
    Stream,
    /// Over a socket, up to the `ack`, or to the turn's end.
    Socket {
        to_the_end: bool,
    },
}

impl How {
    fn draw(dice: &mut Rng) -> Self {
        match dice.u8(..20) {
            0..6 => Self::Receipt,
            6..10 => Self::Wait,
            10..14 => Self::Stream,
            14..16 => Self::Socket { to_the_end: false },
            _ => Self::Socket { to_the_end: true },
        }
    }
}

/// Half of all are plain, so that queues form too.
const MODES: [Option<&str>; 8] =
    [None, None, None, Some("queue"), Some("collect"), Some("collect"), Some("steer"), Some("interrupt")];

/// What an answer says.
pub(crate) fn json(answer: &Response) -> Result<Value> {
    serde_json::from_slice(&answer.body).with_context(|| answer.text())
}

/// The code of a refusal, which must be typed and say a sentence (I9).
pub(crate) fn code(answer: &Response) -> Result<String> {
    let body = json(answer)?;
    let (code, sentence) = (body["error"]["code"].as_str(), body["error"]["message"].as_str());
    ensure!(sentence.is_some_and(|sentence| sentence.len() > 10), "{}: no sentence in {body}", answer.status());
    Ok(code.with_context(|| format!("{}: no code in {body}", answer.status()))?.to_owned())
}

/// One request on a connection of its own.
pub(crate) async fn request(
    at: &At,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Result<Response> {
    Ok(Caller::new(at.address, &at.token).request(method, path, headers, body).await?)
}

/// Sends this person's messages, and says which they were.
pub(crate) async fn talk(world: &World, person: usize) -> Result<Vec<Message>> {
    let mut dice = world.plan.dice(person);
    let mut sent = Vec::new();
    for number in 0..world.plan.messages {
        let message = Message {
            person,
            session: dice.usize(..world.plan.sessions),
            key: format!("p{person}-{number}"),
            text: format!("message {number} of {person}"),
            mode: MODES[dice.usize(..MODES.len())],
        };
        let cancels = dice.u8(..12) == 0;
        say(world, &message, dice.fork()).await?;
        if cancels {
            // Once, whatever comes of it: a cancel that is lost is a turn that runs on.
            let path = format!("/api/v1/sessions/{}/cancel", world.sessions.borrow()[message.session]);
            let _ = request(&world.up().await, "POST", &path, &[], &json!({})).await;
        }
        sent.push(message);
        sleep(Duration::from_millis(dice.u64(0..150))).await;
    }
    Ok(sent)
}

/// Sends a message until it is acknowledged, and where that was asked for until its end was heard.
async fn say(world: &World, message: &Message, mut dice: Rng) -> Result<()> {
    let began = Instant::now();
    loop {
        let at = world.up().await;
        match attempt(world, &at, message, How::draw(&mut dice)).await? {
            true => return Ok(()),
            false => world.tally.borrow_mut().repeated += 1,
        }
        ensure!(began.elapsed() < PATIENCE, "{message:?}: no end in sight for {PATIENCE:?}");
        sleep(Duration::from_millis(dice.u64(10..80))).await;
    }
}

/// Whether all that was asked for was heard. A connection that was cut is none; a bad refusal is an error.
async fn attempt(world: &World, at: &At, message: &Message, how: How) -> Result<bool> {
    let session = world.sessions.borrow()[message.session].clone();
    if let How::Socket { to_the_end } = how {
        return match timeout(REQUEST, socket::say(at, &session, message, to_the_end)).await?? {
            socket::Heard::All => Ok(true),
            socket::Heard::Part => Ok(false),
            socket::Heard::Refusal(code) => {
                world.tally.borrow_mut().refused(&code);
                Ok(false)
            }
        };
    }
    let wait = if matches!(how, How::Wait) { "?wait=true" } else { "" };
    let path = format!("/api/v1/sessions/{session}/messages{wait}");
    let mut headers = vec![("idempotency-key", message.key.as_str())];
    if matches!(how, How::Stream) {
        headers.push(("accept", "text/event-stream"));
    }
    let body = json!({"text": message.text, "mode": message.mode});
    let Ok(answer) = request(at, "POST", &path, &headers, &body).await else {
        return Ok(false);
    };
    match (answer.status(), how) {
        (202, How::Receipt) | (200, How::Wait) => Ok(true),
        // Whole only with its end: a stream that breaks off is asked for again.
        (200, How::Stream) => {
            let text = answer.text();
            Ok(["turn.finished", "turn.failed", "turn.cancelled"].iter().any(|end| text.contains(end)))
        }
        (202, How::Wait) => Ok(false),
        // The turn failed, or was cancelled: that is an end.
        (409, _) if code(&answer)? == "cancelled" => Ok(true),
        (502, _) => code(&answer).map(|_| true),
        (429 | 503, _) => {
            let code = code(&answer)?;
            world.tally.borrow_mut().refused(&code);
            Ok(false)
        }
        (status, _) => bail!("POST {path} with {}: {status} {}", message.key, answer.text()),
    }
}
