//! What must hold when the faults have stopped.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::World;
use crate::client::Client;

/// For so long work may go on after the last fault (I10): a child that is down rests for a minute, and the turns that
/// wait behind it follow.
const ENDS_WITHIN: Duration = Duration::from_secs(150);

/// Waits until nothing runs, nothing waits and nobody is down.
pub(crate) async fn settled(world: &World, sessions: &[String]) -> Result<()> {
    let mut client = Client::new(world, 0, 0);
    let began = Instant::now();
    loop {
        let restless = restless(&mut client, sessions).await?;
        let Some(what) = restless else { return Ok(()) };
        if began.elapsed() > ENDS_WITHIN {
            bail!("not at rest {ENDS_WITHIN:?} after the last fault: {what}");
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// One thing that is not at rest yet.
async fn restless(client: &mut Client<'_>, sessions: &[String]) -> Result<Option<String>> {
    for session in sessions {
        let row = client.get(&format!("/api/v1/sessions/{session}")).await?;
        if row["state"] != "idle" {
            return Ok(Some(format!("session {session} is {}", row["state"])));
        }
    }
    let tree = client.get("/api/v1/tree").await?;
    Ok(unsettled(&tree, "root"))
}

/// The first child that has something waiting, or does not live.
fn unsettled(node: &Value, path: &str) -> Option<String> {
    if node["state"] != "up" || node["depth"] != 0 {
        return Some(format!("{path} is {} with {} waiting", node["state"], node["depth"]));
    }
    let children = node["children"].as_array().map(Vec::as_slice).unwrap_or_default();
    children.iter().find_map(|child| unsettled(child, &format!("{path}/{}", child["name"].as_str().unwrap_or("?"))))
}

/// Reads every journal: each message made one turn, and each turn ended once, in the order of acceptance.
pub(crate) async fn journals(world: &World, sessions: &[String], sent: u64) -> Result<()> {
    let mut client = Client::new(world, 0, 0);
    let mut accepted_in_all = 0;
    for session in sessions {
        let (mut accepted, mut ended, mut after) = (Vec::new(), Vec::new(), 0);
        loop {
            let page = client.get(&format!("/api/v1/sessions/{session}/events?after={after}&limit=200")).await?;
            for event in page["items"].as_array().map(Vec::as_slice).unwrap_or_default() {
                match event["type"].as_str().unwrap_or_default() {
                    "turn.accepted" => accepted.push(event["turn"].clone()),
                    "turn.finished" | "turn.failed" | "turn.cancelled" => ended.push(event["turn"].clone()),
                    _ => {}
                }
            }
            match page["next"].as_i64() {
                Some(next) => after = next,
                None => break,
            }
        }
        let off = accepted.iter().zip(&ended).position(|(accepted, ended)| accepted != ended);
        ensure!(
            off.is_none() && accepted.len() == ended.len(),
            "session {session}: {} turns were accepted and {} ended; the first that differs is number {off:?}",
            accepted.len(),
            ended.len()
        );
        accepted_in_all += accepted.len() as u64;
    }
    ensure!(accepted_in_all == sent, "{sent} messages were sent, each with its key, and {accepted_in_all} turns made");
    Ok(())
}
