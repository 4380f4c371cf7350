//! Slash commands by message alone, as every channel sends them.

use mosaic_messages::{CommandDone, ExecuteCommand};
use mosaic_types::journal::{NewUser, Write};
use mosaic_types::outbox::Conversation;
use mosaic_types::{Code, EventBody, Failure, Principal, SessionId, UserRole};

use crate::house::House;
use crate::panic::When;

async fn execute(house: &House, session: &SessionId, from: Principal, line: &str) -> Result<CommandDone, Failure> {
    let ask = ExecuteCommand { session: session.clone(), from, line: line.parse().expect("a command"), typed: None };
    let router = &house.router;
    let told = if ask.overtakes() { router.urge(ask).await } else { router.ask(ask).await };
    told.expect("the router lives")
}

#[actix::test]
async fn a_command_in_someone_elses_session_finds_nothing_and_the_role_counts_first() {
    let house = House::start(When::Held, 0).await;
    let session = house.session().await;
    let other = Principal { user: house.doors.outside.user_id(), role: UserRole::Member };
    let user = NewUser { id: other.user, name: "eve".into(), role: other.role, at: house.doors.outside.now() };
    house.doors.commit(Write::CreateUser(user)).await.expect("it is written");
    house.say(&session, "neighbour").await;
    for line in ["/help", "/new", "/status", "/agent", "/agent assistant", "/agents", "/stop", "/history", "/cost"] {
        let refused = execute(&house, &session, other, line).await.expect_err("it is not theirs");
        assert_eq!(refused, Failure::not_found("session"), "{line}");
    }
    let viewer = Principal { role: UserRole::Viewer, ..house.who };
    let refused = execute(&house, &session, viewer, "/stop").await.expect_err("a viewer stops nothing");
    assert_eq!(refused.code, Code::Forbidden);
    assert_eq!(house.journaled(&session, EventBody::is_end).await, 0, "the turn runs on");
    assert!(execute(&house, &session, house.who, "/stop").await.is_ok_and(|done| done.text == "Cancelled."));
    assert_eq!(house.journaled(&session, |body| matches!(body, EventBody::TurnCancelled {})).await, 1);
}

#[actix::test]
async fn a_new_session_that_a_platform_asks_for_twice_is_made_once() {
    let house = House::start(When::Held, 0).await;
    let session = house.session().await;
    let mut made = Vec::new();
    for event in ["m1", "m1", "m2"] {
        let room = Conversation { channel: "chat".into(), account: "bot".into(), name: "kitchen".into() };
        let typed = Some((room, event.into()));
        let line = "/new".parse().expect("a command");
        let ask = ExecuteCommand { session: session.clone(), from: house.who, line, typed };
        made.push(house.router.ask(ask).await.expect("the router lives").expect("it is made").session);
    }
    assert!(made[0] == made[1] && made[1] != made[2], "{made:?}");
    for session in made {
        assert!(house.doors.store.session(&session).await.expect("it can be read").is_some());
    }
}

#[actix::test]
async fn a_stopping_house_makes_no_session_and_still_stops_turns() {
    let house = House::start(When::Held, 0).await;
    let session = house.session().await;
    house.say(&session, "neighbour").await;
    house.doors.work.drain();
    let refused = execute(&house, &session, house.who, "/new").await.expect_err("it is stopping");
    assert_eq!(refused.code, Code::Draining);
    let status = execute(&house, &session, house.who, "/status").await.expect("it can be asked").text;
    assert!(status.contains("State: running") && status.contains("Mosaic is stopping"), "{status}");
    assert_eq!(execute(&house, &session, house.who, "/stop").await.expect("it is felt").text, "Cancelled.");
}

#[actix::test]
async fn a_new_session_is_stored_before_it_is_told_of() {
    let house = House::start(When::Held, 0).await;
    let session = house.session().await;
    let made = execute(&house, &session, house.who, "/new").await.expect("it is made");
    let row = house.doors.store.session(&made.session).await.expect("it can be read").expect("it is stored");
    assert_eq!((row.user, row.agent.as_str()), (house.who.user, "assistant"));
    assert_eq!(made.text, format!("A new session with assistant: {}", made.session));
    // One that sleeps is asked nothing.
    assert_eq!(execute(&house, &made.session, house.who, "/stop").await.expect("asked").text, "Nothing runs here.");
    assert!(house.sessions.find(&made.session).is_none(), "it was not woken for that");
}
