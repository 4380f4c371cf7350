//! A talk on Discord as people see it: in private, in a guild, in a thread.

use insta::assert_snapshot;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};

use super::{ADA, Discord, EVE, GUILD, ROOM, Saying, Shown, ada, awake, dm, guild, named};

/// A room as people see it: what each message of the bot answers, who sees it, what may be pressed. Of a long one the ends.
fn transcript(seen: &[Shown]) -> String {
    let mut lines = Vec::new();
    for shown in seen {
        let answers = if shown.reply_to.is_some() { " (a reply)" } else { "" };
        let whose = if shown.private { " (seen by one)" } else { "" };
        lines.push(format!("bot{answers}{whose}:"));
        let text: Vec<&str> = shown.text.lines().map(str::trim_end).collect();
        let (begin, end) = text.split_at(text.len().min(4));
        lines.extend(begin.iter().map(|line| format!("  {line}").trim_end().to_owned()));
        match end {
            [] => {}
            [one] => lines.push(format!("  {one}")),
            [between @ .., last, end] => {
                lines.push(format!("  … {} more lines …", between.len()));
                lines.extend([last, end].map(|line| format!("  {line}").trim_end().to_owned()));
            }
        }
        lines.extend(shown.buttons.iter().map(|(label, _)| format!("  [{label}]")));
    }
    lines.join("\n")
}

#[tokio::test]
async fn a_talk_on_discord_reads_as_people_expect_it_to() {
    let gate = Gate::new();
    let code: String = (0..200).map(|line| format!("let x{line} = {line};\n")).collect();
    let long = format!("Here it is.\n\n```rust\n{code}```\n\nThat was *it*.");
    let script = [
        Step::say("Hello **Ada**."),
        Step::say(long),
        Step::hold_after(&gate, "one two three", 2),
        Step::status(401, "invalid_api_key", "Incorrect API key provided."),
    ];
    let (bed, discord) = awake(StandIn::builder().script(script)).await;
    let last = |room: u64, end: &'static str| {
        move |discord: &Discord| discord.texts(room).last()?.ends_with(end).then_some(())
    };
    let alone = dm(ADA);
    discord.command(&ada("agent"));
    discord.until("the command is answered", last(alone, "answers here.")).await;
    discord.say(&ada("hello"));
    discord.until("a greeting", last(alone, "**Ada**.")).await;
    discord.say(&ada("code"));
    discord.until("the end of the code", last(alone, "That was *it*.")).await;
    discord.say(&ada("count"));
    discord.until("it counts", last(alone, "one two …")).await;
    bed.preview_is_kept().await;
    discord.command(&ada("stop"));
    discord
        .until("it is stopped", |discord| discord.texts(alone).iter().any(|text| text == "Cancelled.").then_some(()))
        .await;
    discord.until("who stopped it is answered", |discord| (discord.unanswered() == 0).then_some(())).await;
    let question = discord.say(&ada("who aer you?"));
    let failed = |discord: &Discord| discord.seen(alone).last()?.buttons.first().map(|_| ());
    discord.until("it has failed", failed).await;
    discord.edit(question, &ada("who are you?"));
    discord.until("the edited question is answered", last(alone, "You said: who are you?")).await;
    bed.model.when_last_user_contains("milk, bread", Step::say("Butter."));
    discord.say(&ada("what is missing?").with_file(&discord, "notes.txt", "text/plain", b"milk, bread"));
    discord.until("the file is read", last(alone, "Butter.")).await;

    discord.say(&guild(EVE, "lovely weather"));
    discord.say(&named(EVE, "what is new?"));
    discord.until("the room is answered", last(ROOM, "what is new?")).await;
    let answer = discord.seen(ROOM).remove(0);
    discord.say(&guild(ADA, "and then?").replying_to(answer.id));
    discord.until("the reply is answered", last(ROOM, "and then?")).await;
    let thread = 777;
    discord.open_thread(thread, ROOM, GUILD);
    let bot = mosaic_testkit::discord::BOT;
    discord.say(&Saying::guild(GUILD, thread, EVE, format!("<@{bot}> on topic")));
    discord.until("the thread is answered", last(thread, "on topic")).await;
    discord.until("all are answered", |discord| (discord.unanswered() == 0).then_some(())).await;
    let [alone, room, thread] = [alone, ROOM, thread].map(|room| transcript(&discord.seen(room)));
    assert_snapshot!(format!("{alone}\n\n--- the room\n{room}\n\n--- the thread\n{thread}"));
}
