//! Turns that are cut short: cancelled by a person, or left alone by one who hangs up.

use std::time::Duration;

use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::testbed::{Api, Testbed, Wire, eventually, mostly_within, refusal, soon};

/// Cancels what runs; answers when the model was left, the `hangups`th time that it is.
async fn cancel_and_see(bed: &Testbed, session: &str, turn: &str, hangups: usize) -> Duration {
    let asked = Instant::now();
    assert_eq!(bed.api().cancel(session).await["cancelled"], *turn);
    soon("the model sees the caller leave", bed.model.wait_for_hangups(hangups)).await;
    asked.elapsed()
}

#[tokio::test]
async fn a_cancelled_turn_ends_within_a_second_and_the_next_one_runs() {
    let gate = Gate::new();
    let hold = || Step::hold_after(&gate, "one two", 1);
    let model = StandIn::builder().script([hold()]).when_last_user_contains("again", hold());
    let bed = Testbed::with(model).await;
    let api = bed.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "running").await;
    events.until("turn.delta").await;
    let turn = events_turn(&api, &session).await;
    let queued = api.say(&session, "queued").await;
    let key = [("idempotency-key", "k-waiting")];
    let waiting = api.submit(&session, "?wait=true", &key, "queued too");
    let (waited, first) = tokio::join!(waiting, async {
        eventually("all three are accepted", || async {
            (api.count(&session, "turn.accepted").await == 3).then_some(())
        })
        .await;
        cancel_and_see(&bed, &session, &turn, 1).await
    });
    assert_eq!(events.rest().await.last().expect("an end")["type"], "turn.cancelled");
    assert_eq!(waited.json::<Value>()["text"], "You said: queued too");
    assert!(
        api.journal(&session).await.iter().any(|event| event["type"] == "turn.finished" && event["turn"] == *queued)
    );
    assert_eq!(api.cancel(&session).await, json!({"cancelled": null}), "nothing runs any more");
    let sleeping = api.session().await;
    assert_eq!(api.cancel(&sleeping).await, json!({"cancelled": null}));

    let mut took = vec![first];
    for hangups in 2..=5 {
        let session = api.session().await;
        let mut events = api.hear(&session, "again").await;
        events.until("turn.delta").await;
        took.push(cancel_and_see(&bed, &session, &events_turn(&api, &session).await, hangups).await);
    }
    mostly_within(Duration::from_secs(1), took);
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
async fn a_cancel_that_names_a_turn_leaves_any_other_alone() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().always(Step::hold_after(&gate, "one two", 1))).await;
    let api = bed.api();
    let session = api.session().await;
    let mut events = api.hear(&session, "running").await;
    events.until("turn.delta").await;
    let (running, waiting) = (events_turn(&api, &session).await, api.say(&session, "waiting").await);
    let path = |turn: &str| format!("/api/v1/sessions/{session}/cancel?turn={turn}");
    let named = async |turn: &str| api.send("POST", &path(turn), json!({})).await;
    assert_eq!(named(&waiting).await.json::<Value>(), json!({"cancelled": null}), "another runs");
    assert_eq!(refusal(&named("it").await), (400, "bad_request".to_owned()));
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    for (id, turn, cancelled) in [("a", &waiting, json!(null)), ("b", &running, json!(running))] {
        wire.send(json!({"type": "turn.cancel", "id": id, "session": session, "turn": turn})).await;
        assert_eq!(wire.answer(id).await["turn"], cancelled);
    }
    assert_eq!(named(&running).await.json::<Value>(), json!({"cancelled": null}), "the one that waited runs by now");
    assert_eq!(named(&waiting).await.json::<Value>()["cancelled"], *waiting);
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
