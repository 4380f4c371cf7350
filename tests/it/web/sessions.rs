//! The list: found, named, put away, removed, read to its end.

use mosaic_testkit::browser::Key;
use serde_json::json;

use super::visitor::Visitor;
use crate::testbed::Testbed;

/// Names in the list, as they stand there.
async fn names(ada: &Visitor) -> Vec<String> {
    let all = "[...document.querySelectorAll('#sessions .name')].map((name) => name.innerText)";
    serde_json::from_value(ada.page.eval(all).await).expect("texts")
}

async fn lists(ada: &Visitor, wanted: &[&str]) {
    let all = "JSON.stringify([...document.querySelectorAll('#sessions .name')].map((name) => name.innerText))";
    ada.page.until(&format!("{all} === JSON.stringify({})", json!(wanted))).await;
}

#[tokio::test]
async fn a_session_is_found_renamed_put_away_and_removed() {
    let bed = Testbed::start().await;
    let api = bed.api();
    for title in ["Breakfast", "Bicycle", "Taxes"] {
        api.send("POST", "/api/v1/sessions", json!({"title": title})).await;
    }
    let ada = Visitor::owner(&bed).await;
    lists(&ada, &["Taxes", "Bicycle", "Breakfast"]).await;
    ada.page.eval("document.querySelector('#q').focus()").await;
    ada.page.type_text("b").await;
    lists(&ada, &["Bicycle", "Breakfast"]).await;
    ada.page.type_text("reak").await;
    lists(&ada, &["Breakfast"]).await;
    ada.page.type_text("xyz").await;
    ada.page.sees("Nothing fits.").await;
    ada.page
        .eval(
            "(() => { const q = document.querySelector('#q'); q.value = ''; q.dispatchEvent(new Event('input')); })()",
        )
        .await;
    lists(&ada, &["Taxes", "Bicycle", "Breakfast"]).await;

    // By keyboard: the name is selected when the menu opens.
    ada.page.eval("document.querySelector('#sessions li button').focus()").await;
    ada.page.press(Key::Enter).await;
    ada.page.until("document.activeElement.id === 'd-name'").await;
    ada.page.type_text("Taxes of 2026").await;
    ada.page.press(Key::Enter).await;
    lists(&ada, &["Taxes of 2026", "Bicycle", "Breakfast"]).await;

    ada.page.click("#sessions li:nth-child(2) button").await;
    ada.page.click("dialog [value=archive]").await;
    lists(&ada, &["Taxes of 2026", "Breakfast"]).await;
    ada.page.click("#archived").await;
    lists(&ada, &["Bicycle"]).await;
    ada.page.click("#sessions a").await;
    ada.page.until("document.querySelector('.bar .title').innerText === 'Bicycle'").await;
    ada.says("hello again").await;
    ada.is_answered("You said: hello again").await;
    ada.page.click("#archived").await;
    lists(&ada, &["Bicycle", "Taxes of 2026", "Breakfast"]).await;

    ada.page.click(".bar .more").await;
    ada.page.click("dialog [value=delete]").await;
    ada.page.until("document.querySelector('dialog [value=delete]').innerText === 'Delete for good'").await;
    ada.page.click("dialog [value=delete]").await;
    lists(&ada, &["Taxes of 2026", "Breakfast"]).await;
    ada.page.sees("What shall we do?").await;
    assert_eq!(ada.page.eval("document.querySelectorAll('.toast').length").await, 0, "it was one's own deed");
    // Where somebody else removes it, that is told, and not where one writes.
    ada.page.click("#sessions a").await;
    ada.page.until("document.querySelector('.bar .title').innerText === 'Taxes of 2026'").await;
    let session = ada.session().await;
    api.request("DELETE", &format!("/api/v1/sessions/{session}"), &[], b"").await;
    ada.page.sees("This session is not there any more.").await;
    let clear = "(() => { const toast = document.querySelector('.toast').getBoundingClientRect(); \
                 return toast.bottom < document.querySelector('.composer').getBoundingClientRect().top; })()";
    assert_eq!(ada.page.eval(clear).await, true, "the composer is free");
    ada.is_content();
}

#[tokio::test]
async fn a_list_of_hundreds_is_read_to_its_end_page_by_page() {
    let bed = Testbed::start().await;
    let api = bed.api();
    for at in 0..130 {
        api.send("POST", "/api/v1/sessions", json!({"title": format!("session {at}")})).await;
    }
    let ada = Visitor::owner(&bed).await;
    ada.page.until("document.querySelectorAll('#sessions li').length >= 40").await;
    let to_end = "(() => { const list = document.querySelector('#sessions'); list.scrollTop = list.scrollHeight; \
                  return document.querySelectorAll('#sessions li').length === 130; })()";
    ada.page.until(to_end).await;
    let names = names(&ada).await;
    assert!(names.iter().rev().enumerate().all(|(at, name)| *name == format!("session {at}")), "{names:?}");
    ada.is_content();
}
