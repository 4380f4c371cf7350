//! A person in front of a browser.

use mosaic_testkit::browser::{Browser, Key, Page};
use serde_json::{Value, json};

use crate::testbed::Testbed;

/// A message as a transcript shows it: whose, and the text.
pub(crate) fn pair(who: &str, text: &str) -> (String, String) {
    (who.to_owned(), text.to_owned())
}

/// A page of the dashboard, and what its visitor does there.
pub(crate) struct Visitor {
    pub(crate) page: Page,
}

impl Visitor {
    /// A browser that is not signed in, in front of the dashboard.
    pub(crate) async fn stranger(bed: &Testbed) -> Self {
        let page = Browser::shared().page().await;
        let url = format!("http://{}/", bed.address());
        page.open(&url).await;
        Self { page }
    }

    /// A browser that the owner has signed in by a link, on the page of a new chat.
    pub(crate) async fn owner(bed: &Testbed) -> Self {
        let visitor = Self::fresh(bed).await;
        visitor.page.until("document.querySelector('#text')").await;
        visitor.connected().await;
        visitor
    }

    /// The same, wherever the dashboard leads.
    pub(crate) async fn fresh(bed: &Testbed) -> Self {
        let made: Value = bed.api().send("POST", "/api/v1/links", json!({})).await.json();
        let page = Browser::shared().page().await;
        page.open(made["url"].as_str().expect("a link")).await;
        page.until("location.pathname === '/' && document.querySelector('#side')").await;
        Self { page }
    }

    pub(crate) async fn go(&self, place: &str) {
        self.page.eval(&format!("location.hash = {}", json!(place))).await;
    }

    pub(crate) async fn connected(&self) {
        self.page.until("document.querySelector('#main') && !document.querySelector('#main.offline')").await;
    }

    /// Writes into the composer.
    pub(crate) async fn writes(&self, text: &str) {
        self.page.eval("document.querySelector('#text').focus()").await;
        self.page.type_text(text).await;
    }

    /// Writes and sends.
    pub(crate) async fn says(&self, text: &str) {
        self.writes(text).await;
        self.page.press(Key::Enter).await;
    }

    /// Waits until nothing runs here and the last answer is this.
    pub(crate) async fn is_answered(&self, text: &str) {
        let last = "[...document.querySelectorAll('.assistant .md')].at(-1)?.innerText.trim()";
        self.page.until(&format!("{last} === {} && !document.querySelector('.turn.runs')", json!(text))).await;
    }

    /// What stands in the composer.
    pub(crate) async fn draft(&self) -> String {
        self.page.eval("document.querySelector('#text').value").await.as_str().unwrap_or_default().to_owned()
    }

    /// The session that is shown.
    pub(crate) async fn session(&self) -> String {
        self.page.until("location.hash.startsWith('#/s/')").await;
        let hash = self.page.eval("location.hash").await;
        hash.as_str().and_then(|hash| hash.strip_prefix("#/s/")).expect("a session").to_owned()
    }

    /// Messages as they are shown, oldest first: whose, and the text.
    pub(crate) async fn transcript(&self) -> Vec<(String, String)> {
        let all = "[...document.querySelectorAll('.turns .said')].map((said) => \
                   [said.classList.contains('user') ? 'user' : 'assistant', \
                   said.querySelector('.md, :scope > .plain').innerText.trim()])";
        serde_json::from_value(self.page.eval(all).await).expect("pairs of texts")
    }

    /// Nothing went wrong on the page.
    pub(crate) fn is_content(&self) {
        assert_eq!(self.page.complaints(), Vec::<String>::new());
    }

    /// Nothing went wrong but that the daemon was away for a while.
    pub(crate) fn minds_only_the_absence(&self) {
        let away =
            |complaint: &String| complaint.contains("WebSocket connection to") || complaint.contains("ERR_CONNECTION");
        let other: Vec<_> = self.page.complaints().into_iter().filter(|complaint| !away(complaint)).collect();
        assert_eq!(other, Vec::<String>::new());
    }
}
