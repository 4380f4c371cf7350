//! Telegram, from a message to its answer: the real binary, and a stand-in that speaks the Bot API.

mod buttons;
mod calls;
mod faults;
mod people;
mod shows;
mod users;

use mosaic_testkit::provider::Builder;
use mosaic_testkit::telegram::{Fault, Saying, TOKEN};
use mosaic_testkit::{StandIn, Telegram};
use serde_json::{Value, json};

use crate::testbed::{Testbed, eventually, refusal, run};

/// Somebody who may talk, and somebody who may not.
pub(crate) const ADA: i64 = 11;
const EVE: i64 = 66;
const GROUP: i64 = -1001;

/// A home with one channel, to which Ada may talk and all in the group; the daemon does not run yet. Answers do not say
/// whose they are, though there are two agents.
fn asleep(model: Builder) -> (Testbed, Telegram) {
    let telegram = Telegram::start();
    let mut bed = Testbed::asleep(model);
    bed.set_env("FAMILY_TOKEN", TOKEN);
    bed.configure(&format!(
        "[channels.family]\nkind = \"telegram\"\ntoken_env = \"FAMILY_TOKEN\"\napi_url = \"{}\"\npoll = \"2s\"\n\
         allow = [\"user:{ADA}\", \"chat:{GROUP}\"]\nnames = false\n",
        telegram.url()
    ));
    (bed, telegram)
}

/// The same with more in the channel's table; it runs.
async fn awake_with(model: Builder, more: &str) -> (Testbed, Telegram) {
    let (mut bed, telegram) = asleep(model);
    let path = bed.home().join("config.toml");
    let config = std::fs::read_to_string(&path).expect("it was written");
    bed.write_config(&config.replace("poll = \"2s\"\n", &format!("poll = \"2s\"\n{more}\n")));
    bed.restart().await;
    (bed, telegram)
}

pub(crate) async fn awake(model: Builder) -> (Testbed, Telegram) {
    let (mut bed, telegram) = asleep(model);
    bed.restart().await;
    (bed, telegram)
}

/// The one channel as the API shows it.
async fn channel(bed: &Testbed) -> Value {
    bed.api().get("/api/v1/channels").await["items"][0].clone()
}

/// What became of all that went out, once nothing more does.
async fn settled(bed: &Testbed) -> Value {
    eventually("all is settled", || async {
        let outbox = channel(bed).await["outbox"].clone();
        (outbox["pending"] == 0 && outbox["sending"] == 0).then_some(outbox)
    })
    .await
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

#[tokio::test]
async fn a_private_message_is_answered_there_and_kept_like_any_other() {
    let (mut bed, telegram) = awake(StandIn::builder()).await;
    telegram.say(&Saying::private(ADA, "hello"));
    telegram.shows(ADA, &["You said: hello"]).await;
    telegram.say(&Saying::private(ADA, "and again"));
    telegram.shows(ADA, &["You said: hello", "You said: and again"]).await;
    assert_eq!(asked(&bed).await, ["hello", "and again"], "one session, in order");
    eventually("what was taken in is confirmed", || async { (telegram.unconfirmed() == 0).then_some(()) }).await;
    assert!(telegram.calls("sendChatAction") > 0, "typing is shown");

    // What people see is written down a moment later.
    settled(&bed).await;
    let family = channel(&bed).await;
    assert_eq!(family["name"], "family");
    assert_eq!((&family["state"], &family["health"]), (&json!("up"), &json!("healthy")), "{family}");
    assert_eq!((&family["identity"], &family["agent"]), (&json!("@mosaic_bot"), &json!("assistant")));
    assert_eq!(family["outbox"], json!({"pending": 0, "sending": 0, "unknown": 0, "dead": 0}));
    let listed = run(bed.command(&["channels", "list"]), "").await.good();
    assert!(listed.contains("@mosaic_bot") && listed.contains("healthy") && listed.contains("all sent"), "{listed}");
    let tree = run(bed.command(&["tree"]), "").await.good();
    assert!(tree.contains("channels") && tree.contains("family"), "{tree}");
    let told = telegram.commands();
    assert!(["help", "new", "stop", "retry"].iter().all(|name| told.iter().any(|known| known == name)), "{told:?}");

    // Another life goes on in the same session, and answers nothing twice.
    assert!(bed.stop().await.success());
    bed.restart().await;
    telegram.say(&Saying::private(ADA, "still there?"));
    let all = ["You said: hello", "You said: and again", "You said: still there?"];
    telegram.shows(ADA, &all).await;
    assert_eq!(asked(&bed).await, ["hello", "and again", "still there?"]);
    assert!(!bed.log().contains(TOKEN), "no token in the log");
}

#[tokio::test]
async fn what_a_stranger_says_costs_nothing() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    for text in ["hello", "/status", "/new"] {
        telegram.say(&Saying::private(EVE, text));
    }
    telegram.say(&Saying::private(ADA, "hello"));
    telegram.shows(ADA, &["You said: hello"]).await;
    assert_eq!(asked(&bed).await, ["hello"]);
    assert_eq!(bed.model.progress().calls, 1);
    assert_eq!(telegram.texts(EVE).len(), 1, "a code, once");
}

#[tokio::test]
async fn a_stranger_is_given_a_code_and_may_talk_once_it_is_approved_and_until_it_is_revoked() {
    let (mut bed, telegram) = awake(StandIn::builder()).await;
    telegram.say(&Saying::private(EVE, "hello"));
    let told = telegram.until("a code is told", |telegram| telegram.texts(EVE).pop()).await;
    let code = told.rsplit(' ').next().expect("it ends in the code").to_owned();
    let listed = run(bed.command(&["pair", "list"]), "").await.good();
    assert!(listed.contains("User66") && listed.contains("waits") && !listed.contains(&code), "{listed}");
    let wrong = run(bed.command(&["pair", "approve", "AAAABBBB"]), "").await;
    assert!(wrong.code == Some(1) && wrong.stderr.contains("No stranger waits with that code"), "{wrong:?}");
    let approved = run(bed.command(&["pair", "approve", &code.to_ascii_lowercase()]), "").await.good();
    assert_eq!(approved, "User66 (66) may talk to family now, as owner.\n");
    telegram.say(&Saying::private(EVE, "may I?"));
    telegram.until("it is answered", |telegram| (telegram.texts(EVE).len() == 2).then_some(())).await;
    assert_eq!(telegram.texts(EVE)[1], "You said: may I?");

    assert!(bed.stop().await.success());
    bed.restart().await;
    telegram.say(&Saying::private(EVE, "still?"));
    telegram.until("it is answered", |telegram| (telegram.texts(EVE).len() == 3).then_some(())).await;
    assert!(run(bed.command(&["pair", "list"]), "").await.good().contains("may talk"));
    let revoked = run(bed.command(&["pair", "revoke", "family", "66"]), "").await;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    telegram.say(&Saying::private(EVE, "and now?"));
    telegram.until("another code is told", |telegram| (telegram.texts(EVE).len() == 4).then_some(())).await;
    assert!(telegram.texts(EVE)[3].contains("mosaic pair approve"));
    assert_eq!(asked(&bed).await, ["may I?", "still?"]);
    let member = bed.api().send("POST", "/api/v1/tokens", json!({"role": "member"})).await.json::<Value>();
    let member = bed.api().bearing(member["token"].as_str().expect("a token"));
    let refused = member.send("POST", "/api/v1/pairings", json!({"code": code})).await;
    assert_eq!(refusal(&refused), (403, "forbidden".to_owned()), "the owner lets people in");
}

#[tokio::test]
async fn a_trial_of_a_channel_says_what_is_well_and_what_to_do_about_the_rest() {
    let (bed, telegram) = awake(StandIn::builder()).await;
    let tried = run(bed.command(&["channels", "test", "family"]), "").await.good();
    assert!(
        tried.contains("The token is that of @mosaic_bot.") && tried.contains("A test message went to user:11."),
        "{tried}"
    );
    assert!(telegram.texts(ADA)[0].contains("test message"), "{:?}", telegram.texts(ADA));
    telegram.close(ADA);
    let tried = run(bed.command(&["channels", "test", "family"]), "").await;
    assert_eq!(tried.code, Some(1));
    assert!(tried.stdout.contains("https://t.me/mosaic_bot and press Start"), "{}", tried.stdout);
    telegram.fail("getMe", [Fault::Refuse(401, "Unauthorized".to_owned())]);
    let tried = run(bed.command(&["channels", "test", "family"]), "").await;
    assert!(tried.stdout.contains("BotFather") && tried.stdout.contains("/token"), "{}", tried.stdout);
    let nobody = StandIn::nobody();
    let nobody = nobody.trim_end_matches("/v1");
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.set_env("FAMILY_TOKEN", TOKEN);
    bed.configure(&format!(
        "[channels.family]\nkind = \"telegram\"\ntoken_env = \"FAMILY_TOKEN\"\napi_url = {nobody:?}\n"
    ));
    bed.restart().await;
    let tried = run(bed.command(&["channels", "test", "family"]), "").await;
    assert!(tried.stdout.contains(&format!("{nobody} cannot be reached")), "where: {}", tried.stdout);
    assert!(tried.stdout.contains("Connection refused") && tried.stdout.contains("api_url"), "{}", tried.stdout);
    assert!(!tried.stdout.contains(TOKEN), "{}", tried.stdout);
    let unknown = bed.api().send("POST", "/api/v1/channels/nobody/test", json!({})).await;
    assert_eq!(refusal(&unknown), (404, "not_found".to_owned()));
    let unknown = run(bed.command(&["channels", "test", "nobody"]), "").await;
    assert!(unknown.stderr.contains("There is no channel nobody. Those there are: family."), "{unknown:?}");
}

#[tokio::test]
async fn where_telegram_cannot_be_reached_the_address_is_told_and_the_token_is_not() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    let at = format!("cannot be reached at {}", telegram.url());
    drop(telegram);
    bed.restart().await;
    let told =
        eventually("the trouble is told", || async { channel(&bed).await["trouble"].as_str().map(str::to_owned) })
            .await;
    assert!(told.contains(&at) && !told.contains(TOKEN), "{told}");
}
