//! Draws faults by the seed and plants them.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::{Args, World};

/// Root forgives three restarts of its own children a minute; the run leaves one of them to chance.
const ROOT_A_MINUTE: usize = 2;
const ROOTS: [&str; 7] = ["writer", "router", "gateway", "recovery", "sessions", "agents", "providers"];
const SHARED: [&str; 3] = ["providers/lab", "agents/assistant", "agents/poet"];

/// Plants one fault after the other until it is over.
pub(crate) async fn plant(world: &World, args: &Args, sessions: &[String]) -> Result<()> {
    let mut dice = fastrand::Rng::with_seed(args.seed);
    let mut client = Client::new(world, usize::MAX, args.seed);
    let mut roots: VecDeque<Instant> = VecDeque::new();
    while !world.over.get() {
        sleep(Duration::from_secs_f64(1.0 / args.rate)).await;
        let (kind, which, stop) = (dice.u8(..100), dice.usize(..), dice.u8(..4) == 0);
        while roots.front().is_some_and(|at| at.elapsed() > Duration::from_secs(60)) {
            roots.pop_front();
        }
        let child = match kind {
            0..3 if roots.len() < ROOT_A_MINUTE => {
                roots.push_back(Instant::now());
                ROOTS[which % ROOTS.len()].to_owned()
            }
            0..10 => SHARED[which % SHARED.len()].to_owned(),
            _ => format!("sessions/{}", sessions[which % sessions.len()]),
        };
        let order = json!({"child": child, "order": if stop { "stop" } else { "panic" }});
        // A fault that hits the gateway may cut off its own answer.
        let Ok(answer) = client.request("POST", "/api/v1/chaos", None, &order).await else { continue };
        let answer: Value = serde_json::from_slice(&answer.body).context("the daemon's answer to a fault")?;
        let mut tally = world.tally.borrow_mut();
        match answer["heard"].as_bool() {
            Some(true) if stop => tally.stops += 1,
            Some(true) => tally.panics += 1,
            Some(false) => tally.missed += 1,
            None => anyhow::bail!("a fault was refused: {answer}"),
        }
    }
    Ok(())
}
