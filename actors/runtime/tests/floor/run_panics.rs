//! A run that panics: its turn begins again, is given up after three deaths, and costs nobody else anything.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mosaic_runtime::Reader;
use mosaic_runtime::agent::run::{Piece, RunInput, RunOrder, Sink};
use mosaic_types::chat::Sampling;
use mosaic_types::{AgentName, ChatEvent, ChatMessage, Code, EventBody, Role, SessionEvent};
use tokio::sync::mpsc;

use crate::PATIENCE;
use crate::house::House;
use crate::panic::When;

/// Reads up to the first event that is wanted.
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

fn is_restart(body: &EventBody) -> bool {
    matches!(body, EventBody::TurnRestarted { .. })
}

fn text_of(end: &SessionEvent) -> &str {
    match &end.body {
        EventBody::TurnFinished(finished) => &finished.text,
        other => panic!("no answer: {other:?}"),
    }
}

/// Plants `times` panics in a turn, with a neighbour in mid-stream, and answers how the turn ended.
async fn with_panics(when: When, times: usize) -> EventBody {
    let house = House::start(when, times).await;
    let (session, neighbour) = (house.session().await, house.session().await);
    let mut next_door = house.read(&neighbour);
    house.say(&neighbour, "neighbour").await;
    until(&mut next_door, is_delta).await;

    let mut reader = house.read(&session);
    house.say(&session, "hello").await;
    for attempt in 2..=times.min(2) + 1 {
        let restarted = until(&mut reader, is_restart).await;
        assert_eq!(restarted.body, EventBody::TurnRestarted { attempt: u32::try_from(attempt).expect("small") });
    }
    let end = until(&mut reader, EventBody::is_end).await;
    assert_eq!(house.provider.calls.load(Ordering::SeqCst), times.min(2) + 1);

    // The session goes on, whatever became of that turn, and no other child was touched.
    house.provider.left.store(0, Ordering::SeqCst);
    house.say(&session, "again").await;
    assert_eq!(text_of(&*until(&mut reader, EventBody::is_end).await), "heard again");
    assert_eq!(house.journaled(&session, EventBody::is_end).await, 2, "each turn ended once");
    let lives = house.lives().await;
    assert!(lives.iter().all(|(_, lives)| *lives == 1), "{lives:?}");
    house.gate.send_replace(true);
    assert_eq!(text_of(&*until(&mut next_door, EventBody::is_end).await), "one two");
    assert_eq!(house.journaled(&neighbour, is_restart).await, 0);
    end.body.clone()
}

#[actix::test]
async fn a_turn_whose_run_panics_begins_again_and_readers_are_told() {
    for when in [When::Asked, When::Streaming] {
        for times in [1, 2] {
            let EventBody::TurnFinished(end) = with_panics(when, times).await else { panic!("{when:?}: no answer") };
            assert_eq!(end.text, "heard hello", "{when:?}");
        }
    }
}

#[actix::test]
async fn a_turn_whose_run_dies_three_times_is_given_up_and_the_session_goes_on() {
    for when in [When::Asked, When::Streaming] {
        let EventBody::TurnFailed { code: Code::Crashed, text, .. } = with_panics(when, 3).await else {
            panic!("{when:?}: it is given up")
        };
        let said = (when == When::Streaming).then_some("half ");
        assert_eq!(text.as_deref(), said, "what the last attempt had said, once");
    }
}

#[actix::test]
async fn a_stateless_caller_sees_that_its_run_died() {
    for (when, told) in [(When::Asked, 0), (When::Streaming, 2)] {
        let house = House::start(when, 1).await;
        let agent: AgentName = "assistant".parse().expect("valid");
        let agents = &house.doors.agents;
        let order = |sink| RunOrder {
            last: false,
            work: None,
            run: agents.next_run(),
            input: RunInput::Verbatim([ChatMessage::new(Role::User, "hello")].into()),
            shelf: None,
            model: None,
            route: None,
            tools: Arc::default(),
            sampling: Sampling::default(),
            stream: true,
            sink,
            outside: house.doors.outside.clone(),
            payer: house.who.user,
            till: house.doors.till.clone(),
            budgets: house.doors.budgets.clone(),
            parts: Vec::new(),
            keeper: None,
            lease: None,
            span: tracing::Span::none(),
        };
        let mut lives = Vec::new();
        for _ in 0..2 {
            let (pieces, mut heard) = mpsc::channel(8);
            agents.run(&agent, house.doors.providers.clone(), order(Sink::Caller(pieces))).await.expect("it begins");
            let mut all = Vec::new();
            while let Some(piece) = tokio::time::timeout(PATIENCE, heard.recv()).await.expect("it ends") {
                all.push(piece);
            }
            lives.push(all);
        }
        let finished = |all: &Vec<Piece>| matches!(all.last(), Some(Piece::Event(ChatEvent::Finished { .. })));
        assert!(lives[0].len() == told && !finished(&lives[0]), "{when:?}: it breaks off: {:?}", lives[0]);
        assert!(finished(&lives[1]), "{when:?}: the next one is answered: {:?}", lives[1]);
    }
}
