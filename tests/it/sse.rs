//! Event streams: cut anywhere, a reader that comes back with its last id misses nothing and hears nothing twice.

use std::time::Duration;

use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Testbed, heard, refusal};

const TEXT: &str = "one two three four five six seven eight";

fn seqs(events: &[Value]) -> Vec<i64> {
    events.iter().filter_map(|event| event["seq"].as_i64()).collect()
}

/// Begins a turn, hears `cut` of its events and hangs up; comes back with the last id, perhaps to another life of the
/// daemon. Whether the first one heard the end.
async fn cut_and_come_back(bed: &mut Testbed, cut: usize, kill: bool) -> bool {
    let session = bed.api().session().await;
    let mut events = bed.api().hear_with(&session, &[("idempotency-key", "k")], "count").await;
    let mut before = Vec::new();
    while before.len() < cut {
        let Some(event) = events.next().await else { break };
        before.push(event);
    }
    drop(events);
    if kill {
        bed.kill9().await;
        bed.restart().await;
    }
    let last = seqs(&before).last().copied().unwrap_or(0).to_string();
    let headers = [("idempotency-key", "k"), ("last-event-id", last.as_str())];
    let after = bed.api().hear_with(&session, &headers, "count").await.rest().await;
    let all = [&before[..], &after].concat();
    let seen = seqs(&all);
    assert_eq!(seen, (1..=seen.len() as i64).collect::<Vec<_>>(), "cut at {cut}: {all:#?}");
    let ends: Vec<&Value> = all.iter().filter(|event| event["type"] == "turn.finished").collect();
    assert_eq!((ends.len(), &ends[0]["text"]), (1, &json!(TEXT)));
    heard(&before);
    let text = heard(&after);
    assert!(text.is_empty() || text == TEXT, "cut at {cut}: {text:?}");
    before.iter().any(|event| event["type"] == "turn.finished")
}

#[tokio::test]
async fn a_stream_cut_at_any_event_goes_on_after_its_last_id() {
    let model = StandIn::builder().always(Step::say_in(TEXT, 8, Duration::from_millis(5)));
    let mut bed = Testbed::with(model).await;
    for cut in 0.. {
        if cut_and_come_back(&mut bed, cut, false).await {
            assert!(cut > 10, "a turn has more events than {cut}");
            break;
        }
    }
    for cut in [0, 2, 3, 5, 9, 13] {
        cut_and_come_back(&mut bed, cut, true).await;
    }
}

#[tokio::test]
async fn all_of_a_session_is_heard_from_a_position_on_over_many_turns() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    api.ask(&session, "first").await;
    let mut all = api.listen(&session, 0, &[]).await;
    let mut some = api.listen(&session, 0, &[("last-event-id", "3")]).await;
    assert_eq!(all.until("turn.finished").await["text"], "You said: first");
    assert_eq!(some.until("turn.finished").await["seq"], 4, "the header counts, not the query");
    api.ask(&session, "second").await;
    for events in [&mut all, &mut some] {
        let delta = events.until("turn.delta").await;
        assert_eq!(delta["offset"], 0);
        assert_eq!(events.until("turn.finished").await["text"], "You said: second");
    }
    api.send("DELETE", &format!("/api/v1/sessions/{session}"), json!({})).await;
    let rest = all.rest().await;
    assert_eq!(rest.last().expect("a last word")["error"]["code"], "not_found");

    let other = api.session().await;
    for (header, query) in [("9", 0), ("x", 0), ("-1", 0)] {
        let refused = api.listen(&other, query, &[("last-event-id", header)]).await.rest().await;
        assert_eq!(refused[0]["error"]["code"], "bad_cursor", "{header}");
    }
    let unknown = api.request("GET", "/api/v1/sessions/none/events", &[("accept", "text/event-stream")], b"").await;
    assert_eq!(refusal(&unknown), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_stream_ends_with_the_token_it_was_asked_for_with() {
    let bed = Testbed::start().await;
    let session = bed.api().session().await;
    let made: Value = bed.api().send("POST", "/api/v1/tokens", json!({})).await.json();
    let theirs = bed.api().bearing(made["token"].as_str().expect("a token"));
    let mut stream = theirs.listen(&session, 0, &[]).await;
    bed.api().ask(&session, "hello").await;
    stream.until("turn.finished").await;
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().expect("an id"));
    assert_eq!(bed.api().send("DELETE", &path, json!({})).await.status(), 204);
    let rest = stream.rest().await;
    assert_eq!(rest.last().expect("a last word")["error"]["code"], "unauthorized");
}
