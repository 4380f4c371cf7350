//! A fresh daemon: from no model to the first answer, in the browser alone.

use mosaic_testkit::StandIn;
use mosaic_testkit::browser::Key;

use super::reach::check;
use super::visitor::Visitor;
use crate::testbed::Testbed;

#[tokio::test]
async fn a_fresh_daemon_takes_a_key_that_is_typed_tries_it_and_the_chat_begins() {
    let mut bed = Testbed::asleep(StandIn::builder().key("sk-good"));
    bed.write_config("detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n");
    bed.restart().await;
    let ada = Visitor::fresh(&bed).await;
    ada.page.sees("Which model shall answer?").await;
    check(&ada, "the first page").await;
    ada.is_content();
    // By the keys alone: to the list of places, to the last of them, to its address and its key.
    let page = &ada.page;
    let focus = "document.activeElement.id";
    while page.eval(focus).await != "f-place" {
        page.press(Key::Tab).await;
    }
    while page.eval("document.activeElement.selectedOptions[0].text.startsWith('Another')").await != true {
        page.press(Key::Down).await;
    }
    page.press(Key::Tab).await;
    page.until(&format!("{focus} === 'f-url'")).await;
    page.until("document.querySelector('.first .key label').innerText === 'Key, if it wants one'").await;
    // An address where nobody answers: in the words of the form, and back to where it is put right.
    page.type_keys("http://127.0.0.1:9/v1").await;
    page.press(Key::Enter).await;
    page.until("document.querySelector('.first .wrong').textContent.includes('the address is right')").await;
    let wrong = page.eval("document.querySelector('.first .wrong').textContent").await;
    assert!(
        wrong.as_str().is_some_and(|told| !told.contains("base_url") && !told.contains("rovider custom")),
        "{wrong}"
    );
    page.until(&format!("{focus} === 'f-url'")).await;
    page.select_all().await;
    page.type_keys(&bed.model.base_url()).await;
    page.press(Key::Tab).await;
    page.until(&format!("{focus} === 'f-key'")).await;
    page.type_keys("sk-bad").await;
    page.press(Key::Enter).await;
    page.until("document.querySelector('.first .wrong').textContent.includes('key')").await;
    let told = page.text().await;
    assert!(!told.contains("sk-bad"), "the key is not repeated: {told}");
    check(&ada, "the first page, with what is wrong").await;
    // It stands where it has to be put right.
    page.until(&format!("{focus} === 'f-key'")).await;
    page.select_all().await;
    page.type_keys("sk-good").await;
    page.press(Key::Enter).await;
    // And the chat begins, ready to be typed into.
    page.until("document.querySelector('#text')").await;
    page.until(&format!("{focus} === 'text'")).await;
    check(&ada, "the first chat").await;
    page.type_keys("hello").await;
    page.press(Key::Enter).await;
    ada.is_answered("You said: hello").await;
    assert!(!bed.log().contains("sk-good"));
    // It is there after a restart too.
    bed.stop().await;
    bed.restart().await;
    let api = bed.api();
    assert_eq!(api.ask(&api.session().await, "again").await["text"], "You said: again");
}
