//! Where Telegram calls the daemon instead of being polled.

use std::net::TcpListener;

use mosaic_testkit::telegram::{Saying, TOKEN};
use mosaic_testkit::{StandIn, Telegram};
use serde_json::json;

use super::{ADA, EVE, GROUP, asked, asleep, channel};
use crate::testbed::{Testbed, eventually, refusal, run};

/// The settings of a home that is called at `port`, or polls.
fn configure(bed: &Testbed, url: &str, port: u16, called: bool) {
    let hook = if called { format!("webhook_url = \"http://127.0.0.1:{port}\"\n") } else { String::new() };
    bed.configure(&format!(
        "[gateway]\nbind = \"127.0.0.1:{port}\"\nworkers = 2\n[channels.family]\nkind = \"telegram\"\ntoken_env = \
         \"FAMILY_TOKEN\"\napi_url = \"{url}\"\npoll = \"2s\"\nallow = [\"user:{ADA}\", \"chat:{GROUP}\"]\nnames = \
         false\n{hook}"
    ));
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

#[tokio::test]
async fn what_telegram_says_by_calling_is_taken_in_as_what_it_says_when_asked() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    let port = free_port();
    configure(&bed, &telegram.url(), port, true);
    telegram.say(&Saying::private(ADA, "anybody there?"));
    bed.restart().await;
    telegram.shows(ADA, &["You said: anybody there?"]).await;
    assert_eq!(telegram.calls_at(), Some(format!("http://127.0.0.1:{port}/hooks/family")));
    telegram.say(&Saying::private(ADA, "hello"));
    telegram.say(&Saying::group(GROUP, EVE, "@mosaic_bot and me?"));
    telegram.repeat();
    telegram.tell(json!({"message": {"odd": true}}));
    telegram.tell(json!({"new_in_2030": {"text": "?"}}));
    telegram.shows(ADA, &["You said: anybody there?", "You said: hello"]).await;
    telegram.shows(GROUP, &["You said: and me?"]).await;
    eventually("all is done with", || async { (telegram.unconfirmed() == 0).then_some(()) }).await;
    assert_eq!(telegram.calls("getUpdates"), 0);
    assert_eq!(channel(&bed).await["health"], "healthy");
    let tried = run(bed.command(&["channels", "test", "family"]), "").await.good();
    assert!(tried.contains(&format!("Telegram calls http://127.0.0.1:{port}/hooks/family.")), "{tried}");

    // Killed while it was told something: Telegram tells it again.
    bed.kill9().await;
    telegram.say(&Saying::private(ADA, "still there?"));
    bed.restart().await;
    let last = |telegram: &Telegram, text: &str| (telegram.texts(ADA).last()? == text).then_some(());
    telegram.until("it is answered", |telegram| last(telegram, "You said: still there?")).await;
    let mut all = asked(&bed).await;
    all.sort();
    assert_eq!(all, ["and me?", "anybody there?", "hello", "still there?"]);

    // Without the address in the settings it is polled again, and what was said meanwhile is not lost.
    assert!(bed.stop().await.success());
    telegram.say(&Saying::private(ADA, "and now?"));
    configure(&bed, &telegram.url(), port, false);
    bed.restart().await;
    telegram.until("it is answered", |telegram| last(telegram, "You said: and now?")).await;
    assert_eq!(telegram.calls_at(), None);
    assert!(!bed.log().contains(TOKEN), "no token in the log");
}

#[tokio::test]
async fn who_calls_without_the_secret_is_refused_and_nothing_is_taken_in() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    configure(&bed, &telegram.url(), free_port(), true);
    bed.restart().await;
    telegram.until("it is called", |telegram| telegram.calls_at()).await;
    let update = json!({"update_id": 1, "message": {"message_id": 1, "date": 1_800_000_000, "text": "let me in",
        "from": {"id": ADA, "is_bot": false, "first_name": "Ada"}, "chat": {"id": ADA, "type": "private", "first_name": "A"}}});
    let body = update.to_string();
    let (secret, long) = ("x-telegram-bot-api-secret-token", "a".repeat(64));
    for headers in [&[][..], &[(secret, "")], &[(secret, &*long)], &[(secret, TOKEN)]] {
        let refused = bed.api().request("POST", "/hooks/family", headers, body.as_bytes()).await;
        assert_eq!(refusal(&refused), (401, "unauthorized".to_owned()), "{headers:?}");
    }
    let unknown = bed.api().request("POST", "/hooks/nobody", &[], body.as_bytes()).await;
    assert_eq!(refusal(&unknown), (404, "not_found".to_owned()));
    telegram.say(&Saying::private(ADA, "hello"));
    telegram.shows(ADA, &["You said: hello"]).await;
    assert_eq!(asked(&bed).await, ["hello"]);
}

#[tokio::test]
async fn another_program_that_is_called_with_the_same_token_is_told_of() {
    let (mut bed, telegram) = asleep(StandIn::builder());
    telegram.call_at("http://127.0.0.1:9/elsewhere");
    bed.restart().await;
    eventually("the trouble is told", || async {
        channel(&bed).await["trouble"].as_str().filter(|told| told.contains("deleteWebhook")).map(|_| ())
    })
    .await;
    assert_eq!(telegram.calls_at().as_deref(), Some("http://127.0.0.1:9/elsewhere"), "what is not ours is left alone");
}
