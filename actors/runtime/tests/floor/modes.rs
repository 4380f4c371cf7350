//! A session that dies, or is removed, while its running turn is steered and another one collects.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::maybe_done;
use mosaic_messages::{Accepted, RemoveSession};
use mosaic_runtime::Reader;
use mosaic_runtime::events::Missed;
use mosaic_supervise::Control;
use mosaic_types::journal::TurnState;
use mosaic_types::{AgentName, EventBody, QueueMode, SessionEvent, SessionId};

use crate::PATIENCE;
use crate::house::House;
use crate::panic::When;

async fn say(house: &House, session: &SessionId, mode: QueueMode, text: &str) -> Accepted {
    let mut ask = house.input(session, text);
    ask.mode = Some(mode);
    house.router.ask(ask).await.expect("the router answers").expect("it is accepted")
}

async fn next(reader: &mut Reader) -> Result<Arc<SessionEvent>, Missed> {
    tokio::time::timeout(PATIENCE, reader.next()).await.expect("something comes")
}

async fn until(reader: &mut Reader, wanted: fn(&EventBody) -> bool) -> Arc<SessionEvent> {
    loop {
        let event = next(reader).await;
        match event {
            Ok(event) if wanted(&event.body) => return event,
            Ok(_) | Err(Missed::Unannounced) => {}
            Err(Missed::Lagged) => panic!("the reader is cut off"),
        }
    }
}

fn is_delta(body: &EventBody) -> bool {
    matches!(body, EventBody::TurnDelta { .. })
}

/// A session that answers `count`, steered by `and four`, with a turn behind it that collects `five` and `six`; and the
/// turns of both.
async fn at_work(house: &House) -> (SessionId, Reader, [Accepted; 2]) {
    let session = house.session().await;
    let mut reader = house.read(&session);
    let running = house.say(&session, "count").await;
    until(&mut reader, is_delta).await;
    assert_eq!(say(house, &session, QueueMode::Steer, "and four").await.turn, running.turn, "it joins");
    let collecting = say(house, &session, QueueMode::Collect, "five").await;
    assert_ne!(collecting.turn, running.turn);
    assert_eq!(say(house, &session, QueueMode::Collect, "six").await.turn, collecting.turn, "it joins");
    (session, reader, [running, collecting])
}

/// Another session, whose run is at work.
async fn neighbour(house: &House) -> (SessionId, Reader) {
    let neighbour = house.session().await;
    let mut reader = house.read(&neighbour);
    house.say(&neighbour, "neighbour").await;
    until(&mut reader, is_delta).await;
    (neighbour, reader)
}

#[actix::test]
async fn a_session_that_dies_while_it_is_steered_and_collects_answers_all_of_it_once_and_in_order() {
    let house = House::start(When::Held, 0).await;
    let (neighbour, mut next_door) = neighbour(&house).await;
    let (session, mut reader, turns) = at_work(&house).await;

    house.sessions.find(&session).expect("it is awake").control(Control::Panic).expect("it is told");
    let again = until(&mut reader, |body| matches!(body, EventBody::TurnRestarted { attempt: 2 })).await;
    assert_eq!(again.turn, Some(turns[0].turn));
    house.gate.send_replace(true);
    for turn in &turns {
        let end = until(&mut reader, EventBody::is_end).await;
        assert!(matches!(end.body, EventBody::TurnFinished(_)), "{end:?}");
        assert_eq!(end.turn, Some(turn.turn), "in the order of acceptance");
    }
    let stored = house.doors.store.snapshot(&session, 10_000).await.expect("it can be read").expect("it is there");
    assert!(stored.open.is_empty());
    let said: Vec<&str> = stored.context.iter().map(|message| &*message.text).collect();
    assert_eq!(said, ["count", "and four", "one two", "five", "six", "one two"], "each input is seen once");
    assert_eq!(house.journaled(&session, EventBody::is_end).await, 2);

    until(&mut next_door, EventBody::is_end).await;
    assert_eq!(house.journaled(&neighbour, |body| matches!(body, EventBody::TurnRestarted { .. })).await, 0);
}

#[actix::test]
async fn a_session_that_is_removed_while_it_is_steered_and_collects_leaves_nothing_behind() {
    let house = House::start(When::Held, 0).await;
    let (_, mut next_door) = neighbour(&house).await;
    let (session, mut reader, turns) = at_work(&house).await;

    let ask = RemoveSession { session: session.clone(), from: house.who };
    house.router.ask(ask.clone()).await.expect("the router answers").expect("it is removed");
    // Who reads along hears the end of what ran, and that nothing more comes.
    let end = until(&mut reader, EventBody::is_end).await;
    let said = EventBody::TurnCancelled { text: Some("one ".to_owned()) };
    assert_eq!((&end.body, end.turn), (&said, Some(turns[0].turn)));
    let cut = loop {
        if let Err(missed) = next(&mut reader).await {
            break missed;
        }
    };
    assert_eq!(cut, Missed::Lagged);
    let again = house.router.ask(ask).await.expect("the router answers");
    assert_eq!(again.expect_err("it is gone").code, mosaic_types::Code::NotFound);
    for turn in &turns {
        assert_eq!(house.doors.store.turn(turn.turn).await.expect("it can be read"), None);
    }
    let gone = async {
        while house.sessions.find(&session).is_some() || house.doors.leases.len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("its actor and its run end");
    drop(reader);
    assert_eq!(house.doors.hub.len(), 1, "only the neighbour is read");

    // Its id is free, and its keys are.
    house.gate.send_replace(true);
    let mut ask = house.input(&session, "hello");
    ask.create = Some("assistant".parse::<AgentName>().expect("valid"));
    let mut reader = house.read(&session);
    house.router.ask(ask).await.expect("the router answers").expect("it is accepted");
    let first = next(&mut reader).await.expect("nothing is missed");
    assert_eq!(first.seq, Some(1));
    until(&mut reader, EventBody::is_end).await;
    until(&mut next_door, EventBody::is_end).await;
}

#[actix::test]
async fn a_removal_is_carried_out_though_whoever_asked_is_gone() {
    let house = House::start(When::Held, 0).await;
    let (session, mut reader, _) = at_work(&house).await;
    let ask = RemoveSession { session: session.clone(), from: house.who };
    // Whoever asked hangs up in the middle of it: what ran has ended, and its journal is still there.
    let mut asked = Box::pin(house.router.ask(ask));
    tokio::select! {
        biased;
        _ = until(&mut reader, EventBody::is_end) => {}
        answer = &mut asked => panic!("it cannot be removed before what runs has ended: {answer:?}"),
    }
    drop(asked);
    while next(&mut reader).await.is_ok() {}
    assert_eq!(house.doors.store.session(&session).await.expect("it can be read"), None);
}

#[actix::test]
async fn what_waits_in_a_session_that_is_removed_never_begins() {
    for _ in 0..20 {
        let house = House::start(When::Streaming, 0).await;
        let session = house.session().await;
        let mut reader = house.read(&session);
        house.say(&session, "neighbour").await;
        until(&mut reader, is_delta).await;
        for text in ["two", "three"] {
            house.say(&session, text).await;
        }
        let ask = RemoveSession { session: session.clone(), from: house.who };
        house.router.ask(ask).await.expect("the router answers").expect("it is removed");
        while let Ok(event) = next(&mut reader).await {
            assert!(!matches!(event.body, EventBody::TurnStarted { .. } | EventBody::TurnFinished(_)), "{event:?}");
        }
        assert_eq!(house.provider.calls.load(Ordering::SeqCst), 0, "no model was asked what waited");
    }
}

#[actix::test]
async fn a_removal_whose_router_dies_in_the_middle_leaves_a_session_that_goes_on_or_none() {
    let (mut gone, mut stayed) = (0, 0);
    for steps in 0..24 {
        let house = House::start(When::Streaming, 0).await;
        let session = house.session().await;
        let mut reader = house.read(&session);
        let running = house.say(&session, "neighbour").await;
        until(&mut reader, is_delta).await;
        let waiting = house.say(&session, "two").await;
        let ask = RemoveSession { session: session.clone(), from: house.who };
        let mut asked = Box::pin(maybe_done(house.router.ask(ask)));
        for _ in 0..steps {
            let _ = futures_util::poll!(asked.as_mut());
            tokio::task::yield_now().await;
        }
        house.router.control(Control::Panic).expect("it is told");
        asked.as_mut().await;
        let answer = asked.as_mut().take_output().expect("it is answered");
        // What the process does every few seconds: sessions of which something is not known are read anew.
        let over = async {
            loop {
                house.doors.hub.doubted().iter().for_each(|doubted| drop(house.sessions.open(doubted)));
                let row = house.doors.store.session(&session).await.expect("it can be read");
                let turn = house.doors.store.turn(waiting.turn).await.expect("it can be read");
                match (row, turn) {
                    (None, turn) => break assert_eq!(turn, None, "its turns went with it"),
                    (Some(_), Some(turn)) if turn.state.is_end() => {
                        break assert_eq!(turn.state, TurnState::Finished, "what waited is answered");
                    }
                    // Where the router died before it asked for anything, what runs goes on.
                    _ => drop(house.gate.send_replace(true)),
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, over).await.expect("it is not stuck");
        let there = house.doors.store.session(&session).await.expect("it can be read").is_some();
        assert!(!(matches!(answer, Ok(Ok(()))) && there), "what is told to be removed is");
        if there {
            stayed += 1;
            let ended = house.doors.store.turn(running.turn).await.expect("it can be read").expect("it is there");
            assert!(ended.state.is_end(), "{ended:?}");
            // It can be removed once more, by the router that came after.
            let again = RemoveSession { session: session.clone(), from: house.who };
            house.router.ask(again).await.expect("the router answers").expect("it is removed");
        } else {
            gone += 1;
            while next(&mut reader).await.is_ok() {}
        }
        let left = async {
            while house.sessions.find(&session).is_some() || !house.doors.leases.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, left).await.expect("its actor and its run end");
    }
    assert!(gone > 0 && stayed > 0, "it died before and after: {gone} are gone, {stayed} stayed");
}
