//! The terminal and the browser in front of one session, and a platform as the third.

use mosaic_testkit::telegram::Saying;
use mosaic_testkit::{Gate, Pty, StandIn, Step};

use super::{connected, leave};
use crate::telegram;
use crate::testbed::Testbed;
use crate::web::visitor::{Visitor, pair};

/// What stands in the terminal's transcript, without the frame round it.
fn shows(screen: &str, all: &[&str]) -> bool {
    all.iter().all(|text| screen.matches(text).count() == 1)
}

/// The last line of what is shown that belongs to a turn under way.
fn works(pty: &Pty) -> bool {
    ["working", "Esc cancels", "on its way", "lab/m-1\n"].iter().any(|sign| pty.screen().contains(sign))
}

#[tokio::test]
async fn a_session_of_the_terminal_goes_on_in_the_browser_and_back() {
    let (there, here) = (Gate::new(), Gate::new());
    let steps = [
        Step::say("Here."),
        Step::hold_after(&there, "There it goes on.", 2),
        Step::hold_after(&here, "And here again.", 2),
    ];
    let bed = Testbed::with(StandIn::builder().script(steps)).await;
    let pty = connected(&bed, &[]).await;
    pty.press("begun in the terminal\r");
    pty.sees("Here.").await;

    // The browser finds it in its list and goes on; the terminal hears it word by word.
    let ada = Visitor::owner(&bed).await;
    let listed = "[...document.querySelectorAll('#side a')].find((a) => a.innerText.includes('begun in the terminal'))";
    ada.page.until(listed).await;
    ada.page.eval(&format!("{listed}.click()")).await;
    ada.is_answered("Here.").await;
    ada.says("gone on in the browser").await;
    pty.sees("▌ gone on in the browser").await;
    pty.until("the words so far", |screen| screen.contains("There it") && !screen.contains("goes on.")).await;
    ada.page.until("document.querySelector('.live .md')?.innerText.trim() === 'There it'").await;
    there.open();
    pty.sees("There it goes on.").await;
    ada.is_answered("There it goes on.").await;

    // And back: the terminal speaks, the browser hears it word by word.
    pty.press("back in the terminal\r");
    ada.page.until("document.querySelector('.live .md')?.innerText.trim() === 'And here'").await;
    ada.page.sees("back in the terminal").await;
    here.open();
    ada.is_answered("And here again.").await;
    pty.sees("And here again.").await;
    let all = [
        pair("user", "begun in the terminal"),
        pair("assistant", "Here."),
        pair("user", "gone on in the browser"),
        pair("assistant", "There it goes on."),
        pair("user", "back in the terminal"),
        pair("assistant", "And here again."),
    ];
    assert_eq!(ada.transcript().await, all);
    let texts: Vec<String> =
        all.iter().map(|(who, text)| if who == "user" { format!("▌ {text}") } else { text.clone() }).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    pty.until("the same in the terminal", |screen| shows(screen, &texts) && !works(&pty)).await;
    ada.is_content();
    leave(pty).await;
}

#[tokio::test]
async fn a_conversation_on_a_platform_is_live_in_terminal_and_browser_at_once() {
    let gate = Gate::new();
    let steps = [Step::say("Here."), Step::hold_after(&gate, "one two three", 1)];
    let (bed, phone) = telegram::awake(StandIn::builder().script(steps)).await;
    let from_ada = |text: &str| phone.say(&Saying::private(telegram::ADA, text));
    from_ada("begun on a phone");
    phone.shows(telegram::ADA, &["Here."]).await;
    let session = bed.api().get("/api/v1/sessions").await["items"][0]["id"].as_str().expect("an id").to_owned();
    let pty = connected(&bed, &["--session", &session]).await;
    pty.sees("Here.").await;
    let ada = Visitor::owner(&bed).await;
    let listed = "[...document.querySelectorAll('#side a')].find((a) => a.innerText.includes('begun on a phone'))";
    ada.page.until(listed).await;
    ada.page.eval(&format!("{listed}.click()")).await;
    ada.is_answered("Here.").await;

    from_ada("count");
    phone.shows(telegram::ADA, &["Here.", "one …"]).await;
    pty.sees("▌ count").await;
    pty.until("the words so far", |screen| screen.contains("one") && !screen.contains("three")).await;
    ada.page.until("document.querySelector('.live .md')?.innerText.trim() === 'one'").await;
    gate.open();
    phone.shows(telegram::ADA, &["Here.", "one two three"]).await;
    pty.sees("one two three").await;
    ada.is_answered("one two three").await;

    // What is said in the terminal is seen in the browser; the phone is told what was asked there.
    pty.press("from the terminal\r");
    ada.is_answered("You said: from the terminal").await;
    pty.sees("You said: from the terminal").await;
    assert_eq!(phone.texts(telegram::ADA), ["Here.", "one two three"]);
    ada.is_content();
    leave(pty).await;
}

#[tokio::test]
async fn a_kill_under_terminal_and_browser_loses_and_doubles_nothing_in_either() {
    let gate = Gate::new();
    let steps = [Step::hold_after(&gate, "never heard to its end", 2), Step::say("the whole answer")];
    let mut bed = Testbed::with(StandIn::builder().script(steps)).await;
    let port = bed.address().port();
    bed.configure(&format!("[gateway]\nbind = \"127.0.0.1:{port}\"\n"));
    let pty = connected(&bed, &[]).await;
    pty.press("tell me\r");
    pty.sees("never heard").await;
    let ada = Visitor::owner(&bed).await;
    let listed = "[...document.querySelectorAll('#side a')].find((a) => a.innerText.includes('tell me'))";
    ada.page.until(listed).await;
    ada.page.eval(&format!("{listed}.click()")).await;
    ada.page.until("document.querySelector('.live .md')?.innerText.trim() === 'never heard'").await;
    ada.writes("a thought of the browser").await;
    pty.press("a thought of the terminal");
    pty.sees(" › a thought of the terminal").await;

    bed.kill9().await;
    ada.page.until("document.querySelector('#main.offline')").await;
    let screen = pty.sees("offline").await;
    assert!(!screen.contains("working"), "nobody works there: {screen}");
    bed.restart().await;
    ada.connected().await;
    ada.is_answered("the whole answer").await;
    pty.until("the answer once, nothing at work", |screen| {
        shows(screen, &["▌ tell me", "the whole answer", " › a thought of the terminal"])
            && !screen.contains("never heard")
            && !screen.contains("offline")
            && !works(&pty)
    })
    .await;
    let told = [pair("user", "tell me"), pair("assistant", "the whole answer")];
    assert_eq!(ada.transcript().await, told);
    assert_eq!(ada.page.eval("document.querySelectorAll('.sending, .live, .turn.runs').length").await, 0);
    assert_eq!(ada.draft().await, "a thought of the browser");

    // Both drafts are sent where they were written, and heard in the other place.
    pty.press("\r");
    ada.is_answered("You said: a thought of the terminal").await;
    ada.says("!").await;
    pty.sees("You said: a thought of the browser!").await;
    ada.is_answered("You said: a thought of the browser!").await;
    assert_eq!(ada.transcript().await.len(), 6);
    gate.open();
    ada.minds_only_the_absence();
    leave(pty).await;
}
