//! As people expect a bot to behave.

use mosaic_testkit::provider::Gate;
use mosaic_testkit::telegram::Saying;
use mosaic_testkit::{StandIn, Step};

use super::{ADA, EVE, GROUP, asked, asleep, awake, awake_with};
use crate::testbed::eventually;

#[tokio::test]
async fn in_a_group_it_answers_who_names_it_replies_to_it_or_commands_it_and_nobody_else() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    telegram.say(&Saying::group(GROUP, EVE, "lovely weather"));
    let question = telegram.say(&Saying::group(GROUP, EVE, "@mosaic_bot, what is new?"));
    telegram.shows(GROUP, &["You said: what is new?"]).await;
    let answer = telegram.seen(GROUP).remove(0);
    assert_eq!(answer.reply_to, Some(question), "the answer refers to its question");
    telegram.say(&Saying::group(GROUP, ADA, "and then?").replying_to(answer.id));
    telegram.shows(GROUP, &["You said: what is new?", "You said: and then?"]).await;
    telegram.say(&Saying::group(GROUP, ADA, "/agent@mosaic_bot"));
    telegram.say(&Saying::group(GROUP, ADA, "/agent@other_bot"));
    telegram.shows(GROUP, &["You said: what is new?", "You said: and then?", "assistant answers here."]).await;
    // In another group nobody may.
    telegram.say(&Saying::group(-7, EVE, "@mosaic_bot hello"));
    // A topic is a conversation of its own.
    telegram.say(&Saying::group(GROUP, ADA, "@mosaic_bot on topic").in_topic(12));
    telegram.until("the topic is answered", |telegram| (telegram.seen(GROUP).len() == 4).then_some(())).await;
    assert_eq!(telegram.seen(GROUP)[3].topic, Some(12));
    assert_eq!(telegram.texts(-7), [""; 0]);
    let mut all = asked(&bed).await;
    all.sort();
    assert_eq!(all, ["and then?", "on topic", "what is new?"]);
    let sessions = bed.api().get("/api/v1/sessions").await;
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(2), "the group and its topic");
}

#[tokio::test]
async fn an_answer_grows_in_one_message_and_ends_as_that_message() {
    let gate = Gate::new();
    let script = [Step::hold_after(&gate, "one **two** three four", 2)];
    let (bed, telegram) = awake(StandIn::builder().script(script)).await;
    telegram.say(&Saying::private(ADA, "count"));
    telegram.shows(ADA, &["one two …"]).await;
    bed.preview_is_kept().await;
    let preview = telegram.seen(ADA).remove(0);
    assert_eq!(preview.buttons[0].0, "Stop");
    gate.open();
    telegram.shows(ADA, &["one two three four"]).await;
    let answer = telegram.seen(ADA).remove(0);
    assert_eq!((answer.id, answer.buttons.len()), (preview.id, 0), "the same message, and nothing to stop");
    assert_eq!(answer.sent, "one <b>two</b> three four");
    assert!(bed.log().lines().all(|line| !line.contains("ERROR")), "{}", bed.log());
}

#[tokio::test]
async fn a_button_stops_an_answer_and_another_tries_a_failed_one_again() {
    let gate = Gate::new();
    let refuse = Step::status(401, "invalid_api_key", "Incorrect API key provided.");
    let script = [Step::hold_after(&gate, "one two three", 2), refuse];
    let (bed, telegram) = awake(StandIn::builder().script(script)).await;
    telegram.say(&Saying::private(ADA, "count"));
    telegram.shows(ADA, &["one two …"]).await;
    bed.preview_is_kept().await;
    telegram.press(ADA, EVE, telegram.seen(ADA)[0].id);
    telegram.press(ADA, ADA, telegram.seen(ADA)[0].id);
    telegram.shows(ADA, &["Cancelled."]).await;
    bed.model.wait_for_hangup().await;

    telegram.say(&Saying::private(ADA, "once more"));
    let failed = telegram
        .until("the failure is told", |telegram| {
            telegram.seen(ADA).get(1).filter(|shown| !shown.buttons.is_empty()).cloned()
        })
        .await;
    assert_eq!(failed.buttons[0].0, "Try again");
    telegram.press(ADA, ADA, failed.id);
    telegram.until("it is answered", |telegram| (telegram.texts(ADA).len() == 3).then_some(())).await;
    assert_eq!(telegram.texts(ADA)[2], "You said: once more");
    eventually("the button is gone", || async { telegram.seen(ADA)[1].buttons.is_empty().then_some(()) }).await;
    let told = ["This bot was not told to listen to you here.", "Done.", "Done."];
    telegram.until("all are answered", |telegram| (telegram.answers() == told).then_some(())).await;
}

#[tokio::test]
async fn a_stop_that_is_typed_is_felt_at_once_and_told_once() {
    let gate = Gate::new();
    let (bed, telegram) = awake(StandIn::builder().script([Step::hold(&gate, "never")])).await;
    telegram.say(&Saying::private(ADA, "wait"));
    gate.arrived(1).await;
    telegram.say(&Saying::private(ADA, "/stop"));
    bed.model.wait_for_hangup().await;
    telegram.shows(ADA, &["Cancelled."]).await;
    telegram.say(&Saying::private(ADA, "/stop"));
    telegram.shows(ADA, &["Cancelled.", "Nothing runs here."]).await;
}

#[tokio::test]
async fn a_question_that_is_edited_is_answered_anew_and_its_old_wording_is_gone() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    let question = telegram.say(&Saying::private(ADA, "tee?"));
    telegram.shows(ADA, &["You said: tee?"]).await;
    let session = bed.api().get("/api/v1/sessions").await["items"][0]["id"].as_str().expect("an id").to_owned();
    bed.api().settled(&session).await;
    telegram.edit(question, &Saying::private(ADA, "tea?"));
    telegram.shows(ADA, &["You said: tee?", "You said: tea?"]).await;
    assert_eq!(asked(&bed).await, ["tea?"]);
    assert_eq!(bed.model.last_call().messages().len(), 2, "the system's words and the new question");
    telegram.say(&Saying::private(ADA, "and cake"));
    telegram.until("it is answered", |telegram| (telegram.texts(ADA).len() == 3).then_some(())).await;
    telegram.edit(question, &Saying::private(ADA, "coffee?"));
    telegram.until("it is refused", |telegram| (telegram.texts(ADA).len() == 4).then_some(())).await;
    assert!(telegram.texts(ADA)[3].starts_with("Only what was said last can be changed."), "{:?}", telegram.texts(ADA));
}

#[tokio::test]
async fn text_files_and_pictures_go_to_the_model_and_others_are_refused_with_a_sentence() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    let notes =
        Saying::private(ADA, "what is missing?").with_file(&telegram, "notes.txt", "text/plain", b"milk, bread");
    telegram.say(&notes);
    telegram.until("it is answered", |telegram| (telegram.texts(ADA).len() == 1).then_some(())).await;
    assert!(format!("{:?}", bed.model.last_call()).contains("milk, bread"), "{:?}", bed.model.last_call());
    let jpeg = [&[0xff, 0xd8, 0xff, 0xe0][..], &[0; 64]].concat();
    telegram.say(&Saying::private(ADA, "and this?").with_file(&telegram, "x", "image/jpeg", &jpeg));
    telegram.until("it is answered", |telegram| (telegram.texts(ADA).len() == 2).then_some(())).await;
    let session = bed.api().get("/api/v1/sessions").await["items"][0]["id"].as_str().expect("an id").to_owned();
    let messages = bed.api().get(&format!("/api/v1/sessions/{session}/messages")).await;
    assert_eq!(messages["items"][2]["attachments"][0]["name"], "photo.jpg", "{messages}");
    telegram.say(&Saying::private(ADA, "and that?").with_file(&telegram, "x.zip", "application/zip", &[0, 1, 2]));
    telegram.until("it is refused", |telegram| (telegram.texts(ADA).len() == 3).then_some(())).await;
    assert!(
        telegram.texts(ADA)[2].contains("x.zip is neither text in UTF-8 nor a picture"),
        "{:?}",
        telegram.texts(ADA)
    );
    assert_eq!(asked(&bed).await, ["what is missing?", "and this?"]);
}

#[tokio::test]
async fn commands_are_those_of_every_other_place() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    telegram.say(&Saying::private(ADA, "/start"));
    telegram
        .until("help is shown", |telegram| telegram.texts(ADA).first().filter(|text| text.contains("/stop")).cloned())
        .await;
    telegram.say(&Saying::private(ADA, "first"));
    telegram.until("it is answered", |telegram| (telegram.texts(ADA).len() == 2).then_some(())).await;
    telegram.say(&Saying::private(ADA, "/new poet"));
    telegram.say(&Saying::private(ADA, "second"));
    telegram.until("it is answered", |telegram| (telegram.texts(ADA).len() == 4).then_some(())).await;
    let told = telegram.texts(ADA);
    assert!(told[2].starts_with("A new session with poet"), "{told:?}");
    assert_eq!(told[3], "You said: second");
    telegram.say(&Saying::private(ADA, "/nwe"));
    telegram.until("the mistake is told", |telegram| telegram.texts(ADA).get(4).cloned()).await;
    assert!(telegram.texts(ADA)[4].contains("Did you mean /new?"), "{:?}", telegram.texts(ADA));
    assert_eq!(bed.model.last_call().messages().len(), 2, "the system's words and the question: a new session");
}

#[tokio::test]
async fn a_long_answer_comes_as_a_file_where_that_is_wanted_and_a_short_one_never() {
    let text: String = (0..900).map(|line| format!("line {line} of *many*\n")).collect();
    let script = [Step::say(text.clone()), Step::say("short")];
    let (_bed, telegram) = awake_with(StandIn::builder().script(script), "files = true").await;
    telegram.say(&Saying::private(ADA, "all of it"));
    let file = telegram.until("the file is seen", |telegram| telegram.seen(ADA).last()?.file.clone()).await;
    assert_eq!(file, ("answer.md".to_owned(), text));
    let first = telegram.texts(ADA).remove(0);
    assert!(first.starts_with("line 0 of many") && first.ends_with("(The whole answer is in the file.)"), "{first}");
    telegram.say(&Saying::private(ADA, "and in short?"));
    telegram.until("it is answered", |telegram| (telegram.texts(ADA).last()? == "short").then_some(())).await;
    assert_eq!(telegram.seen(ADA).len(), 3);
}

#[tokio::test]
async fn on_telegram_too_an_answer_says_whose_it_is_where_there_are_several_agents() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    let path = bed.home().join("config.toml");
    let config = std::fs::read_to_string(&path).expect("it was written");
    bed.write_config(&config.replace("names = false\n", ""));
    bed.restart().await;
    telegram.say(&Saying::private(ADA, "hello"));
    telegram.shows(ADA, &["assistant\n\nYou said: hello"]).await;
    assert_eq!(telegram.seen(ADA)[0].sent, "<b>assistant</b>\n\nYou said: hello");
    // With one agent there is nothing to tell apart.
    assert!(bed.stop().await.success());
    let alone = config.split("[agents.poet]").next().expect("a part").replace("names = false\n", "");
    bed.write_config(&alone);
    bed.restart().await;
    telegram.say(&Saying::private(ADA, "and now?"));
    telegram.shows(ADA, &["assistant\n\nYou said: hello", "You said: and now?"]).await;
}

#[tokio::test]
async fn what_was_said_aside_in_a_group_is_told_with_the_next_question_where_that_is_wanted() {
    let (bed, telegram) = awake_with(StandIn::builder(), "context = 2").await;
    for text in ["one", "tea is better than coffee", "no, coffee is"] {
        telegram.say(&Saying::group(GROUP, EVE, text));
    }
    telegram.say(&Saying::group(GROUP, ADA, "@mosaic_bot who is right?"));
    telegram.until("it is answered", |telegram| telegram.texts(GROUP).pop()).await;
    let asked = asked(&bed).await.remove(0);
    let aside = "User66: tea is better than coffee\nUser66: no, coffee is]";
    assert!(asked.starts_with("who is right?") && asked.ends_with(aside), "{asked}");
}

#[tokio::test]
async fn a_long_answer_comes_in_several_messages_each_of_which_reads_well_alone() {
    let code: String = (0..300).map(|line| format!("let x{line} = {line};\n")).collect();
    let text = format!("Here it is.\n\n```rust\n{code}```\n\nThat was *it*.");
    let (_bed, telegram) = awake(StandIn::builder().script([Step::say(text)])).await;
    telegram.say(&Saying::private(ADA, "code"));
    telegram
        .until("the end is seen", |telegram| {
            telegram.texts(ADA).last().filter(|text| text.ends_with("That was it.")).cloned()
        })
        .await;
    let seen = telegram.seen(ADA);
    assert!(seen.len() >= 2, "{}", seen.len());
    assert!(seen.iter().all(|shown| shown.sent.contains("<pre><code class=\"language-rust\">")), "{seen:#?}");
    let all: String = seen.iter().map(|shown| shown.text.as_str()).collect::<Vec<_>>().join("\n");
    assert!((0..300).all(|line| all.matches(&format!("let x{line} = {line};")).count() == 1), "every line once");
}
