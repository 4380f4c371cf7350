//! A real browser: headless Chromium, driven over a pipe by its own protocol (CDP).
//!
//! One process serves all tests of a binary, each with profiles of its own. It hangs on a pipe and not on a port, so it
//! ends with the process that started it, however that ends, and nobody else can talk to it.
//!
//! ```no_run
//! # async fn told() {
//! let page = mosaic_testkit::browser::Browser::shared().page().await;
//! page.open("http://127.0.0.1:14242/").await;
//! page.until("document.title !== ''").await;
//! # }
//! ```

mod page;
mod pipe;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

pub use page::{Key, Page};
use pipe::Pipe;
use serde_json::json;

/// How long a test waits for what a page must show.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running browser.
pub struct Browser {
    pipe: Pipe,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// The browser of this process. Panics where Chromium is not installed.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Browser> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder can be made");
        let pipe = Pipe::start(&program(), profile.path());
        Self { pipe, _profile: profile }
    }

    /// A page with a profile of its own: no cookies, nothing kept. Dropping it closes it.
    pub async fn page(&self) -> Page {
        let context = self.pipe.ask(None, "Target.createBrowserContext", json!({})).await;
        let context = context["browserContextId"].as_str().expect("a context has an id").to_owned();
        Page::open_in(self.pipe.clone(), context).await
    }
}

/// Where Chromium is.
fn program() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut all = std::env::split_paths(&paths)
        .flat_map(|folder| ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name)));
    all.find(|path| path.is_file())
        .expect("Chromium is not installed: tests/run installs it on Debian and its like, as root")
}
