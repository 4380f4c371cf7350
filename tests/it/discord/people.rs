//! As people expect a bot to behave.

use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};

use mosaic_testkit::discord::dm;

use super::{ADA, EVE, GUILD, ROOM, ada, asked, awake, guild, named};

#[tokio::test]
async fn on_discord_an_answer_grows_in_one_message_and_ends_as_that_message() {
    let gate = Gate::new();
    let script = [Step::hold_after(&gate, "one **two** three four", 2)];
    let (bed, discord) = awake(StandIn::builder().script(script)).await;
    discord.say(&ada("count"));
    discord.shows(dm(ADA), &["one **two**"]).await;
    let preview = discord.seen(dm(ADA)).remove(0);
    assert_eq!(preview.buttons, [("Stop".to_owned(), "stop".to_owned())]);
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
    discord.say(&mosaic_testkit::discord::Saying::guild(GUILD, thread, EVE, format!("<@{bot}> on topic")));
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
