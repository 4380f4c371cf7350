//! What is said on a platform is answered there, through the whole floor.

use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::{FindPreview, KeepPreview, Kept, Receive, Received, SetSession};
use mosaic_types::outbox::Conversation;
use mosaic_types::page::Limit;
use mosaic_types::{Code, Failure, Principal, Role, UserRole};
use tokio::time::{sleep, timeout};

use crate::PATIENCE;
use crate::house::House;
use crate::panic::When;
use crate::platform::{Platform, Step};

pub(crate) fn room(name: &str) -> Conversation {
    Conversation { channel: "chat".into(), account: "bot".into(), name: name.into() }
}

pub(crate) fn said(house: &House, name: &str, event: &str, text: &str) -> Receive {
    Receive {
        conversation: room(name),
        from: house.who,
        alone: false,
        turn: house.doors.outside.turn_id(),
        event: event.into(),
        edits: None,
        reply_to: Some(event.into()),
        body_hash: [u8::try_from(text.len()).unwrap_or(0); 32],
        text: text.into(),
        attachments: Arc::default(),
        model: None,
        mode: None,
        agent: None,
        span: tracing::Span::none(),
    }
}

pub(crate) async fn receive(house: &House, said: Receive) -> Result<Received, Failure> {
    house.router.ask(said).await.expect("the router answers")
}

/// Waits until a conversation shows so many messages, and answers them.
async fn shown(platform: &Platform, name: &str, count: usize) -> Vec<String> {
    let all = platform.until(|platform| platform.texts(name).len() >= count);
    timeout(PATIENCE, all).await.expect("they are seen");
    platform.texts(name)
}

#[actix::test]
async fn what_is_said_in_a_conversation_is_answered_there_and_nowhere_else() {
    let house = House::start(When::Asked, 0).await;
    let platform = Platform::good(true, 1_000);
    house.channel("chat", &platform);
    let first = receive(&house, said(&house, "kitchen", "m1", "hello")).await.expect("it is taken in");
    assert_eq!(shown(&platform, "kitchen", 1).await, ["heard hello"]);
    assert_eq!(platform.seen()[0].reply_to.as_deref(), Some("m1"));
    let row = house.doors.store.session(&first.session).await.expect("reads").expect("is there");
    assert_eq!((row.channel.as_str(), row.user), ("chat", house.who.user));

    // The platform tells it again: the same turn, and nothing new to see.
    let again = receive(&house, said(&house, "kitchen", "m1", "hello")).await.expect("it is known");
    assert_eq!((again.accepted.turn, again.accepted.attached), (first.accepted.turn, true));
    let other = receive(&house, said(&house, "kitchen", "m1", "something else")).await.expect_err("another body");
    assert_eq!(other.code, Code::IdempotencyConflict);

    // Whoever the channel lets speak there speaks in the same session.
    let mut guest = said(&house, "kitchen", "m2", "me too");
    guest.from = Principal { user: house.doors.outside.user_id(), role: UserRole::Member };
    let second = receive(&house, guest).await.expect("it is taken in");
    assert_eq!(second.session, first.session);
    assert_eq!(shown(&platform, "kitchen", 2).await, ["heard hello", "heard me too"]);

    // What is said there by HTTP is not shown in the room; another room has a session of its own.
    house.say(&first.session, "between us").await;
    let third = receive(&house, said(&house, "garden", "m1", "outside")).await.expect("it is taken in");
    assert_ne!(third.session, first.session);
    assert_eq!(shown(&platform, "garden", 1).await, ["heard outside"]);
    assert_eq!(platform.texts("kitchen").len(), 2);

    // As after `/new`.
    let session = house.session().await;
    let set = SetSession { conversation: room("kitchen"), session: session.clone() };
    house.router.ask(set).await.expect("the router answers").expect("it is bound");
    let fourth = receive(&house, said(&house, "kitchen", "m3", "afresh")).await.expect("it is taken in");
    assert_eq!(fourth.session, session);
    assert_eq!(shown(&platform, "kitchen", 3).await[2], "heard afresh");
    let nobody = SetSession { conversation: room("kitchen"), session: "nobody".parse().expect("valid") };
    let refused = house.router.ask(nobody).await.expect("the router answers").expect_err("there is none");
    assert_eq!(refused.code, Code::NotFound);

    for text in ["", "  \n"] {
        let refused = receive(&house, said(&house, "kitchen", "m4", text)).await.expect_err("it is empty");
        assert_eq!(refused.code, Code::BadRequest);
    }
}

#[actix::test]
async fn a_turn_that_fails_says_so_in_its_conversation_and_the_next_one_is_answered() {
    let house = House::start(When::Asked, 3).await;
    let platform = Platform::good(false, 1_000);
    house.channel("chat", &platform);
    receive(&house, said(&house, "kitchen", "m1", "poison")).await.expect("it is taken in");
    receive(&house, said(&house, "kitchen", "m2", "hello")).await.expect("it is taken in");
    let texts = shown(&platform, "kitchen", 2).await;
    assert!(texts[0].contains("crashed 3 times"), "{texts:?}");
    assert_eq!(texts[1], "heard hello");
}

#[actix::test]
async fn the_message_that_a_turn_is_streamed_into_becomes_its_answer() {
    let house = House::start(When::Held, 0).await;
    let platform = Platform::good(false, 1_000);
    house.channel("chat", &platform);
    let taken = receive(&house, said(&house, "kitchen", "m1", "hello")).await.expect("it is taken in");
    let (turn, conversation) = (taken.accepted.turn, room("kitchen"));
    let find = FindPreview { turn, conversation: conversation.clone() };
    let keep = |id: &str| KeepPreview { turn, conversation: conversation.clone(), platform_id: id.into() };
    assert_eq!(house.router.ask(find.clone()).await.expect("answers").expect("reads"), None);
    let preview = platform.preview("kitchen");
    let kept = async |id: &str| house.router.ask(keep(id)).await.expect("answers").expect("is written");
    assert_eq!(kept(&preview).await, Kept::Kept);
    assert_eq!(kept("another").await, Kept::Other(preview.as_str().into()));
    let found = house.router.ask(find).await.expect("answers").expect("reads");
    assert_eq!(found.as_deref(), Some(preview.as_str()));
    platform.script([Step::Lost { seen: true }]);
    house.gate.send_replace(true);
    let again = platform.until(|platform| platform.calls() >= 2 && platform.texts("kitchen") == ["one two"]);
    timeout(PATIENCE, again).await.expect("its answer is seen");
    assert_eq!(platform.seen()[0].id, preview);
    assert_eq!(kept("late").await, Kept::Unwanted);
}

#[actix::test]
async fn what_was_said_last_may_be_changed_and_what_was_said_before_may_not() {
    let house = House::start(When::Asked, 0).await;
    let platform = Platform::good(true, 1_000);
    house.channel("chat", &platform);
    receive(&house, said(&house, "kitchen", "m1", "one")).await.expect("it is taken in");
    let first = receive(&house, said(&house, "kitchen", "m2", "twoo")).await.expect("it is taken in");
    assert_eq!(shown(&platform, "kitchen", 2).await, ["heard one", "heard twoo"]);
    let edit =
        |of: &str, event: &str, text: &str| Receive { edits: Some(of.into()), ..said(&house, "kitchen", event, text) };
    let taken = async |of: &str, event: &str, text: &str| loop {
        match receive(&house, edit(of, event, text)).await {
            // Its end was delivered, and the session is not told yet.
            Err(failure) if failure.code == Code::Running => sleep(Duration::from_millis(5)).await,
            taken => return taken.expect("it is taken in"),
        }
    };
    let edited = taken("m2", "m2:1", "two").await;
    assert_ne!(edited.accepted.turn, first.accepted.turn);
    assert_eq!(shown(&platform, "kitchen", 3).await[2], "heard two");
    let row = house.doors.store.latest(&first.session, i64::MAX, Limit::default()).await.expect("reads");
    let inputs: Vec<_> = row.iter().filter(|row| row.role == Role::User).map(|row| row.text.as_str()).collect();
    assert_eq!(inputs, ["one", "two"], "the old wording has left the dialogue");

    let third = taken("m2", "m2:3", "2").await;
    assert_eq!(shown(&platform, "kitchen", 4).await[3], "heard 2");
    assert_ne!(third.accepted.turn, edited.accepted.turn);

    // Told again, and edited into what it says already.
    let again = receive(&house, edit("m2", "m2:1", "two")).await.expect("it is known");
    assert_eq!((again.accepted.turn, again.accepted.attached), (edited.accepted.turn, true));
    let same = receive(&house, edit("m2:3", "m2:4", "2")).await.expect("it is known");
    assert_eq!((same.accepted.turn, same.accepted.attached), (third.accepted.turn, true));
    let older = receive(&house, edit("m1", "m1:1", "ones")).await.expect_err("something was said since");
    assert_eq!(older.code, Code::BadRequest);
    // What was never taken in is new.
    receive(&house, edit("m0", "m0:1", "three")).await.expect("it is taken in");
    assert_eq!(shown(&platform, "kitchen", 5).await[4], "heard three");
}
