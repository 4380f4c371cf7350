//! An answer that is cut short: what was read of it stays, and the next question goes with it.

use std::sync::Arc;

use mosaic_messages::CancelTurn;
use mosaic_runtime::Reader;
use mosaic_types::journal::Cut;
use mosaic_types::page::Limit;
use mosaic_types::{EventBody, QueueMode, SessionEvent, SessionId};

use crate::PATIENCE;
use crate::house::House;
use crate::panic::When;

async fn until(reader: &mut Reader, wanted: fn(&EventBody) -> bool) -> Arc<SessionEvent> {
    let reading = async {
        loop {
            let event = reader.next().await.expect("nothing is missed");
            if wanted(&event.body) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the event comes")
}

fn is_delta(body: &EventBody) -> bool {
    matches!(body, EventBody::TurnDelta { .. })
}

async fn cancel(house: &House, session: &SessionId) {
    let ask = CancelTurn::now(session.clone(), house.who);
    house.router.urge(ask).await.expect("the router lives").expect("it is cancelled");
}

/// What a model would be told now, by a session that remembers and by one that is read anew.
async fn context(house: &House, session: &SessionId) -> Vec<String> {
    let stored = house.doors.store.snapshot(session, 10_000).await.expect("it can be read").expect("it is there");
    stored.context.iter().map(|said| format!("{}: {}", said.role.as_str(), said.text)).collect()
}

#[actix::test]
async fn a_cancelled_turn_keeps_what_was_read_of_its_answer_and_one_that_waits_has_nothing_to_keep() {
    let house = House::start(When::Held, 0).await;
    let session = house.session().await;
    let mut reader = house.read(&session);
    house.say(&session, "count").await;
    until(&mut reader, is_delta).await;
    let mut steers = house.input(&session, "and four");
    steers.mode = Some(QueueMode::Steer);
    house.router.ask(steers).await.expect("the router answers").expect("it joins");
    let waits = house.say(&session, "and then").await;
    cancel(&house, &session).await;
    let end = until(&mut reader, EventBody::is_end).await;
    assert_eq!(end.body, EventBody::TurnCancelled { text: Some("one ".to_owned()) });

    // The next one has begun, and is stopped before its model says anything.
    let page = house.doors.store.messages(&session, None, Limit::default()).await.expect("it can be read").items;
    let cut: Vec<_> = page.iter().filter_map(|row| Some((row.seq, row.text.as_str(), row.ended?))).collect();
    assert_eq!(cut, [(end.seq.expect("journaled"), "one ", Cut::Cancelled)]);
    let next = until(&mut reader, is_delta).await;
    assert_eq!(next.turn, Some(waits.turn));
    house.gate.send_replace(true);
    let whole = until(&mut reader, EventBody::is_end).await;
    assert!(matches!(&whole.body, EventBody::TurnFinished(finished) if finished.text == "one two"), "{whole:?}");
    let said = ["user: count", "user: and four", "assistant: one ", "user: and then", "assistant: one two"];
    assert_eq!(context(&house, &session).await, said);
}

#[actix::test]
async fn a_turn_that_is_cancelled_in_the_queue_has_said_nothing() {
    let house = House::start(When::Held, 0).await;
    let session = house.session().await;
    let mut reader = house.read(&session);
    house.say(&session, "count").await;
    until(&mut reader, is_delta).await;
    let mut waits = house.input(&session, "five");
    waits.mode = Some(QueueMode::Collect);
    let waits = house.router.ask(waits).await.expect("the router answers").expect("it waits");
    for said in [Some("one ".to_owned()), None] {
        cancel(&house, &session).await;
        let end = until(&mut reader, EventBody::is_end).await;
        assert_eq!(end.body, EventBody::TurnCancelled { text: said.clone() });
        assert_eq!(end.turn == Some(waits.turn), said.is_none());
    }
    assert_eq!(context(&house, &session).await, ["user: count", "assistant: one "]);
}
