//! What hangs under an answer of Discord's, and is pressed late.

use mosaic_testkit::discord::dm;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};

use super::{ADA, ada, asked, awake};

const OVER: &str = "That answer is over already.";

#[tokio::test]
async fn a_stop_button_on_discord_stops_its_own_answer_and_one_that_is_pressed_late_stops_none() {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let said = ["one two three", "four five six", "seven eight nine"];
    let script = gates.iter().zip(said).map(|(gate, text)| Step::hold_after(gate, text, 2));
    let (bed, discord) = awake(StandIn::builder().script(script)).await;
    discord.say(&ada("count"));
    discord.shows(dm(ADA), &["one two …"]).await;
    bed.preview_is_kept().await;
    let first = discord.seen(dm(ADA)).remove(0);
    discord.say(&ada("go on"));
    gates[0].open();
    discord.shows(dm(ADA), &["one two three", "four five …"]).await;
    bed.preview_is_kept().await;
    // It was on its way while the next answer began.
    discord.press_late(&ada(""), first.id, &first.buttons[0].1);
    discord.shows(dm(ADA), &["one two three", "four five …", OVER]).await;
    assert!(discord.seen(dm(ADA))[2].private, "whoever pressed is told so, and nobody else");
    gates[1].open();
    discord.shows(dm(ADA), &["one two three", "four five six", OVER]).await;

    discord.say(&ada("and on"));
    discord.shows(dm(ADA), &["one two three", "four five six", OVER, "seven eight …"]).await;
    bed.preview_is_kept().await;
    // As an older version hung it there.
    discord.press_late(&ada(""), discord.seen(dm(ADA))[3].id, "stop");
    discord.shows(dm(ADA), &["one two three", "four five six", OVER, "Cancelled."]).await;
    discord.until("all are answered", |discord| (discord.unanswered() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_failure_on_discord_is_not_tried_again_when_its_talk_went_on() {
    let refuse = Step::status(401, "invalid_api_key", "Incorrect API key provided.");
    let (bed, discord) = awake(StandIn::builder().script([refuse])).await;
    discord.say(&ada("one"));
    let failed = discord
        .until("the failure is told", |discord| {
            discord.seen(dm(ADA)).first().filter(|shown| !shown.buttons.is_empty()).cloned()
        })
        .await;
    discord.say(&ada("two"));
    discord.until("it is answered", |discord| (discord.texts(dm(ADA)).len() == 2).then_some(())).await;
    discord.press(&ada(""), failed.id);
    let told = discord.until("it is told", |discord| discord.seen(dm(ADA)).get(2).cloned()).await;
    assert!(told.private && told.text.starts_with("The conversation went on since then."), "{told:?}");
    assert_eq!(asked(&bed).await, ["one", "two"]);
}
