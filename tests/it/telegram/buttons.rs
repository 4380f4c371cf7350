//! What hangs under an answer of Telegram's, and is pressed late.

use mosaic_testkit::provider::Gate;
use mosaic_testkit::telegram::Saying;
use mosaic_testkit::{StandIn, Step};

use super::{ADA, asked, awake};

#[tokio::test]
async fn a_stop_button_on_telegram_stops_its_own_answer_and_one_that_is_pressed_late_stops_none() {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let said = ["one two three", "four five six", "seven eight nine"];
    let script = gates.iter().zip(said).map(|(gate, text)| Step::hold_after(gate, text, 2));
    let (bed, telegram) = awake(StandIn::builder().script(script)).await;
    telegram.say(&Saying::private(ADA, "count"));
    telegram.shows(ADA, &["one two …"]).await;
    bed.preview_is_kept().await;
    let first = telegram.seen(ADA).remove(0);
    telegram.say(&Saying::private(ADA, "go on"));
    gates[0].open();
    telegram.shows(ADA, &["one two three", "four five …"]).await;
    bed.preview_is_kept().await;
    // It was on its way while the next answer began.
    telegram.press_late(ADA, ADA, first.id, &first.buttons[0].1);
    let over = ["That answer is over already."];
    telegram.until("it is told", |telegram| (telegram.answers() == over).then_some(())).await;
    gates[1].open();
    telegram.shows(ADA, &["one two three", "four five six"]).await;

    telegram.say(&Saying::private(ADA, "and on"));
    telegram.shows(ADA, &["one two three", "four five six", "seven eight …"]).await;
    bed.preview_is_kept().await;
    // As an older version hung it there.
    telegram.press_late(ADA, ADA, telegram.seen(ADA)[2].id, "stop");
    telegram.shows(ADA, &["one two three", "four five six", "Cancelled."]).await;
    telegram.until("it is told", |telegram| (telegram.answers() == [over[0], "Done."]).then_some(())).await;
}

#[tokio::test]
async fn a_failure_on_telegram_is_not_tried_again_when_its_talk_went_on() {
    let refuse = Step::status(401, "invalid_api_key", "Incorrect API key provided.");
    let (bed, telegram) = awake(StandIn::builder().script([refuse])).await;
    telegram.say(&Saying::private(ADA, "one"));
    let failed = telegram
        .until("the failure is told", |telegram| {
            telegram.seen(ADA).first().filter(|shown| !shown.buttons.is_empty()).cloned()
        })
        .await;
    telegram.say(&Saying::private(ADA, "two"));
    telegram.until("it is answered", |telegram| (telegram.texts(ADA).len() == 2).then_some(())).await;
    telegram.press(ADA, ADA, failed.id);
    let told = telegram.until("it is told", |telegram| telegram.answers().pop()).await;
    assert!(told.starts_with("The conversation went on since then."), "{told}");
    assert_eq!(asked(&bed).await, ["one", "two"]);
}
