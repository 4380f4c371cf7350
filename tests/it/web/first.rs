//! A fresh daemon: from no model to the first answer, in the browser alone.

use mosaic_testkit::StandIn;
use serde_json::json;

use super::reach::check;
use super::visitor::Visitor;
use crate::testbed::Testbed;

#[tokio::test]
async fn a_fresh_daemon_takes_a_key_tries_it_and_the_chat_begins() {
    let mut bed = Testbed::asleep(StandIn::builder().key("sk-good"));
    bed.write_config("detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n");
    bed.restart().await;
    let ada = Visitor::fresh(&bed).await;
    ada.page.sees("Which model shall answer?").await;
    check(&ada, "the first page").await;
    ada.is_content();
    let fill = async |key: &str| {
        let url = json!(bed.model.base_url());
        let fill = format!(
            "(() => {{ const form = document.querySelector('.first form'); const place = form.querySelector('select'); \
             place.value = [...place.options].find((one) => one.text.startsWith('Another')).value; \
             place.dispatchEvent(new Event('change')); form.elements.url.value = {url}; form.elements.key.value = {}; }})()",
            json!(key)
        );
        ada.page.eval(&fill).await;
        ada.page.click(".first button.main").await;
    };
    fill("sk-bad").await;
    ada.page.until("document.querySelector('.first .wrong').textContent.includes('key')").await;
    let told = ada.page.text().await;
    assert!(!told.contains("sk-bad"), "the key is not repeated: {told}");
    fill("sk-good").await;
    ada.page.until("document.querySelector('#text')").await;
    ada.says("hello").await;
    ada.is_answered("You said: hello").await;
    assert!(!bed.log().contains("sk-good"));
    // It is there after a restart too.
    bed.stop().await;
    bed.restart().await;
    let api = bed.api();
    assert_eq!(api.ask(&api.session().await, "again").await["text"], "You said: again");
}
