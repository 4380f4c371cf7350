//! Slash commands by message alone, as every channel sends them.

use mosaic_messages::{CommandDone, ExecuteCommand, KeepPreview, Kept, SetSession};
use mosaic_types::command::{ASKED_AGAIN, CANCELLED, OVER, WENT_ON};
use mosaic_types::journal::{NewUser, Write};
use mosaic_types::outbox::Conversation;
use mosaic_types::{Code, EventBody, Failure, Principal, SessionId, TurnId, UserRole};

use crate::PATIENCE;
use crate::channel::{receive, room, said};
use crate::house::House;
use crate::panic::When;

async fn execute(house: &House, session: &SessionId, from: Principal, line: &str) -> Result<CommandDone, Failure> {
    execute_in(house, session, from, line, None).await
}

/// By the message `event` of a room, which is bound to that session.
async fn press(house: &House, session: &SessionId, at: &str, event: &str, line: &str) -> String {
    let typed = Some((room(at), event.into()));
    execute_in(house, session, house.who, line, typed).await.expect("it is carried out").text
}

async fn execute_in(
    house: &House,
    session: &SessionId,
    from: Principal,
    line: &str,
    typed: Option<(Conversation, std::sync::Arc<str>)>,
) -> Result<CommandDone, Failure> {
    let ask = ExecuteCommand { session: session.clone(), from, line: line.parse().expect("a command"), typed };
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
    assert_eq!(house.journaled(&session, |body| matches!(body, EventBody::TurnCancelled { .. })).await, 1);
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

fn cancelled(body: &EventBody) -> bool {
    matches!(body, EventBody::TurnCancelled { .. })
}

#[actix::test]
async fn a_stop_that_names_a_turn_stops_that_one_and_no_other() {
    let house = House::start(When::Held, 0).await;
    let (session, other) = (house.session().await, house.session().await);
    let [first, second] = [house.say(&session, "one").await.turn, house.say(&session, "two").await.turn];
    let stop = async |at: &SessionId, turn: TurnId| {
        execute(&house, at, house.who, &format!("/stop {turn}")).await.expect("it is carried out").text
    };
    assert_eq!(stop(&session, second).await, OVER, "it waits, and what runs is another");
    assert_eq!(stop(&other, first).await, OVER, "it is another session's");
    assert_eq!(house.journaled(&session, EventBody::is_end).await, 0);
    assert_eq!(stop(&session, first).await, CANCELLED);
    assert_eq!(stop(&session, first).await, OVER);
    assert_eq!(house.journaled(&session, cancelled).await, 1, "what began since runs on");
    assert_eq!(stop(&session, second).await, CANCELLED);
}

#[actix::test]
async fn a_stop_finds_its_turn_after_new_where_its_answer_grows_and_nowhere_else() {
    let house = House::start(When::Held, 0).await;
    let taken = receive(&house, said(&house, "kitchen", "m1", "hello")).await.expect("it is taken in");
    let turn = taken.accepted.turn;
    let keep = KeepPreview { turn, conversation: room("kitchen"), platform_id: "1".into() };
    assert_eq!(house.router.ask(keep).await.expect("answers").expect("is written"), Kept::Kept);
    let fresh = house.session().await;
    let set = SetSession { conversation: room("kitchen"), session: fresh.clone() };
    house.router.ask(set).await.expect("answers").expect("it is bound");
    let line = format!("/stop {turn}");
    assert_eq!(press(&house, &fresh, "garden", "p1", &line).await, OVER, "nothing of it is seen there");
    assert_eq!(house.journaled(&taken.session, EventBody::is_end).await, 0);
    assert_eq!(press(&house, &fresh, "kitchen", "p2", &line).await, CANCELLED);
    assert_eq!(house.journaled(&taken.session, cancelled).await, 1);
}

#[actix::test]
async fn a_retry_that_names_a_turn_repeats_the_last_one_only_and_once() {
    let house = House::start(When::Asked, 0).await;
    let taken = receive(&house, said(&house, "kitchen", "m1", "hello")).await.expect("it is taken in");
    let session = taken.session;
    let ended = async |count: usize| {
        let all = async {
            while house.journaled(&session, EventBody::is_end).await < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, all).await.expect("they end");
    };
    ended(1).await;
    let line = format!("/retry {}", taken.accepted.turn);
    assert_eq!(press(&house, &session, "kitchen", "p1", &line).await, ASKED_AGAIN);
    ended(2).await;
    assert_eq!(press(&house, &session, "kitchen", "p1", &line).await, ASKED_AGAIN, "the same press, told again");
    assert_eq!(press(&house, &session, "kitchen", "p2", &line).await, WENT_ON, "another one asked it again by now");
    let empty = house.session().await;
    assert_eq!(press(&house, &empty, "kitchen", "p3", &line).await, WENT_ON, "after /new");
    assert_eq!(house.journaled(&session, |body| matches!(body, EventBody::TurnAccepted { .. })).await, 2);
}
