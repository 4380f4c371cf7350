//! As people expect a bot to behave.

use mosaic_testkit::discord::{Discord, Fault, OTHER_TOKEN, Saying, dm};
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};

use super::{ADA, EVE, GUILD, ROOM, ada, asked, asleep, awake, awake_with, guild, named};

#[tokio::test]
async fn on_discord_an_answer_grows_in_one_message_and_ends_as_that_message() {
    let gate = Gate::new();
    let script = [Step::hold_after(&gate, "one **two** three four", 2)];
    let (bed, discord) = awake(StandIn::builder().script(script)).await;
    discord.say(&ada("count"));
    discord.shows(dm(ADA), &["one **two** …"]).await;
    bed.preview_is_kept().await;
    let preview = discord.seen(dm(ADA)).remove(0);
    assert_eq!(preview.buttons[0].0, "Stop");
    gate.open();
    discord.shows(dm(ADA), &["one **two** three four"]).await;
    let answer = discord.seen(dm(ADA)).remove(0);
    assert_eq!((answer.id, answer.buttons.len()), (preview.id, 0), "the same message, and nothing to stop");
    assert!(bed.log().lines().all(|line| !line.contains("ERROR")), "{}", bed.log());
}

#[tokio::test]
async fn a_reply_and_a_thread_on_discord_are_heard_and_a_thread_is_a_conversation_of_its_own() {
    let (bed, discord) = awake(StandIn::builder()).await;
    discord.say(&named(EVE, "what is new?"));
    discord.shows(ROOM, &["You said: what is new?"]).await;
    let answer = discord.seen(ROOM).remove(0);
    discord.say(&guild(ADA, "and then?").replying_to(answer.id));
    discord.shows(ROOM, &["You said: what is new?", "You said: and then?"]).await;
    let thread = 777;
    discord.open_thread(thread, ROOM, GUILD);
    let bot = mosaic_testkit::discord::BOT;
    discord.say(&Saying::guild(GUILD, thread, EVE, format!("<@{bot}> on topic")));
    discord.shows(thread, &["You said: on topic"]).await;
    let mut all = asked(&bed).await;
    all.sort();
    assert_eq!(all, ["and then?", "on topic", "what is new?"]);
    let sessions = bed.api().get("/api/v1/sessions").await;
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(2), "the room and the thread");
}

#[tokio::test]
async fn a_long_answer_on_discord_comes_in_messages_of_two_thousand_each_of_which_reads_well_alone() {
    let code: String = (0..300).map(|line| format!("let x{line} = {line};\n")).collect();
    let text = format!("Here it is.\n\n```rust\n{code}```\n\nThat was it.");
    let (_bed, discord) = awake(StandIn::builder().script([Step::say(text)])).await;
    discord.say(&ada("code"));
    discord
        .until("the end is seen", |discord| {
            discord.texts(dm(ADA)).last().filter(|text| text.ends_with("That was it.")).cloned()
        })
        .await;
    let seen = discord.texts(dm(ADA));
    assert!(seen.len() >= 3, "{}", seen.len());
    assert!(seen.iter().all(|text| text.contains("```rust\n") && text.matches("```").count() == 2), "{seen:#?}");
    let all = seen.join("\n");
    assert!((0..300).all(|line| all.matches(&format!("let x{line} = {line};")).count() == 1), "every line once");
}

#[tokio::test]
async fn a_long_answer_on_discord_comes_as_a_file_where_that_is_wanted_and_is_seen_once_though_it_was_cut_off() {
    let text: String = (0..900).map(|line| format!("line {line} of *many*\n")).collect();
    let script = [Step::say(text.clone()), Step::say("short")];
    let (bed, discord) = awake_with(StandIn::builder().script(script), "files = true\nnames = false").await;
    discord.fail("upload", [Fault::CutAfter]);
    discord.say(&ada("all of it"));
    let file = discord.until("the file is seen", |discord| discord.seen(dm(ADA)).last()?.file.clone()).await;
    assert_eq!(file, ("answer.md".to_owned(), text));
    let first = discord.texts(dm(ADA)).remove(0);
    assert!(
        first.starts_with("line 0 of *many*") && first.ends_with("*(The whole answer is in the file.)*"),
        "{first}"
    );
    discord.say(&ada("and in short?"));
    discord.until("it is answered", |discord| (discord.texts(dm(ADA)).last()? == "short").then_some(())).await;
    assert_eq!((discord.seen(dm(ADA)).len(), discord.calls("upload")), (3, 1), "found where it was, and not sent anew");
    let seen = discord.seen(dm(ADA));
    let file = seen.iter().find(|shown| shown.file.is_some()).expect("it was seen");
    assert!(file.nonce.is_some() && seen.iter().all(|shown| shown.closed), "{seen:#?}");
    assert!(!bed.log().contains("cannot be read"), "{}", bed.log());
}

#[tokio::test]
async fn where_there_are_several_agents_an_answer_says_whose_it_is_and_its_transcript_does_not() {
    let gate = Gate::new();
    let script = [Step::say("hello Ada"), Step::hold_after(&gate, "one two three", 2)];
    let (bed, discord) = awake_with(StandIn::builder().script(script), "").await;
    discord.say(&ada("hello"));
    discord.shows(dm(ADA), &["**assistant**\nhello Ada"]).await;
    discord.say(&ada("/agent poet"));
    discord.until("it is told", |discord| (discord.texts(dm(ADA)).len() == 2).then_some(())).await;
    discord.say(&ada("count"));
    discord
        .until("it is seen", |discord| (discord.texts(dm(ADA)).last()? == "**poet**\none two …").then_some(()))
        .await;
    gate.open();
    discord
        .until("it is whole", |discord| (discord.texts(dm(ADA)).last()? == "**poet**\none two three").then_some(()))
        .await;
    let session = bed.api().get("/api/v1/sessions").await["items"][0]["id"].as_str().expect("an id").to_owned();
    let texts: Vec<String> = bed.api().transcript(&session).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["hello", "hello Ada", "count", "one two three"]);
}

#[tokio::test]
async fn an_edited_question_on_discord_is_answered_anew_and_a_link_that_was_looked_up_is_no_edit() {
    let (bed, discord) = awake(StandIn::builder()).await;
    let question = discord.say(&ada("tee?"));
    discord.shows(dm(ADA), &["You said: tee?"]).await;
    let session = bed.api().get("/api/v1/sessions").await["items"][0]["id"].as_str().expect("an id").to_owned();
    bed.api().settled(&session).await;
    discord.unfurl(question, &ada("tee?"));
    discord.edit(question, &ada("tea?"));
    discord.shows(dm(ADA), &["You said: tee?", "You said: tea?"]).await;
    assert_eq!(asked(&bed).await, ["tea?"]);
    assert_eq!(bed.model.last_call().messages().len(), 2, "the system's words and the new question");
}

#[tokio::test]
async fn files_on_discord_go_to_the_model_and_others_are_refused_with_a_sentence() {
    let (bed, discord) = awake(StandIn::builder()).await;
    discord.say(&ada("what is missing?").with_file(&discord, "notes.txt", "text/plain; charset=utf-8", b"milk, bread"));
    discord.until("it is answered", |discord| (discord.texts(dm(ADA)).len() == 1).then_some(())).await;
    assert!(format!("{:?}", bed.model.last_call()).contains("milk, bread"), "{:?}", bed.model.last_call());
    discord.say(&ada("and that?").with_file(&discord, "x.zip", "application/zip", &[0, 1, 2]));
    discord.until("it is refused", |discord| (discord.texts(dm(ADA)).len() == 2).then_some(())).await;
    let told = discord.texts(dm(ADA)).remove(1);
    assert!(told.contains("x.zip is neither text in UTF-8 nor a picture"), "{told}");
    assert_eq!(asked(&bed).await, ["what is missing?"]);
}

#[tokio::test]
async fn slash_commands_on_discord_are_those_of_every_other_place_and_are_answered_where_they_were_given() {
    let (bed, discord) = awake(StandIn::builder()).await;
    let told = discord.commands();
    assert!(
        ["help", "new", "stop", "retry"].iter().all(|name| told.iter().any(|known| known["name"] == *name)),
        "{told:?}"
    );
    discord.command(&ada("agent"));
    discord.shows(dm(ADA), &["assistant answers here."]).await;
    discord.say(&ada("first"));
    discord.shows(dm(ADA), &["assistant answers here.", "You said: first"]).await;
    discord.command(&ada("new poet"));
    discord.until("it is told", |discord| (discord.texts(dm(ADA)).len() == 3).then_some(())).await;
    assert!(discord.texts(dm(ADA))[2].starts_with("A new session with poet"), "{:?}", discord.texts(dm(ADA)));
    discord.say(&ada("second"));
    discord.until("it is answered", |discord| (discord.texts(dm(ADA)).len() == 4).then_some(())).await;
    assert_eq!(bed.model.last_call().messages().len(), 2, "the system's words and the question: a new session");
    // Who may not talk here is told so, and nobody else sees it.
    discord.command(&Saying::guild(900, 901, EVE, "status"));
    discord.until("it is refused", |discord| (discord.seen(901).len() == 1).then_some(())).await;
    let refused = discord.seen(901).remove(0);
    assert!(refused.private && refused.text.contains("not told to listen to you"), "{refused:?}");
    discord.command(&guild(EVE, "nonsense"));
    discord.until("the mistake is told", |discord| discord.texts(ROOM).pop()).await;
    assert_eq!((discord.unanswered(), discord.calls("respond")), (0, 4));
    assert!(discord.seen(dm(ADA)).iter().all(|shown| shown.closed));
}

#[tokio::test]
async fn a_button_on_discord_stops_an_answer_and_another_tries_a_failed_one_again() {
    let gate = Gate::new();
    let refuse = Step::status(401, "invalid_api_key", "Incorrect API key provided.");
    let script = [Step::hold_after(&gate, "one two three", 2), refuse];
    let (bed, discord) = awake(StandIn::builder().script(script)).await;
    discord.say(&ada("count"));
    discord.shows(dm(ADA), &["one two …"]).await;
    bed.preview_is_kept().await;
    let preview = discord.seen(dm(ADA))[0].id;
    // Somebody who may not talk there presses it, and then somebody who may.
    let stranger = Saying::direct(EVE, "").in_room(dm(ADA));
    discord.press(&stranger, preview);
    discord.until("it is refused", |discord| (discord.seen(dm(ADA)).len() == 2).then_some(())).await;
    assert!(discord.seen(dm(ADA))[1].private);
    discord.press(&ada(""), preview);
    discord.until("it is stopped", |discord| (discord.texts(dm(ADA))[0] == "Cancelled.").then_some(())).await;
    bed.model.wait_for_hangup().await;

    discord.say(&ada("once more"));
    let failed = discord
        .until("the failure is told", |discord| {
            discord.seen(dm(ADA)).get(2).filter(|shown| !shown.buttons.is_empty()).cloned()
        })
        .await;
    assert_eq!(failed.buttons[0].0, "Try again");
    discord.press(&ada(""), failed.id);
    discord.until("it is answered", |discord| (discord.texts(dm(ADA)).len() == 4).then_some(())).await;
    assert_eq!(discord.texts(dm(ADA))[3], "You said: once more");
    discord.until("the button is gone", |discord| discord.seen(dm(ADA))[2].buttons.is_empty().then_some(())).await;
    discord.until("all are answered", |discord| (discord.unanswered() == 0).then_some(())).await;
}

#[tokio::test]
async fn whoever_may_talk_in_a_room_of_discord_may_in_its_threads_and_a_role_suffices() {
    let (mut bed, discord) = asleep(StandIn::builder());
    bed.configure(&format!(
        "[channels.guild]\nkind = \"discord\"\ntoken_env = \"GUILD_TOKEN\"\napi_url = \"{}\"\n\
         allow = [\"chat:{ROOM}\", \"role:70\"]\nnames = false\n",
        discord.url()
    ));
    bed.restart().await;
    discord.listening().await;
    let bot = mosaic_testkit::discord::BOT;
    let said = |room, text: &str| Saying::guild(GUILD, room, EVE, format!("<@{bot}> {text}"));
    discord.open_thread(777, ROOM, GUILD);
    discord.open_thread(778, 502, GUILD);
    discord.say(&said(778, "elsewhere"));
    discord.say(&said(777, "on topic"));
    discord.shows(777, &["You said: on topic"]).await;
    discord.say(&said(502, "by role").with_roles(&[69, 70]));
    discord.shows(502, &["You said: by role"]).await;
    assert_eq!((discord.texts(778).len(), bed.model.progress().calls), (0, 2));

    // A moment in which Discord cannot say so costs nobody their message.
    let faults = || [Fault::Flood(0.1), Fault::Refuse(500, 0, "500".to_owned())];
    discord.open_thread(779, ROOM, GUILD);
    discord.fail("channel", faults());
    discord.say(&said(779, "hello"));
    discord.shows(779, &["You said: hello"]).await;
    assert!(bed.stop().await.success());
    for text in ["one", "two"] {
        discord.say(&said(502, text).with_roles(&[70]));
    }
    discord.fail("member", faults());
    bed.restart().await;
    discord.shows(502, &["You said: by role", "You said: one", "You said: two"]).await;
}

#[tokio::test]
async fn two_bots_of_discord_in_one_daemon_talk_each_for_themselves() {
    let (mut bed, discord) = asleep(StandIn::builder());
    let other = Discord::start();
    bed.set_env("OTHER_TOKEN", OTHER_TOKEN);
    bed.configure(&format!(
        "[channels.one]\nkind = \"discord\"\ntoken_env = \"GUILD_TOKEN\"\napi_url = \"{}\"\nallow = [\"user:{ADA}\"]\nnames = false\n\
         [channels.two]\nkind = \"discord\"\ntoken_env = \"OTHER_TOKEN\"\napi_url = \"{}\"\nallow = [\"user:{EVE}\"]\nnames = false\n",
        discord.url(),
        other.url()
    ));
    bed.restart().await;
    discord.listening().await;
    other.listening().await;
    discord.say(&ada("one"));
    other.say(&Saying::direct(EVE, "two"));
    discord.shows(dm(ADA), &["You said: one"]).await;
    other.shows(dm(EVE), &["You said: two"]).await;
}

#[tokio::test]
async fn without_the_message_content_intent_what_is_said_to_us_on_discord_is_heard_all_the_same() {
    let (mut bed, discord) = asleep(StandIn::builder());
    discord.allow_content(false);
    bed.restart().await;
    discord.listening().await;
    discord.say(&named(EVE, "what is new?"));
    discord.say(&ada("hello"));
    discord.shows(ROOM, &["You said: what is new?"]).await;
    discord.shows(dm(ADA), &["You said: hello"]).await;
}
