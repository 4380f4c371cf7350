//! The cases.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use mosaic_channels::ChannelActor;
use mosaic_supervise::LinkError;
use mosaic_types::outbox::{Content, Delivery, Item};
use mosaic_types::{EventBody, SessionEvent, TurnId};
use tokio::time::advance;

use crate::office::{Ending, Office};
use crate::stand::{Place, Stand, Who};

/// In a room, only where we are named; in private, always. The answer goes where the question came from.
pub(crate) async fn what_is_said_to_us_is_taken_in_and_answered_once<S: Stand>() {
    let office = Office::<S>::open();
    office.stand.say(Who::Ada, Place::Direct, false, "hello");
    let said = office.input(1).await;
    assert_eq!(&*said.text, "hello");
    assert_eq!(office.carry(office.answer(&said, "hello Ada")).await, Ending::Sent);
    office.stand.say(Who::Ada, Place::Room, false, "lovely weather");
    office.stand.say(Who::Ada, Place::Room, true, "and you?");
    let said = office.input(2).await;
    assert_eq!(&*said.text, "and you?", "what is not meant for us is not heard, and our name is not what is said");
    assert_eq!(office.carry(office.answer(&said, "well, thanks")).await, Ending::Sent);
    assert_eq!(office.stand.texts(Place::Direct), ["hello Ada"]);
    assert_eq!(office.stand.texts(Place::Room), ["well, thanks"]);
    assert_eq!((office.desk.inputs().len(), office.stand.writes()), (2, 2));
}

/// By the same name, so that the inbox knows it; or it is not even told.
pub(crate) async fn what_is_told_twice_is_one_input<S: Stand>() {
    let office = Office::<S>::open();
    office.stand.say(Who::Ada, Place::Direct, false, "one");
    office.input(1).await;
    office.stand.tell_again();
    office.stand.say(Who::Ada, Place::Direct, false, "two");
    let last = office.input(2).await;
    assert_eq!((&*last.text, office.desk.inputs().len()), ("two", 2));
    assert!((2..=3).contains(&office.desk.told()), "{}", office.desk.told());
}

/// A second `/stop` would stop what was asked since.
pub(crate) async fn a_stop_that_is_told_again_stops_nothing_later<S: Stand>() {
    let office = Office::<S>::open();
    office.stand.say(Who::Ada, Place::Direct, false, "/stop");
    office.until("it is heard", |office| (office.desk.commands() == ["stop"]).then_some(())).await;
    office.stand.tell_again();
    office.stand.say(Who::Ada, Place::Direct, false, "one");
    office.input(1).await;
    assert_eq!(office.desk.commands(), ["stop"]);
}

/// Whether the platform can be asked or not: nobody sees it twice, and what comes after it is not held up.
pub(crate) async fn a_message_that_was_cut_off_after_it_was_taken_is_seen_once<S: Stand>() {
    let office = Office::<S>::open();
    office.stand.say(Who::Ada, Place::Direct, false, "hello");
    let said = office.input(1).await;
    office.stand.say(Who::Ada, Place::Direct, false, "and again");
    let again = office.input(2).await;
    office.stand.cut_off();
    assert_ne!(office.carry(office.answer(&said, "one")).await, Ending::Dead);
    assert_eq!(office.carry(office.answer(&again, "two")).await, Ending::Sent);
    assert_eq!(office.stand.texts(Place::Direct), ["one", "two"]);
}

/// The wish is passed on in full; within it nothing more is sent there, and elsewhere all goes on.
pub(crate) async fn a_pause_of_149_seconds_delays_the_answer_and_loses_nothing<S: Stand>() {
    let office = Office::<S>::open();
    office.stand.say(Who::Ada, Place::Direct, false, "hello");
    let said = office.input(1).await;
    office.stand.say(Who::Ada, Place::Room, true, "hello");
    let beside = office.input(2).await;
    office.stand.ask_for_silence(Duration::from_secs(149));
    let item = office.answer(&said, "late");
    let wait = async |item: &Item| match office.deliver(item).await.expect("the channel answers") {
        Delivery::Later { after, all } => (after.expect("the platform has said how long"), all),
        other => panic!("{other:?}"),
    };
    let (asked, all) = wait(&item).await;
    assert!(asked >= Duration::from_secs(149) && !all, "{asked:?}");
    assert_eq!(office.carry(office.answer(&beside, "beside")).await, Ending::Sent);
    let writes = office.stand.writes();
    assert!(wait(&item).await.0 > Duration::from_secs(120), "the channel remembers it");
    assert_eq!(office.stand.writes(), writes, "and does not ask");
    // Sockets know nothing of the paused clock: nobody speaks meanwhile.
    tokio::time::pause();
    advance(asked).await;
    tokio::time::resume();
    assert_eq!(office.carry(item).await, Ending::Sent);
    assert_eq!((office.stand.texts(Place::Direct), office.stand.writes()), (vec!["late".to_owned()], writes + 1));
}

/// Cut where it reads well, each part below the platform's limit, in its order.
pub(crate) async fn a_long_answer_comes_in_order_and_whole<S: Stand>() {
    let office = Office::<S>::open();
    office.stand.say(Who::Ada, Place::Direct, false, "hello");
    let said = office.input(1).await;
    let words: Vec<String> = (0..S::UNITS / 2).map(|number| format!("w{number}")).collect();
    assert_eq!(office.carry(office.answer(&said, words.join(" "))).await, Ending::Sent);
    let parts = office.stand.texts(Place::Direct);
    assert!(parts.len() > 2 && parts.iter().all(|part| part.encode_utf16().count() <= S::UNITS), "{}", parts.len());
    let seen: Vec<&str> = parts.iter().flat_map(|part| part.split_whitespace()).collect();
    assert_eq!(seen, words);
}

pub(crate) async fn a_conversation_that_is_closed_ends_after_one_call_and_no_other_does<S: Stand>() {
    let office = Office::<S>::open();
    office.stand.say(Who::Ada, Place::Direct, false, "hello");
    let said = office.input(1).await;
    office.stand.say(Who::Ada, Place::Room, true, "hello");
    let beside = office.input(2).await;
    office.stand.close(Place::Room);
    assert_eq!(office.carry(office.answer(&beside, "nobody sees this")).await, Ending::Dead);
    assert_eq!(office.stand.writes(), 1);
    assert_eq!(office.carry(office.answer(&said, "hello")).await, Ending::Sent);
    assert_eq!(office.stand.texts(Place::Direct), ["hello"]);
}

pub(crate) async fn a_thousand_strangers_cost_three_codes_and_no_input<S: Stand>() {
    let office = Office::<S>::open();
    for number in 0..1_000 {
        office.stand.say(Who::Stranger(number), Place::Direct, false, "hello");
        office.stand.say(Who::Stranger(number), Place::Room, true, "/new");
    }
    office.stand.say(Who::Ada, Place::Direct, false, "hello");
    let said = office.input(1).await;
    assert_eq!(&*said.text, "hello");
    office.until("the codes are told", |office| (office.stand.writes() == 3).then_some(())).await;
    assert_eq!((office.desk.offered(), office.desk.commands().len()), (3, 0));
    assert_eq!(office.stand.texts(Place::Room), [""; 0], "in a room nobody is told anything");
}

fn delta(turn: TurnId, offset: usize, text: &str) -> Arc<SessionEvent> {
    let body = EventBody::TurnDelta { attempt: 1, step: 1, offset, text: text.into() };
    Arc::new(SessionEvent { body, session: "s".parse().expect("valid"), turn: Some(turn), seq: None })
}

/// The end is one edit of what was shown so far, and nothing that is said later covers it.
pub(crate) async fn a_stop_in_mid_answer_is_heard_and_its_end_stands_in_place_of_the_answer<S: Stand>() {
    let office = Office::<S>::open();
    let tell = office.desk.stream();
    office.stand.say(Who::Ada, Place::Direct, false, "count");
    let said = office.input(1).await;
    tell.send(delta(said.turn, 0, "one two")).expect("it is read");
    office.until("it is seen", |office| (office.stand.texts(Place::Direct) == ["one two …"]).then_some(())).await;
    office.stand.say(Who::Ada, Place::Direct, false, "/stop");
    office.until("it is heard", |office| (office.desk.commands() == ["stop"]).then_some(())).await;
    tell.send(delta(said.turn, 7, " three")).expect("it is read");
    let preview = office.until("the house knows of the message", |office| office.desk.previews().pop()).await;
    let end = Item { preview: Some(preview), ..office.item(&said, Content::Cancelled {}) };
    assert_eq!(office.carry(end).await, Ending::Sent);
    tell.closed().await;
    assert_eq!(office.stand.texts(Place::Direct), ["Cancelled."]);
}

/// More than the outbox ever asks for: what a channel cannot take is refused at once, and not kept.
pub(crate) async fn what_must_go_out_is_refused_beyond_a_bound<S: Stand>() {
    let office = Office::<S>::open();
    office.stand.say(Who::Ada, Place::Direct, false, "hello");
    let said = office.input(1).await;
    office.stand.fall_mute(1_000);
    let items: Vec<Item> = (0..1_000).map(|number| office.answer(&said, number.to_string())).collect();
    let mut asked: Vec<_> = items.iter().map(|item| Box::pin(office.deliver(item))).collect();
    let at_once: Vec<_> = asked.iter_mut().filter_map(FutureExt::now_or_never).collect();
    assert!(at_once.iter().all(|answer| *answer == Err(LinkError::Full)), "{:?}", at_once.first());
    assert_eq!(at_once.len(), items.len() - ChannelActor::MAILBOX.capacity);
}
