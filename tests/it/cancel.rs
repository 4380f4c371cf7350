//! Turns that are cut short: cancelled by a person, or left alone by one who hangs up.

use std::time::Duration;

use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::testbed::{Api, Testbed, eventually, refusal, soon};

async fn cancel_and_see(bed: &Testbed, api: &Api, session: &str, turn: &str) {
    let asked = Instant::now();
    assert_eq!(api.cancel(session).await["cancelled"], *turn);
    soon("the model sees the caller leave", bed.model.wait_for_hangup()).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_cancelled_turn_ends_within_a_second_and_the_next_one_runs() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, "one two", 1)])).await;
    let api = bed.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "running").await;
    events.until("turn.delta").await;
    let turn = events_turn(&api, &session).await;
    let queued = api.say(&session, "queued").await;
    let key = [("idempotency-key", "k-waiting")];
    let waiting = api.submit(&session, "?wait=true", &key, "queued too");
    let (waited, ()) = tokio::join!(waiting, async {
        eventually("all three are accepted", || async {
            (api.count(&session, "turn.accepted").await == 3).then_some(())
        })
        .await;
        cancel_and_see(&bed, &api, &session, &turn).await;
    });
    assert_eq!(events.rest().await.last().expect("an end")["type"], "turn.cancelled");
    assert_eq!(waited.json::<Value>()["text"], "You said: queued too");
    assert!(
        api.journal(&session).await.iter().any(|event| event["type"] == "turn.finished" && event["turn"] == *queued)
    );
    assert_eq!(api.cancel(&session).await, json!({"cancelled": null}), "nothing runs any more");
    let sleeping = api.session().await;
    assert_eq!(api.cancel(&sleeping).await, json!({"cancelled": null}));
}

async fn events_turn(api: &Api, session: &str) -> String {
    api.journal(session).await[0]["turn"].as_str().expect("a turn").to_owned()
}

#[tokio::test]
async fn whoever_waits_for_a_cancelled_turn_is_told_409() {
    let bed = Testbed::with(StandIn::builder().script([Step::Silence])).await;
    let api = bed.api();
    let session = api.session().await;
    let (waited, _) = tokio::join!(api.submit(&session, "?wait=true", &[], "hello"), async {
        soon("the call", bed.model.wait_for_calls(1)).await;
        api.cancel(&session).await
    });
    assert_eq!(refusal(&waited), (409, "cancelled".to_owned()));
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_cancel_its_turn() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, "one two", 1)])).await;
    let api = bed.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "count").await;
    events.until("turn.delta").await;
    drop(events);
    gate.open();
    api.settled(&session).await;
    assert_eq!(api.transcript(&session).await[1].1, "one two");
    assert_eq!(bed.model.progress().hung_up, 0);
}
