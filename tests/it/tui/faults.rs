//! What becomes of the client when the daemon or the terminal goes away, or too much is said.

use std::time::Duration;

use mosaic_testkit::{Gate, Pty, StandIn, Step};
use tokio::time::Instant;

use super::{connected, ctrl, leave, online, open, restored};
use crate::testbed::{Testbed, signal};

#[tokio::test]
async fn a_daemon_that_is_killed_and_comes_back_loses_and_doubles_nothing() {
    let gate = Gate::new();
    let steps = [Step::hold_after(&gate, "one two three four", 2), Step::say("one two three four")];
    let mut bed = Testbed::with(StandIn::builder().script(steps)).await;
    let pty = connected(&bed, &[]).await;
    pty.press("count\r");
    pty.sees("one two").await;
    pty.press("a draft");
    bed.kill9().await;
    let screen = pty.sees("offline").await;
    assert!(screen.contains("goes on when the daemon is back"), "nothing works: {screen}");
    assert!(screen.contains("a draft"), "{screen}");
    // What is entered now is sent when it is back.
    pty.press(" that is sent\r");
    pty.sees("is sent when the daemon answers").await;
    pty.press("unsent");
    bed.restart().await;
    let screen = pty.sees("You said: a draft that is sent").await;
    let count = |text: &str| screen.matches(text).count();
    assert_eq!((count("one two three four"), count("▌ a draft that is sent")), (1, 1), "{screen}");
    assert!(screen.contains(" › unsent"), "{screen}");
    pty.until("nothing works any more", |screen| !screen.contains("offline") && !screen.contains("cancels")).await;
    let sessions = bed.api().get("/api/v1/sessions").await;
    let session = sessions["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(bed.api().count(&session, "turn.accepted").await, 2, "each input once");
    gate.open();
    leave(pty).await;
}

#[tokio::test]
async fn a_signal_gives_the_terminal_back() {
    let bed = Testbed::start().await;
    for name in ["TERM", "INT", "HUP"] {
        let mut pty = connected(&bed, &[]).await;
        signal(pty.pid(), name);
        pty.ended().await;
        restored(&pty).await;
    }
}

#[cfg(feature = "chaos")]
#[tokio::test]
async fn a_panic_of_the_client_gives_the_terminal_back_and_is_told() {
    let bed = Testbed::start().await;
    let mut pty = connected(&bed, &[]).await;
    pty.press("\u{1b}!");
    let status = pty.ended().await;
    assert_eq!(status.code(), Some(1));
    restored(&pty).await;
    pty.sees("the client broke").await;
    let log = std::fs::read_to_string(bed.home().join("tui.log")).expect("a log");
    assert!(log.contains("a panic that a test asked for"), "{log}");
}

#[tokio::test]
async fn a_terminal_that_goes_away_ends_the_client_and_leaves_the_daemon() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, "one two three", 1)])).await;
    let mut pty = connected(&bed, &[]).await;
    pty.press("count\r");
    pty.sees("one").await;
    pty.hang_up();
    pty.ended().await;
    gate.open();
    let sessions = bed.api().get("/api/v1/sessions").await;
    let session = sessions["items"][0]["id"].as_str().expect("an id").to_owned();
    bed.api().settled(&session).await;
    assert_eq!(bed.api().transcript(&session).await.last().map(|(_, text)| text.clone()), Some("one two three".into()));
}

/// 5,000 pieces a second, for as long as a test takes.
fn flood() -> Step {
    Step::say_in("word ".repeat(100_000), 100_000, Duration::from_micros(200))
}

/// Pictures that were drawn so far.
fn pictures(pty: &Pty) -> u32 {
    let begins = pty.raw().windows(8).filter(|bytes| bytes == b"\x1b[?2026h").count();
    u32::try_from(begins).expect("few")
}

#[tokio::test]
async fn a_flood_is_drawn_thirty_times_a_second_and_a_key_at_once() {
    let bed = Testbed::with(StandIn::builder().script([flood()])).await;
    let pty = connected(&bed, &[]).await;
    pty.press("flood\r");
    pty.sees("word word").await;
    // Nobody types: what streams is drawn so often and no oftener.
    let (since, before) = (Instant::now(), pictures(&pty));
    pty.until("some pictures", |_| pictures(&pty) > before + 20).await;
    let (took, drawn) = (since.elapsed(), pictures(&pty) - before);
    assert!(Duration::from_millis(33) * (drawn - 1) <= took, "{drawn} in {took:?}");
    let mut echoes = Vec::new();
    for round in 0..20 {
        let mark = format!("typed{round}");
        let begun = Instant::now();
        pty.press(&mark);
        pty.sees(&mark).await;
        echoes.push(begun.elapsed());
        pty.press(&ctrl('u'));
    }
    echoes.sort();
    // The figure is for benches; that a person can type is for tests, also on a machine that is busy.
    assert!(echoes[10] < Duration::from_millis(500), "{echoes:?}");
    pty.press("\u{1b}");
    pty.sees("Stopped.").await;
    leave(pty).await;
}

#[tokio::test]
async fn a_storm_of_sizes_under_a_flood_leaves_it_quick_and_whole() {
    let bed = Testbed::with(StandIn::builder().script([flood()])).await;
    let pty = connected(&bed, &[]).await;
    pty.press("flood\r");
    pty.sees("word word").await;
    for round in 0..200_u16 {
        pty.resize(40 + round * 7 % 110, 8 + round * 5 % 44);
        if round % 20 == 0 {
            pty.press(&char::from(b'a' + u8::try_from(round / 20).expect("ten")).to_string());
        }
    }
    pty.resize(80, 24);
    // Each key arrived, and the picture is that of the last size: from its first line to the status in the last.
    let whole = |screen: &str| {
        let last = screen.lines().nth(23).unwrap_or_default();
        screen.contains(" › abcdefghij") && screen.lines().count() == 24 && last.starts_with(" ●")
    };
    pty.until("a whole picture with what was typed", whole).await;
    pty.press(&ctrl('u'));
    pty.press("\u{1b}");
    pty.sees("Stopped.").await;
    leave(pty).await;
}

#[tokio::test]
async fn an_idle_client_costs_next_to_nothing() {
    const IDLE: Duration = Duration::from_secs(3);
    let bed = Testbed::start().await;
    let pty = connected(&bed, &[]).await;
    pty.press("hello\r");
    pty.sees("first choice").await;
    let (before, drawn) = (pty.cpu(), pictures(&pty));
    // What is measured is the time in which nothing happens.
    tokio::time::sleep(IDLE).await;
    let used = pty.cpu() - before;
    assert!(used < IDLE / 20, "{used:?} of the CPU in {IDLE:?}");
    assert!(pictures(&pty) <= drawn + 2, "nothing moves: {drawn} pictures, then {}", pictures(&pty));
    leave(pty).await;
}

#[tokio::test]
async fn hostile_text_of_a_model_is_shown_and_not_obeyed() {
    let text = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31m red \u{1b}]52;c;cm0=\u{7} \u{202e}txt\u{202c} <script>x</script> \u{9b}5n";
    let bed = Testbed::with(StandIn::builder().script([Step::say(text)])).await;
    let pty = open(&bed, &[], 100, 24);
    online(&pty).await;
    let before = pty.raw().len();
    pty.press("go\r");
    let screen = pty.sees("first choice").await;
    assert!(screen.contains("␛[31m red") && screen.contains("<script>x</script>"), "{screen}");
    let raw = String::from_utf8_lossy(&pty.raw()[before..]).into_owned();
    for sign in ["\u{1b}]0", "\u{1b}]52", "\u{1b}[31m", "\u{202e}", "\u{9b}", "\u{7}"] {
        assert!(!raw.contains(sign), "{sign:?} in {raw:?}");
    }
    leave(pty).await;
}
