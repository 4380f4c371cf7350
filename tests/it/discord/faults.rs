//! What goes wrong between a bot and Discord: nothing is lost and nothing is seen twice.

use std::time::Duration;

use mosaic_testkit::discord::{Discord, Fault, dm};
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::json;
use tokio::time::Instant;

use super::{ADA, EVE, GUILD, ROOM, ada, asked, asleep, awake, channel, guild, named};
use crate::testbed::{Testbed, eventually};

/// Waits until the channel's trouble holds these words.
async fn trouble(bed: &Testbed, words: &str) {
    eventually(&format!("the trouble is told: {words}"), || async {
        channel(bed).await["trouble"].as_str().filter(|told| told.contains(words)).map(|_| ())
    })
    .await;
}

/// What ends a connection, and by its name.
type Ending = (&'static str, fn(&Discord));

/// How often a heartbeat is asked for where one is to be missed: on a busy machine others may be too.
const BEAT: Duration = Duration::from_millis(1_500);

/// Ends connections in these ways, one after the other, each while somebody speaks; answers how often the bot identified
/// and resumed.
async fn ended(beat: Option<Duration>, endings: &[Ending]) -> (usize, usize) {
    let (mut bed, discord) = asleep(StandIn::builder());
    if let Some(beat) = beat {
        discord.beat(beat);
    }
    bed.restart().await;
    let mut expected = Vec::new();
    for (number, (name, end)) in endings.iter().enumerate() {
        discord.welcomed(number + 1).await;
        end(&discord);
        discord.say(&ada(name));
        expected.push(format!("You said: {name}"));
        discord.welcomed(number + 2).await;
        discord.deafen(false);
        discord.until(name, |discord| (discord.texts(dm(ADA)) == expected).then_some(())).await;
    }
    discord.greetings()
}

#[tokio::test]
async fn a_connection_to_discord_that_ends_is_resumed_and_what_was_said_meanwhile_is_answered() {
    let closes: [Ending; 4] = [
        ("closed with 1000", |discord| discord.close_gateway(1_000)),
        ("closed with 1001", |discord| discord.close_gateway(1_001)),
        ("closed with 4000", |discord| discord.close_gateway(4_000)),
        ("cut", Discord::cut_gateway),
    ];
    let wishes: [Ending; 2] = [
        ("asked to reconnect", Discord::ask_to_reconnect),
        ("invalid, and yet resumable", |discord| discord.invalidate(true)),
    ];
    let silences: [Ending; 2] =
        [("not acknowledged", |discord| discord.deafen(true)), ("half open", Discord::freeze_gateway)];
    let (closes, wishes, silences) =
        tokio::join!(ended(None, &closes), ended(None, &wishes), ended(Some(BEAT), &silences));
    assert_eq!((closes, wishes), ((1, 4), (1, 2)), "identified once, then resumed");
    assert!(silences.0 == 1 && silences.1 >= 2, "{silences:?}");
}

#[tokio::test]
async fn a_session_that_discord_has_forgotten_is_begun_anew() {
    let (_bed, discord) = awake(StandIn::builder()).await;
    for (number, end) in
        [|discord: &Discord| discord.invalidate(false), |discord: &Discord| discord.close_gateway(4_009)]
            .into_iter()
            .enumerate()
    {
        discord.welcomed(number + 1).await;
        end(&discord);
        discord.say(&ada(&format!("lost {number}")));
        discord.until("it identifies", |discord| (discord.greetings().0 == number + 2).then_some(())).await;
        discord.until("it is caught up", |discord| (discord.texts(dm(ADA)).len() == number + 1).then_some(())).await;
    }
    // It says so only when it is resumed.
    discord.welcomed(3).await;
    discord.lapse(true);
    discord.cut_gateway();
    discord.until("it tries to resume", |discord| (discord.greetings().1 == 1).then_some(())).await;
    discord.until("it identifies", |discord| (discord.greetings().0 == 4).then_some(())).await;
    discord.listening().await;
    discord.say(&ada("hello"));
    discord.shows(dm(ADA), &["You said: lost 0", "You said: lost 1", "You said: hello"]).await;
}

#[tokio::test]
async fn what_was_said_on_discord_while_the_daemon_was_away_is_answered_once_when_it_is_back() {
    let (mut bed, discord) = awake(StandIn::builder()).await;
    discord.say(&named(EVE, "hello"));
    discord.shows(ROOM, &["You said: hello"]).await;
    assert!(bed.stop().await.success());
    // Ada may talk and never did; Eve is in a room that is known, and in a thread that is new.
    discord.say(&ada("anybody there?"));
    discord.say(&named(EVE, "and here?"));
    discord.say(&guild(EVE, "lovely weather"));
    discord.open_thread(777, ROOM, GUILD);
    discord.say(&named(EVE, "on topic").in_room(777));
    discord.say(&named(EVE, "good bye"));
    bed.restart().await;
    discord.shows(dm(ADA), &["You said: anybody there?"]).await;
    discord.shows(ROOM, &["You said: hello", "You said: and here?", "You said: good bye"]).await;
    discord.shows(777, &["You said: on topic"]).await;
    assert!(bed.stop().await.success());
    bed.restart().await;
    discord.until("it identifies", |discord| (discord.greetings().0 == 3).then_some(())).await;
    discord.listening().await;
    discord.say(&ada("still there?"));
    discord.shows(dm(ADA), &["You said: anybody there?", "You said: still there?"]).await;
    assert_eq!((discord.texts(ROOM).len(), discord.texts(777).len(), asked(&bed).await.len()), (3, 1, 6));
}

#[tokio::test]
async fn what_somebody_says_while_discord_is_asked_for_their_room_does_not_overtake_what_was_missed() {
    let (mut bed, discord) = awake(StandIn::builder()).await;
    assert!(bed.stop().await.success());
    discord.say(&ada("anybody there?"));
    let opened = discord.calls("open");
    discord.fail("open", [Fault::Flood(1.0), Fault::CutBefore]);
    bed.restart().await;
    discord.until("it is asked", |discord| (discord.calls("open") > opened).then_some(())).await;
    discord.listening().await;
    discord.say(&ada("hello?"));
    discord.shows(dm(ADA), &["You said: anybody there?", "You said: hello?"]).await;
    assert_eq!(asked(&bed).await, ["anybody there?", "hello?"]);
}

#[tokio::test]
async fn a_page_of_discord_that_cannot_be_had_at_first_is_asked_for_again() {
    let (mut bed, discord) = awake(StandIn::builder()).await;
    discord.say(&ada("hello"));
    discord.shows(dm(ADA), &["You said: hello"]).await;
    assert!(bed.stop().await.success());
    for number in 0..120 {
        discord.say(&guild(EVE, &format!("chatter {number}")));
    }
    discord.say(&named(EVE, "at last"));
    discord.fail("history", [Fault::Refuse(500, 0, "500".to_owned()), Fault::Flood(0.5), Fault::CutBefore]);
    bed.restart().await;
    discord.shows(ROOM, &["You said: at last"]).await;
}

#[tokio::test]
async fn what_only_a_person_can_put_right_about_discord_is_told() {
    for (code, words) in [(4_014, "Message Content Intent"), (4_004, "Reset Token")] {
        let (bed, discord) = awake(StandIn::builder()).await;
        discord.close_gateway(code);
        trouble(&bed, words).await;
        assert_eq!(channel(&bed).await["health"], "troubled");
    }
    let (mut bed, discord) = asleep(StandIn::builder());
    discord.leave_identifies(10);
    bed.restart().await;
    trouble(&bed, "as many sessions today as Discord lets it").await;
    assert_eq!(discord.connections(), 0, "the budget is kept");
}

#[tokio::test]
async fn what_discord_tells_again_is_known_and_what_cannot_be_read_holds_nothing_up() {
    let (bed, discord) = awake(StandIn::builder()).await;
    discord.say(&ada("one"));
    discord.tell("MESSAGE_CREATE", &json!({"odd": true}));
    discord.tell("NEW_IN_2030", &json!({"text": "?"}));
    discord.say(&ada("/new"));
    discord.say(&ada("two"));
    discord.until("all is answered", |discord| (discord.texts(dm(ADA)).len() == 3).then_some(())).await;
    discord.replay();
    discord.say(&ada("three"));
    discord.until("it is answered", |discord| (discord.texts(dm(ADA)).len() == 4).then_some(())).await;
    assert_eq!(discord.texts(dm(ADA))[3], "You said: three", "{:?} {}", discord.texts(dm(ADA)), bed.log());
    let mut all = asked(&bed).await;
    all.sort();
    assert_eq!(all, ["one", "three", "two"]);
    let sessions = bed.api().get("/api/v1/sessions").await;
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(2), "the new session was made once");
    assert!(bed.log().contains("cannot be read and is passed over"), "{}", bed.log());
}

#[tokio::test]
async fn a_stop_that_discord_tells_again_after_a_crash_stops_nothing_that_was_asked_since() {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let script = [Step::hold(&gates[0], "never"), Step::hold(&gates[1], "cut off"), Step::hold(&gates[2], "here")];
    let (mut bed, discord) = awake(StandIn::builder().script(script)).await;
    discord.say(&ada("wait"));
    gates[0].arrived(1).await;
    let stop = discord.say(&ada("/stop"));
    discord.shows(dm(ADA), &["Cancelled."]).await;
    discord.say(&ada("and now?"));
    gates[1].arrived(1).await;
    bed.kill9().await;
    bed.restart().await;
    discord.until("it identifies anew", |discord| (discord.greetings().0 == 2).then_some(())).await;
    gates[2].arrived(1).await;
    discord.repeat(dm(ADA), stop);
    // What is said in one place is heard in order.
    discord.say(&ada("/agent"));
    discord.shows(dm(ADA), &["Cancelled.", "assistant answers here."]).await;
    gates[2].open();
    discord.shows(dm(ADA), &["Cancelled.", "assistant answers here.", "here"]).await;
}

#[tokio::test]
async fn an_answer_that_was_cut_off_on_discord_is_found_there_and_not_sent_twice() {
    for fault in [Fault::CutAfter, Fault::CutBefore, Fault::Garbage] {
        let (bed, discord) = awake(StandIn::builder()).await;
        discord.fail("send", [fault.clone()]);
        discord.say(&ada("one"));
        discord.shows(dm(ADA), &["You said: one"]).await;
        eventually("it is settled", || async {
            (channel(&bed).await["outbox"] == json!({"pending": 0, "sending": 0, "unknown": 0, "dead": 0}))
                .then_some(())
        })
        .await;
        assert!(discord.calls("history") > 0, "Discord was asked: {fault:?}");
        discord.say(&ada("two"));
        discord.shows(dm(ADA), &["You said: one", "You said: two"]).await;
        assert_eq!(asked(&bed).await, ["one", "two"]);
    }
}

#[tokio::test]
async fn a_pause_that_discord_asks_for_holds_the_answer_up_and_loses_nothing() {
    let (_bed, discord) = awake(StandIn::builder()).await;
    discord.fail("send", [Fault::Flood(6.0)]);
    let began = Instant::now();
    discord.say(&ada("one"));
    discord.until("the pause is asked for", |discord| (discord.calls("send") == 1).then_some(())).await;
    discord.say(&ada("two"));
    discord.say(&named(EVE, "three"));
    discord.shows(ROOM, &["You said: three"]).await;
    assert_eq!(discord.texts(dm(ADA)), [""; 0], "another room does not wait");
    discord.shows(dm(ADA), &["You said: one", "You said: two"]).await;
    assert!(began.elapsed() >= Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(discord.calls("send"), 4, "one call was refused, and none was made in the pause");
}

#[tokio::test]
async fn a_pause_for_previews_on_discord_stops_them_and_the_final_comes_after_it() {
    let gate = Gate::new();
    let (bed, discord) = awake(StandIn::builder().script([Step::hold_after(&gate, "one two three", 1)])).await;
    discord.say(&ada("count"));
    discord.shows(dm(ADA), &["one …"]).await;
    bed.preview_is_kept().await;
    discord.fail("edit", [Fault::Flood(3.0)]);
    let began = Instant::now();
    gate.open();
    discord.shows(dm(ADA), &["one two three"]).await;
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(discord.calls("send"), 1, "it is the same message");
}

#[tokio::test]
async fn a_room_of_discord_that_is_closed_costs_a_call_and_nobody_else() {
    let (bed, discord) = awake(StandIn::builder()).await;
    discord.close(ROOM);
    discord.say(&named(EVE, "one"));
    eventually("it is given up", || async { (channel(&bed).await["outbox"]["dead"] == 1).then_some(()) }).await;
    assert_eq!(discord.calls("send"), 1);
    discord.say(&ada("two"));
    discord.shows(dm(ADA), &["You said: two"]).await;
}

#[tokio::test]
async fn a_preview_that_somebody_deleted_on_discord_does_not_take_the_answer_with_it() {
    let gate = Gate::new();
    let (bed, discord) = awake(StandIn::builder().script([Step::hold_after(&gate, "one two three", 1)])).await;
    discord.say(&ada("count"));
    discord.shows(dm(ADA), &["one …"]).await;
    bed.preview_is_kept().await;
    discord.delete(dm(ADA), discord.seen(dm(ADA))[0].id);
    gate.open();
    discord.shows(dm(ADA), &["one two three"]).await;
}

#[tokio::test]
async fn under_seeded_faults_every_message_on_discord_is_answered_once_and_in_order() {
    for seed in [1, 2, 3] {
        let (bed, discord) = awake(StandIn::builder()).await;
        discord.plague(seed, 30);
        let mut expected = Vec::new();
        for number in 0..4 {
            discord.say(&ada(&format!("message {number}")));
            discord.say(&named(EVE, &format!("message {number}")));
            expected.push(format!("You said: message {number}"));
            if number == 1 {
                discord.cut_gateway();
            }
        }
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        discord.shows(dm(ADA), &expected).await;
        discord.shows(ROOM, &expected).await;
        assert_eq!(channel(&bed).await["outbox"]["unknown"], 0, "Discord can be asked: seed {seed}");
        // Less than the span, since the wire takes its time.
        assert!(
            discord.busiest(Duration::from_millis(4_700)) <= 5,
            "{}",
            discord.busiest(Duration::from_millis(4_700))
        );
    }
}

/// The process dies between Discord and the store, and round a delivery. Discord can be asked for both.
#[cfg(feature = "chaos")]
#[tokio::test]
async fn whenever_the_process_dies_a_message_on_discord_is_one_turn_and_its_answer_is_seen_once() {
    for point in [
        "accept.received",
        "accept.before_commit",
        "accept.after_commit",
        "accept.before_ack",
        "deliver.before_call",
        "deliver.in_call",
        "deliver.after_call",
    ] {
        let (mut bed, discord) = asleep(StandIn::builder());
        bed.set_env("MOSAIC_DIE_AT", point);
        bed.restart().await;
        discord.listening().await;
        discord.say(&ada("hello"));
        bed.ended().await;
        bed.unset_env("MOSAIC_DIE_AT");
        bed.restart().await;
        discord.until("it identifies anew", |discord| (discord.greetings().0 == 2).then_some(())).await;
        discord.listening().await;
        discord.say(&ada("again"));
        discord.shows(dm(ADA), &["You said: hello", "You said: again"]).await;
        assert_eq!(asked(&bed).await, ["hello", "again"], "{point}");
        let outbox = channel(&bed).await["outbox"].clone();
        assert_eq!((&outbox["unknown"], &outbox["dead"]), (&json!(0), &json!(0)), "{point}");
    }
}
