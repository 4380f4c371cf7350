//! For everyone: by keyboard, by ear, on a phone, in the dark.

use mosaic_testkit::browser::Key;
use serde_json::Value;

use super::visitor::Visitor;
use crate::testbed::Testbed;

/// What is wrong with a page, in the manner of axe-core's serious rules: names of controls, labels, contrast,
/// landmarks, order of headings, ids that are there twice, language, title, what is hidden but can be reached.
const CHECKS: &str = include_str!("checks.js");

pub(super) async fn check(ada: &Visitor, what: &str) {
    for scheme in ["light", "dark"] {
        ada.page.prefers("prefers-color-scheme", scheme).await;
        for (width, height) in [(1280, 800), (390, 844)] {
            ada.page.size(width, height).await;
            let found: Vec<Value> = serde_json::from_value(ada.page.eval(CHECKS).await).expect("a list");
            assert!(found.is_empty(), "{what}, {scheme}, {width} wide: {found:#?}");
        }
    }
    ada.page.size(1280, 800).await;
}

#[tokio::test]
async fn the_pages_have_no_serious_fault_for_whoever_cannot_see_or_point() {
    let bed = Testbed::start().await;
    let stranger = Visitor::stranger(&bed).await;
    stranger.page.sees("mosaic link").await;
    check(&stranger, "the door").await;
    let ada = Visitor::owner(&bed).await;
    check(&ada, "a new chat").await;
    ada.says("# Hello\n\n`code`").await;
    ada.page.until("document.querySelector('.meta .why')").await;
    check(&ada, "a chat").await;
    ada.writes("/").await;
    ada.page.until("!document.querySelector('#commands').hidden").await;
    check(&ada, "the commands").await;
    ada.page.press(Key::Escape).await;
    ada.page.click(".bar .more").await;
    ada.page.until("document.querySelector('dialog[open]')").await;
    check(&ada, "the dialog").await;
    ada.page.press(Key::Escape).await;
    for (place, there) in [("#/observe", ".tree .node"), ("#/usage", ".sums table")] {
        ada.go(place).await;
        ada.page.until(&format!("document.querySelector('{there}')")).await;
        check(&ada, place).await;
    }
    ada.is_content();
}

#[tokio::test]
async fn everything_can_be_done_by_keyboard_alone() {
    let bed = Testbed::start().await;
    let ada = Visitor::owner(&bed).await;
    ada.page.until("document.activeElement.id === 'text'").await;
    ada.page.type_text("line one").await;
    ada.page.press(Key::ShiftEnter).await;
    ada.page.type_text("line two").await;
    ada.page.press(Key::Enter).await;
    ada.page.until("document.querySelector('.meta .why')").await;
    assert_eq!(ada.transcript().await[0].1, "line one\nline two");
    // From the top of the page: the skip link comes first, and leads past the list.
    let first = "document.querySelector('a, button, input, select, textarea, [tabindex=\"0\"]').focus()";
    ada.page.eval(first).await;
    ada.page.until("document.activeElement.classList.contains('skip')").await;
    ada.page.press(Key::Enter).await;
    ada.page.until("document.activeElement.id === 'main'").await;
    // Every stop on the way is seen.
    let mut stops = Vec::new();
    ada.page.eval("document.querySelector('.skip').focus()").await;
    for _ in 0..40 {
        ada.page.press(Key::Tab).await;
        let stop = "(() => { const at = document.activeElement; const box = at.getBoundingClientRect(); return { \
                    name: at.ariaLabel || at.labels?.[0]?.innerText || at.innerText || at.id, \
                    seen: box.width > 0 && box.height > 0 && getComputedStyle(at).opacity > 0 }; })()";
        let stop = ada.page.eval(stop).await;
        assert_eq!(stop["seen"], true, "{stop}");
        stops.push(stop["name"].as_str().unwrap_or_default().trim().to_owned());
    }
    for name in ["New chat", "Search sessions", "Observe", "Sign out", "Message", "Send", "Copy the answer"] {
        assert!(stops.iter().any(|stop| stop.contains(name)), "{name} is not on the way: {stops:#?}");
    }
    // Into the session's menu, and out again to where it was opened.
    ada.page.eval("document.querySelector('.bar .more').focus()").await;
    ada.page.press(Key::Enter).await;
    ada.page.until("document.activeElement.id === 'd-name'").await;
    ada.page.press(Key::Escape).await;
    ada.page.until("!document.querySelector('dialog') && document.activeElement.matches('.bar .more')").await;
    ada.is_content();
}

#[tokio::test]
async fn on_a_phone_the_list_is_a_drawer_and_nothing_is_wider_than_the_screen() {
    let bed = Testbed::start().await;
    let ada = Visitor::owner(&bed).await;
    ada.page.size(390, 844).await;
    ada.says("hello from afar, in a message that is longer than the screen of a phone is wide").await;
    ada.page.until("document.querySelector('.meta .why')").await;
    assert_eq!(ada.page.eval("document.documentElement.scrollWidth").await, 390);
    // It glides away as the window becomes narrow.
    ada.page.until("getComputedStyle(document.querySelector('#side')).visibility === 'hidden'").await;
    ada.page.click(".bar [data-do=drawer]").await;
    ada.page.until("getComputedStyle(document.querySelector('#side')).visibility === 'visible'").await;
    ada.page.until("document.querySelector('#side').getBoundingClientRect().x === 0").await;
    ada.page.click("#side .new").await;
    ada.page.sees("What shall we do?").await;
    ada.page.until("getComputedStyle(document.querySelector('#side')).visibility === 'hidden'").await;
    ada.is_content();
}
