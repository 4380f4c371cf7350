//! `mosaic chat`: with a daemon in reach and without one, the same.

use std::time::Duration;

use mosaic::detect::NO_PROVIDER;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{Pty, StandIn, Step};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::testbed::{Ended, Talk, Testbed, Wire, mostly_within, run, soon};

/// Where a chat finds its turn.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    InProcess,
    Daemon,
}

const PLACES: [Place; 2] = [Place::InProcess, Place::Daemon];

async fn bed(place: Place, steps: impl IntoIterator<Item = Step>) -> Testbed {
    let mut bed = Testbed::asleep(StandIn::builder().script(steps));
    if place == Place::Daemon {
        bed.restart().await;
    }
    bed
}

async fn chat(bed: &Testbed, args: &[&str], input: &str) -> Ended {
    run(bed.command(&[&["chat"], args].concat()), input).await
}

/// The events of `--json`, one a line; the last is the only end.
fn events(stdout: &str) -> Vec<Value> {
    let events: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("one event a line")).collect();
    let is_end = |event: &Value| {
        ["turn.finished", "turn.failed", "turn.cancelled"].contains(&event["type"].as_str().unwrap_or_default())
    };
    let ends: Vec<usize> = (0..events.len()).filter(|index| is_end(&events[*index])).collect();
    assert_eq!(ends, [events.len() - 1], "exactly one end, and it is the last: {stdout}");
    events
}

#[tokio::test]
async fn a_piped_message_is_answered_with_and_without_a_daemon() {
    for place in PLACES {
        let bed = bed(place, []).await;
        assert_eq!(chat(&bed, &[], "hello\n").await.good(), "You said: hello\n", "{place:?}");
        assert_eq!(bed.model.progress().calls, 1);
        if place == Place::Daemon {
            let sessions = bed.api().get("/api/v1/sessions").await;
            assert_eq!(sessions["items"][0]["title"], "hello", "the daemon took the turn");
        }
    }
}

#[tokio::test]
async fn the_message_is_the_argument_or_stdin() {
    let bed = bed(Place::InProcess, []).await;
    assert_eq!(chat(&bed, &["as an argument"], "not this").await.good(), "You said: as an argument\n");
    assert_eq!(chat(&bed, &["-"], "from stdin").await.good(), "You said: from stdin\n");
    let nothing = chat(&bed, &[], " \n").await;
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(2), ""));
    let endless = chat(&bed, &["-"], &"x".repeat(100_001)).await;
    assert_eq!(endless.code, Some(2));
    assert!(endless.stderr.contains("100000"), "{}", endless.stderr);
    assert_eq!(bed.model.progress().calls, 2);
}

/// A home whose agent asks `first`, then the bed's own model, with `more` of its own.
async fn falling_back(first: &StandIn, more: &str) -> Testbed {
    let mut bed = Testbed::asleep(StandIn::builder().always(Step::say("from the second")));
    let (one, two) = (first.base_url(), bed.model.base_url());
    bed.write_config(&format!(
        "default_agent = \"assistant\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n[store]\nurl = {:?}\n{more}\n\
         [providers.first]\nbase_url = {one:?}\nidle_timeout = \"1s\"\n[providers.second]\nbase_url = {two:?}\n\
         models.m = {{ input_usd_per_mtok = 100.0, output_usd_per_mtok = 200.0 }}\n\
         [agents.assistant]\nmodels = [\"first/m\", \"second/m\"]\n",
        bed.store_url()
    ));
    bed.restart().await;
    bed
}

#[tokio::test]
async fn where_a_model_does_not_answer_the_next_one_does_and_one_line_says_so() {
    let an_hour = Duration::from_secs(3_600);
    let none_of_it = Step::DropAfter { text: "never seen".into(), after: 0 };
    let misfortunes = [
        ("killed before a word of its answer", none_of_it, "broke off or was not understood"),
        ("silent", Step::Stall, "fell silent"),
        ("limited for an hour", Step::RateLimit(an_hour), "was rate-limited"),
    ];
    for (what, step, why) in misfortunes {
        let limited = matches!(step, Step::RateLimit(_));
        let first = StandIn::builder().always(step).start();
        let bed = falling_back(&first, "").await;
        for turn in 1..=2 {
            let said = chat(&bed, &["hello"], "").await;
            assert_eq!((said.code, said.stdout.as_str()), (Some(0), "from the second\n"), "{what}: {}", said.stderr);
            assert_eq!(said.stderr, format!("first/m {why}; second/m answered\n"), "{what}");
            let asked = if limited { 1 } else { turn };
            assert_eq!(first.progress().calls, asked, "{what}: who asked for an hour is left alone");
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_in_its_middle_is_not_gone_on_with_by_another_model() {
    let first = StandIn::start([Step::DropAfter { text: "one two three".into(), after: 2 }]);
    let bed = falling_back(&first, "").await;
    let said = chat(&bed, &["count"], "").await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), "one two \n"));
    assert!(said.stderr.lines().count() == 1 && said.stderr.contains("first"), "{}", said.stderr);
    assert_eq!(bed.model.progress().calls, 0);
}

#[tokio::test]
async fn a_budget_that_runs_low_is_told_once_to_whoever_asked_and_cost_says_what_is_left() {
    let first = StandIn::builder().always(Step::status(500, "server_error", "No.")).start();
    // Of two messages of 10 tokens and three words, the first turn is 0.0026 dollars, the second 0.0046, the third 0.0066,
    // and the fourth would be more than what is left.
    let mut bed = falling_back(&first, "[budgets.day]\nusd = 0.0165\n[budgets.session]\nusd = 5.0").await;
    let mut told = Vec::new();
    for turn in 1..=4 {
        if turn == 4 {
            bed.stop().await;
            bed.restart().await;
        }
        let args: &[&str] = if turn == 1 { &["hello"] } else { &["--continue", "hello"] };
        let said = chat(&bed, args, "").await;
        assert_eq!(said.code, Some(i32::from(turn == 4)), "{}", said.stderr);
        let notices = said.stderr.lines().filter(|line| line.contains("80 %")).map(str::to_owned);
        told.extend(notices.map(|line| (turn, line)));
    }
    let sentence = "80 % of the budget of $0.0165 for today are spent. /cost shows what is left.";
    assert_eq!(told, [(3, sentence.to_owned())]);
    let sessions = bed.api().get("/api/v1/sessions").await;
    let session = sessions["items"][0]["id"].as_str().expect("an id");
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.send(json!({"type": "command.execute", "id": "cost", "session": session, "line": "/cost"})).await;
    let answer = wire.answer("cost").await;
    let text = answer["text"].as_str().expect("a text");
    assert!(
        text.contains("This session: 3 turns") && text.contains("Budget for today: $0.002700 of $0.0165 left"),
        "{text}"
    );
    assert!(text.contains(&format!("Budget for session {session}: $4.99 of $5.00 left")), "{text}");
}

#[tokio::test]
async fn the_answer_is_printed_as_it_comes() {
    for place in PLACES {
        let gate = Gate::new();
        let bed = bed(place, [Step::hold_after(&gate, "one two three", 2)]).await;
        let mut talk = Talk::start(bed.command(&["chat", "count"]));
        talk.until("one two").await;
        assert!(!talk.so_far().contains("three"));
        gate.open();
        assert_eq!(talk.ended().await.good(), "one two three\n", "{place:?}");
    }
}

#[tokio::test]
async fn json_is_one_event_a_line_and_ends_in_the_final() {
    for place in PLACES {
        let bed = bed(place, [Step::say("one two")]).await;
        let events = events(&chat(&bed, &["--json", "count"], "").await.good());
        let end = events.last().expect("there is an end");
        assert_eq!((&end["type"], &end["text"]), (&"turn.finished".into(), &"one two".into()));
        assert_eq!(crate::testbed::heard(&events), "one two", "{place:?}");
        let seqs: Vec<i64> = events.iter().filter_map(|event| event["seq"].as_i64()).collect();
        assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
    }
}

#[tokio::test]
async fn a_turn_that_fails_says_why_and_exits_with_1() {
    for place in PLACES {
        let refusal = || Step::status(400, "invalid_request", "The stand-in will not");
        let bed = bed(place, [refusal(), refusal()]).await;
        let failed = chat(&bed, &["--json", "hello"], "").await;
        assert_eq!((failed.code, failed.stderr.as_str()), (Some(1), ""));
        let events = events(&failed.stdout);
        let end = events.last().expect("there is an end");
        assert_eq!((&end["type"], &end["code"]), (&"turn.failed".into(), &"provider_rejected".into()), "{place:?}");
        let told = chat(&bed, &["hello"], "").await;
        assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""));
        assert!(told.stderr.contains("The stand-in will not"), "{}", told.stderr);
    }
}

#[tokio::test]
async fn an_interrupt_cancels_within_a_second_and_says_so() {
    let mut took = Vec::new();
    for place in PLACES {
        for json in [false, true] {
            let gate = Gate::new();
            let bed = bed(place, [Step::hold_after(&gate, "one two three", 1)]).await;
            let args: &[&str] = if json { &["chat", "--json", "count"] } else { &["chat", "count"] };
            let mut talk = Talk::start(bed.command(args));
            talk.until("one ").await;
            let asked = Instant::now();
            talk.signal("INT");
            let ended = talk.ended().await;
            took.push(asked.elapsed());
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), "Cancelled.\n"), "{place:?}");
            if json {
                assert_eq!(events(&ended.stdout).last().expect("an end")["type"], "turn.cancelled");
            } else {
                assert_eq!(ended.stdout, "one \n");
            }
            soon("the model sees the caller leave", bed.model.wait_for_hangup()).await;
        }
    }
    mostly_within(Duration::from_secs(1), took);
}

#[tokio::test]
async fn a_session_is_continued_by_its_id_or_as_the_last_one() {
    for place in PLACES {
        let bed = bed(place, []).await;
        let none_yet = chat(&bed, &["--continue", "and?"], "").await;
        assert_eq!(none_yet.code, Some(1));
        assert!(none_yet.stderr.contains("no session to continue"), "{}", none_yet.stderr);
        let first = events(&chat(&bed, &["--json", "first"], "").await.good());
        let session = first[0]["session"].as_str().expect("an id").to_owned();
        chat(&bed, &["--session", &session, "second"], "").await.good();
        chat(&bed, &["elsewhere"], "").await.good();
        chat(&bed, &["--session", &session, "third"], "").await.good();
        chat(&bed, &["--continue", "fourth"], "").await.good();
        let sent: Vec<String> = bed
            .model
            .last_call()
            .messages()
            .iter()
            .map(|message| format!("{}: {}", message["role"], message["content"]).replace('"', ""))
            .collect();
        let expected = [
            "system: You are a helpful assistant.",
            "user: first",
            "assistant: You said: first",
            "user: second",
            "assistant: You said: second",
            "user: third",
            "assistant: You said: third",
            "user: fourth",
        ];
        assert_eq!(sent, expected, "{place:?}");
        let unnameable = chat(&bed, &["--session", "no where", "hello"], "").await;
        assert_eq!((unnameable.code, unnameable.stdout.as_str()), (Some(2), ""));
        assert!(unnameable.stderr.contains("1 to 64 characters"), "{}", unnameable.stderr);
    }
}

#[tokio::test]
async fn a_session_that_is_named_is_made_where_there_is_none() {
    for place in PLACES {
        let bed = bed(place, []).await;
        let pirate = chat(&bed, &["--session", "kitchen", "--agent", "pirate", "and tea?"], "").await;
        assert!(pirate.code == Some(1) && pirate.stderr.contains("assistant, poet"), "{place:?}: {pirate:?}");
        let tea = ["--session", "kitchen", "--agent", "poet", "and tea?"];
        let first = chat(&bed, &tea, "").await;
        assert!(first.stderr.contains("Session kitchen is new."), "a slip of the pen is seen: {first:?}");
        assert_eq!((first.code, first.stdout.as_str()), (Some(0), "You said: and tea?\n"));
        let again = chat(&bed, &tea, "").await;
        assert!(!again.stderr.contains("new"), "it goes on: {again:?}");
        again.good();
        assert_eq!(bed.model.last_call().messages().len(), 4, "it knows what was said before");
        assert_eq!(bed.model.last_call().body["model"], "m-2");
        let other = chat(&bed, &["--session", "kitchen", "--agent", "assistant", "hello"], "").await;
        assert_eq!((other.code, other.stdout.as_str()), (Some(2), ""), "{place:?}");
        assert!(other.stderr.contains("poet") && other.stderr.contains("/agent assistant"), "{other:?}");
        assert_eq!(chat(&bed, &["--session", "cellar", "hello"], "").await.code, Some(0));
        assert_eq!(bed.model.last_call().body["model"], "m-1", "the default agent's");
        let found = run(bed.command(&["--json", "sessions", "list", "--search", "tea"]), "").await.good();
        assert!(found.lines().count() == 1 && found.contains("kitchen"), "{found}");
    }
}

#[tokio::test]
async fn another_agent_answers_where_it_is_named() {
    for place in PLACES {
        let bed = bed(place, []).await;
        chat(&bed, &["--agent", "poet", "hello"], "").await.good();
        let call = bed.model.last_call();
        assert_eq!(call.body["model"], "m-2");
        assert_eq!(call.messages()[0]["content"], "You answer in verse.");
        let unknown = chat(&bed, &["--agent", "pirate", "hello"], "").await;
        assert_eq!(unknown.code, Some(1), "{place:?}");
        assert!(unknown.stderr.contains("assistant, poet"), "those there are: {}", unknown.stderr);
    }
}

#[tokio::test]
async fn without_a_provider_it_says_what_to_do_next() {
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.write_config("detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n");
    let here = chat(&bed, &["hello"], "").await;
    assert_eq!((here.code, here.stdout.as_str(), here.stderr), (Some(1), "", format!("mosaic: {NO_PROVIDER}\n")));
    bed.restart().await;
    assert!(bed.greeting().contains(NO_PROVIDER), "{}", bed.greeting());
    let ready: Value = bed.api().get("/readyz").await;
    assert_eq!(ready["hint"], NO_PROVIDER);
    let there = chat(&bed, &["hello"], "").await;
    assert_eq!((there.code, there.stdout.as_str(), there.stderr), (Some(1), "", format!("mosaic: {NO_PROVIDER}\n")));
    let named = chat(&bed, &["--session", "kitchen", "hello"], "").await;
    let missing = "There is no session kitchen yet, and nobody could answer in it.";
    assert_eq!((named.code, named.stderr), (Some(1), format!("mosaic: {missing} {NO_PROVIDER}\n")));
    assert!(NO_PROVIDER.contains("`mosaic link`") && NO_PROVIDER.contains("used at once"), "{NO_PROVIDER}");
    // Nor does a socket begin a session in which nobody could answer.
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.send(json!({"type": "message.send", "id": "hello", "text": "hello"})).await;
    assert_eq!(wire.answer("hello").await["code"], "no_provider");
    assert_eq!(bed.api().get("/api/v1/sessions").await["items"], json!([]), "no empty session is left behind");
}

#[tokio::test]
async fn a_chat_that_is_cut_off_ends_its_line_and_says_where_the_answer_will_be() {
    let gate = Gate::new();
    let mut bed = bed(Place::Daemon, [Step::hold_after(&gate, "one two three", 1), Step::say("one two three")]).await;
    let mut talk = Talk::start(bed.command(&["chat", "count"]));
    talk.until("one ").await;
    bed.kill9().await;
    let cut = talk.ended().await;
    assert_eq!((cut.code, cut.stdout.as_str()), (Some(69), "one \n"), "{cut:?}");
    let (_, hint) = cut.stderr.split_once("`mosaic sessions show ").expect("it is named");
    let session = hint.split('`').next().expect("an id").to_owned();
    bed.restart().await;
    bed.api().settled(&session).await;
    let shown = run(bed.command(&["sessions", "show", &session]), "").await.good();
    assert!(shown.contains("one two three"), "{shown}");
}

#[tokio::test]
async fn an_agent_for_a_session_that_goes_on_is_refused_with_what_to_do_instead() {
    let bed = bed(Place::InProcess, []).await;
    let refused = chat(&bed, &["--continue", "--agent", "poet", "hello"], "").await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("/agent NAME") && refused.stderr.contains("--agent"), "{refused:?}");
}

#[tokio::test]
async fn on_a_terminal_lines_break_between_words() {
    let answer = "It is a truth universally acknowledged that words are read whole and not in halves of them.";
    let bed = bed(Place::Daemon, [Step::say(answer)]).await;
    let pty = Pty::start(&bed.command(&["chat", "hello"]), 40, 12).expect("a terminal");
    let screen = pty.sees("halves of them.").await;
    let shown: Vec<&str> = screen.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    assert_eq!(shown.join(" "), answer, "no word is cut in two");
    assert!(shown.len() == 3 && shown.iter().all(|line| line.len() <= 40), "{shown:?}");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_reason_to_panic() {
    for place in PLACES {
        let gate = Gate::new();
        let bed = bed(place, [Step::hold_after(&gate, "one two three", 1)]).await;
        let mut talk = Talk::start(bed.command(&["chat", "count"]));
        talk.until("o").await;
        talk.close_stdout();
        gate.open();
        let ended = talk.ended().await;
        assert!(!ended.panicked() && ended.code.is_some(), "{place:?}: {ended:?}");
        assert_eq!(ended.stderr, "");
        // The turn itself is not lost: whoever comes next finds it answered, or it is answered now.
        let next = chat(&bed, &["--continue", "go on"], "").await.good();
        assert_eq!(next, "You said: go on\n", "{place:?}");
        let sent = bed.model.last_call();
        assert_eq!(sent.messages().len(), 4, "{place:?}: the first exchange is part of the dialogue: {sent:?}");
    }
}
