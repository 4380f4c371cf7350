//! A page: what a person does in it, and what it shows and complains of.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::PATIENCE;
use super::pipe::Pipe;

/// Pause between two looks at a page.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(15);

/// A key by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Enter,
    ShiftEnter,
    Escape,
    Tab,
    ShiftTab,
    Up,
    Down,
    Space,
}

/// An open page. Dropping it closes it and forgets its profile.
pub struct Page {
    pipe: Pipe,
    context: String,
    session: String,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Page {
    pub(super) async fn open_in(pipe: Pipe, context: String) -> Self {
        let params = json!({"url": "about:blank", "browserContextId": context});
        let target =
            pipe.ask(None, "Target.createTarget", params).await["targetId"].as_str().expect("an id").to_owned();
        let params = json!({"targetId": target, "flatten": true});
        let session = pipe.ask(None, "Target.attachToTarget", params).await;
        let session = session["sessionId"].as_str().expect("a session").to_owned();
        let complaints = Arc::<Mutex<Vec<String>>>::default();
        let (mut heard, kept) = (pipe.listen(&session), complaints.clone());
        std::thread::spawn(move || {
            while let Some((method, params)) = heard.blocking_recv() {
                if let Some(complaint) = complaint(&method, &params) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(complaint);
                }
            }
        });
        let page = Self { pipe, context, session, complaints };
        for domain in ["Page", "Runtime", "Log", "Audits"] {
            page.ask(&format!("{domain}.enable"), json!({})).await;
        }
        page.size(1280, 800).await;
        page
    }

    /// Asks the browser for anything, in its own protocol.
    pub async fn ask(&self, method: &str, params: Value) -> Value {
        let asked = self.pipe.ask(Some(&self.session), method, params);
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("in vain for {PATIENCE:?}: {method}"))
    }

    /// The size of what is seen; below 500 wide it is a phone.
    pub async fn size(&self, width: u32, height: u32) {
        let phone = width < 500;
        let params = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        self.ask("Emulation.setDeviceMetricsOverride", params).await;
    }

    /// What the person's system prefers, as in `prefers-color-scheme: dark`.
    pub async fn prefers(&self, feature: &str, value: &str) {
        let params = json!({"features": [{"name": feature, "value": value}]});
        self.ask("Emulation.setEmulatedMedia", params).await;
    }

    /// Goes to an address, and waits until the document is there.
    pub async fn open(&self, url: &str) {
        let went = self.ask("Page.navigate", json!({"url": url})).await;
        assert!(went.get("errorText").is_none(), "{url}: {went}");
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'").await;
    }

    /// Loads the page anew, and waits until the new document is there.
    pub async fn reload(&self) {
        self.eval("window.before = true").await;
        self.ask("Page.reload", json!({})).await;
        self.until("!window.before && document.readyState === 'complete'").await;
    }

    /// The value of an expression; a promise is awaited. Panics where it throws.
    pub async fn eval(&self, expression: &str) -> Value {
        self.try_eval(expression).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    async fn try_eval(&self, expression: &str) -> Result<Value, String> {
        let params =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let asked = self.pipe.begin(Some(&self.session), "Runtime.evaluate", params);
        let answer = timeout(PATIENCE, asked).await.map_err(|_| "it takes too long".to_owned())?;
        let mut answer = answer.map_err(|_| "the browser has ended".to_owned())??;
        match answer.get("exceptionDetails") {
            Some(thrown) => Err(thrown.to_string()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Waits until an expression is true. While a page changes into another, none is.
    pub async fn until(&self, expression: &str) {
        let begun = Instant::now();
        let mut last = Ok(Value::Null);
        while begun.elapsed() < PATIENCE {
            last = self.try_eval(&format!("Boolean({expression})")).await;
            if last == Ok(true.into()) {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
        let shown = self.try_eval("document.body.innerText.slice(-1500)").await;
        panic!(
            "in vain for {PATIENCE:?}: {expression}: {last:?}; the page shows {shown:?} and said {:?}",
            self.complaints()
        );
    }

    /// Waits until the page shows this text somewhere: not where it is only read aloud, which may be before it is drawn.
    pub async fn sees(&self, text: &str) {
        let shown =
            "[...document.body.children].filter((part) => part.role !== 'status').map((part) => part.innerText)";
        self.until(&format!("{shown}.join('\\n').includes({})", json!(text))).await;
    }

    /// All that the page shows, as text.
    pub async fn text(&self) -> String {
        self.eval("document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks on the middle of what a selector finds, as a hand would: what lies above it is hit instead.
    pub async fn click(&self, selector: &str) {
        let visible = format!("document.querySelector({})?.checkVisibility()", json!(selector));
        self.until(&visible).await;
        let middle = format!(
            "(() => {{ const node = document.querySelector({}); node.scrollIntoView({{ block: 'nearest' }}); \
             const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        );
        let at = self.eval(&middle).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", params).await;
        }
    }

    /// Types a text where the focus is.
    pub async fn type_text(&self, text: &str) {
        self.ask("Input.insertText", json!({"text": text})).await;
    }

    /// Types a text where the focus is, key by key, as fingers do.
    pub async fn type_keys(&self, text: &str) {
        for char in text.chars() {
            let char = char.to_string();
            self.ask("Input.dispatchKeyEvent", json!({"type": "keyDown", "key": char, "text": char})).await;
            self.ask("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": char})).await;
        }
    }

    /// Marks all that stands where the focus is, so that what is typed next takes its place.
    pub async fn select_all(&self) {
        let mut all = json!({"type": "keyDown", "key": "a", "windowsVirtualKeyCode": 65, "modifiers": 2,
            "commands": ["selectAll"]});
        self.ask("Input.dispatchKeyEvent", all.clone()).await;
        all["type"] = "keyUp".into();
        self.ask("Input.dispatchKeyEvent", all).await;
    }

    /// Presses a key where the focus is.
    pub async fn press(&self, key: Key) {
        let (name, code, shift, text) = match key {
            Key::Enter => ("Enter", 13, 0, Some("\r")),
            Key::ShiftEnter => ("Enter", 13, 8, Some("\r")),
            Key::Escape => ("Escape", 27, 0, None),
            Key::Tab => ("Tab", 9, 0, None),
            Key::ShiftTab => ("Tab", 9, 8, None),
            Key::Up => ("ArrowUp", 38, 0, None),
            Key::Down => ("ArrowDown", 40, 0, None),
            Key::Space => (" ", 32, 0, Some(" ")),
        };
        let mut params =
            json!({"type": "keyDown", "key": name, "code": name, "windowsVirtualKeyCode": code, "modifiers": shift});
        if let Some(text) = text {
            params["text"] = text.into();
        }
        self.ask("Input.dispatchKeyEvent", params.clone()).await;
        params["type"] = "keyUp".into();
        self.ask("Input.dispatchKeyEvent", params).await;
    }

    /// What the page complained of so far: errors in its console, what nobody caught, what its policy held back.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What of an event is a complaint.
fn complaint(method: &str, params: &Value) -> Option<String> {
    match method {
        "Runtime.exceptionThrown" => Some(format!("thrown: {}", params["exceptionDetails"])),
        "Runtime.consoleAPICalled" if params["type"] == "error" => Some(format!("console: {}", params["args"])),
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            Some(format!("{}: {} {}", params["entry"]["source"], params["entry"]["text"], params["entry"]["url"]))
        }
        "Audits.issueAdded" if params["issue"]["code"] == "ContentSecurityPolicyIssue" => {
            Some(format!("policy: {}", params["issue"]["details"]))
        }
        _ => None,
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.pipe.forget(&self.session);
        // Its pages go with it.
        drop(self.pipe.begin(None, "Target.disposeBrowserContext", json!({"browserContextId": self.context})));
    }
}
