//! How long is a word under way from the model to the screen of a browser?

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mosaic_testkit::browser::{Browser, Key};
use mosaic_testkit::http::Client;
use mosaic_testkit::ws::{Heard, Socket};
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::bed::{Bed, block_on, home};
use crate::report::{Report, Tries, ms};

/// Words of the answer, and the pause before each: somewhat faster than people read.
const WORDS: usize = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// Looks at what is shown, once a frame: each word is a time, and is late by how long ago that was.
const WATCH: &str = "(() => { window.late = []; window.seen = 0; const look = () => { \
    const text = document.querySelector('.live .md')?.textContent ?? ''; \
    const words = text.match(/\\d{19}/g) ?? []; const now = performance.timeOrigin + performance.now(); \
    for (; window.seen < words.length; window.seen += 1) window.late.push(now - Number(BigInt(words[window.seen]) / 1000n) / 1000); \
    requestAnimationFrame(look); }; look(); })()";

pub(crate) fn measure(report: &mut Report) {
    let upstream = StandIn::builder().always(Step::SayTimes { pieces: WORDS, delay: PAUSE }).keep(0).start();
    let bed = Bed::start(home(&upstream));
    let (mut screen, mut socket) = block_on(both(&bed));
    let times = |tries: &mut Tries| format!("p50 {}, p99 {}", ms(tries.quantile(0.5)), ms(tries.quantile(0.99)));
    let value = format!("{}, {} of {WORDS} words", times(&mut screen), screen.len());
    report.row(
        "a word from the model to the screen of a browser",
        value,
        format!("a bare socket {}", times(&mut socket)),
        "none",
    );
}

async fn both(bed: &Bed) -> (Tries, Tries) {
    let mut client = Client::connect(bed.address).await.expect("it listens");
    let bearer = format!("Bearer {}", bed.token);
    let headers = [("authorization", bearer.as_str())];
    let made = client.request("POST", "/api/v1/links", &headers, b"{}").await.expect("an answer");
    let made: Value = made.json();
    let session = client.request("POST", "/api/v1/sessions", &headers, b"{}").await.expect("an answer");
    let session: Value = session.json();
    let session = session["id"].as_str().expect("an id");

    let page = Browser::shared().page().await;
    page.open(made["url"].as_str().expect("a link")).await;
    page.until("document.querySelector('#text')").await;
    page.eval(&format!("location.hash = '#/s/{session}'")).await;
    page.until("location.hash.startsWith('#/s/') && !document.querySelector('#main.offline')").await;
    page.eval(WATCH).await;

    let mut socket = Socket::open(bed.address, "/ws", &headers).await.expect("an upgrade");
    socket.send(&json!({"type": "connect", "protocol": 1}).to_string()).await;
    socket.send(&json!({"type": "subscribe", "session": session, "after": 0}).to_string()).await;
    page.eval("document.querySelector('#text').focus()").await;
    page.type_text("go").await;
    page.press(Key::Enter).await;
    let bare = listen(&mut socket).await;
    page.until("document.querySelector('.meta .why')").await;
    let mut screen = Tries::default();
    for late in page.eval("window.late").await.as_array().expect("a list") {
        screen.push(Duration::from_secs_f64(late.as_f64().expect("a number").max(0.0) / 1e3));
    }
    (screen, bare)
}

/// Hears the same on a socket of its own.
async fn listen(socket: &mut Socket) -> Tries {
    let mut tries = Tries::default();
    loop {
        let Heard::Text(text) = socket.next().await else { panic!("the socket ended") };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        match frame["type"].as_str() {
            Some("turn.delta") => {
                for word in frame["text"].as_str().unwrap_or_default().split_whitespace() {
                    let said = Duration::from_nanos(word.parse().expect("nanoseconds"));
                    tries.push(now.saturating_sub(said));
                }
            }
            Some("turn.finished") => return tries,
            _ => {}
        }
    }
}
