//! A client that does not give up: it sends each message with a key of its own until it hears that its turn has ended.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mosaic_testkit::http::{Caller, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::World;

/// For so long a message may be on its way. A child that is down is tried again after a minute, and there may be some
/// on the way of one message.
const PATIENCE: Duration = Duration::from_secs(300);
/// Before the same request is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

pub(crate) struct Client<'a> {
    world: &'a World,
    caller: Caller,
    dice: fastrand::Rng,
    sessions: Vec<String>,
    /// Messages so far, each with a key of its own.
    sent: u64,
}

impl<'a> Client<'a> {
    pub(crate) fn new(world: &'a World, number: usize, seed: u64) -> Self {
        let dice = fastrand::Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number as u64));
        let caller = Caller::new(world.daemon.address, &world.daemon.token);
        Self { world, caller, dice, sessions: Vec::new(), sent: 0 }
    }

    /// Sends one request.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Result<Response> {
        let key = key.map(|key| ("idempotency-key", key));
        Ok(self.caller.request(method, path, key.as_slice(), body).await?)
    }

    /// What is at `path`, asked for until it is told.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        let began = Instant::now();
        loop {
            match self.request("GET", path, None, &Value::Null).await {
                Ok(answer) if answer.status() == 200 => return Ok(serde_json::from_slice(&answer.body)?),
                Ok(answer) if answer.status() != 503 => bail!("GET {path}: {} {}", answer.status(), answer.text()),
                other => ensure!(began.elapsed() < PATIENCE, "GET {path}: in vain for {PATIENCE:?}: {other:?}"),
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    pub(crate) async fn make_sessions(&mut self, count: usize) -> Result<Vec<String>> {
        for number in 0..count {
            let agent = if number % 2 == 0 { "assistant" } else { "poet" };
            let answer = self.request("POST", "/api/v1/sessions", None, &json!({"agent": agent})).await?;
            let row: Value = serde_json::from_slice(&answer.body)?;
            let id = row["id"].as_str().with_context(|| format!("no session: {row}"))?;
            self.sessions.push(id.to_owned());
        }
        Ok(self.sessions.clone())
    }

    /// Takes turns until it is over. Answers how many messages it sent.
    pub(crate) async fn talk(&mut self) -> Result<u64> {
        while !self.world.over.get() {
            let session = self.sessions[self.dice.usize(..self.sessions.len())].clone();
            // Now and then some that wait in the session's queue.
            let queued = if self.dice.u8(..4) == 0 { 2 } else { 0 };
            for _ in 0..queued {
                self.say(&session, false).await?;
            }
            self.say(&session, true).await?;
            sleep(Duration::from_millis(self.dice.u64(100..500))).await;
        }
        Ok(self.sent)
    }

    /// Sends a message until it is taken or, where `wait` says so, until its turn has ended.
    async fn say(&mut self, session: &str, wait: bool) -> Result<()> {
        self.sent += 1;
        let (key, text) = (format!("k-{}", self.sent), json!({"text": format!("message {}", self.sent)}));
        let path = format!("/api/v1/sessions/{session}/messages{}", if wait { "?wait=true" } else { "" });
        let began = Instant::now();
        loop {
            match self.request("POST", &path, Some(&key), &text).await {
                Ok(answer) => match answer.status() {
                    202 if !wait => return Ok(()),
                    200 => {
                        self.world.tally.borrow_mut().finished += 1;
                        return Ok(());
                    }
                    502 => {
                        self.world.tally.borrow_mut().failed += 1;
                        return Ok(());
                    }
                    // Not yet ended; too much waits; something is restarting or down.
                    202 | 429 | 503 => {}
                    status => bail!("POST {path}: {status} {}", answer.text()),
                },
                // The connection was cut: what became of the message is asked by sending it again.
                Err(error) => ensure!(began.elapsed() < PATIENCE, "POST {path}: in vain for {PATIENCE:?}: {error:#}"),
            }
            ensure!(began.elapsed() < PATIENCE, "POST {path} with the key {key}: no end of its turn for {PATIENCE:?}");
            self.world.tally.borrow_mut().repeated += 1;
            sleep(AGAIN_AFTER).await;
        }
    }
}
