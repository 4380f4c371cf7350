//! What must hold when the faults have stopped, as a stranger sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::World;
use super::person::{Message, request};
use super::process::At;

/// For so long work may go on after the last start (I10): calls that fail are tried again for some seconds, and a few
/// turns wait behind each other.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

async fn get(at: &At, path: &str) -> Result<Value> {
    let answer = request(at, "GET", path, &[], &Value::Null).await?;
    ensure!(answer.status == 200, "GET {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// A session's state, as its row says it.
pub(crate) async fn state(at: &At, session: &str) -> Result<String> {
    Ok(get(at, &format!("/api/v1/sessions/{session}")).await?["state"].as_str().unwrap_or_default().to_owned())
}

/// A session's whole journal, oldest first.
pub(crate) async fn journal(at: &At, session: &str) -> Result<Vec<Value>> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = get(at, &format!("/api/v1/sessions/{session}/events?after={after}&limit=200")).await?;
        events.extend(page["items"].as_array().context("a list of events")?.iter().cloned());
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => return Ok(events),
        }
    }
}

/// Waits until nothing runs and nothing waits (I8, I10).
pub(crate) async fn settled(world: &World, at: &At) -> Result<()> {
    let began = Instant::now();
    loop {
        let Some(what) = restless(world, at).await? else { return Ok(()) };
        if began.elapsed() > ENDS_WITHIN {
            bail!("not at rest {ENDS_WITHIN:?} after the last fault: {what}");
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn restless(world: &World, at: &At) -> Result<Option<String>> {
    let sessions = world.sessions.borrow().clone();
    for session in &sessions {
        let state = state(at, session).await?;
        if state != "idle" {
            return Ok(Some(format!("session {session} is {state}")));
        }
    }
    Ok(unsettled(&get(at, "/api/v1/tree").await?, "root"))
}

/// The first child that has something waiting, or does not live.
fn unsettled(node: &Value, path: &str) -> Option<String> {
    if node["state"] != "up" || node["depth"] != 0 {
        return Some(format!("{path} is {} with {} waiting", node["state"], node["depth"]));
    }
    let children = node["children"].as_array().map(Vec::as_slice).unwrap_or_default();
    children.iter().find_map(|child| unsettled(child, &format!("{path}/{}", child["name"].as_str().unwrap_or("?"))))
}

/// Reads every journal and transcript: I1 to I4.
pub(crate) async fn outside(world: &World, at: &At, sent: &[Message]) -> Result<()> {
    let sessions = world.sessions.borrow().clone();
    for (number, session) in sessions.iter().enumerate() {
        let journal = journal(at, session).await?;
        let mine: Vec<&Message> = sent.iter().filter(|message| message.session == number).collect();
        let finals = one(world, &journal, &mine).with_context(|| format!("session {session}"))?;
        let page = get(at, &format!("/api/v1/sessions/{session}/messages?limit=200")).await?;
        let shown = page["items"].as_array().context("a list of messages")?;
        let of = |role: &str| shown.iter().filter(|message| message["role"] == role).collect::<Vec<_>>();
        ensure!(of("user").len() == mine.len(), "session {session}: {} of {} inputs", of("user").len(), mine.len());
        let answers: Vec<Value> = of("assistant").iter().map(|message| message["text"].clone()).collect();
        ensure!(answers == finals, "session {session}: the transcript says {answers:?}, the journal {finals:?}");
    }
    // A repeat finds the turn that was made, and makes none.
    for message in sent {
        let path = format!("/api/v1/sessions/{}/messages", sessions[message.session]);
        let key = [("idempotency-key", message.key.as_str())];
        let answer = request(at, "POST", &path, &key, &json!({"text": message.text})).await?;
        let state = answer.json()?["state"].as_str().unwrap_or_default().to_owned();
        let ended = ["finished", "failed", "cancelled"].contains(&state.as_str());
        ensure!(answer.status == 202 && ended, "{} again: {} {state}", message.key, answer.status);
    }
    Ok(())
}

/// One session's journal: each message made one turn, one ran at a time, and each ended once, in the order of
/// acceptance. Answers the finals.
fn one(world: &World, journal: &[Value], mine: &[&Message]) -> Result<Vec<Value>> {
    let (mut accepted, mut ended, mut finals) = (Vec::new(), Vec::new(), Vec::new());
    let mut texts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut running: Option<&Value> = None;
    for (at, event) in journal.iter().enumerate() {
        ensure!(event["seq"].as_u64() == Some(at as u64 + 1), "event {} has the number {}", at + 1, event["seq"]);
        let turn = &event["turn"];
        match event["type"].as_str().unwrap_or_default() {
            "turn.accepted" => {
                let text = event["text"].as_str().unwrap_or_default();
                ensure!(texts.insert(text, at).is_none(), "{text:?} was accepted twice");
                accepted.push(turn);
            }
            "turn.started" => {
                ensure!(running.is_none(), "{turn} was started while {running:?} ran");
                running = Some(turn);
            }
            "turn.restarted" => ensure!(running == Some(turn), "{turn} began again while {running:?} ran"),
            kind @ ("turn.finished" | "turn.failed" | "turn.cancelled") => {
                ensure!(running.take() == Some(turn), "{turn} ended and did not run");
                ended.push(turn);
                let mut tally = world.tally.borrow_mut();
                match kind {
                    "turn.finished" => {
                        finals.push(event["text"].clone());
                        tally.finished += 1;
                    }
                    "turn.failed" => tally.failed += 1,
                    _ => tally.cancelled += 1,
                }
            }
            _ => {}
        }
    }
    ensure!(accepted == ended, "accepted {accepted:?}, ended {ended:?}");
    ensure!(accepted.len() == mine.len(), "{} messages made {} turns", mine.len(), accepted.len());
    // Who waits for one acknowledgement before they send the next has them taken in that order.
    for pair in mine.windows(2).filter(|pair| pair[0].person == pair[1].person) {
        let place = |message: &Message| texts.get(message.text.as_str()).copied();
        ensure!(place(pair[0]).is_some() && place(pair[0]) < place(pair[1]), "{pair:?}: taken the other way round");
    }
    Ok(finals)
}
