//! What was typed and not sent is there when the client is opened again.

use std::os::unix::fs::PermissionsExt;

use mosaic_testkit::Pty;

use super::{connected, ctrl, leave};
use crate::testbed::{Testbed, eventually, run, signal, soon};

/// Waits until the client has left.
async fn left(mut pty: Pty) {
    pty.ended().await;
}

#[tokio::test]
async fn what_was_typed_and_not_sent_is_there_again_in_its_own_session() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    api.ask(&session, "hello").await;
    let path = bed.home().join("list.txt");
    std::fs::write(&path, "milk").expect("it is written");

    let pty = connected(&bed, &["--session", &session]).await;
    pty.sees("You said: hello").await;
    pty.press(&format!("/attach {}\r", path.display()));
    pty.sees("▤ list.txt 4 B  Backspace").await;
    pty.press("half a thought");
    pty.press(&ctrl('n'));
    pty.sees("Write a message").await;
    pty.press("of a new one");
    pty.sees(" › of a new one").await;
    leave(pty).await;
    let files = std::fs::read_dir(bed.home().join("drafts")).expect("a folder");
    for file in files.map(|file| file.expect("a file")) {
        assert_eq!(file.metadata().expect("known").permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }

    let pty = connected(&bed, &[]).await;
    pty.sees(" › of a new one").await;
    pty.press(&ctrl('l'));
    pty.sees("hello").await;
    pty.press("\r");
    pty.sees("▤ list.txt 4 B  Backspace").await;
    pty.sees(" › half a thought").await;
    // What is sent is no draft any more.
    pty.press("\r");
    pty.sees("\n   half a thought\n").await;
    let calls = soon("the model is asked", bed.model.wait_for_calls(2)).await;
    assert!(calls[1].body.to_string().contains("milk"));
    leave(pty).await;
    let pty = connected(&bed, &["--session", &session]).await;
    pty.sees("\n   half a thought\n").await;
    pty.until("an empty input", |screen| screen.contains(" › Message")).await;
    leave(pty).await;
}

#[tokio::test]
async fn a_draft_outlives_signals_a_terminal_that_is_closed_and_a_daemon_that_is_away() {
    let mut bed = Testbed::start().await;
    let mut typed = String::new();
    for end in ["TERM", "HUP", "INT", "KILL", "closed"] {
        let mut pty = connected(&bed, &[]).await;
        pty.until("what was typed before", |screen| typed.is_empty() || screen.contains(&typed)).await;
        pty.press(&format!("{end}+"));
        typed += &format!("{end}+");
        pty.sees(&typed).await;
        match end {
            "closed" => pty.hang_up(),
            "KILL" => {
                // There it counts what the disk has, which is not the screen.
                let kept = || drafts(&bed).contains(&typed).then_some(());
                eventually("it is on the disk", async || kept()).await;
                signal(pty.pid(), end);
            }
            _ => signal(pty.pid(), end),
        }
        left(pty).await;
    }
    // What was entered while nobody heard it is not lost with the window.
    let pty = connected(&bed, &[]).await;
    pty.sees(&typed).await;
    bed.kill9().await;
    pty.sees("offline").await;
    pty.press("\rand more");
    pty.sees("is sent when the daemon answers").await;
    pty.sees(" › and more").await;
    leave(pty).await;
    bed.restart().await;
    let pty = connected(&bed, &[]).await;
    pty.sees(" › TERM+HUP+INT+KILL+closed+").await;
    pty.sees("   and more").await;
    leave(pty).await;
}

/// The texts that are kept on the disk.
fn drafts(bed: &Testbed) -> Vec<String> {
    let files = std::fs::read_dir(bed.home().join("drafts")).into_iter().flatten();
    let files = files.filter_map(|file| Some(file.ok()?.path()));
    // What is being written is none yet.
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let drafts = files.filter_map(|path| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).ok()?).ok());
    drafts.filter_map(|draft| draft["text"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn two_windows_at_once_keep_a_draft_each() {
    let bed = Testbed::start().await;
    let (one, other) = (connected(&bed, &[]).await, connected(&bed, &[]).await);
    one.press("first thought");
    one.sees(" › first thought").await;
    other.press("second thought");
    other.sees(" › second thought").await;
    leave(one).await;
    leave(other).await;
    let (one, other) = (connected(&bed, &[]).await, connected(&bed, &[]).await);
    let thought =
        |screen: &str| ["first", "second"].iter().find(|word| screen.contains(&format!(" › {word} "))).copied();
    let mut shown = Vec::new();
    for pty in [&one, &other] {
        let screen = pty.sees(" thought").await;
        shown.extend(thought(&screen));
    }
    shown.sort_unstable();
    assert_eq!(shown, ["first", "second"]);
    leave(one).await;
    leave(other).await;
}

#[tokio::test]
async fn drafts_for_a_daemon_elsewhere_stay_with_it() {
    let (near, far) = (Testbed::start().await, Testbed::start().await);
    let elsewhere = ["--url".to_owned(), format!("http://{}", far.address()), "--token".to_owned(), far.token()];
    let elsewhere: Vec<&str> = elsewhere.iter().map(String::as_str).collect();
    let pty = connected(&near, &elsewhere).await;
    pty.press("for far away");
    pty.sees(" › for far away").await;
    leave(pty).await;
    let pty = connected(&near, &[]).await;
    pty.until("an empty input", |screen| screen.contains(" › Message")).await;
    leave(pty).await;
    let pty = connected(&near, &elsewhere).await;
    pty.sees(" › for far away").await;
    leave(pty).await;
    assert!(run(near.command(&["sessions", "list", "--json"]), "").await.good().is_empty(), "nothing was sent");
    // They are kept where they were typed, and nowhere else.
    assert!(!far.home().join("drafts").exists());
}
