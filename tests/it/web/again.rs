//! Once more: asked again, asked otherwise, gone on with elsewhere.

use mosaic_testkit::browser::Key;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};

use super::visitor::{Visitor, pair};
use crate::testbed::Testbed;

#[tokio::test]
async fn an_answer_that_failed_or_was_stopped_is_asked_for_again() {
    let gate = Gate::new();
    let script = [
        Step::status(400, "bad", "no"),
        Step::say("now it works"),
        Step::hold_after(&gate, "never to its end", 1),
        Step::say("to its end"),
    ];
    let bed = Testbed::with(StandIn::builder().script(script)).await;
    let ada = Visitor::owner(&bed).await;
    ada.says("try").await;
    ada.page.click(".end.failed .retry").await;
    ada.is_answered("now it works").await;
    assert_eq!(ada.transcript().await, [pair("user", "try"), pair("assistant", "now it works")]);
    ada.says("more").await;
    ada.page.until("document.querySelector('.live .md')?.innerText === 'never'").await;
    ada.page.press(Key::Escape).await;
    ada.page.click(".turn:last-child .end.cancelled .retry").await;
    ada.is_answered("to its end").await;
    assert_eq!(ada.transcript().await.len(), 4, "the cut-off one is gone");
    // What is stored is what is seen.
    ada.page.reload().await;
    ada.page.until("document.querySelectorAll('.turns .said').length === 4").await;
    ada.is_content();
}

#[tokio::test]
async fn a_message_is_written_anew_and_what_came_after_it_goes_for_all_who_look() {
    let bed = Testbed::start().await;
    let ada = Visitor::owner(&bed).await;
    for text in ["one", "two", "three"] {
        ada.says(text).await;
        ada.is_answered(&format!("You said: {text}")).await;
    }
    let session = ada.session().await;
    let bob = Visitor::owner(&bed).await;
    bob.go(&format!("#/s/{session}")).await;
    bob.is_answered("You said: three").await;

    ada.writes("a draft").await;
    ada.page.eval("document.querySelectorAll('[aria-label=\"Change your message\"]')[1].click()").await;
    assert_eq!(ada.draft().await, "two");
    ada.page.press(Key::Escape).await;
    assert_eq!(ada.draft().await, "a draft", "it was only put aside");
    ada.page.eval("document.querySelectorAll('[aria-label=\"Change your message\"]')[1].click()").await;
    ada.page.type_text(" and a half").await;
    ada.page.press(Key::Enter).await;
    let all = [
        pair("user", "one"),
        pair("assistant", "You said: one"),
        pair("user", "two and a half"),
        pair("assistant", "You said: two and a half"),
    ];
    for one in [&ada, &bob] {
        one.is_answered("You said: two and a half").await;
        assert_eq!(one.transcript().await, all);
        one.page.reload().await;
        one.page.until("document.querySelectorAll('.meta .why').length === 2").await;
        assert_eq!(one.transcript().await, all, "it is the same when it is read anew");
        one.is_content();
    }
    assert_eq!(ada.draft().await, "a draft");
}

#[tokio::test]
async fn of_several_models_each_is_a_card_with_its_time_and_what_it_said() {
    let script = [Step::say("the first view"), Step::say("the second view"), Step::say("both together")];
    let mut bed = Testbed::asleep(StandIn::builder().script(script));
    let url = bed.model.base_url();
    bed.write_config(&format!(
        "detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n[providers.lab]\nbase_url = {url:?}\n\
         [agents.assistant]\nmodels = [\"lab/m-1\", \"lab/m-2\"]\nstrategy = \"panel\"\njudge = \"lab/m-3\"\n"
    ));
    bed.restart().await;
    let ada = Visitor::owner(&bed).await;
    ada.says("what do you think?").await;
    ada.is_answered("both together").await;
    let cards = "[...document.querySelectorAll('.steps li.done')].map((card) => card.textContent)";
    for _ in 0..2 {
        for (model, view) in [("lab/m-1", "view"), ("lab/m-2", "view")] {
            ada.page
                .until(&format!(
                    "{cards}.some((card) => card.includes('{model}') && card.includes('{view}') && card.includes(' s'))"
                ))
                .await;
        }
        assert_eq!(ada.transcript().await.len(), 2);
        ada.page.reload().await;
        ada.is_answered("both together").await;
    }
    ada.is_content();
}

#[tokio::test]
async fn a_session_goes_on_from_any_answer_as_one_of_its_own() {
    let bed = Testbed::start().await;
    let ada = Visitor::owner(&bed).await;
    for text in ["one", "two"] {
        ada.says(text).await;
        ada.is_answered(&format!("You said: {text}")).await;
    }
    let before = ada.session().await;
    ada.page.eval("document.querySelector('.assistant [aria-label^=\"Go on from here\"]').click()").await;
    ada.page.until(&format!("location.hash.startsWith('#/s/') && !location.hash.endsWith('{before}')")).await;
    ada.page.until("document.querySelectorAll('.turns .said').length === 2").await;
    ada.says("otherwise").await;
    ada.is_answered("You said: otherwise").await;
    assert_eq!(ada.transcript().await.len(), 4);
    ada.go(&format!("#/s/{before}")).await;
    ada.is_answered("You said: two").await;
    assert_eq!(ada.transcript().await.len(), 4, "the one before is as it was");
    ada.is_content();
}
