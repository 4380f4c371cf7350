//! Threads that are opened for long talks, and posts of forums.

use mosaic_testkit::StandIn;
use mosaic_testkit::discord::{BOT, Discord, Fault, Saying, dm};

use super::{ADA, EVE, GUILD, ROOM, ada, asked, awake_with, guild, named};
use crate::testbed::{Testbed, eventually};

/// A talk of two questions stays where it is, and with the third it gets a thread.
const THREADS: &str = "thread_after = 3\nnames = false";

/// What a room or a thread shows.
async fn shows(discord: &Discord, room: u64, texts: &[&str]) {
    let texts: Vec<String> = texts.iter().map(|text| format!("You said: {text}")).collect();
    discord.shows(room, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// The inputs of each session, the shortest first.
async fn talks(bed: &Testbed) -> Vec<Vec<String>> {
    let sessions = bed.api().get("/api/v1/sessions?limit=200").await;
    let mut talks = Vec::new();
    for session in sessions["items"].as_array().expect("a list") {
        let transcript = bed.api().transcript(session["id"].as_str().expect("an id")).await;
        talks.push(transcript.into_iter().filter(|(role, _)| role == "user").map(|(_, text)| text).collect::<Vec<_>>());
    }
    talks.sort_by_key(Vec::len);
    talks
}

#[tokio::test]
async fn a_long_talk_in_a_room_of_discord_goes_on_in_a_thread_and_the_room_begins_anew() {
    let (bed, discord) = awake_with(StandIn::builder(), THREADS).await;
    discord.say(&named(EVE, "one"));
    shows(&discord, ROOM, &["one"]).await;
    discord.say(&named(ADA, "two"));
    shows(&discord, ROOM, &["one", "two"]).await;
    let third = discord.say(&named(EVE, "three"));
    // A thread has the number of the message that it was opened from. In it nobody needs to call us.
    shows(&discord, third, &["three"]).await;
    discord.say(&guild(ADA, "four").in_room(third));
    shows(&discord, third, &["three", "four"]).await;
    assert_eq!(discord.seen(third)[0].reply_to, None, "what it answers is in the room");
    discord.say(&named(EVE, "something else"));
    shows(&discord, ROOM, &["one", "two", "something else"]).await;
    // Where somebody else opened a thread, they do.
    discord.open_thread(777, ROOM, GUILD);
    discord.say(&guild(EVE, "lovely weather").in_room(777));
    discord.say(&guild(EVE, &format!("<@{BOT}> on topic")).in_room(777));
    shows(&discord, 777, &["on topic"]).await;
    for text in ["1", "2", "3", "4"] {
        discord.say(&ada(text));
    }
    shows(&discord, dm(ADA), &["1", "2", "3", "4"]).await;
    assert_eq!(discord.calls("thread"), 1, "neither in a thread nor where two are alone");
    let mut talks = talks(&bed).await;
    talks.sort();
    assert_eq!(
        talks,
        [vec!["1", "2", "3", "4"], vec!["on topic"], vec!["one", "two", "three", "four"], vec!["something else"]]
    );
}

#[tokio::test]
async fn a_thread_that_cannot_be_opened_on_discord_holds_no_answer_up() {
    let (bed, discord) = awake_with(StandIn::builder(), "thread_after = 1\nnames = false").await;
    discord.fail(
        "thread",
        [Fault::Refuse(403, 50_013, "Missing Permissions".to_owned()), Fault::Flood(0.5), Fault::CutAfter],
    );
    discord.say(&named(EVE, "one"));
    shows(&discord, ROOM, &["one"]).await;
    assert!(bed.log().contains("may the bot Create Public Threads?"), "{}", bed.log());
    let second = discord.say(&named(EVE, "two"));
    shows(&discord, second, &["two"]).await;
    assert_eq!(discord.calls("thread"), 4, "it waited, and found what it had opened");
    // A question that is changed is answered where it was answered first.
    let session = eventually("it is settled", || async {
        let sessions = bed.api().get("/api/v1/sessions").await;
        sessions["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    bed.api().settled(&session).await;
    discord.edit(second, &named(EVE, "too"));
    shows(&discord, second, &["two", "too"]).await;
    assert_eq!(discord.texts(ROOM).len(), 1);
}

/// Between the thread, its number in the store, and the room that begins anew.
#[cfg(feature = "chaos")]
#[tokio::test]
async fn whenever_the_process_dies_a_thread_on_discord_is_opened_once_and_its_question_is_one_turn() {
    for point in ["branch.opened", "branch.bound", "accept.received", "accept.after_commit"] {
        let (mut bed, discord) = awake_with(StandIn::builder(), "thread_after = 2\nnames = false").await;
        discord.say(&named(EVE, "one"));
        shows(&discord, ROOM, &["one"]).await;
        eventually("it is settled", || async {
            let outbox = super::channel(&bed).await["outbox"].clone();
            (outbox["pending"] == 0 && outbox["sending"] == 0).then_some(())
        })
        .await;
        assert!(bed.stop().await.success());
        bed.set_env("MOSAIC_DIE_AT", point);
        bed.restart().await;
        discord.until("it identifies anew", |discord| (discord.greetings().0 == 2).then_some(())).await;
        discord.listening().await;
        let second = discord.say(&named(EVE, "two"));
        bed.ended().await;
        bed.unset_env("MOSAIC_DIE_AT");
        bed.restart().await;
        shows(&discord, second, &["two"]).await;
        discord.say(&named(EVE, "something else"));
        shows(&discord, ROOM, &["one", "something else"]).await;
        discord.say(&guild(EVE, "three").in_room(second));
        shows(&discord, second, &["two", "three"]).await;
        assert_eq!(talks(&bed).await, [vec!["something else"], vec!["one", "two", "three"]], "{point}");
    }
}

#[tokio::test]
async fn a_post_of_a_forum_on_discord_is_a_conversation_under_the_rules_of_its_forum() {
    const FORUM: u64 = 600;
    let (mut bed, discord) = awake_with(StandIn::builder(), THREADS).await;
    let said = |user, text: &str| Saying::guild(GUILD, FORUM, user, text);
    let first = discord.post(FORUM, &said(EVE, &format!("<@{BOT}> which way?")));
    shows(&discord, first, &["which way?"]).await;
    let other = discord.post(FORUM, &said(EVE, "for people only"));
    discord.say(&said(ADA, "left, I think").in_room(first));
    discord.say(&said(ADA, &format!("<@{BOT}> and then?")).in_room(first));
    shows(&discord, first, &["which way?", "and then?"]).await;
    // What is posted while it is away is found.
    assert!(bed.stop().await.success());
    let late = discord.post(FORUM, &said(EVE, &format!("<@{BOT}> still there?")));
    bed.restart().await;
    shows(&discord, late, &["still there?"]).await;
    assert_eq!((discord.texts(other).len(), discord.calls("thread")), (0, 0));
    let mut all = asked(&bed).await;
    all.sort();
    assert_eq!(all, ["and then?", "still there?", "which way?"]);
}
