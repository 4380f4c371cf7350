//! What is done to a session from the terminal.

use mosaic_testkit::{StandIn, Step};

use super::{connected, ctrl, leave, open};
use crate::testbed::{Testbed, run};

/// Finds something in the palette and does it.
fn palette(pty: &mosaic_testkit::Pty, text: &str) {
    pty.press(&format!("{}{text}\r", ctrl('k')));
}

#[tokio::test]
async fn what_was_asked_is_asked_again_and_otherwise() {
    let steps = [Step::say("First."), Step::say("Second."), Step::say("Third.")];
    let bed = Testbed::with(StandIn::builder().script(steps)).await;
    let pty = connected(&bed, &[]).await;
    pty.press("say\r");
    pty.sees("First.").await;
    pty.sees("first choice").await;
    pty.press(&ctrl('r'));
    pty.until("the other answer alone", |screen| screen.contains("Second.") && !screen.contains("First.")).await;
    pty.until("its end", |screen| screen.contains("first choice")).await;
    pty.press("a draft");
    pty.press(&ctrl('g'));
    pty.sees("changes your last message").await;
    pty.press(" it better\r");
    let screen = pty.until("the answer to it", |screen| screen.contains("Third.") && !screen.contains("Second.")).await;
    assert_eq!(screen.matches("▌ ").count(), 1, "one message: {screen}");
    assert!(screen.contains("▌ say it better") && screen.contains(" › a draft"), "{screen}");
    assert_eq!(bed.model.last_call().last_user(), Some("say it better"));
    let session = bed.api().get("/api/v1/sessions").await["items"][0]["id"].as_str().expect("an id").to_owned();
    bed.api().settled(&session).await;
    assert_eq!(bed.api().transcript(&session).await.len(), 2, "what was replaced is gone for all");
    leave(pty).await;
}

#[tokio::test]
async fn a_session_is_kept_in_order_from_the_palette() {
    let bed = Testbed::start().await;
    let pty = connected(&bed, &[]).await;
    pty.press("hello\r");
    pty.sees("You said: hello").await;
    pty.press("\u{1b}OQ");
    pty.sees("New name: hello").await;
    pty.press(&format!("{}Greetings\r", ctrl('u')));
    let first = |screen: &str, text: &str| screen.lines().next().is_some_and(|line| line.contains(text));
    pty.until("the new name", |screen| first(screen, "Greetings")).await;

    palette(&pty, "fork");
    pty.sees("goes on by itself from here").await;
    pty.sees("You said: hello").await;
    pty.press("only here\r");
    pty.sees("You said: only here").await;
    let sessions = bed.api().get("/api/v1/sessions").await;
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(2), "{sessions}");

    // The fork is put away, and found by what was said in it.
    palette(&pty, "archive");
    pty.sees("It is put away.").await;
    let sessions = bed.api().get("/api/v1/sessions").await;
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(1), "{sessions}");
    pty.press(&ctrl('l'));
    pty.press("only here");
    let found = |screen: &str| screen.contains("Sessions only here") && screen.contains("Greetings");
    pty.until("what was found", |screen| found(screen) && screen.contains(" put away")).await;
    pty.press("\r");
    pty.sees("You said: only here").await;

    palette(&pty, "delete");
    pty.sees("Keep it").await;
    pty.press("\r");
    pty.until("the question is gone", |screen| !screen.contains("Keep it")).await;
    pty.sees("You said: only here").await;
    palette(&pty, "delete");
    pty.sees("Delete it").await;
    pty.press("\u{1b}[B\r");
    let screen = pty.sees("The session was deleted.").await;
    assert!(first(&screen, "New session"), "{screen}");
    let all = bed.api().get("/api/v1/sessions?archived=all").await;
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1), "{all}");
    leave(pty).await;
}

#[tokio::test]
async fn who_answers_is_chosen_from_a_list() {
    let bed = Testbed::start().await;
    let pty = connected(&bed, &[]).await;
    pty.press("/agent\r");
    pty.until("those who may", |screen| screen.contains("Who answers from now on") && screen.contains("poet")).await;
    pty.press("poet\r");
    pty.press("hello\r");
    pty.sees("lab/m-2").await;
    pty.press("/model\r");
    pty.sees("Which model answers from now on").await;
    pty.sees("lab/m-1").await;
    pty.press("m-1\r");
    // What is said before it is told may be answered by the other one still.
    pty.sees("lab/m-1 answers here").await;
    pty.press("again\r");
    pty.sees("You said: again").await;
    pty.until("the other model", |screen| screen.lines().last().is_some_and(|line| line.contains("lab/m-1"))).await;
    assert_eq!(bed.model.last_call().body["model"], "m-1");
    leave(pty).await;
}

#[tokio::test]
async fn a_file_is_shown_before_it_is_sent_and_read_by_the_model() {
    let bed = Testbed::start().await;
    let path = bed.home().join("shopping.txt");
    std::fs::write(&path, "milk and bread").expect("it is written");
    let pty = connected(&bed, &[]).await;
    pty.press("/attach nowhere.txt\r");
    pty.sees("nowhere.txt cannot be read").await;
    pty.press(&format!("{}/attach {}\r", ctrl('u'), path.display()));
    pty.sees("▤ shopping.txt 14 B  Backspace").await;
    // Its session is made with it.
    pty.press("what is missing?\r");
    pty.until("the answer", |screen| screen.contains("first choice") && screen.contains("▌ ▤ shopping.txt 14 B")).await;
    let sent = bed.model.last_call().body.to_string();
    assert!(sent.contains("milk and bread") && sent.contains("shopping.txt"), "{sent}");
    let sessions = bed.api().get("/api/v1/sessions").await;
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(1), "{sessions}");
    assert_eq!(sessions["items"][0]["title"], "what is missing?");
    // Changed and sent anew, it has its file still, though that is gone from this machine.
    std::fs::remove_file(&path).expect("it was there");
    pty.press(&ctrl('g'));
    pty.sees("▤ shopping.txt 14 B  Backspace").await;
    pty.press(&format!("{}what else?\r", ctrl('u')));
    pty.until("the answer", |screen| screen.contains("\n   what else?\n") && screen.contains("first choice")).await;
    let sent = bed.model.last_call().body.to_string();
    assert!(sent.contains("milk and bread") && !sent.contains("what is missing?"), "{sent}");
    leave(pty).await;
}

#[tokio::test]
async fn a_long_session_is_read_back_to_its_first_word() {
    // Four events each: more than the 600 that are read when a session is opened.
    const ALL: u32 = 180;
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    for number in 1..=ALL {
        api.ask(&session, &format!("number {number}.")).await;
    }
    let pty = open(&bed, &["--session", &session], 80, 24);
    pty.sees(&format!("You said: number {ALL}.")).await;
    // Scrolled up with the wheel, since a page more may be asked for before the last one is drawn; each message is seen on
    // the way.
    let mut seen = std::collections::BTreeSet::new();
    pty.until("the first word", |screen| {
        let said =
            screen.lines().filter_map(|line| line.split_once("▌ number ")?.1.strip_suffix('.')?.parse::<u32>().ok());
        seen.extend(said);
        pty.press("\u{1b}[<64;40;10M");
        screen.lines().any(|line| line.contains("▌ number 1."))
    })
    .await;
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), (1..=ALL).collect::<Vec<_>>());
    leave(pty).await;
}

#[tokio::test]
async fn mosaic_tui_help_prints_the_same_keys() {
    let bed = Testbed::asleep(StandIn::builder());
    let help = run(bed.command(&["tui", "--help"]), "").await.good();
    for line in mosaic::tui::keys::lines().lines() {
        assert!(help.contains(line), "{line:?} is missing:\n{help}");
    }
}
