//! In and out.

use mosaic_testkit::browser::Key;
use serde_json::json;

use super::visitor::Visitor;
use crate::testbed::Testbed;

#[tokio::test]
async fn a_link_signs_a_browser_in_and_leads_to_the_dashboard() {
    let bed = Testbed::start().await;
    let ada = Visitor::owner(&bed).await;
    assert_eq!(ada.page.eval("location.hash").await, "", "the code is not in the address any more");
    assert_eq!(ada.page.eval("document.cookie").await, "", "no script reads the cookie");
    ada.page.sees("What shall we do?").await;
    ada.says("hello").await;
    ada.is_answered("You said: hello").await;
    ada.says("hello again").await;
    ada.page.until("document.querySelector('#announce').textContent.includes('You said: hello again')").await;
    ada.page.click("[data-do=logout]").await;
    ada.page.sees("This browser is not signed in.").await;
    assert_eq!(ada.page.eval("document.querySelector('#announce').textContent").await, "", "nor is it read aloud");
    ada.page.reload().await;
    ada.page.until("document.body.dataset.signedIn === 'no' && document.querySelector('#token')").await;
    ada.is_content();
}

#[tokio::test]
async fn a_token_signs_a_browser_in_and_a_wrong_one_is_told_so() {
    let bed = Testbed::start().await;
    let ada = Visitor::stranger(&bed).await;
    ada.page.sees("mosaic link").await;
    ada.is_content();
    ada.page.until("document.activeElement?.id === 'token'").await;
    ada.page.type_text("wrong").await;
    ada.page.press(Key::Enter).await;
    ada.page.until("document.querySelector('.wrong').textContent.length > 20").await;
    ada.page.until("document.activeElement?.id === 'token'").await;
    ada.page.type_text(&bed.token()).await;
    ada.page.press(Key::Enter).await;
    ada.page.sees("What shall we do?").await;
}

#[tokio::test]
async fn a_viewer_reads_along_and_finds_nothing_to_change() {
    let bed = Testbed::start().await;
    let session = bed.api().session().await;
    bed.api().ask(&session, "hello").await;
    let made: serde_json::Value = bed.api().send("POST", "/api/v1/tokens", json!({"role": "viewer"})).await.json();
    let ada = Visitor::stranger(&bed).await;
    ada.page.until("document.activeElement?.id === 'token'").await;
    ada.page.type_text(made["token"].as_str().expect("a token")).await;
    ada.page.press(Key::Enter).await;
    ada.page.sees("your role is viewer").await;
    ada.go(&format!("#/s/{session}")).await;
    ada.is_answered("You said: hello").await;
    bed.api().ask(&session, "and again").await;
    ada.is_answered("You said: and again").await;
    let changes = "[...document.querySelectorAll('button, select, textarea')].filter((one) => one.checkVisibility()).map((one) => one.ariaLabel ?? one.innerText)";
    let changes = ada.page.eval(changes).await.to_string();
    for word in ["Send", "Change", "Ask again", "Go on from here", "Rename"] {
        assert!(!changes.contains(word), "{word}: {changes}");
    }
    assert!(changes.contains("Copy the answer"), "{changes}");
    ada.is_content();
}

#[tokio::test]
async fn a_browser_whose_token_is_revoked_is_shown_the_door_at_once() {
    let bed = Testbed::start().await;
    let made: serde_json::Value = bed.api().send("POST", "/api/v1/tokens", json!({"role": "member"})).await.json();
    let ada = Visitor::stranger(&bed).await;
    ada.page.until("document.activeElement?.id === 'token'").await;
    ada.page.type_text(made["token"].as_str().expect("a token")).await;
    ada.page.press(Key::Enter).await;
    ada.page.sees("What shall we do?").await;
    ada.connected().await;
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().expect("an id"));
    assert_eq!(bed.api().request("DELETE", &path, &[], b"").await.status(), 204);
    ada.page.sees("This browser is not signed in.").await;
}
