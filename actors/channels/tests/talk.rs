//! What becomes of what is heard, and when a channel connects again: on a paused clock, over a platform and a house that
//! do what they are told.

mod fakes;

use std::time::Duration;

use actix::Actor;
use mosaic_channels::{ChannelActor, Cut, Heard, HeardFile, Hearing, Pairs, Sender, Status};
use mosaic_supervise::Tether;
use mosaic_types::command::{ASKED_AGAIN, CANCELLED, OVER, WENT_ON};
use mosaic_types::{Code, Failure, Principal, Timestamp, UserId, UserRole};
use tokio::time::{advance, sleep};

use fakes::{Home, Platform, config, heard, talk, talk_keeping, talk_with};

fn user(number: u128, role: UserRole) -> Principal {
    Principal { user: UserId(uuid::Uuid::from_u128(number)), role }
}

fn refuse(code: Code) -> Result<(), Failure> {
    Err(Failure::new(code, "It cannot be done, and this is why."))
}

#[actix::test]
async fn what_is_said_is_taken_in_as_it_was_said() {
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    assert_eq!(talk.hear(heard("1", "hello")).await, Hearing::Done);
    let said = home.said();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].conversation.to_string(), "family/123/room");
    assert_eq!((&*said[0].event, &*said[0].text, said[0].reply_to.as_deref()), ("1", "hello", Some("1")));
    assert_eq!(platform.said(), [""; 0]);
}

#[actix::test]
async fn what_cannot_be_stored_now_must_be_told_again_and_what_never_can_is_said() {
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    for code in [Code::Draining, Code::Storage] {
        for _ in 0..300 {
            home.next(refuse(code));
            assert!(matches!(talk.hear(heard("1", "hello")).await, Hearing::Again(_)), "{code:?}");
        }
    }
    assert_eq!(platform.said(), [""; 0]);
    for code in [Code::Busy, Code::TextTooLong, Code::NoProvider, Code::Internal] {
        home.next(refuse(code));
        assert_eq!(talk.hear(heard("1", "hello")).await, Hearing::Done, "{code:?}");
    }
    assert_eq!(platform.said(), ["It cannot be done, and this is why."; 4]);
    home.next(refuse(Code::IdempotencyConflict));
    assert_eq!(talk.hear(heard("1", "hello")).await, Hearing::Done);
    assert_eq!(platform.said().len(), 4, "it was taken in before");
}

#[actix::test]
async fn a_session_that_is_down_is_waited_for_and_after_two_minutes_its_sender_is_told() {
    tokio::time::pause();
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    let tries = async {
        let mut tries = 0;
        loop {
            home.next(refuse(Code::Unavailable));
            match talk.hear(heard("1", "hello")).await {
                Hearing::Done => return tries,
                Hearing::Again(wait) => sleep(wait).await,
            }
            tries += 1;
        }
    };
    assert_eq!(tries.await, 120);
    assert_eq!(platform.said().len(), 1);
    home.next(refuse(Code::Unavailable));
    assert!(matches!(talk.hear(heard("2", "hello")).await, Hearing::Again(_)), "the next one waits anew");
}

#[actix::test]
async fn ten_thousand_strangers_cost_three_codes_and_nothing_else() {
    let (home, platform, pairs) = (Home::default(), Platform::default(), Pairs::default());
    let talk = talk_with(&home, &platform, pairs.clone());
    let long = "x".repeat(1 << 20);
    for number in 0..10_000 {
        let mut stranger = heard(&number.to_string(), "hello");
        stranger.marks = vec![format!("user:{}", 1_000_000 + number).parse().expect("valid")];
        stranger.from.id = (1_000_000 + number).to_string().into();
        if number % 100 == 0 {
            stranger.text.clone_from(&long);
        }
        assert_eq!(talk.hear(stranger).await, Hearing::Done);
    }
    assert!(home.said().is_empty() && home.commanded().is_empty());
    assert_eq!((home.offered().len(), platform.said().len()), (3, 3));
    let (offered, told) = (home.offered().remove(0), platform.said().remove(0));
    let code = told.rsplit(' ').next().expect("a code stands at the end");
    assert_eq!(mosaic_channels::pairs::hash(code), Some(offered.hash), "only its hash is kept");
    assert_eq!((&*offered.channel, &*offered.sender, &*offered.name), ("family", "1000000", "Ada"));

    pairs.let_in("1000007", user(7, UserRole::Member));
    let mut friend = heard("friend", "hello");
    friend.marks = vec!["user:1000007".parse().expect("valid")];
    friend.from.id = "1000007".into();
    assert_eq!(talk.hear(friend.clone()).await, Hearing::Done);
    assert_eq!(home.said().len(), 1, "who was let in is heard at once");
    pairs.forget("1000007");
    talk.hear(friend).await;
    assert_eq!(home.said().len(), 1, "and who was forgotten is not");
}

#[actix::test]
async fn who_is_linked_speaks_as_their_user_in_private_with_no_more_than_a_members_role() {
    let (home, platform, pairs) = (Home::default(), Platform::default(), Pairs::default());
    let talk = talk_with(&home, &platform, pairs.clone());
    let guest = home.house().guest();
    let message = heard("1", "hello");
    let mut group = heard("2", "hello");
    (group.direct, group.addressed) = (false, true);
    let speaks = async |message: &Heard| {
        talk.hear(message.clone()).await;
        home.said().last().map(|said| (said.from, said.alone)).expect("it was taken in")
    };
    assert_eq!(speaks(&message).await, (guest, true));
    pairs.let_in(&message.from.id, user(7, UserRole::Owner));
    assert_eq!(
        speaks(&message).await,
        (user(7, UserRole::Member), true),
        "a platform's account is no key to the house"
    );
    assert_eq!(speaks(&group).await, (guest, false), "what is said among several is the channel's");
    pairs.let_in(&message.from.id, user(8, UserRole::Viewer));
    let taken_in = home.said().len();
    for message in [message.clone(), group] {
        talk.hear(message).await;
    }
    assert_eq!((home.said().len(), platform.said().len()), (taken_in, 2), "a viewer is told, and not taken in");
    assert!(platform.said()[0].starts_with("You may read here, but not talk"), "{:?}", platform.said());
    pairs.forget(&message.from.id);
    assert_eq!(speaks(&message).await, (guest, true));
}

#[actix::test]
async fn a_stranger_in_a_group_and_a_strange_bot_are_given_no_code() {
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    let stranger = || {
        let mut stranger = heard("1", "hello");
        stranger.marks = vec!["user:2".parse().expect("valid")];
        stranger.from.id = "2".into();
        stranger
    };
    let (mut group, mut bot) = (stranger(), stranger());
    group.direct = false;
    bot.from.bot = true;
    for heard in [group, bot] {
        talk.hear(heard).await;
    }
    assert!(home.offered().is_empty() && home.said().is_empty() && platform.said().is_empty());
}

#[actix::test]
async fn two_bots_that_talk_to_each_other_come_to_an_end() {
    tokio::time::pause();
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    for number in 0..60 {
        let mut bot = heard(&number.to_string(), "and you?");
        bot.from.bot = true;
        talk.hear(bot).await;
        advance(Duration::from_millis(900)).await;
    }
    assert_eq!(home.said().len(), 10, "with our answers that is twenty in a minute");
    advance(Duration::from_secs(60)).await;
    let mut bot = heard("later", "and you?");
    bot.from.bot = true;
    talk.hear(bot).await;
    assert_eq!(home.said().len(), 11);
    talk.hear(heard("person", "hello")).await;
    assert_eq!(home.said().len(), 12, "people are not counted");
}

#[actix::test]
async fn among_several_people_only_what_is_meant_for_us_is_heard() {
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    let mut aside = heard("1", "lovely weather");
    (aside.direct, aside.addressed) = (false, false);
    talk.hear(aside.clone()).await;
    assert!(home.said().is_empty());
    aside.addressed = true;
    talk.hear(aside).await;
    assert_eq!(home.said().len(), 1);
}

#[actix::test]
async fn what_is_said_to_others_is_told_with_the_next_question_where_that_is_wanted_and_not_again() {
    let (home, platform) = (Home::default(), Platform::default());
    let aside = |event: &str, text: &str| Heard { direct: false, addressed: false, ..heard(event, text) };
    for context in [0, 2] {
        let talk = talk_keeping(&home, &platform, context);
        for (event, text) in [("1", "one"), ("2", "two"), ("3", "three")] {
            talk.hear(aside(event, text)).await;
        }
        let stranger = Heard { marks: Vec::new(), ..aside("4", "ignore all that") };
        talk.hear(stranger).await;
        home.next(refuse(Code::Draining));
        for (event, text) in [("5", "what do you think?"), ("5", "what do you think?"), ("6", "and now?")] {
            talk.hear(Heard { direct: false, ..heard(event, text) }).await;
        }
    }
    let said: Vec<String> = home.said().iter().map(|said| said.text.to_string()).collect();
    let told = "what do you think?\n\n[Said here before, among others and not to the assistant:\nAda: two\nAda: three]";
    assert_eq!(said, ["what do you think?", "and now?", told, "and now?"]);
    assert_eq!(home.said()[0].body_hash, home.said()[2].body_hash);
}

#[actix::test]
async fn what_holds_no_words_is_answered_with_a_sentence() {
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    let mut picture = heard("1", "");
    picture.wordless = true;
    assert_eq!(talk.hear(picture).await, Hearing::Done);
    assert_eq!((home.said().len(), platform.said().len()), (0, 1));
    let mut command = heard("2", "/new");
    command.edits = Some("1".into());
    talk.hear(command).await;
    assert!(home.commanded().is_empty(), "a command is carried out as it was first typed");
}

#[actix::test]
async fn a_gap_of_two_hours_is_caught_up_and_said_to_be_late() {
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    let ago = |event: &str, minutes: i64| Heard { at: Timestamp(-minutes * 60_000_000), ..heard(event, "hello") };
    for (event, minutes) in [("1", 125), ("2", 124), ("3", 5)] {
        assert_eq!(talk.hear(ago(event, minutes)).await, Hearing::Done);
    }
    let said = home.said();
    assert_eq!(&*said[0].text, "hello\n\n[Written 2 h 5 min ago; the assistant was away and reads it only now.]");
    assert_eq!((said.len(), &*said[2].text), (3, "hello"), "five minutes are no gap");
    assert_eq!(said[0].body_hash, said[2].body_hash, "told again later, it is the same message");
    let told = platform.said();
    assert_eq!(told, ["I was away. This was written 2 h 5 min ago; I answer it now."], "and once is enough");
    home.known();
    talk.hear(Heard { conversation: "other".into(), ..ago("1", 125) }).await;
    assert_eq!(platform.said().len(), 1, "what was taken in before is no news");
    talk.caught_up().await;
    assert_eq!(platform.said().len(), 1);
}

#[actix::test]
async fn what_is_older_than_a_day_is_not_answered_but_summed_up_once_a_conversation() {
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    let old = |event: &str, text: &str| Heard { at: Timestamp(-25 * 3_600_000_000), ..heard(event, text) };
    for (event, text) in [("1", "hello"), ("2", "/new"), ("3", "anybody?")] {
        assert_eq!(talk.hear(old(event, text)).await, Hearing::Done);
    }
    let stranger =
        Heard { marks: Vec::new(), from: Sender { id: "2".into(), ..heard("x", "").from }, ..old("4", "hi") };
    talk.hear(Heard { direct: false, ..stranger }).await;
    talk.hear(Heard { conversation: "other".into(), ..old("1", "hello") }).await;
    let pressed = Heard { pressed: true, ..old("5", "/stop") };
    home.comes_to(CANCELLED);
    talk.hear(pressed).await;
    assert_eq!((home.said().len(), home.commanded()), (0, vec!["stop".to_owned()]), "a button is pressed now");
    talk.caught_up().await;
    let told = platform.said();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("1 message was written here more than 24 h ago"), "{told:?}");
    assert!(told[1].contains("3 messages were written here"), "{told:?}");
    talk.caught_up().await;
    assert_eq!(platform.said().len(), 2);
}

#[actix::test]
async fn a_file_that_cannot_be_fetched_now_is_waited_for_and_one_that_is_no_good_is_refused() {
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    let with = |id: &str| {
        let mut heard = heard(id, "look");
        heard.files.push(HeardFile {
            id: id.into(),
            name: "notes.txt".into(),
            media_type: "text/plain".into(),
            size_bytes: 1,
        });
        heard
    };
    assert!(matches!(talk.hear(with("slow")).await, Hearing::Again(_)));
    assert_eq!(talk.hear(with("bad")).await, Hearing::Done);
    assert_eq!((home.said().len(), platform.said()), (0, vec!["No file is good enough.".to_owned()]));
}

#[actix::test]
async fn a_command_is_carried_out_and_a_path_is_a_message() {
    let (home, platform) = (Home::default(), Platform::default());
    let talk = talk(&home, &platform);
    talk.hear(heard("1", "/status")).await;
    assert_eq!((home.commanded(), platform.said()), (vec!["status".to_owned()], vec!["status was done".to_owned()]));
    let mut pressed = heard("2", "/retry");
    pressed.pressed = true;
    home.comes_to(ASKED_AGAIN);
    talk.hear(pressed.clone()).await;
    assert_eq!((home.commanded().len(), platform.said().len()), (2, 1), "it is seen to begin");
    for (event, came_to) in [("p1", WENT_ON), ("p2", OVER)] {
        home.comes_to(came_to);
        talk.hear(Heard { event: event.into(), ..pressed.clone() }).await;
        assert_eq!(platform.said().pop().as_deref(), Some(came_to), "nothing came of it, and that is said");
    }
    talk.hear(heard("3", "/usr/bin is full")).await;
    assert_eq!(home.said().len(), 1);
    talk.hear(heard("4", "/stauts")).await;
    assert!(platform.said()[3].contains("Did you mean /status?"), "{:?}", platform.said());
}

#[actix::test]
async fn a_channel_that_is_cut_off_says_so_and_connects_again_with_growing_pauses() {
    tokio::time::pause();
    let (home, platform, status) = (Home::default(), Platform::default(), Status::default());
    platform.cuts(Cut::new("It hung up."));
    let channel = ChannelActor::over(
        platform.channel(),
        &config(),
        home.house(),
        status.clone(),
        Pairs::default(),
        Tether::loose(),
    )
    .start();
    sleep(Duration::from_millis(100)).await;
    assert_eq!((platform.connected(), status.trouble().as_deref()), (1, Some("It hung up.")));
    sleep(Duration::from_secs(10)).await;
    let early = platform.connected();
    assert!((4..=5).contains(&early), "after 0, 1, 3 and 7 seconds, more or less: {early}");
    sleep(Duration::from_secs(3_600)).await;
    let more = platform.connected() - early;
    assert!((50..=76).contains(&more), "about one a minute: {more}");
    platform.cuts(Cut::new("Wait.").after(Duration::from_secs(149)));
    let before = platform.connected();
    while platform.connected() == before {
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(147)).await;
    assert_eq!(platform.connected(), before + 1, "a pause that is asked for is obeyed");
    sleep(Duration::from_secs(33)).await;
    assert_eq!(platform.connected(), before + 2, "and is at most a fifth longer");
    assert!(channel.connected());
}

#[actix::test]
async fn a_command_that_is_told_again_is_not_carried_out_again_nor_after_a_start() {
    let (home, platform) = (Home::default(), Platform::default());
    let first = talk(&home, &platform);
    for event in ["1", "2", "1"] {
        assert_eq!(first.hear(heard(event, "/stop")).await, Hearing::Done);
    }
    assert_eq!(first.hear(Heard { conversation: "other".into(), ..heard("1", "/stop") }).await, Hearing::Done);
    assert_eq!(home.commanded(), ["stop"; 3], "the same number elsewhere is another message");
    let second = talk(&home, &platform);
    for event in ["1", "2", "3"] {
        assert_eq!(second.hear(heard(event, "/stop")).await, Hearing::Done);
    }
    assert_eq!(home.commanded(), ["stop"; 4]);
    assert_eq!(platform.said().len(), 4, "and nobody is told twice");
    // A mistake is told once too, and what cannot be done now is told again.
    for _ in 0..2 {
        assert_eq!(second.hear(heard("4", "/nwe")).await, Hearing::Done);
    }
    assert_eq!(platform.said().len(), 5);
}

#[actix::test]
async fn of_many_commands_the_last_of_each_conversation_are_known_after_a_start() {
    let (home, platform) = (Home::default(), Platform::default());
    let first = talk(&home, &platform);
    for event in 0..100 {
        first.hear(heard(&event.to_string(), "/new")).await;
    }
    let second = talk(&home, &platform);
    for event in 84..100 {
        second.hear(heard(&event.to_string(), "/new")).await;
    }
    assert_eq!(home.commanded().len(), 100);
}
