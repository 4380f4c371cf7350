//! What does the terminal client cost: a token on its way to the screen, a key on its way back, the CPU of both?

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mosaic_testkit::ws::{Heard, Socket};
use mosaic_testkit::{Pty, StandIn, Step};
use serde_json::{Value, json};

use crate::bed::{Bed, block_on, command, home};
use crate::report::{Report, Tries, float, ms};

/// Pieces of the stream, and the pause between two: 5,000 a second.
const PIECES: usize = 75_000;
const PAUSE: Duration = Duration::from_micros(200);
/// Keys that are pressed meanwhile, and the pause between two.
const KEYS: usize = 100;
const KEY_PAUSE: Duration = Duration::from_millis(80);
/// How long an idle client is watched.
const IDLE: Duration = Duration::from_secs(10);

pub(crate) fn measure(report: &mut Report) {
    let upstream = StandIn::builder().always(Step::SayTimes { pieces: PIECES, delay: PAUSE }).keep(0).start();
    let bed = Bed::start(home(&upstream));
    block_on(async {
        let mut bare = bare(&bed).await;
        let mut seen = screen(&bed).await;
        let rate = |count: usize, took: Duration| float(count) / took.as_secs_f64();
        let baseline =
            format!("bare socket p50 {}, p99 {}", ms(bare.under_way.quantile(0.5)), ms(bare.under_way.quantile(0.99)));
        let value = format!(
            "p50 {}, p99 {} at {:.0} tokens/s",
            ms(seen.under_way.quantile(0.5)),
            ms(seen.under_way.quantile(0.99)),
            rate(PIECES, seen.took)
        );
        report.row("terminal client: a token, from the model's write to the screen", value, baseline, "30 pictures/s");
        let value = format!("p50 {}, p99 {} ({KEYS} keys)", ms(seen.echo.quantile(0.5)), ms(seen.echo.quantile(0.99)));
        report.row("terminal client: echo of a key during 5,000 tokens/s", value, "-".into(), "< 50 ms");
        let share = |cpu: Duration, took: Duration| 100.0 * cpu.as_secs_f64() / took.as_secs_f64();
        let value = format!("{:.1} % of a core", share(seen.cpu, seen.took));
        let baseline = format!("idle {:.2} %", share(seen.idle, IDLE));
        report.row("terminal client: CPU during 5,000 tokens/s", value, baseline, "idle about 0");
    });
}

fn since(stamp: &str) -> Option<Duration> {
    let written: u128 = stamp.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    Some(Duration::from_nanos(u64::try_from(now.saturating_sub(written)).unwrap_or(u64::MAX)))
}

/// Whole stamps in a text: 19 digits with a blank or an end of line behind them.
fn stamps(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| word.len() == 19 && word.bytes().all(|byte| byte.is_ascii_digit()))
}

struct Bare {
    under_way: Tries,
}

/// The same stream, read from the socket.
async fn bare(bed: &Bed) -> Bare {
    let mut socket = Socket::open(bed.address, "/ws", &[]).await.expect("an upgrade");
    socket.send(&json!({"type": "connect", "protocol": 1, "token": bed.token}).to_string()).await;
    let mut under_way = Tries::default();
    socket.send(&json!({"type": "message.send", "id": "bare", "text": "go"}).to_string()).await;
    loop {
        let Heard::Text(text) = socket.next().await else { panic!("the socket ended") };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        match frame["type"].as_str() {
            Some("ack") => {
                let session = &frame["session"];
                socket.send(&json!({"type": "subscribe", "session": session, "after": 0}).to_string()).await;
            }
            Some("turn.delta") => {
                for stamp in stamps(frame["text"].as_str().unwrap_or_default()) {
                    under_way.push(since(stamp).expect("a number"));
                }
            }
            Some("turn.finished") => return Bare { under_way },
            Some("turn.failed" | "error") => panic!("{frame}"),
            _ => {}
        }
    }
}

struct Seen {
    under_way: Tries,
    echo: Tries,
    took: Duration,
    cpu: Duration,
    /// CPU of [`IDLE`] in which nothing happened.
    idle: Duration,
}

/// The same stream, read from the client's screen, with somebody typing.
async fn screen(bed: &Bed) -> Seen {
    let command = command(bed.home.path(), &["tui"]).into();
    let pty = Pty::start(&command, 120, 40).expect("a terminal");
    pty.sees("connected").await;
    let before = pty.cpu();
    tokio::time::sleep(IDLE).await;
    let idle = pty.cpu() - before;

    let (before, began) = (pty.cpu(), Instant::now());
    pty.press("go\r");
    let (mut under_way, mut echo) = (Tries::default(), Tries::default());
    let mut known = HashSet::new();
    let mut typed = String::new();
    let mut look = |screen: &str| {
        for stamp in stamps(screen) {
            if known.insert(stamp.to_owned())
                && let Some(age) = since(stamp)
            {
                under_way.push(age);
            }
        }
    };
    for key in 0..KEYS {
        // Between two keys the screen is watched.
        let watching = pty.until("an end that does not come", |screen| {
            look(screen);
            false
        });
        let _ = tokio::time::timeout(KEY_PAUSE, watching).await;
        let letter = char::from(b'a' + u8::try_from(key % 26).expect("small"));
        if typed.len() == 50 {
            pty.press("\x15");
            typed.clear();
        }
        typed.push(letter);
        let pressed = Instant::now();
        pty.press(&letter.to_string());
        let wanted = format!("› {typed}");
        let seen = pty.until("the key", |screen| {
            look(screen);
            screen.contains(&wanted)
        });
        seen.await;
        echo.push(pressed.elapsed());
    }
    let rest = pty.until("the end", |screen| {
        look(screen);
        screen.contains(" in, ")
    });
    rest.await;
    let (took, used) = (began.elapsed(), pty.cpu() - before);
    Seen { under_way, echo, took, cpu: used, idle }
}
