//! What goes wrong between a bot and Telegram: nothing is lost and nothing is seen twice.

use std::time::Duration;

use mosaic_testkit::provider::Gate;
use mosaic_testkit::telegram::{Fault, Saying, Shown};
use mosaic_testkit::{StandIn, Step, Telegram};
use serde_json::json;
use tokio::time::Instant;

use super::{ADA, EVE, GROUP, asked, asleep, awake, channel, settled};
use crate::testbed::{eventually, run};

/// Waits until the channel's trouble holds these words.
async fn trouble(bed: &crate::testbed::Testbed, words: &str) {
    eventually(&format!("the trouble is told: {words}"), || async {
        channel(bed).await["trouble"].as_str().filter(|told| told.contains(words)).map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn what_is_told_again_is_known_and_what_cannot_be_read_holds_nothing_up() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    telegram.say(&Saying::private(ADA, "one"));
    telegram.tell(json!({"message": {"odd": true}}));
    telegram.tell(json!({"new_in_2030": {"text": "?"}}));
    telegram.say(&Saying::private(ADA, "/new"));
    telegram.say(&Saying::private(ADA, "two"));
    telegram.until("all is answered", |telegram| (telegram.texts(ADA).len() == 3).then_some(())).await;
    eventually("all is confirmed", || async { (telegram.unconfirmed() == 0).then_some(()) }).await;
    telegram.replay(5);
    telegram.say(&Saying::private(ADA, "three"));
    telegram.until("it is answered", |telegram| (telegram.texts(ADA).len() == 4).then_some(())).await;
    assert_eq!(telegram.texts(ADA)[3], "You said: three");
    let mut all = asked(&bed).await;
    all.sort();
    assert_eq!(all, ["one", "three", "two"]);
    let sessions = bed.api().get("/api/v1/sessions").await;
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(2), "the new session was made once");
    assert!(bed.log().contains("cannot be read and is passed over"), "{}", bed.log());
}

#[tokio::test]
async fn what_was_said_while_the_daemon_was_away_is_answered_when_it_is_back() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    telegram.say(&Saying::private(ADA, "anybody there?"));
    bed.restart().await;
    telegram.shows(ADA, &["You said: anybody there?"]).await;
}

#[tokio::test]
async fn a_gap_of_two_hours_is_caught_up_and_what_is_older_than_a_day_is_summed_up() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    let hours = |count: u64| Duration::from_secs(count * 3_600);
    // More than Telegram tells at once.
    for number in 0..120 {
        telegram.say(&Saying::group(GROUP, EVE, format!("@mosaic_bot {number}")).ago(hours(30)));
    }
    telegram.say(&Saying::private(ADA, "anybody there?").ago(hours(2)));
    telegram.say(&Saying::private(ADA, "hello"));
    bed.restart().await;
    telegram.until("all is told", |telegram| (telegram.texts(ADA).len() == 3).then_some(())).await;
    let told = telegram.texts(ADA);
    assert_eq!(told[0], "I was away. This was written 2 h ago; I answer it now.");
    assert!(told[1].starts_with("You said: anybody there?") && told[1].contains("Written 2 h ago"), "{told:?}");
    assert_eq!(told[2], "You said: hello");
    let summed = telegram.until("it is summed up", |telegram| telegram.texts(GROUP).pop()).await;
    assert!(summed.contains("120 messages were written here more than 24 h ago"), "{summed}");
    telegram.say(&Saying::group(GROUP, EVE, "@mosaic_bot and now?"));
    telegram.until("it is answered", |telegram| (telegram.texts(GROUP).len() == 2).then_some(())).await;
    assert_eq!(bed.model.progress().calls, 3, "what is too old costs nothing");
}

#[tokio::test]
async fn another_program_with_the_same_token_is_named() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    let sentence = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    telegram.fail("getUpdates", [Fault::Refuse(409, sentence.to_owned())]);
    trouble(&bed, "Another program polls with the token of @mosaic_bot").await;
    assert_eq!(channel(&bed).await["health"], "troubled");
}

#[tokio::test]
async fn a_token_that_is_refused_says_where_to_get_another() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    telegram.fail("getMe", [Fault::Refuse(401, "Unauthorized".to_owned())]);
    bed.restart().await;
    trouble(&bed, "BotFather").await;
}

#[tokio::test]
async fn a_poll_that_nobody_answers_is_given_up_and_begun_again() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    eventually("it has connected", || async { (channel(&bed).await["health"] == "healthy").then_some(()) }).await;
    telegram.fail("getUpdates", [Fault::Mute]);
    eventually("the poll hangs", || async { (telegram.calls("getUpdates") > 1).then_some(()) }).await;
    telegram.say(&Saying::private(ADA, "hello?"));
    telegram.shows(ADA, &["You said: hello?"]).await;
}

#[tokio::test]
async fn a_pause_that_telegram_asks_for_holds_the_answer_up_and_loses_nothing() {
    let (_bed, telegram) = awake(StandIn::builder()).await;
    telegram.fail("sendMessage", [Fault::Flood(6)]);
    let began = Instant::now();
    telegram.say(&Saying::private(ADA, "one"));
    telegram.until("the pause is asked for", |telegram| (telegram.calls("sendMessage") == 1).then_some(())).await;
    telegram.say(&Saying::private(ADA, "two"));
    telegram.say(&Saying::group(GROUP, EVE, "@mosaic_bot three"));
    telegram.shows(GROUP, &["You said: three"]).await;
    assert_eq!(telegram.texts(ADA), [""; 0], "another chat does not wait");
    telegram.shows(ADA, &["You said: one", "You said: two"]).await;
    assert!(began.elapsed() >= Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(telegram.calls("sendMessage"), 4, "one call was refused, and none was made in the pause");
}

#[tokio::test]
async fn a_pause_for_previews_stops_them_and_the_final_comes_after_it() {
    let gate = Gate::new();
    let (bed, telegram) = awake(StandIn::builder().script([Step::hold_after(&gate, "one two three", 1)])).await;
    telegram.say(&Saying::private(ADA, "count"));
    telegram.shows(ADA, &["one …"]).await;
    bed.preview_is_kept().await;
    telegram.fail("editMessageText", [Fault::Flood(3)]);
    let began = Instant::now();
    gate.open();
    telegram.shows(ADA, &["one two three"]).await;
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(telegram.calls("sendMessage"), 1, "it is the same message");
}

#[tokio::test]
async fn an_answer_begins_to_grow_only_when_those_before_it_have_gone_out() {
    let gate = Gate::new();
    let steps = [Step::say("the first"), Step::hold_after(&gate, "the second", 1)];
    let (_bed, telegram) = awake(StandIn::builder().script(steps)).await;
    telegram.fail("sendMessage", [Fault::Refuse(500, "Internal Server Error".into())]);
    telegram.say(&Saying::private(ADA, "one"));
    telegram.until("it is refused", |telegram| (telegram.calls("sendMessage") == 1).then_some(())).await;
    telegram.say(&Saying::private(ADA, "two"));
    telegram.shows(ADA, &["the first", "the …"]).await;
    gate.open();
    telegram.shows(ADA, &["the first", "the second"]).await;
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_never_sent_twice() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    telegram.fail("sendMessage", [Fault::CutAfter]);
    telegram.say(&Saying::private(ADA, "one"));
    eventually("it is accounted for", || async { (channel(&bed).await["outbox"]["unknown"] == 1).then_some(()) }).await;
    telegram.say(&Saying::private(ADA, "two"));
    telegram.shows(ADA, &["You said: one", "You said: two"]).await;
}

#[tokio::test]
async fn an_edit_that_was_cut_off_is_made_again() {
    let gate = Gate::new();
    let (bed, telegram) = awake(StandIn::builder().script([Step::hold_after(&gate, "one two three", 1)])).await;
    telegram.say(&Saying::private(ADA, "count"));
    telegram.shows(ADA, &["one …"]).await;
    bed.preview_is_kept().await;
    telegram.fail("editMessageText", [Fault::CutBefore, Fault::Refuse(500, "Internal Server Error".to_owned())]);
    gate.open();
    telegram.shows(ADA, &["one two three"]).await;
    assert_eq!(settled(&bed).await, json!({"pending": 0, "sending": 0, "unknown": 0, "dead": 0}));
}

#[tokio::test]
async fn an_answer_of_which_nothing_can_be_stored_is_sent_once_and_the_tree_says_so() {
    let (mut bed, telegram) = awake(StandIn::builder()).await;
    bed.refuse("UPDATE ON outbox", &format!("NEW.state = 'sent' AND NEW.conversation = '{ADA}'")).await;
    telegram.say(&Saying::private(ADA, "one"));
    telegram.say(&Saying::private(ADA, "two"));
    let tree = eventually("the tree says so", || async {
        let tree = run(bed.command(&["tree"]), "").await.good();
        tree.contains("the store refuses to keep what became of answers").then_some(tree)
    });
    assert!(tree.await.contains("(1 of them)"));
    telegram.say(&Saying::group(GROUP, EVE, "@mosaic_bot three"));
    telegram.shows(GROUP, &["You said: three"]).await;
    assert_eq!(telegram.texts(ADA), ["You said: one"]);
    assert_eq!(bed.log().matches("what became of an answer cannot be stored").count(), 1);
    // Another life asks what became of it, which Telegram cannot say; what waited behind it goes out.
    bed.refuse_no_more("outbox").await;
    bed.stop().await;
    bed.restart().await;
    telegram.shows(ADA, &["You said: one", "You said: two"]).await;
    assert_eq!(settled(&bed).await, json!({"pending": 0, "sending": 0, "unknown": 1, "dead": 0}));
}

#[tokio::test]
async fn a_chat_that_is_closed_costs_a_call_and_nobody_else() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    telegram.close(ADA);
    telegram.say(&Saying::private(ADA, "one"));
    eventually("it is given up", || async { (channel(&bed).await["outbox"]["dead"] == 1).then_some(()) }).await;
    assert_eq!(telegram.calls("sendMessage"), 1);
    telegram.say(&Saying::group(GROUP, ADA, "@mosaic_bot two"));
    telegram.shows(GROUP, &["You said: two"]).await;
}

#[tokio::test]
async fn a_preview_that_somebody_deleted_does_not_take_the_answer_with_it() {
    let gate = Gate::new();
    let (bed, telegram) = awake(StandIn::builder().script([Step::hold_after(&gate, "one two three", 1)])).await;
    telegram.say(&Saying::private(ADA, "count"));
    telegram.shows(ADA, &["one …"]).await;
    bed.preview_is_kept().await;
    telegram.delete(ADA, telegram.seen(ADA)[0].id);
    gate.open();
    telegram.shows(ADA, &["one two three"]).await;
}

#[tokio::test]
async fn an_error_of_telegrams_own_is_tried_again_soon_and_keeps_nobody_waiting() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    eventually("it has connected", || async { (channel(&bed).await["health"] == "healthy").then_some(()) }).await;
    let broken = || Fault::Refuse(502, "Bad Gateway".to_owned());
    let began = Instant::now();
    telegram.fail("sendMessage", [broken(), broken()]);
    telegram.fail("sendChatAction", [broken()]);
    telegram.fail("getUpdates", [broken()]);
    telegram.say(&Saying::private(ADA, "one"));
    telegram.say(&Saying::group(GROUP, EVE, "@mosaic_bot two"));
    telegram.shows(ADA, &["You said: one"]).await;
    telegram.shows(GROUP, &["You said: two"]).await;
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert_eq!(settled(&bed).await, json!({"pending": 0, "sending": 0, "unknown": 0, "dead": 0}));
}

/// Calls that send or edit.
fn writes(telegram: &Telegram) -> usize {
    telegram.calls("sendMessage") + telegram.calls("editMessageText")
}

#[tokio::test]
async fn a_bot_that_is_kicked_while_it_works_ends_its_turn_and_asks_no_more() {
    let text = "word ".repeat(40);
    let slow = Step::say_in(text.trim(), 40, Duration::from_millis(150));
    let (bed, telegram) = awake(StandIn::builder().script([slow, Step::say("hello")])).await;
    telegram.say(&Saying::group(GROUP, EVE, "@mosaic_bot count"));
    telegram.until("it has begun", |telegram| (!telegram.texts(GROUP).is_empty()).then_some(())).await;
    telegram.close(GROUP);
    let before = writes(&telegram);
    eventually("it is given up", || async { (channel(&bed).await["outbox"]["dead"] == 1).then_some(()) }).await;
    let tried = writes(&telegram) - before;
    assert!((1..=2).contains(&tried), "a preview at the most, and the answer: {tried}");
    assert_eq!(asked(&bed).await, ["count"]);
    let session = bed.api().get("/api/v1/sessions").await["items"][0]["id"].as_str().expect("an id").to_owned();
    let kept = bed.api().transcript(&session).await;
    assert_eq!(kept[1], ("assistant".to_owned(), text.trim().to_owned()), "the turn ended, and is kept");
    telegram.say(&Saying::private(ADA, "and here?"));
    telegram.shows(ADA, &["hello"]).await;
    assert_eq!(writes(&telegram) - before, tried + 1);
}

#[tokio::test]
async fn a_message_that_is_deleted_while_it_grows_is_left_alone_and_the_answer_is_a_new_one() {
    let text = "word ".repeat(40);
    let slow = Step::say_in(text.trim(), 40, Duration::from_millis(150));
    let (_bed, telegram) = awake(StandIn::builder().script([slow])).await;
    telegram.say(&Saying::private(ADA, "count"));
    let first = telegram.until("it has begun", |telegram| telegram.seen(ADA).pop()).await;
    telegram.delete(ADA, first.id);
    let before = writes(&telegram);
    telegram.shows(ADA, &[text.trim()]).await;
    let tried = writes(&telegram) - before;
    assert!((2..=3).contains(&tried), "an edit that finds nothing, the answer's own, and a message: {tried}");
}

#[tokio::test]
async fn under_seeded_faults_every_message_is_answered_once_and_in_order() {
    for seed in [1, 2, 3] {
        let (_bed, telegram) = awake(StandIn::builder()).await;
        telegram.plague(seed, 30);
        let mut expected = Vec::new();
        for number in 0..4 {
            telegram.say(&Saying::private(ADA, format!("message {number}")));
            telegram.say(&Saying::group(GROUP, EVE, format!("@mosaic_bot message {number}")));
            expected.push(format!("You said: message {number}"));
        }
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        telegram.shows(ADA, &expected).await;
        telegram.shows(GROUP, &expected).await;
    }
}

/// The process dies between Telegram and the store, and on the way back.
#[cfg(feature = "chaos")]
#[tokio::test]
async fn whenever_the_process_dies_a_message_is_one_turn_and_its_answer_is_seen_once() {
    for point in
        ["accept.received", "accept.before_commit", "accept.after_commit", "accept.before_ack", "deliver.after_call"]
    {
        let (mut bed, telegram) = asleep(StandIn::builder());
        bed.set_env("MOSAIC_DIE_AT", point);
        bed.restart().await;
        telegram.say(&Saying::private(ADA, "hello"));
        bed.ended().await;
        bed.unset_env("MOSAIC_DIE_AT");
        bed.restart().await;
        telegram.say(&Saying::private(ADA, "again"));
        telegram.shows(ADA, &["You said: hello", "You said: again"]).await;
        assert_eq!(asked(&bed).await, ["hello", "again"], "{point}");
    }
}

/// What waits for its turn was not sent, and of that there is no doubt.
#[tokio::test]
async fn an_answer_that_waits_for_its_turn_when_the_process_is_killed_goes_out_once_and_is_never_doubted() {
    for _ in 0..5 {
        let (mut bed, telegram) = awake(StandIn::builder()).await;
        telegram.say(&Saying::private(ADA, "one"));
        telegram.say(&Saying::private(ADA, "two"));
        telegram.shows(ADA, &["You said: one"]).await;
        eventually("the first is settled, and the second is there", || async {
            let (all, sent) = (bed.rows("outbox").await, bed.rows("outbox WHERE state = 'sent'").await);
            (all == 2 && sent == 1).then_some(())
        })
        .await;
        bed.kill9().await;
        bed.restart().await;
        telegram.shows(ADA, &["You said: one", "You said: two"]).await;
        assert_eq!(bed.rows("outbox WHERE state = 'unknown'").await, 0);
    }
}

/// In the middle of a call nobody can say what Telegram heard, unless it was an edit.
#[cfg(feature = "chaos")]
#[tokio::test]
async fn a_process_that_dies_round_a_delivery_leaves_at_most_one_answer_of_which_nobody_can_tell() {
    for (point, heard) in [("deliver.before_call", 0), ("deliver.in_call", 1)] {
        let (mut bed, telegram) = asleep(StandIn::builder());
        bed.set_env("MOSAIC_DIE_AT", point);
        bed.restart().await;
        telegram.say(&Saying::private(ADA, "hello"));
        bed.ended().await;
        bed.unset_env("MOSAIC_DIE_AT");
        bed.restart().await;
        eventually("it is accounted for", || async {
            let outbox = channel(&bed).await["outbox"].clone();
            (outbox["pending"] == 0 && outbox["sending"] == 0).then_some(())
        })
        .await;
        let seen = telegram.texts(ADA);
        match channel(&bed).await["outbox"]["unknown"].as_u64() {
            Some(1) => assert_eq!((seen.len(), heard), (1, 1), "{point}: only in the call: {seen:?}"),
            // It was not sent yet, or was slow enough to be shown while it was made, and so became an edit.
            _ => assert_eq!(seen, ["You said: hello"], "{point}"),
        }
        let seen = seen.len();

        let slowly = Duration::from_millis(700);
        bed.model.push(Step::say_in("one two three four five six seven eight nine ten", 10, slowly));
        telegram.say(&Saying::private(ADA, "count"));
        // It grows only once its number is stored.
        let grown = |shown: Vec<Shown>| shown.len() == seen + 1 && shown[seen].edits > 0;
        telegram.until("the preview grows", |telegram| grown(telegram.seen(ADA)).then_some(())).await;
        bed.kill9().await;
        bed.set_env("MOSAIC_DIE_AT", point);
        bed.model.push(Step::say("one two three"));
        bed.restart().await;
        bed.ended().await;
        bed.unset_env("MOSAIC_DIE_AT");
        bed.restart().await;
        let end = ["one two three"];
        telegram
            .until("the edit is made", |telegram| telegram.texts(ADA).ends_with(&end.map(str::to_owned)).then_some(()))
            .await;
        assert_eq!(telegram.texts(ADA).len(), seen + 1, "{point}: it is the same message");
    }
}

#[tokio::test]
async fn a_stop_that_telegram_tells_again_after_a_crash_stops_nothing_that_was_asked_since() {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let script = [Step::hold(&gates[0], "never"), Step::hold(&gates[1], "cut off"), Step::hold(&gates[2], "here")];
    let (mut bed, telegram) = awake(StandIn::builder().script(script)).await;
    telegram.say(&Saying::private(ADA, "wait"));
    gates[0].arrived(1).await;
    telegram.say(&Saying::private(ADA, "/stop"));
    telegram.shows(ADA, &["Cancelled."]).await;
    telegram.say(&Saying::private(ADA, "and now?"));
    gates[1].arrived(1).await;
    eventually("all is confirmed", || async { (telegram.unconfirmed() == 0).then_some(()) }).await;
    bed.kill9().await;
    telegram.replay(2);
    bed.restart().await;
    gates[2].arrived(1).await;
    eventually("all is told again", || async { (telegram.unconfirmed() == 0).then_some(()) }).await;
    gates[2].open();
    telegram.shows(ADA, &["Cancelled.", "here"]).await;
    assert_eq!(asked(&bed).await, ["wait", "and now?"]);
}
