//! The outbox alone, on a paused clock.

mod office;

use std::sync::Arc;
use std::time::Duration;

use mosaic_supervise::Control;
use mosaic_types::journal::{Outcome, Write};
use mosaic_types::outbox::{Item, ItemState, SettleItem, Settled, TakeItems};
use mosaic_types::{EventBody, Timestamp};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use self::office::{Office, room};
use crate::world::platform::{Platform, Step};
use crate::world::postroom::{CHANNEL, bridge};
use crate::world::store::lock;

#[actix::test]
async fn an_answer_is_seen_as_soon_as_it_is_stored_and_once() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    let began = Instant::now();
    let turn = office.answer("kitchen", "dinner").await;
    office.seen(1).await;
    assert!(began.elapsed() < Duration::from_secs(1), "by the bell, not by a look now and then");
    office.quiet().await;
    sleep(Duration::from_secs(3_600)).await;
    let seen = office.platform.seen();
    assert_eq!((seen[0].turn, seen[0].text.as_str(), seen.len()), (Some(turn), "dinner", 1));
    assert_eq!(office.platform.calls(), 1);
}

#[actix::test]
async fn answers_are_seen_in_the_order_of_their_turns_one_at_a_time() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    office.platform.script([Step::Later { after: None, all: false }, Step::Show, Step::Lost { seen: false }]);
    for number in 0..10 {
        office.answer("kitchen", &number.to_string()).await;
    }
    office.quiet().await;
    assert_eq!(office.platform.texts("kitchen"), (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[actix::test]
async fn a_pause_that_a_platform_asks_for_is_obeyed_and_nothing_is_lost() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    let wait = Duration::from_secs(149);
    office.platform.script([Step::Later { after: Some(wait), all: false }]);
    let began = Instant::now();
    office.answer("kitchen", "late").await;
    office.answer("kitchen", "later").await;
    sleep(Duration::from_secs(1)).await;
    office.answer("garden", "at once").await;
    office.seen(1).await;
    assert!(began.elapsed() < Duration::from_secs(2), "another conversation does not wait");
    assert_eq!(office.platform.texts("garden"), ["at once"]);
    office.quiet().await;
    assert!(began.elapsed() >= wait && began.elapsed() < wait + Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(office.platform.texts("kitchen"), ["late", "later"]);
    assert_eq!(office.platform.calls(), 4, "no storm");
}

#[actix::test]
async fn a_pause_for_a_whole_channel_holds_all_its_conversations() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    office.platform.script([Step::Later { after: Some(Duration::from_secs(60)), all: true }]);
    office.answer("kitchen", "one").await;
    sleep(Duration::from_secs(1)).await;
    office.answer("garden", "two").await;
    sleep(Duration::from_secs(50)).await;
    assert_eq!(office.platform.calls(), 1);
    office.quiet().await;
    assert_eq!(office.platform.seen().len(), 2);
}

#[actix::test]
async fn a_platform_that_is_away_is_tried_with_growing_pauses_until_it_is_back() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    office.platform.script([Step::Later { after: None, all: false }; 12]);
    let began = Instant::now();
    office.answer("kitchen", "dinner").await;
    office.quiet().await;
    assert_eq!((office.platform.calls(), office.platform.texts("kitchen")), (13, vec!["dinner".to_owned()]));
    let pauses = Duration::from_secs((1 << 9) - 1 + 3 * 300);
    let took = began.elapsed();
    assert!(took > pauses.mul_f64(0.8) && took < pauses.mul_f64(1.2) + Duration::from_secs(5), "{took:?}");
}

#[actix::test]
async fn what_cannot_be_delivered_for_a_day_is_dead_and_its_readers_are_told() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    office.platform.script([Step::Later { after: None, all: false }; 400]);
    let mut reader = office.doors.hub.subscribe(&office.hand.session, mosaic_runtime::events::Interest::All);
    let turn = office.answer("kitchen", "dinner").await;
    let told = timeout(Duration::from_secs(100_000), reader.next()).await.expect("within a day").expect("it is told");
    assert_eq!((told.turn, told.seq), (Some(turn), None));
    assert!(matches!(&told.body, EventBody::DeliveryFailed { state: ItemState::Dead, .. }), "{told:?}");
    office.quiet().await;
    assert_eq!(office.counts().await, [(ItemState::Dead, 1)]);
    assert!((250..=320).contains(&office.platform.calls()), "{}", office.platform.calls());
}

#[actix::test]
async fn a_chat_that_is_closed_costs_one_call_and_the_next_answer_is_tried() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    office.platform.script([Step::Refuse]);
    office.answer("kitchen", "one").await;
    office.answer("kitchen", "two").await;
    office.quiet().await;
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!((office.platform.calls(), office.platform.texts("kitchen")), (2, vec!["two".to_owned()]));
    assert_eq!(office.counts().await, [(ItemState::Dead, 1)]);
}

#[actix::test]
async fn a_long_answer_is_seen_whole_in_parts_though_each_is_cut_off() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 5)).await;
    let lost = |seen| Step::Lost { seen };
    office.platform.script([lost(true), lost(false), Step::Show, lost(true), Step::Show, lost(false)]);
    let text = "Fünf Wörter über späte Züge.";
    office.answer("kitchen", text).await;
    office.quiet().await;
    let texts = office.platform.texts("kitchen");
    assert_eq!(texts.concat(), text);
    assert!(texts.len() > 5 && texts.iter().all(|text| text.len() <= 5), "{texts:?}");
}

#[actix::test]
async fn the_end_of_a_turn_takes_the_place_of_its_preview_however_often_it_is_sent() {
    tokio::time::pause();
    // A platform that cannot be asked: an edit may be repeated all the same.
    let office = Office::open(Platform::good(false, 5)).await;
    office.platform.script([Step::Lost { seen: true }, Step::Lost { seen: false }]);
    let turn = office.ask(CHANNEL, "kitchen").await;
    let preview = office.platform.preview("kitchen");
    let (conversation, platform_id) = (room(CHANNEL, "kitchen"), preview.as_str().into());
    let keep = Write::KeepPreview { turn, conversation, platform_id, at: Timestamp(0) };
    assert!(matches!(office.doors.commit(keep).await, Ok(Outcome::Written(_))));
    office.end("dinner!").await;
    office.quiet().await;
    assert_eq!(office.platform.texts("kitchen"), ["dinne", "r!"]);
    assert_eq!(office.platform.seen()[0].id, preview);
    assert_eq!(office.counts().await, []);
}

#[actix::test]
async fn a_call_that_is_cut_off_is_asked_for_or_else_unknown_and_never_repeated() {
    tokio::time::pause();
    for seen in [false, true] {
        for step in [Step::Lost { seen }, Step::Panic { seen }, Step::Hang { seen }] {
            let office = Office::open(Platform::good(true, 1_000)).await;
            office.platform.script([step]);
            office.answer("kitchen", "one").await;
            office.answer("kitchen", "two").await;
            office.quiet().await;
            assert_eq!(office.platform.texts("kitchen"), ["one", "two"], "{step:?}, and it can be asked");

            let office = Office::open(Platform::good(false, 1_000)).await;
            office.platform.script([step]);
            office.answer("kitchen", "one").await;
            office.answer("kitchen", "two").await;
            office.quiet().await;
            let texts = office.platform.texts("kitchen");
            let expected: &[&str] = if seen { &["one", "two"] } else { &["two"] };
            assert_eq!(texts, expected, "{step:?}, and it cannot be asked");
            assert_eq!(office.counts().await, [(ItemState::Unknown, 1)]);
        }
    }
}

#[actix::test]
async fn the_outbox_dies_at_any_moment_and_every_answer_is_seen_once() {
    tokio::time::pause();
    // A platform that cannot be asked: a call must not be taken for cut off because who began it died.
    for after in 0..40 {
        let office = Office::open(Platform::good(false, 1_000)).await;
        let killer = async {
            sleep(Duration::from_millis(after * 5)).await;
            office.root.order("outbox", Control::Panic).await;
        };
        let talk = async {
            for number in 0..4 {
                office.answer("kitchen", &number.to_string()).await;
                office.answer("garden", &number.to_string()).await;
            }
        };
        tokio::join!(killer, talk);
        office.quiet().await;
        for name in ["kitchen", "garden"] {
            assert_eq!(office.platform.texts(name), ["0", "1", "2", "3"], "killed after {} ms", after * 5);
        }
        assert_eq!(office.counts().await, []);
    }
}

#[actix::test]
async fn a_channel_that_is_down_or_unknown_holds_its_own_items_and_no_others() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    let other = Platform::good(true, 1_000);
    let link = bridge(&office.root, "other", &other);
    office.doors.outbox.connect("other", Arc::new(link.clone()));
    while link.down().is_none() {
        office.root.order("other", Control::Panic).await;
        sleep(Duration::from_millis(100)).await;
    }
    office.ask("other", "attic").await;
    office.end("held").await;
    office.ask("gone", "cellar").await;
    office.end("held too").await;
    office.answer("kitchen", "dinner").await;
    office.seen(1).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(office.counts().await, [(ItemState::Pending, 1); 2]);
    assert_eq!((other.calls(), office.link.down()), (0, None));
    // It comes back by itself; the unknown one when it is configured again.
    while other.seen().is_empty() {
        sleep(Duration::from_millis(100)).await;
    }
    let third = Platform::good(true, 1_000);
    office.doors.outbox.connect("gone", Arc::new(bridge(&office.root, "gone", &third)));
    office.quiet().await;
    assert_eq!((other.texts("attic"), third.texts("cellar")), (vec!["held".to_owned()], vec!["held too".to_owned()]));
}

#[actix::test]
async fn a_flood_in_one_conversation_keeps_no_other_waiting_and_calls_are_bounded() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    for number in 0..60 {
        office.answer("flood", &number.to_string()).await;
    }
    for number in 0..20 {
        office.answer(&format!("room {number}"), "hi").await;
    }
    let began = Instant::now();
    for number in 0..20 {
        while office.platform.texts(&format!("room {number}")).is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(office.platform.texts("flood").len() < 40);
    office.quiet().await;
    assert_eq!(office.platform.texts("flood").len(), 60);
    assert!(office.platform.most_at_once() <= 8, "{}", office.platform.most_at_once());
}

#[actix::test]
async fn what_another_process_had_taken_up_is_asked_for_and_what_it_had_not_is_sent() {
    tokio::time::pause();
    for (askable, called) in [(true, true), (true, false), (false, true), (false, false)] {
        let office = Office::open(Platform::good(askable, 1_000)).await;
        office.root.stop().await;
        for (name, text) in [("kitchen", "taken up"), ("garden", "not taken up")] {
            office.ask(CHANNEL, name).await;
            assert!(matches!(office.hand.write(office.end_of(text)).await, Outcome::Written(_)));
        }
        let holder = Uuid::from_u128(99);
        let take = TakeItems { channel: CHANNEL.into(), holder, limit: 1, at: Timestamp(0) };
        let Outcome::Taken { items, .. } = office.hand.write(Write::TakeItems(take)).await else {
            panic!("one is due")
        };
        if called {
            let Item { id, session, holder, part, attempt, .. } = items[0].clone();
            let (settled, at) = (Settled::Calling, Timestamp(0));
            let note = SettleItem { id, session, holder, part, attempt, settled, at };
            office.hand.write(Write::SettleItem(Box::new(note))).await;
        }
        let Office { tables, hand, platform, .. } = office;
        let next = Office::start(tables, hand, platform);
        next.quiet().await;
        assert_eq!(next.platform.texts("garden"), ["not taken up"]);
        let known = askable || !called;
        let seen: &[&str] = if known { &["taken up"] } else { &[] };
        assert_eq!(next.platform.texts("kitchen"), seen);
        let lost: &[(ItemState, u64)] = if known { &[] } else { &[(ItemState::Unknown, 1)] };
        assert_eq!(next.counts().await, lost);
    }
}

#[actix::test]
async fn what_became_of_an_answer_that_the_store_refuses_for_good_is_tried_three_times_and_then_seldom() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    lock(&office.tables).post.grudge = Some("kitchen".into());
    let tried = || lock(&office.tables).post.begrudged;
    // More than a channel may have under way: what is stuck takes no places.
    for number in 0..10 {
        office.answer("kitchen", &number.to_string()).await;
    }
    sleep(Duration::from_secs(30)).await;
    assert_eq!((tried(), office.doors.outbox.stuck()), (3, 1));
    office.answer("garden", "beside").await;
    office.seen(2).await;
    assert_eq!(
        (office.platform.texts("kitchen"), office.platform.texts("garden")),
        (vec!["0".into()], vec!["beside".into()])
    );
    sleep(Duration::from_secs(3_600)).await;
    assert!((55..=64).contains(&tried()), "once a minute: {}", tried());
    assert_eq!(office.platform.calls(), 2, "it was sent, and is not sent again");
    lock(&office.tables).post.grudge = None;
    office.quiet().await;
    assert_eq!(office.platform.texts("kitchen"), (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(office.doors.outbox.stuck(), 0);

    lock(&office.tables).post.grudge = Some("kitchen".into());
    office.answer("kitchen", "10").await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(office.doors.outbox.stuck(), 1);
    office.doors.work.drain();
    timeout(Duration::from_secs(1), office.doors.work.idle()).await.expect("a stop does not wait for it");
}

#[actix::test]
async fn a_drain_awaits_the_call_under_way_and_begins_no_other() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    office.answer("kitchen", "one").await;
    office.answer("kitchen", "two").await;
    while office.platform.calls() == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    office.doors.work.drain();
    timeout(Duration::from_secs(30), office.doors.work.idle()).await.expect("within the grace");
    assert_eq!(office.platform.texts("kitchen"), ["one"]);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(office.platform.texts("kitchen"), ["one"], "the rest goes out after the next start");
    assert_eq!(office.counts().await, [(ItemState::Pending, 1)]);
}

#[actix::test]
async fn what_was_sent_is_removed_after_a_week() {
    tokio::time::pause();
    let office = Office::open(Platform::good(true, 1_000)).await;
    office.answer("kitchen", "one").await;
    office.quiet().await;
    sleep(Duration::from_secs(7 * 24 * 3600 + 7_200)).await;
    let prune = Write::PruneItems { sent_before: Timestamp(i64::MAX), lost_before: Timestamp(0), limit: 10 };
    assert_eq!(office.hand.write(prune).await, Outcome::Removed(0), "it is gone already");
}
