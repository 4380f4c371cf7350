//! What is said to the browser and what it says: JSON, each message ended by a zero byte, on two pipes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

/// The browser reads its protocol from file 3 and writes it to file 4, which a shell can arrange.
const ARRANGE: &str = r#"exec 3<&0 4>&1 </dev/null >/dev/null 2>&1; exec "$0" "$@""#;

type Answers = HashMap<u64, oneshot::Sender<Result<Value, String>>>;

#[derive(Default)]
struct Shared {
    answers: Mutex<Answers>,
    /// By the session of a page.
    listeners: Mutex<HashMap<String, mpsc::UnboundedSender<(String, Value)>>>,
    next: AtomicU64,
}

/// The way to the browser. Clones are the same way.
#[derive(Clone)]
pub(super) struct Pipe {
    shared: Arc<Shared>,
    say: std::sync::mpsc::Sender<Value>,
}

fn held<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipe {
    pub(super) fn start(program: &Path, profile: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", ARRANGE]).arg(program);
        // Tests are run as root in containers, where Chromium's own sandbox cannot be made.
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"]);
        command.args(["--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-sync"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-default-apps"]);
        // Pages beside the one in front work at full speed: two browsers on one session are two pages.
        command.args(["--disable-background-timer-throttling", "--disable-renderer-backgrounding"]);
        command.arg("--disable-backgrounding-occluded-windows");
        command.arg(format!("--user-data-dir={}", profile.display())).args(["--remote-debugging-pipe", "about:blank"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell can be started");
        let (mut to, from) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let shared = Arc::<Shared>::default();
        let (say, said) = std::sync::mpsc::channel::<Value>();
        std::thread::spawn(move || {
            for message in said {
                let mut bytes = message.to_string().into_bytes();
                bytes.push(0);
                if to.write_all(&bytes).and_then(|()| to.flush()).is_err() {
                    return;
                }
            }
        });
        let hearing = shared.clone();
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut bytes = Vec::new();
            while matches!(from.read_until(0, &mut bytes), Ok(1..)) {
                bytes.pop();
                hearing.hear(serde_json::from_slice(&bytes).expect("the browser speaks JSON"));
                bytes.clear();
            }
            // Whoever waits hears of the end.
            held(&hearing.answers).clear();
            held(&hearing.listeners).clear();
            let _ = child.wait();
        });
        Self { shared, say }
    }

    /// Asks for something, of a page or of the browser. Panics where it refuses.
    pub(super) async fn ask(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let answer = self.begin(session, method, params);
        match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => panic!("the browser refused {method}: {error}"),
            Err(_) => panic!("the browser has ended"),
        }
    }

    /// Asks and leaves it to the caller to wait.
    pub(super) fn begin(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> oneshot::Receiver<Result<Value, String>> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed) + 1;
        let (tell, told) = oneshot::channel();
        held(&self.shared.answers).insert(id, tell);
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        if self.say.send(message).is_err() {
            held(&self.shared.answers).remove(&id);
        }
        told
    }

    /// Hears what happens in a page, from now on.
    pub(super) fn listen(&self, session: &str) -> mpsc::UnboundedReceiver<(String, Value)> {
        let (tell, told) = mpsc::unbounded_channel();
        held(&self.shared.listeners).insert(session.to_owned(), tell);
        told
    }

    pub(super) fn forget(&self, session: &str) {
        held(&self.shared.listeners).remove(session);
    }
}

impl Shared {
    fn hear(&self, mut message: Value) {
        if let Some(id) = message["id"].as_u64() {
            let Some(tell) = held(&self.answers).remove(&id) else { return };
            let answer = match message.get("error") {
                Some(error) => Err(error.to_string()),
                None => Ok(message["result"].take()),
            };
            let _ = tell.send(answer);
        } else if let Some(session) = message["sessionId"].as_str()
            && let Some(tell) = held(&self.listeners).get(session)
        {
            let method = message["method"].as_str().unwrap_or_default().to_owned();
            let _ = tell.send((method, message["params"].clone()));
        }
    }
}
