//! Sessions that go on talking while something else has trouble.

use std::cell::Cell;
use std::time::{Duration, Instant};

use mosaic_testkit::http::Client;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::report::Tries;

/// How long one load lasts.
const SPAN: Duration = Duration::from_secs(5);

pub(crate) async fn post(bed: &Bed, client: &mut Client, path: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("Bearer {}", bed.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = client.request("POST", path, &headers, body.to_string().as_bytes()).await.expect("an answer");
    (answer.status(), answer.json())
}

/// The path on which a session is talked to and its answer awaited.
pub(crate) fn talk(session: &str) -> String {
    format!("/api/v1/sessions/{session}/messages?wait=true")
}

/// A new session with this agent.
pub(crate) async fn session(bed: &Bed, agent: &str) -> String {
    let (_, row) = post(bed, &mut bed.client().await, "/api/v1/sessions", &json!({"agent": agent})).await;
    row["id"].as_str().expect("an id").to_owned()
}

/// Each neighbour takes one turn after the other, and all must be answered. Meanwhile `trouble` goes on until its cell
/// says that it is over. Answers how long the turns took, and what the trouble came to.
pub(crate) async fn load<T>(
    bed: &Bed,
    neighbours: &[String],
    trouble: impl AsyncFnOnce(&Cell<bool>) -> T,
) -> (Tries, T) {
    let over = Cell::new(false);
    let turns = futures_util::future::join_all(neighbours.iter().map(async |session| {
        let (mut client, mut tries) = (bed.client().await, Tries::default());
        let until = Instant::now() + SPAN;
        while Instant::now() < until {
            let began = Instant::now();
            let (status, body) = post(bed, &mut client, &talk(session), &json!({"text": "hello"})).await;
            tries.push(began.elapsed());
            assert_eq!(status, 200, "a neighbour hears nothing of it: {body}");
        }
        over.set(true);
        tries
    }));
    let (turns, came_to) = tokio::join!(turns, trouble(&over));
    let mut all = Tries::default();
    turns.into_iter().for_each(|tries| all.append(tries));
    (all, came_to)
}
