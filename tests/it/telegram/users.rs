//! People on a platform who are users of the house.

use mosaic_testkit::telegram::Saying;
use mosaic_testkit::{StandIn, Telegram};
use serde_json::{Value, json};

use super::{ADA, EVE, GROUP, asleep};
use crate::testbed::{Api, Testbed, Wire, eventually, refusal, run};

async fn good(bed: &Testbed, args: &[&str]) -> String {
    let ended = run(bed.command(args), "").await;
    assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
    ended.stdout
}

/// A new user, as the API knows them.
async fn user(bed: &Testbed, name: &str, role: &str) -> Api {
    good(bed, &["users", "add", name, "--role", role]).await;
    let token = good(bed, &["token", "create", "--user", name]).await;
    bed.api().bearing(token.trim())
}

/// Writes to the bot as a stranger, and is let in as `user`.
async fn approve(bed: &Testbed, telegram: &Telegram, sender: i64, user: &str) -> String {
    telegram.say(&Saying::private(sender, "hello?"));
    let told = telegram.until("a code is told", |telegram| {
        telegram.texts(sender).pop().filter(|text| text.contains("mosaic pair approve"))
    });
    let code = told.await.rsplit(' ').next().expect("it ends in the code").to_owned();
    good(bed, &["pair", "approve", &code, "--user", user]).await
}

/// Says something and waits for the answer to it.
async fn say(telegram: &Telegram, saying: &Saying, chat: i64, answer: &str) {
    telegram.say(saying);
    let found = |telegram: &Telegram| telegram.texts(chat).iter().any(|text| text.contains(answer)).then_some(());
    telegram.until(answer, found).await;
}

/// The sessions that somebody is shown: what was asked in each first.
async fn titles(api: &Api) -> Vec<String> {
    let page = api.get("/api/v1/sessions").await;
    let mut titles: Vec<_> = page["items"].as_array().expect("a list").iter().map(title).collect();
    titles.sort();
    titles
}

fn title(session: &Value) -> String {
    session["title"].as_str().expect("a title").to_owned()
}

async fn session(api: &Api, title: &str) -> String {
    let page = api.get(&format!("/api/v1/sessions?q={title}")).await;
    page["items"][0]["id"].as_str().expect("it is listed").to_owned()
}

#[tokio::test]
async fn two_people_on_a_platform_are_two_users_each_with_sessions_and_a_budget_of_their_own() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    let config = std::fs::read_to_string(bed.home().join("config.toml")).expect("it was written");
    bed.write_config(&format!("{config}\n[budgets.user]\nusd = 0.004\n"));
    bed.restart().await;
    let owner = bed.api();
    say(&telegram, &Saying::private(ADA, "before"), ADA, "You said: before").await;
    assert_eq!(titles(&owner).await, ["before"], "who is no user speaks for the owner");

    let (ann, eve) = (user(&bed, "ann", "member").await, user(&bed, "eve", "member").await);
    let linked = good(&bed, &["pair", "link", "family", &ADA.to_string(), "--user", "ann"]).await;
    assert_eq!(linked, "11 may talk to family now, as ann.\n");
    assert_eq!(approve(&bed, &telegram, EVE, "eve").await, "User66 (66) may talk to family now, as eve.\n");
    let listed = good(&bed, &["pair", "list"]).await;
    assert!(listed.lines().any(|line| line.contains("66") && line.contains("eve")), "{listed}");

    // Her private chat goes along with what she says next, with all that was said before.
    say(&telegram, &Saying::private(ADA, "after"), ADA, "You said: after").await;
    say(&telegram, &Saying::private(EVE, "evening"), EVE, "You said: evening").await;
    assert_eq!((titles(&ann).await, titles(&eve).await), (vec!["before".to_owned()], vec!["evening".to_owned()]));
    assert_eq!(titles(&owner).await, ["before", "evening"], "the owner is shown what is said to the bots");
    let (hers, eves) = (session(&ann, "before").await, session(&eve, "evening").await);
    assert_eq!(owner.transcript(&hers).await, ann.transcript(&hers).await);
    for (who, other) in [(&ann, &eves), (&eve, &hers)] {
        let refused = who.request("GET", &format!("/api/v1/sessions/{other}/messages"), &[], b"").await;
        assert_eq!(refusal(&refused), (404, "not_found".to_owned()));
    }

    // Live in whatever she has open, and what she asks there is of the same session.
    let (mut wire, _) = Wire::ready(bed.address(), ann.token()).await;
    wire.subscribe(&hers, 0).await;
    say(&telegram, &Saying::private(ADA, "live?"), ADA, "You said: live?").await;
    let finished = wire.until("turn.finished").await.pop().expect("it ends");
    assert_eq!(finished["text"], "You said: live?");

    // What several people say in one place is the channel's.
    say(&telegram, &Saying::group(GROUP, EVE, "@mosaic_bot group"), GROUP, "You said: group").await;
    assert_eq!(titles(&eve).await, ["evening"]);
    assert!(titles(&owner).await.contains(&"group".to_owned()));

    // A new session of the chat is hers too.
    telegram.say(&Saying::private(EVE, "/new"));
    telegram
        .until("it is made", |told| told.texts(EVE).iter().any(|text| text.contains("A new session")).then_some(()))
        .await;
    say(&telegram, &Saying::private(EVE, "fresh"), EVE, "You said: fresh").await;
    assert_eq!(titles(&eve).await, ["evening", "fresh"]);
    assert!(titles(&owner).await.contains(&"fresh".to_owned()), "and the owner is shown it");

    // One spends all that is theirs; the other goes on.
    let mut said = 0;
    while !telegram.texts(ADA).last().is_some_and(|text| text.contains("budget")) {
        said += 1;
        assert!(said < 100, "the budget is never spent: {:?}", telegram.texts(ADA).last());
        let before = telegram.texts(ADA).len();
        telegram.say(&Saying::private(ADA, "words ".repeat(100)));
        telegram.until("it is answered", |telegram| (telegram.texts(ADA).len() > before).then_some(())).await;
        eventually("the turn ends", || async {
            (ann.get(&format!("/api/v1/sessions/{hers}")).await["state"] == "idle").then_some(())
        })
        .await;
    }
    say(&telegram, &Saying::private(EVE, "still here"), EVE, "You said: still here").await;
    let turns = async |api: &Api| api.get("/api/v1/usage").await["items"][0]["turns"].as_u64().expect("a count");
    assert_eq!(turns(&eve).await, 3, "evening, fresh, still here");
    assert!(turns(&owner).await > turns(&ann).await + turns(&eve).await, "the owner's sums are everyone's");

    // Whoever is gone is a stranger; whom the channel's own list names is its guest.
    good(&bed, &["users", "remove", "eve"]).await;
    approve(&bed, &telegram, EVE, "ann").await;
    good(&bed, &["users", "remove", "ann"]).await;
    telegram.say(&Saying::private(EVE, "and now?"));
    let codes = |telegram: &Telegram| telegram.texts(EVE).iter().filter(|text| text.contains("pair approve")).count();
    telegram.until("another code is told", |telegram| (codes(telegram) == 3).then_some(())).await;
    say(&telegram, &Saying::private(ADA, "guest"), ADA, "You said: guest").await;
}

#[tokio::test]
async fn a_viewer_on_a_platform_is_told_that_they_may_not_talk() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    bed.restart().await;
    let viewer = user(&bed, "val", "viewer").await;
    approve(&bed, &telegram, EVE, "val").await;
    telegram.say(&Saying::private(EVE, "may I?"));
    telegram
        .until("it is said", |told| told.texts(EVE).iter().any(|text| text.contains("is a viewer")).then_some(()))
        .await;
    let told = telegram.texts(EVE).pop().expect("a sentence");
    assert!(told.starts_with("You may read here, but not talk") && told.contains("mosaic pair link"), "{told}");
    say(&telegram, &Saying::private(EVE, "/new"), EVE, "/new takes the role member; you have viewer here.").await;
    assert_eq!(bed.model.progress().calls, 0);
    let none = viewer.get("/api/v1/sessions").await;
    assert!(none["items"].as_array().is_some_and(|items| items.iter().all(|row| row["title"] == "")), "{none}");
    // Another user is another role, from the next message on.
    user(&bed, "meg", "member").await;
    good(&bed, &["pair", "link", "family", &EVE.to_string(), "--user", "meg"]).await;
    say(&telegram, &Saying::private(EVE, "and now?"), EVE, "You said: and now?").await;
}

#[tokio::test]
async fn a_chat_that_goes_to_another_user_shuts_out_who_read_it_before() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    bed.restart().await;
    let (bob, meg) = (user(&bed, "bob", "member").await, user(&bed, "meg", "member").await);
    approve(&bed, &telegram, EVE, "bob").await;
    say(&telegram, &Saying::private(EVE, "first"), EVE, "You said: first").await;
    let session = session(&bob, "first").await;
    let (mut wire, _) = Wire::ready(bed.address(), bob.token()).await;
    wire.subscribe(&session, 0).await;
    good(&bed, &["pair", "link", "family", &EVE.to_string(), "--user", "meg"]).await;
    say(&telegram, &Saying::private(EVE, "secret"), EVE, "You said: secret").await;
    // As one who reads too slowly: whatever else he read he may go on with.
    let heard = wire.until("error").await;
    let cut = heard.last().expect("the error");
    assert_eq!((&cut["code"], &cut["resume"][0]["session"]), (&json!("too_slow"), &json!(session)), "{cut}");
    assert!(!json!(heard).to_string().contains("secret"), "{heard:?}");
    let (mut wire, _) = Wire::ready(bed.address(), bob.token()).await;
    wire.send(json!({"type": "subscribe", "id": "again", "session": session, "after": 0})).await;
    assert_eq!(wire.answer("again").await["code"], "not_found");
    assert_eq!(titles(&bob).await, Vec::<String>::new());
    assert_eq!(meg.transcript(&session).await.len(), 4);
    let audit = bed.api().get("/api/v1/audit").await;
    assert_eq!(
        (&audit["items"][0]["action"], &audit["items"][0]["subject"]),
        (&json!("pairing.link"), &json!("family 66 as meg"))
    );
    for (path, status) in [("/api/v1/pairings/family/0x1", 400), ("/api/v1/pairings/nowhere/66", 404)] {
        assert_eq!(bed.api().send("PUT", path, json!({"user": "meg"})).await.status(), status, "{path}");
    }
    let nobody = run(bed.command(&["pair", "link", "family", "66", "--user", "zoe"]), "").await;
    assert!(nobody.code == Some(1) && nobody.stderr.contains("There is no user zoe"), "{nobody:?}");
}
