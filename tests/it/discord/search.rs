//! A message that was cut off when it was sent is found in its room, and no other is taken for it.

use mosaic_testkit::discord::{Fault, dm};
use mosaic_testkit::{StandIn, Step};

use super::{ADA, ada, asleep, awake, channel};
use crate::testbed::eventually;

#[tokio::test]
async fn an_older_answer_of_the_same_words_is_not_taken_for_one_that_was_cut_off() {
    let (_bed, discord) = awake(StandIn::builder().script([Step::say("yes"), Step::say("yes")])).await;
    // By the clock of this machine the older one was said when the newer was made already.
    discord.set_clock(5);
    discord.say(&ada("one?"));
    discord.shows(dm(ADA), &["yes"]).await;
    discord.fail("send", [Fault::CutBefore]);
    discord.say(&ada("two?"));
    discord.shows(dm(ADA), &["yes", "yes"]).await;
}

#[tokio::test]
async fn a_message_that_was_cut_off_is_found_though_clocks_differ_and_nonces_are_forgotten() {
    let (bed, discord) = awake(StandIn::builder()).await;
    discord.set_clock(-5);
    discord.forget_nonces();
    for text in ["one", "two"] {
        discord.fail("send", [Fault::CutAfter]);
        discord.say(&ada(text));
        let what = format!("{text} is known to be sent");
        let sent = if text == "one" { 1 } else { 2 };
        eventually(&what, || async { (bed.rows("outbox WHERE state = 'sent'").await == sent).then_some(()) }).await;
    }
    assert_eq!(discord.texts(dm(ADA)), ["You said: one", "You said: two"], "each is seen once");
    assert_eq!(discord.calls("send"), 2);
}

#[tokio::test]
async fn where_discord_cannot_be_reached_the_address_is_told() {
    let (mut bed, discord) = asleep(StandIn::builder());
    let at = format!("cannot be reached at {}", discord.url());
    drop(discord);
    bed.restart().await;
    eventually("the address is told", || async {
        channel(&bed).await["trouble"].as_str().filter(|told| told.contains(&at)).map(|_| ())
    })
    .await;
}
