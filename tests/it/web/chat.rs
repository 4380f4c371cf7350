//! Talking: sent, streamed, stopped, queued, seen by all, and nothing lost when the daemon dies.

use std::time::Duration;

use mosaic_testkit::browser::Key;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};

use super::visitor::{Visitor, pair};
use crate::testbed::Testbed;

#[tokio::test]
async fn an_answer_is_shown_while_it_comes_and_formatted_and_says_who_gave_it_and_why() {
    let gate = Gate::new();
    let text = "Here is **bold** news:\n\n- one\n- two\n\n```rust\nlet a = 1;\n```\n";
    let bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, text, 3)])).await;
    let ada = Visitor::owner(&bed).await;
    ada.says("what is new?").await;
    ada.page.until("document.querySelector('.live .md strong')?.innerText === 'bold'").await;
    assert_eq!(ada.page.eval("document.querySelectorAll('.md li').length").await, 0, "the rest is not said yet");
    gate.open();
    ada.page
        .until(
            "document.querySelector('.md pre code.language-rust') && document.querySelectorAll('.md li').length === 2",
        )
        .await;
    ada.page.until("document.querySelector('.meta .why')?.innerText === 'first choice'").await;
    let meta = ada.page.eval("document.querySelector('.meta').innerText").await;
    assert!(meta.as_str().is_some_and(|meta| meta.contains("lab/m-1") && meta.contains("tokens")), "{meta}");
    ada.page.until("document.querySelector('#announce').textContent.includes('answered: Here is')").await;
    ada.page.until("document.querySelector('#sessions [aria-current] .name')?.innerText === 'what is new?'").await;
    ada.page.reload().await;
    ada.page.until("document.querySelector('.md pre code.language-rust')").await;
    ada.page.until("document.querySelector('.meta .why')?.innerText === 'first choice'").await;
    ada.is_content();
}

#[cfg(feature = "chaos")]
#[tokio::test]
async fn a_tool_is_seen_with_what_it_was_asked_and_said_also_after_a_reload() {
    let asks = [("clock", "{\"zone\":\"Asia/Tokyo\"}"), ("clock", "{\"zone\":\"Mars\"}")];
    let calls = asks.map(|(name, arguments)| (name.to_owned(), arguments.to_owned())).into();
    let script = [Step::CallTools { text: String::new(), calls }, Step::say("It is late.")];
    let bed = crate::tools::bed(script).await;
    let ada = Visitor::owner(&bed).await;
    ada.says("what time is it?").await;
    for _ in 0..2 {
        ada.page.sees("It is late.").await;
        ada.page.until("document.querySelectorAll('li.done details .plain').length === 1").await;
        let seen = "[...document.querySelectorAll('li.done, li.failed')].map((step) => step.textContent).join(' / ')";
        let seen = ada.page.eval(seen).await;
        let seen = seen.as_str().unwrap_or_default().to_owned();
        assert!(seen.contains("Asia/Tokyo\"}") && seen.contains("+09:00 (Asia/Tokyo)"), "{seen}");
        assert!(seen.contains("There is no time zone \"Mars\""), "{seen}");
        assert_eq!(ada.transcript().await, [pair("user", "what time is it?"), pair("assistant", "It is late.")]);
        ada.page.reload().await;
    }
    ada.is_content();
}

#[tokio::test]
async fn an_answer_can_be_stopped_by_key_and_by_button() {
    let slow = Step::say_in("one two three four five six seven eight nine ten", 10, Duration::from_secs(20));
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, "**one** two three", 1), slow])).await;
    let ada = Visitor::owner(&bed).await;
    ada.says("count").await;
    ada.page.until("document.querySelector('.live .md')?.innerText.includes('one')").await;
    ada.page.press(Key::Escape).await;
    for again in [false, true] {
        if again {
            ada.page.reload().await;
        }
        ada.page.until("document.querySelector('.end.cancelled:not([hidden]) span')?.innerText === 'Stopped.'").await;
        ada.page.until("document.querySelector('.said.assistant .md strong')?.innerText === 'one'").await;
        let said = [pair("user", "count"), pair("assistant", "one")];
        assert_eq!(ada.transcript().await, said, "what was said stays, also after a reload");
    }
    ada.says("again").await;
    ada.page.click(".stop").await;
    ada.page.until("document.querySelectorAll('.end.cancelled:not([hidden])').length === 2").await;
    ada.page.until("document.querySelector('.stop').hidden").await;
    ada.is_content();
}

#[tokio::test]
async fn an_answer_that_broke_off_stays_with_the_reason_below_it_also_after_a_reload() {
    let broken = Step::DropAfter { text: "Here is **bold** news and more".into(), after: 3 };
    let bed = Testbed::with(StandIn::builder().script([broken])).await;
    let ada = Visitor::owner(&bed).await;
    ada.says("what is new?").await;
    let end = "document.querySelector('.end.failed:not([hidden]) span')?.innerText";
    let mut ends = Vec::new();
    for again in [false, true] {
        if again {
            ada.page.reload().await;
        }
        ada.page.until(&format!("{end}.length > 10")).await;
        ada.page.until("document.querySelector('.said.assistant .md strong')?.innerText === 'bold'").await;
        let said = [pair("user", "what is new?"), pair("assistant", "Here is bold")];
        assert_eq!(ada.transcript().await, said);
        let below = "document.querySelector('.said.assistant').nextElementSibling === document.querySelector('.end')";
        assert_eq!(ada.page.eval(below).await, true);
        ends.push(ada.page.eval(end).await);
    }
    assert_eq!(ends[0], ends[1], "live and read again are the same");
    ada.is_content();
}

#[tokio::test]
async fn what_is_sent_meanwhile_waits_and_is_answered_in_order() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold(&gate, "first"), Step::say("second")])).await;
    let ada = Visitor::owner(&bed).await;
    ada.says("one").await;
    ada.page.until("document.querySelector('.turn.runs')").await;
    ada.says("two").await;
    ada.page.until("document.querySelector('.tag:not([hidden])')?.innerText === 'waits'").await;
    ada.page.until("!document.querySelector('.modes').hidden").await;
    gate.open();
    ada.is_answered("second").await;
    let all = [pair("user", "one"), pair("assistant", "first"), pair("user", "two"), pair("assistant", "second")];
    assert_eq!(ada.transcript().await, all);
    ada.is_content();
}

#[tokio::test]
async fn two_browsers_see_one_session_live_and_so_does_a_program() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, "hello to all", 1)])).await;
    let ada = Visitor::owner(&bed).await;
    let bob = Visitor::owner(&bed).await;
    ada.says("hello").await;
    let session = ada.session().await;
    bob.page.until("document.querySelector('#sessions .name')?.innerText === 'hello'").await;
    bob.page.click("#sessions a").await;
    for one in [&ada, &bob] {
        one.page.until("document.querySelector('.live .md')?.innerText === 'hello'").await;
    }
    gate.open();
    for one in [&ada, &bob] {
        one.is_answered("hello to all").await;
    }
    // What was begun here goes on elsewhere, and what is said there is seen here.
    bed.api().ask(&session, "from a program").await;
    for one in [&ada, &bob] {
        one.is_answered("You said: from a program").await;
        assert_eq!(one.transcript().await.len(), 4);
        one.is_content();
    }
}

#[tokio::test]
async fn a_kill_loses_no_text_doubles_none_and_leaves_the_draft() {
    let gate = Gate::new();
    let script = [Step::hold_after(&gate, "never heard to its end", 2), Step::say("the whole answer")];
    let mut bed = Testbed::with(StandIn::builder().script(script)).await;
    let port = bed.address().port();
    bed.configure(&format!("[gateway]\nbind = \"127.0.0.1:{port}\"\n"));
    let ada = Visitor::owner(&bed).await;
    ada.says("tell me").await;
    ada.page.until("document.querySelector('.live .md')?.innerText.startsWith('never heard')").await;
    ada.writes("half a thou").await;
    bed.kill9().await;
    ada.page.until("document.querySelector('#main.offline')").await;
    ada.page.sees("what runs goes on when Mosaic is back").await;
    let at_work = "[...document.querySelectorAll('.dot.running, p.dots')].some((one) => one.checkVisibility())";
    assert_eq!(ada.page.eval(at_work).await, false, "nobody works as far as is known");
    let mark = "(() => { const steps = document.body.appendChild(document.createElement('ul')); steps.className = 'steps'; \
                steps.appendChild(document.createElement('li')).className = 'works'; \
                const moves = getComputedStyle(steps.firstChild, '::before').animationName; steps.remove(); return moves; })()";
    assert_eq!(ada.page.eval(mark).await, "none", "nor does the mark of a call turn");
    // Sent while nobody listens: kept, and sent once when somebody does.
    ada.writes("ght").await;
    ada.page.press(Key::Enter).await;
    ada.page.until("document.querySelector('.sending')?.innerText.includes('half a thought')").await;
    ada.writes("and the next draft").await;
    bed.restart().await;
    ada.connected().await;
    assert_eq!(ada.page.eval(mark).await, "turn", "now it may again");
    ada.is_answered("You said: half a thought").await;
    let all = [
        pair("user", "tell me"),
        pair("assistant", "the whole answer"),
        pair("user", "half a thought"),
        pair("assistant", "You said: half a thought"),
    ];
    assert_eq!(ada.transcript().await, all);
    assert_eq!(
        ada.page.eval("document.querySelectorAll('.sending, .live, .turn.runs').length").await,
        0,
        "nothing stale"
    );
    assert_eq!(ada.draft().await, "and the next draft");
    ada.page.reload().await;
    ada.page.until("document.querySelector('#text')?.value === 'and the next draft'").await;
    ada.page.until("document.querySelectorAll('.turns .said').length === 4").await;
    ada.minds_only_the_absence();
}

#[tokio::test]
async fn a_command_is_completed_and_answered_beside_the_transcript() {
    let bed = Testbed::start().await;
    let ada = Visitor::owner(&bed).await;
    ada.says("hello").await;
    ada.is_answered("You said: hello").await;
    ada.writes("/sta").await;
    ada.page.until("document.querySelector('#commands li code')?.innerText === '/status'").await;
    ada.page.press(Key::Tab).await;
    assert_eq!(ada.draft().await, "/status");
    ada.page.press(Key::Enter).await;
    ada.page.until("document.querySelector('.note pre')?.innerText.includes('assistant')").await;
    assert_eq!(ada.draft().await, "");
    ada.says("/dance").await;
    ada.page.sees("There is no command /dance.").await;
    assert_eq!(ada.draft().await, "/dance", "what was typed is not lost");
    assert_eq!(ada.transcript().await.len(), 2);
    ada.is_content();
}

#[tokio::test]
async fn a_long_session_is_read_from_its_end_and_upwards() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    for at in 0..50 {
        api.ask(&session, &format!("message {at}")).await;
    }
    let ada = Visitor::owner(&bed).await;
    ada.go(&format!("#/s/{session}")).await;
    ada.is_answered("You said: message 49").await;
    ada.page.until("document.querySelectorAll('.meta .why').length === 20").await;
    assert_eq!(ada.transcript().await.len(), 40);
    ada.page.click(".earlier").await;
    ada.page
        .until(
            "document.querySelectorAll('.turns .said').length === 80 && !document.querySelector('.earlier').disabled",
        )
        .await;
    ada.page.click(".earlier").await;
    ada.page.until("document.querySelectorAll('.turns .said').length === 100").await;
    ada.page.until("document.querySelectorAll('.meta .why').length === 50").await;
    assert_eq!(ada.transcript().await[0], pair("user", "message 0"));
    ada.page.until("document.querySelector('.earlier').hidden").await;
    ada.is_content();
}
