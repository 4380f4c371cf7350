//! What must hold when the faults have stopped, as a stranger sees it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::person::{Message, json, request};
use super::process::At;
use super::{World, phone};

/// For so long work may go on after the last start (I10): calls that fail are tried again for some seconds, and a few
/// turns wait behind each other.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

pub(crate) async fn get(at: &At, path: &str) -> Result<Value> {
    let answer = request(at, "GET", path, &[], &Value::Null).await?;
    ensure!(answer.status() == 200, "GET {path}: {} {}", answer.status(), answer.text());
    json(&answer)
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
    if let Some(what) = phone::restless(world, at).await? {
        return Ok(Some(what));
    }
    let sessions = world.sessions.borrow().clone();
    for session in sessions.iter().chain(&phone::sessions(at).await?) {
        let state = state(at, session).await?;
        if state != "idle" {
            return Ok(Some(format!("session {session} is {state}")));
        }
    }
    // What ended since it was looked at has left something there.
    if let Some(what) = phone::restless(world, at).await? {
        return Ok(Some(what));
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
    let asked = asked(world);
    for (number, session) in sessions.iter().enumerate() {
        let journal = journal(at, session).await?;
        let mine: Vec<&Message> = sent.iter().filter(|message| message.session == number).collect();
        let told = Told::read(&journal).with_context(|| format!("session {session}"))?;
        told.is_what_was_said(&mine).with_context(|| format!("session {session}"))?;
        for (_, texts) in told.turns.iter().filter(|(turn, _)| told.ends[turn].0 == "turn.finished") {
            let unheard = texts.iter().find(|text| !asked.contains(text.as_str()));
            ensure!(unheard.is_none(), "session {session}: answered, and no model was asked: {unheard:?}");
        }
        let page = get(at, &format!("/api/v1/sessions/{session}/messages?limit=200")).await?;
        told.is_what_is_shown(page["items"].as_array().context("a list of messages")?)
            .with_context(|| format!("session {session}"))?;
        world.tally.borrow_mut().told(&told);
    }
    Ok(())
}

/// A repeat finds the turn that was made, and makes none.
pub(crate) async fn repeats(world: &World, at: &At, sent: &[Message]) -> Result<()> {
    let sessions = world.sessions.borrow().clone();
    for message in sent {
        let path = format!("/api/v1/sessions/{}/messages", sessions[message.session]);
        let key = [("idempotency-key", message.key.as_str())];
        let answer = request(at, "POST", &path, &key, &json!({"text": message.text})).await?;
        let state = json(&answer)?["state"].as_str().unwrap_or_default().to_owned();
        let ended = ["finished", "failed", "cancelled"].contains(&state.as_str());
        ensure!(answer.status() == 202 && ended, "{} again: {} {state}", message.key, answer.status());
    }
    Ok(())
}

/// All that the model was ever asked by a person.
fn asked(world: &World) -> HashSet<String> {
    let calls = world.model.calls();
    let said = calls.iter().flat_map(|call| call.messages()).filter(|message| message["role"] == "user");
    said.filter_map(|message| message["content"].as_str().map(str::to_owned)).collect()
}

/// What a session's journal tells.
pub(crate) struct Told {
    /// Turns in the order of acceptance, each with the texts of its inputs.
    pub(crate) turns: Vec<(String, Vec<String>)>,
    /// How each turn ended, and the seq of that.
    pub(crate) ends: BTreeMap<String, (String, u64)>,
    /// The seq of each input's acceptance.
    taken: BTreeMap<String, u64>,
    /// Each final, whole or not, by its seq, and what the steps before it may have left.
    finals: BTreeMap<u64, Value>,
    steps: HashSet<u64>,
}

impl Told {
    /// Reads a journal, in which one turn runs at a time, and each ends once, in the order of acceptance.
    fn read(journal: &[Value]) -> Result<Self> {
        let mut told = Self {
            turns: Vec::new(),
            ends: BTreeMap::new(),
            taken: BTreeMap::new(),
            finals: BTreeMap::new(),
            steps: HashSet::new(),
        };
        let mut running: Option<&str> = None;
        for (event, seq) in journal.iter().zip(1..) {
            ensure!(event["seq"].as_u64() == Some(seq), "event {seq} has the number {}", event["seq"]);
            let turn = event["turn"].as_str().unwrap_or_default();
            match event["type"].as_str().unwrap_or_default() {
                "turn.accepted" => {
                    let text = event["text"].as_str().unwrap_or_default().to_owned();
                    ensure!(!told.ends.contains_key(turn), "{turn} took {text:?} in after its end");
                    ensure!(told.taken.insert(text.clone(), seq).is_none(), "{text:?} was accepted twice");
                    match told.turns.iter_mut().find(|(known, _)| known == turn) {
                        Some((_, texts)) => texts.push(text),
                        None => told.turns.push((turn.to_owned(), vec![text])),
                    }
                }
                "turn.started" => {
                    ensure!(running.is_none(), "{turn} was started while {running:?} ran");
                    ensure!(told.next() == Some(turn), "{turn} was started, and {:?} was next", told.next());
                    running = Some(turn);
                }
                // One that still collected can be cancelled before it ran.
                "turn.cancelled" if running.is_none() && told.next() == Some(turn) => {
                    told.ends.insert(turn.to_owned(), ("turn.cancelled".to_owned(), seq));
                }
                "turn.restarted" => ensure!(running == Some(turn), "{turn} began again while {running:?} ran"),
                "step.finished" => {
                    ensure!(running == Some(turn), "a step of {turn} ended while {running:?} ran");
                    told.steps.insert(seq);
                }
                kind @ ("turn.finished" | "turn.failed" | "turn.cancelled") => {
                    ensure!(running.take() == Some(turn), "{turn} ended and did not run");
                    told.ends.insert(turn.to_owned(), (kind.to_owned(), seq));
                    // Of one that was cut short there may be a part.
                    if kind == "turn.finished" || !event["text"].is_null() {
                        told.finals.insert(seq, event["text"].clone());
                    }
                }
                _ => {}
            }
        }
        let open: Vec<_> = told.turns.iter().filter(|(turn, _)| !told.ends.contains_key(turn)).collect();
        ensure!(open.is_empty(), "never ended: {open:?}");
        Ok(told)
    }

    /// The first turn that has not ended: turns end in the order of acceptance.
    fn next(&self) -> Option<&str> {
        self.turns.get(self.ends.len()).map(|(turn, _)| turn.as_str())
    }

    /// Each message was accepted once, and those of one person in the order in which they were sent.
    fn is_what_was_said(&self, mine: &[&Message]) -> Result<()> {
        let said: HashSet<&str> = mine.iter().map(|message| message.text.as_str()).collect();
        let taken: HashSet<&str> = self.taken.keys().map(String::as_str).collect();
        ensure!(said == taken, "said {said:?}, taken {taken:?}");
        // Who waits for one acknowledgement before they send the next has them taken in that order.
        let place = |message: &Message| self.taken[&message.text];
        for pair in mine.windows(2).filter(|pair| pair[0].person == pair[1].person) {
            ensure!(place(pair[0]) < place(pair[1]), "{pair:?}: taken the other way round");
        }
        Ok(())
    }

    /// The transcript holds each input once and each final once; beside them only steps.
    fn is_what_is_shown(&self, shown: &[Value]) -> Result<()> {
        let of = |role: &str| shown.iter().filter(|message| message["role"] == role).collect::<Vec<_>>();
        let inputs: Vec<_> = of("user").iter().map(|message| message["text"].as_str().unwrap_or_default()).collect();
        let mut taken: Vec<_> = self.taken.iter().map(|(text, seq)| (seq, text.as_str())).collect();
        taken.sort_unstable();
        let taken: Vec<_> = taken.into_iter().map(|(_, text)| text).collect();
        ensure!(inputs == taken, "the transcript says {inputs:?}, the journal {taken:?}");
        let mut finals = BTreeMap::new();
        for message in of("assistant") {
            let seq = message["seq"].as_u64().context("a seq")?;
            if !self.steps.contains(&seq) {
                finals.insert(seq, message["text"].clone());
            }
        }
        ensure!(finals == self.finals, "the transcript says {finals:?}, the journal {:?}", self.finals);
        Ok(())
    }
}
