//! Discord, from a message to its answer: the real binary, and a stand-in that speaks REST and the gateway.

mod buttons;
mod faults;
mod flaps;
mod people;
mod search;
mod shows;
mod threads;

use mosaic_testkit::StandIn;
use mosaic_testkit::discord::{Discord, Fault, Saying, Shown, TOKEN, dm};
use mosaic_testkit::provider::Builder;
use serde_json::{Value, json};

use crate::testbed::{Testbed, eventually, run};

/// Somebody who may talk, and somebody who may only in the guild.
const ADA: u64 = 11;
const EVE: u64 = 66;
const GUILD: u64 = 500;
const ROOM: u64 = 501;

/// A home with one channel, to which Ada may talk and all in the guild; the daemon does not run yet. Answers do not say
/// whose they are, though there are two agents.
fn asleep(model: Builder) -> (Testbed, Discord) {
    asleep_with(model, "names = false")
}

/// The same with this in the channel's table.
fn asleep_with(model: Builder, more: &str) -> (Testbed, Discord) {
    let discord = Discord::start();
    let mut bed = Testbed::asleep(model);
    bed.set_env("GUILD_TOKEN", TOKEN);
    bed.configure(&format!(
        "[channels.guild]\nkind = \"discord\"\ntoken_env = \"GUILD_TOKEN\"\napi_url = \"{}\"\n\
         allow = [\"user:{ADA}\", \"guild:{GUILD}\"]\n{more}\n",
        discord.url()
    ));
    (bed, discord)
}

/// The same with a bot that listens.
async fn awake(model: Builder) -> (Testbed, Discord) {
    awake_with(model, "names = false").await
}

async fn awake_with(model: Builder, more: &str) -> (Testbed, Discord) {
    let (mut bed, discord) = asleep_with(model, more);
    bed.restart().await;
    discord.listening().await;
    (bed, discord)
}

/// The one channel as the API shows it.
async fn channel(bed: &Testbed) -> Value {
    bed.api().get("/api/v1/channels").await["items"][0].clone()
}

/// The inputs that were taken in, over all sessions of the channel.
async fn asked(bed: &Testbed) -> Vec<String> {
    let mut texts = Vec::new();
    let sessions = bed.api().get("/api/v1/sessions?limit=200").await;
    for session in sessions["items"].as_array().expect("a list") {
        let transcript = bed.api().transcript(session["id"].as_str().expect("an id")).await;
        texts.extend(transcript.into_iter().filter(|(role, _)| role == "user").map(|(_, text)| text));
    }
    texts
}

/// What Ada says to the bot alone.
fn ada(text: &str) -> Saying {
    Saying::direct(ADA, text)
}

/// What somebody says in the guild.
fn guild(user: u64, text: &str) -> Saying {
    Saying::guild(GUILD, ROOM, user, text)
}

/// What is said to the bot in the guild.
fn named(user: u64, text: &str) -> Saying {
    guild(user, &format!("<@{}> {text}", mosaic_testkit::discord::BOT))
}

#[tokio::test]
async fn a_direct_message_is_answered_there_and_kept_like_any_other() {
    let (mut bed, discord) = awake(StandIn::builder()).await;
    discord.say(&ada("hello"));
    discord.shows(dm(ADA), &["You said: hello"]).await;
    discord.say(&ada("and again"));
    discord.shows(dm(ADA), &["You said: hello", "You said: and again"]).await;
    assert_eq!(asked(&bed).await, ["hello", "and again"], "one session, in order");
    assert!(discord.calls("typing") > 0, "typing is shown");
    let seen = discord.seen(dm(ADA));
    // What grew in a message that was there has no name of its own.
    let named = |shown: &Shown| shown.nonce.is_some() || shown.edits > 0;
    assert!(seen.iter().all(|shown| shown.closed && named(shown) && shown.reply_to.is_none()), "{seen:#?}");

    let guild = channel(&bed).await;
    assert_eq!((&guild["name"], &guild["kind"]), (&json!("guild"), &json!("discord")));
    assert_eq!((&guild["state"], &guild["health"]), (&json!("up"), &json!("healthy")), "{guild}");
    assert_eq!((&guild["identity"], &guild["agent"]), (&json!("@mosaic_bot"), &json!("assistant")));
    eventually("all is settled", || async {
        let outbox = channel(&bed).await["outbox"].clone();
        (outbox == json!({"pending": 0, "sending": 0, "unknown": 0, "dead": 0})).then_some(())
    })
    .await;
    let listed = run(bed.command(&["channels", "list"]), "").await.good();
    assert!(listed.contains("@mosaic_bot") && listed.contains("healthy") && listed.contains("all sent"), "{listed}");

    // Another life goes on in the same session, and answers nothing twice.
    assert!(bed.stop().await.success());
    bed.restart().await;
    discord.until("it identifies anew", |discord| (discord.greetings().0 == 2).then_some(())).await;
    discord.listening().await;
    discord.say(&ada("still there?"));
    discord.shows(dm(ADA), &["You said: hello", "You said: and again", "You said: still there?"]).await;
    assert_eq!(asked(&bed).await, ["hello", "and again", "still there?"]);
    assert!(!bed.log().contains(TOKEN), "no token in the log");
}

#[tokio::test]
async fn a_mention_in_a_guild_is_answered_as_a_reply_and_what_is_said_to_others_is_not() {
    let (bed, discord) = awake(StandIn::builder()).await;
    discord.say(&guild(EVE, "lovely weather"));
    let question = discord.say(&named(EVE, "what is new?"));
    discord.shows(ROOM, &["You said: what is new?"]).await;
    assert_eq!(discord.seen(ROOM)[0].reply_to, Some(question), "the answer refers to its question");
    // In another guild nobody may.
    discord.say(&Saying::guild(900, 901, EVE, format!("<@{}> hello", mosaic_testkit::discord::BOT)));
    discord.say(&ada("hello"));
    discord.shows(dm(ADA), &["You said: hello"]).await;
    assert_eq!((discord.texts(901).len(), bed.model.progress().calls), (0, 2));
}

#[tokio::test]
async fn a_stranger_on_discord_is_given_a_code_and_may_talk_once_it_is_approved() {
    let (bed, discord) = awake(StandIn::builder()).await;
    for text in ["hello", "/status", "/new"] {
        discord.say(&Saying::direct(EVE, text));
    }
    let told = discord.until("a code is told", |discord| discord.texts(dm(EVE)).pop()).await;
    let code = told.rsplit(' ').next().expect("it ends in the code").to_owned();
    let approved = run(bed.command(&["pair", "approve", &code]), "").await.good();
    assert_eq!(approved, "user66 (66) may talk to guild now, as owner.\n");
    discord.say(&Saying::direct(EVE, "may I?"));
    discord.until("it is answered", |discord| (discord.texts(dm(EVE)).len() == 2).then_some(())).await;
    assert_eq!(discord.texts(dm(EVE))[1], "You said: may I?");
    assert_eq!(asked(&bed).await, ["may I?"]);
    assert_eq!(bed.model.progress().calls, 1);
}

#[tokio::test]
async fn a_trial_of_discord_says_what_is_well_and_what_to_switch_on() {
    let (bed, discord) = awake(StandIn::builder()).await;
    let tried = run(bed.command(&["channels", "test", "guild"]), "").await.good();
    assert!(
        ["The token is that of @mosaic_bot.", "intent is on", "client_id=4200", "A test message went to user:11."]
            .iter()
            .all(|words| tried.contains(words)),
        "{tried}"
    );
    assert!(discord.texts(dm(ADA))[0].contains("test message"), "{:?}", discord.texts(dm(ADA)));
    discord.allow_content(false);
    discord.close(dm(ADA));
    let tried = run(bed.command(&["channels", "test", "guild"]), "").await;
    assert_eq!(tried.code, Some(1));
    assert!(tried.stdout.contains("Message Content Intent") && tried.stdout.contains("(50007)"), "{}", tried.stdout);
    discord.fail("application", [Fault::Refuse(403, 50_001, "Missing Access".to_owned())]);
    let tried = run(bed.command(&["channels", "test", "guild"]), "").await;
    let cause = "What it may read is not known. Discord refuses to be asked: Missing Access (50001).";
    assert!(tried.stdout.contains(cause), "{}", tried.stdout);
    discord.fail("me", [Fault::Refuse(401, 0, "401: Unauthorized".to_owned())]);
    let tried = run(bed.command(&["channels", "test", "guild"]), "").await;
    assert!(tried.stdout.contains("Reset Token"), "{}", tried.stdout);
}
