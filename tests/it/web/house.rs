//! What the house shows of itself.

use mosaic_testkit::StandIn;
use serde_json::Value;

use super::visitor::Visitor;
use crate::testbed::Testbed;

#[tokio::test]
async fn the_house_is_seen_as_it_is_and_as_it_changes() {
    let bed = Testbed::start().await;
    let ada = Visitor::owner(&bed).await;
    ada.go("#/observe").await;
    let names = "[...document.querySelectorAll('.tree strong')].map((name) => name.innerText)";
    for child in ["root", "writer", "providers", "lab", "assistant", "poet", "router", "gateway"] {
        ada.page.until(&format!("{names}.includes('{child}')")).await;
    }
    let row = "[...document.querySelectorAll('.providers tbody tr')].map((row) => row.innerText).join()";
    ada.page.until(&format!("{row}.includes('not called yet')")).await;
    let session = bed.api().session().await;
    bed.api().ask(&session, "hello").await;
    ada.page.until(&format!("{row}.includes('answers') && {row}.includes('ms')")).await;
    ada.page.until(&format!("{names}.includes('{session}')")).await;
    ada.page.until("[...document.querySelectorAll('.figure')].some((one) => one.innerText.startsWith('Turns since the start') && one.innerText.endsWith('1'))").await;
    let plotted = "document.querySelector('.plots svg')?.ariaLabel.startsWith('Turns per minute: 1 in all')";
    ada.page.until(plotted).await;
    // Who comes later sees it at once: it is the daemon that remembers.
    let bob = Visitor::owner(&bed).await;
    bob.go("#/observe").await;
    bob.page.until(plotted).await;
    ada.is_content();
    bob.is_content();
}

#[tokio::test]
async fn what_failed_is_seen_with_its_reason() {
    let always = mosaic_testkit::Step::status(401, "invalid_api_key", "no such key");
    let bed = Testbed::with(StandIn::builder().always(always)).await;
    let ada = Visitor::owner(&bed).await;
    ada.says("hello").await;
    ada.page.until("document.querySelector('.end.failed:not([hidden])')").await;
    ada.go("#/observe").await;
    ada.page.until("document.querySelector('.providers .odd')?.innerText === 'failed: provider_auth'").await;
    ada.is_content();
}

#[tokio::test]
async fn the_sums_on_the_page_are_those_of_the_ledger() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let (prose, verse) = (api.session().await, api.session().await);
    api.send("PATCH", &format!("/api/v1/sessions/{verse}"), serde_json::json!({"agent": "poet"})).await;
    let mut turns = Vec::new();
    for (session, text) in [(&prose, "one"), (&prose, "two, which is longer"), (&verse, "three")] {
        turns.push(api.ask(session, text).await);
    }
    let sum = |key: &str| turns.iter().map(|turn| turn["usage"][key].as_u64().expect("a count")).sum::<u64>();
    let cost: f64 = turns.iter().filter_map(|turn| turn["cost_usd"].as_f64()).sum();
    let ada = Visitor::owner(&bed).await;
    ada.go("#/usage").await;
    for by in ["day", "agent", "model", "session"] {
        ada.page.click(&format!("[data-by={by}]")).await;
        ada.page.until(&format!("document.querySelector('.sums caption')?.innerText === 'Usage by {by}'")).await;
        let read = "[...document.querySelectorAll('.sums :is(tbody, tfoot) tr')].map((row) => \
                    [...row.children].map((cell) => cell.querySelector('[title]')?.title ?? cell.innerText))";
        let shown: Vec<Vec<String>> = serde_json::from_value(ada.page.eval(read).await).expect("rows of texts");
        let ledger = api.get(&format!("/api/v1/usage?by={by}")).await;
        let row = |sum: &Value| -> Vec<String> {
            let count = |key: &str| sum[key].to_string();
            let unpriced = sum["unpriced_turns"].as_u64().filter(|count| *count > 0);
            let unpriced = unpriced.map_or_else(|| "–".to_owned(), |count| count.to_string());
            let key = sum["key"].as_str().expect("a key").to_owned();
            vec![
                key,
                count("turns"),
                count("calls"),
                count("input_tokens"),
                count("output_tokens"),
                count("cost_usd"),
                unpriced,
            ]
        };
        let rows: Vec<_> = ledger["items"].as_array().expect("sums").iter().map(row).collect();
        assert_eq!(shown[..shown.len() - 1], rows, "{by}");
        let all = shown.last().expect("a row for all");
        assert_eq!(
            all[1..5],
            ["3".to_owned(), "3".to_owned(), sum("input_tokens").to_string(), sum("output_tokens").to_string()]
        );
        let told: f64 = all[5].parse().expect("a number");
        assert!((told - cost).abs() < 1e-12, "{by}: {told} is not {cost}");
        assert_eq!(all[6], "1", "the poet's model has no price");
    }
    ada.is_content();
}
