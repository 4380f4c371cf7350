//! What a whole channel looks like from outside: two of them side by side, a talk as people see it, a session that is
//! seen in two places at once.

use insta::assert_snapshot;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::telegram::{Saying, Shown, TOKEN};
use mosaic_testkit::{StandIn, Step, Telegram};

use super::{ADA, EVE, GROUP, asked, awake};
use crate::testbed::{Testbed, Wire};

#[tokio::test]
async fn two_channels_answer_each_their_own_and_one_that_is_cut_off_holds_up_no_other() {
    let other = "4343:AAE-another";
    let (family, work) = (Telegram::start(), Telegram::start_for(other));
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.set_env("FAMILY_TOKEN", TOKEN);
    bed.set_env("WORK_TOKEN", other);
    let table = |name: &str, telegram: &Telegram| {
        format!(
            "[channels.{name}]\nkind = \"telegram\"\ntoken_env = \"{}_TOKEN\"\napi_url = \"{}\"\npoll = \"2s\"\nallow = \
             [\"user:{ADA}\"]\nnames = false\n",
            name.to_uppercase(),
            telegram.url()
        )
    };
    bed.configure(&(table("family", &family) + &table("work", &work)));
    bed.restart().await;
    family.say(&Saying::private(ADA, "at home"));
    work.say(&Saying::private(ADA, "at work"));
    family.shows(ADA, &["You said: at home"]).await;
    work.shows(ADA, &["You said: at work"]).await;
    let mut all = asked(&bed).await;
    all.sort();
    assert_eq!(all, ["at home", "at work"], "the same number on two channels is two conversations");
    drop(family);
    work.say(&Saying::private(ADA, "and now?"));
    work.shows(ADA, &["You said: at work", "You said: and now?"]).await;
}

#[tokio::test]
async fn a_conversation_is_live_on_the_socket_while_it_is_answered_on_its_platform() {
    let gate = Gate::new();
    let (bed, telegram) = awake(StandIn::builder().script([Step::hold_after(&gate, "one two three", 1)])).await;
    telegram.say(&Saying::private(ADA, "count"));
    telegram.shows(ADA, &["one …"]).await;
    let session = bed.api().get("/api/v1/sessions").await["items"][0]["id"].as_str().expect("an id").to_owned();
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.subscribe(&session, 0).await;
    gate.open();
    let frames = wire.until("turn.finished").await;
    assert_eq!(frames.last().expect("the end")["text"], "one two three");
    telegram.shows(ADA, &["one two three"]).await;
    // What is said on the socket is answered there; the room does not see it, and the session knows of both.
    wire.say("w1", &session, "and four?").await;
    wire.until("turn.finished").await;
    telegram.say(&Saying::private(ADA, "five"));
    wire.until("turn.finished").await;
    telegram.shows(ADA, &["one two three", "You said: five"]).await;
    assert_eq!(asked(&bed).await, ["count", "and four?", "five"]);
}

/// A chat as people see it: whose message, what it answers, what may be pressed. Of a long one the ends.
fn transcript(seen: &[Shown]) -> String {
    let mut lines = Vec::new();
    for shown in seen {
        let answers = if shown.reply_to.is_some() { " (a reply)" } else { "" };
        let topic = shown.topic.map_or_else(String::new, |topic| format!(" in topic {topic}"));
        lines.push(format!("bot{topic}{answers}:"));
        let text: Vec<&str> = shown.text.lines().collect();
        if text.len() > 6 {
            lines.extend(text[..2].iter().map(|line| format!("  {line}")));
            lines.push(format!("  … {} more lines …", text.len() - 4));
            lines.extend(text[text.len() - 2..].iter().map(|line| format!("  {line}")));
        } else {
            lines.extend(text.iter().map(|line| format!("  {line}")));
        }
        lines.extend(shown.buttons.iter().map(|(label, _)| format!("  [{label}]")));
    }
    lines.join("\n")
}

#[tokio::test]
async fn a_talk_reads_as_people_expect_it_to() {
    let gate = Gate::new();
    let code: String = (0..300).map(|line| format!("let x{line} = {line};\n")).collect();
    let long = format!("Here it is.\n\n```rust\n{code}```\n\nThat was *it*.");
    let refused = Step::status(401, "invalid_api_key", "Incorrect API key provided.");
    let script = [Step::say("Hello **Ada**."), Step::say(long), Step::hold_after(&gate, "one two three", 2), refused];
    let (bed, telegram) = awake(StandIn::builder().script(script)).await;
    let count = |count: usize| move |telegram: &Telegram| (telegram.texts(ADA).len() == count).then_some(());
    telegram.say(&Saying::private(ADA, "/start"));
    telegram.until("help", count(1)).await;
    telegram.say(&Saying::private(ADA, "hello"));
    telegram.until("a greeting", count(2)).await;
    telegram.say(&Saying::private(ADA, "code"));
    let ended = |telegram: &Telegram| telegram.texts(ADA).last()?.ends_with("That was it.").then_some(());
    telegram.until("the end of the code", ended).await;
    telegram.say(&Saying::private(ADA, "count"));
    let begun = |telegram: &Telegram| (telegram.texts(ADA).last()? == "one two …").then_some(());
    telegram.until("it counts", begun).await;
    bed.preview_is_kept().await;
    telegram.say(&Saying::private(ADA, "/stop"));
    let stopped = |telegram: &Telegram| (telegram.texts(ADA).last()? == "Cancelled.").then_some(());
    telegram.until("it is stopped", stopped).await;
    let question = telegram.say(&Saying::private(ADA, "who aer you?"));
    let failed = |telegram: &Telegram| telegram.seen(ADA).last()?.buttons.first().map(|_| ());
    telegram.until("it has failed", failed).await;
    telegram.edit(question, &Saying::private(ADA, "who are you?"));
    let answered = |telegram: &Telegram| (telegram.texts(ADA).last()? == "You said: who are you?").then_some(());
    telegram.until("the edited question is answered", answered).await;
    telegram.say(&Saying::private(ADA, "/nwe"));
    let mistaken = |telegram: &Telegram| telegram.texts(ADA).last()?.contains("/new?").then_some(());
    telegram.until("the mistake is told", mistaken).await;
    telegram.say(&Saying::group(GROUP, EVE, "lovely weather"));
    telegram.say(&Saying::group(GROUP, EVE, "@mosaic_bot what is new?").in_topic(12));
    telegram.until("the group is answered", |telegram| (telegram.seen(GROUP).len() == 1).then_some(())).await;
    let seen = format!("{}\n\n--- the group\n{}", transcript(&telegram.seen(ADA)), transcript(&telegram.seen(GROUP)));
    assert_snapshot!(seen);
}
