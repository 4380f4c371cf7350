//! What goes wrong between a bot and Discord: nothing is lost and nothing is seen twice.

use mosaic_testkit::StandIn;
use mosaic_testkit::discord::{Fault, dm};
use serde_json::json;

use super::{ADA, ada, asked, awake, channel};
use crate::testbed::eventually;

#[tokio::test]
async fn an_answer_that_was_cut_off_on_discord_is_found_there_and_not_sent_twice() {
    for fault in [Fault::CutAfter, Fault::CutBefore, Fault::Garbage] {
        let (bed, discord) = awake(StandIn::builder()).await;
        discord.fail("send", [fault.clone()]);
        discord.say(&ada("one"));
        discord.shows(dm(ADA), &["You said: one"]).await;
        eventually("it is settled", || async {
            (channel(&bed).await["outbox"] == json!({"pending": 0, "sending": 0, "unknown": 0, "dead": 0}))
                .then_some(())
        })
        .await;
        assert!(discord.calls("history") > 0, "Discord was asked: {fault:?}");
        discord.say(&ada("two"));
        discord.shows(dm(ADA), &["You said: one", "You said: two"]).await;
        assert_eq!(asked(&bed).await, ["one", "two"]);
    }
}
