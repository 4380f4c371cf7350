//! What a person sees and presses.

use std::time::Duration;

use mosaic_testkit::{Gate, StandIn, Step};

use super::{connected, ctrl, leave, online, open};
use crate::testbed::{Testbed, run};

#[tokio::test]
async fn from_a_fresh_home_a_message_is_answered_and_the_terminal_is_given_back() {
    // No daemon runs: the client brings one along and says so.
    let bed = Testbed::asleep(StandIn::builder().script([Step::say("**Four**, I think.")]));
    let pty = open(&bed, &[], 80, 24);
    pty.sees("this window runs one").await;
    online(&pty).await;
    pty.press("2 + 2?\r");
    let screen = pty.sees("lab/m-1").await;
    assert!(screen.contains("▌ 2 + 2?") && screen.contains("Four, I think."), "{screen}");
    // It is a daemon as any other: another command finds it.
    let listed = run(bed.command(&["sessions", "list"]), "").await.good();
    assert!(listed.contains("2 + 2?"), "{listed}");
    leave(pty).await;
    assert!(run(bed.command(&["tree"]), "").await.stderr.contains("no daemon"), "it has left with its window");
}

#[tokio::test]
async fn where_the_usual_port_is_held_the_window_takes_a_free_one_and_a_chosen_port_is_kept_to() {
    let bed = Testbed::asleep(StandIn::builder());
    let url = bed.model.base_url();
    let lab = format!("[providers.lab]\nbase_url = \"{url}\"\n[agents.assistant]\nmodels = [\"lab/m-1\"]\n");
    // Where this fails another program holds it already, which is as good.
    let _usual = std::net::TcpListener::bind("127.0.0.1:14242");
    bed.write_config(&format!("detect = false\n{lab}"));
    let pty = open(&bed, &[], 80, 24);
    pty.sees("Port 14242 is taken: this window runs a daemon, at http://127.0.0.1:").await;
    online(&pty).await;
    pty.press("hello\r");
    pty.sees("You said: hello").await;
    let listed = run(bed.command(&["sessions", "list"]), "").await.good();
    assert!(listed.contains("hello"), "it is found where it is: {listed}");
    leave(pty).await;

    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let chosen = held.local_addr().expect("an address");
    bed.write_config(&format!("detect = false\n[gateway]\nbind = \"{chosen}\"\n{lab}"));
    let mut pty = open(&bed, &[], 100, 24);
    assert_eq!(pty.ended().await.code(), Some(69));
    pty.sees(&format!("cannot listen on {chosen}")).await;
}

#[tokio::test]
async fn without_a_model_it_says_what_to_do_next() {
    let bed = Testbed::asleep(StandIn::builder());
    bed.write_config("detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n");
    let pty = open(&bed, &[], 80, 24);
    pty.sees("No model provider").await;
    pty.press("hello?\r");
    let screen = pty.sees("Not sent: No model provider").await;
    assert!(screen.contains(" › hello?"), "it can be sent when somebody has helped: {screen}");
    assert_eq!(run(bed.command(&["sessions", "list", "--json"]), "").await.good(), "", "nothing is left behind");
    leave(pty).await;
}

#[tokio::test]
async fn where_there_is_no_terminal_it_says_what_to_use_instead() {
    let bed = Testbed::asleep(StandIn::builder());
    let refused = run(bed.command(&["tui"]), "").await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("mosaic chat"), "{}", refused.stderr);
}

#[tokio::test]
async fn the_screen_is_laid_out_at_either_size() {
    let text = "# Tea\n\nBoil *fresh* water, then:\n\n- rinse the pot\n- wait **3 minutes**\n\n```sh\nkettle --on # now\n```\n\n\
                | tea | °C |\n|---|---:|\n| green | 80 |\n| black | 100 |\n\n> Patience.\n";
    let bed = Testbed::with(StandIn::builder().script([Step::say(text)])).await;
    let pty = connected(&bed, &[]).await;
    let first = |screen: &str, text: &str| screen.lines().next().is_some_and(|line| line.contains(text));
    pty.until("who answers", |screen| first(screen, "assistant")).await;
    insta::assert_snapshot!("fresh_80x24", pty.screen());
    pty.press("How do I make tea?\r");
    pty.sees("first choice").await;
    pty.until("the title", |screen| first(screen, "make tea")).await;
    insta::assert_snapshot!("answered_80x24", pty.screen());
    pty.resize(200, 60);
    // It is drawn from top to bottom, and the last line is the status.
    let whole = |screen: &str| screen.lines().count() == 60 && screen.trim_end().ends_with("F1 help");
    let screen = pty.until("the sessions beside it", |screen| {
        screen.contains(" Sessions") && !screen.contains('◐') && whole(screen)
    });
    insta::assert_snapshot!("answered_200x60", screen.await);
    leave(pty).await;
}

#[tokio::test]
async fn who_stood_in_for_whom_is_told_below_the_answer() {
    let steps = [Step::RateLimit(Duration::from_secs(60)), Step::say("Here I am.")];
    let mut bed = Testbed::asleep(StandIn::builder().script(steps));
    let url = bed.model.base_url();
    bed.write_config(&format!(
        "detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n[providers.lab]\nbase_url = {url:?}\n\
         [agents.assistant]\nmodels = [\"lab/m-1\", \"lab/m-2\"]\n"
    ));
    bed.restart().await;
    let pty = connected(&bed, &[]).await;
    pty.press("who is there?\r");
    let screen = pty.sees("lab/m-1 was rate-limited; lab/m-2 answered.").await;
    assert!(screen.contains("Here I am."), "{screen}");
    leave(pty).await;
}

#[tokio::test]
async fn typing_goes_on_during_an_answer_and_escape_gives_the_message_back() {
    let gate = Gate::new();
    let hold = Step::hold_after(&gate, "one two three four", 2);
    let bed = Testbed::with(StandIn::builder().script([hold, Step::say("Second.")])).await;
    let pty = connected(&bed, &[]).await;
    pty.press("count\r");
    pty.sees("one two").await;
    pty.press("and then");
    pty.sees("sent during the answer").await;
    pty.press("?\r");
    pty.sees("waits for its turn").await;
    pty.press("\u{1b}");
    let screen = pty.until("the second answer", |screen| screen.contains("Second.")).await;
    assert!(screen.contains("one two") && screen.contains("Stopped.") && screen.contains(" › count"), "{screen}");
    gate.open();
    leave(pty).await;
}

#[tokio::test]
async fn what_is_pasted_is_one_message_whatever_it_holds() {
    let bed = Testbed::start().await;
    let pty = connected(&bed, &[]).await;
    pty.press("\u{1b}[200~first line\rsecond \u{1b}[31m line\u{1b}[201~");
    pty.sees("second").await;
    assert_eq!(bed.model.progress().calls, 0, "it is not sent by its own line break");
    pty.press("\u{1b}\r");
    pty.press("third\r");
    pty.sees("You said").await;
    let call = bed.model.last_call();
    assert_eq!(call.last_user(), Some("first line\nsecond \u{1b}[31m line\nthird"), "Alt+Enter breaks the line");
    leave(pty).await;
}

#[tokio::test]
async fn the_last_answer_is_handed_to_the_terminals_clipboard() {
    let bed = Testbed::start().await;
    let pty = connected(&bed, &[]).await;
    pty.press("ä\r");
    pty.sees("You said: ä").await;
    pty.sees("first choice").await;
    pty.press(&ctrl('y'));
    pty.sees("clipboard").await;
    let raw = String::from_utf8_lossy(&pty.raw()).into_owned();
    // "You said: ä"
    assert!(raw.contains("\u{1b}]52;c;WW91IHNhaWQ6IMOk\u{7}"), "{raw:?}");
    leave(pty).await;
}

#[tokio::test]
async fn commands_sessions_and_help_are_a_key_away() {
    let bed = Testbed::start().await;
    let pty = connected(&bed, &[]).await;
    pty.press("hello\r");
    pty.sees("You said: hello").await;
    pty.press("/sta\t\r");
    pty.until("the answer to /status", |screen| screen.to_lowercase().contains("agent")).await;
    pty.press(&ctrl('k'));
    pty.sees("Commands").await;
    pty.press("colours\r");
    pty.press(&ctrl('n'));
    pty.sees("New session").await;
    pty.press(&ctrl('l'));
    pty.sees("Sessions").await;
    pty.press("hello\r");
    pty.sees("You said: hello").await;
    pty.press("\u{1b}OP");
    pty.sees("take the message back").await;
    pty.press("\u{1b}");
    pty.until("the help is closed", |screen| !screen.contains("take the message back")).await;
    leave(pty).await;
}
