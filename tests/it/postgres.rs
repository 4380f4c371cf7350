//! PostgreSQL under the whole daemon: a telling part of the other tests once more, and what only a server can do wrong.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use mosaic_testkit::postgres::Server;
use mosaic_testkit::provider::Builder;
use mosaic_testkit::proxy::{Fate, Way};
use mosaic_testkit::{Gate, StandIn, Step};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::testbed::{Testbed, eventually, mostly_within, on_postgres, refusal, run, soon};

/// Tests of the other modules, each with its daemon kept by PostgreSQL.
macro_rules! again {
    ($($module:ident { $($test:ident)+ })+) => {
        $(mod $module {
            $(#[test]
            fn $test() {
                super::on_postgres(crate::$module::$test);
            })+
        })+
    };
}

again! {
    restart {
        a_turn_that_a_kill_cut_off_is_answered_once_without_anyone_asking
        what_was_acknowledged_is_answered_once_though_the_kill_came_at_once
        forty_turns_in_mid_stream_survive_a_kill
        a_reader_finds_its_turn_again_after_a_kill
        a_daemon_that_is_told_to_stop_finishes_what_runs_and_refuses_what_is_new
        what_outlasts_the_grace_goes_on_after_the_next_start
    }
    messages {
        a_message_is_answered_in_each_of_the_three_forms
        a_repeated_key_attaches_in_each_form_and_after_a_restart
        a_key_sent_many_times_at_once_makes_one_turn
        what_comes_during_a_turn_waits_and_the_22nd_is_refused
    }
    api {
        a_session_is_made_shown_changed_and_removed
        lists_are_read_page_by_page_without_a_gap_or_a_repeat
        what_is_someone_elses_does_not_exist
    }
    attachments {
        text_is_read_and_pictures_are_looked_at_also_in_later_turns
        a_turn_that_a_kill_cut_off_is_sent_its_files_again
    }
    tokens {
        a_revoked_token_is_worth_nothing_at_once_and_after_a_restart
        a_token_that_expires_is_refused_with_its_own_sentence_and_shown_as_expired
    }
    refused {
        an_answer_that_the_database_refuses_for_good_fails_its_turn_and_is_asked_for_once
        an_input_and_a_change_that_are_refused_for_good_cost_nothing_that_runs
    }
    usage {
        what_was_spent_is_told_by_day_agent_model_and_session
    }
}

#[cfg(feature = "chaos")]
again! {
    faults {
        a_message_of_which_the_process_died_before_it_was_stored_is_one_turn_when_it_is_sent_again
        a_message_that_was_stored_when_the_process_died_is_answered_unasked_within_five_seconds
        of_five_hundred_turns_a_stopping_daemon_finishes_what_it_can_and_the_rest_goes_on_after_the_next_start
        wherever_it_dies_while_it_stops_the_next_start_finds_all
    }
}

#[cfg(feature = "chaos")]
#[test]
fn a_thousand_turns_in_mid_stream_are_at_work_again_within_ten_seconds_on_a_server_that_shares_the_machine() {
    #[tokio::main(flavor = "current_thread")]
    async fn test() {
        crate::faults::at_work_again(1_000).await;
    }
    on_postgres(test);
}

/// For so long it may take, at the most, until the daemon works again when the server is back.
const BACK: Duration = Duration::from_secs(5);

/// Sends a message again and again under one key, until it is accepted; answers its turn and how long that took.
async fn until_accepted(bed: &Testbed, session: &str, key: &str) -> (String, Duration) {
    let begun = Instant::now();
    let turn = eventually("the message is accepted", || async {
        let answer = bed.api().submit(session, "", &[("idempotency-key", key)], key).await;
        if answer.status() == 202 {
            return answer.json::<Value>()["turn"].as_str().map(str::to_owned);
        }
        refused(&answer);
        None
    })
    .await;
    (turn, begun.elapsed())
}

/// Holds a refusal against what may be said while the server is away.
fn refused(answer: &mosaic_testkit::http::Response) {
    let (status, code) = refusal(answer);
    assert!(status == 503 && ["storage", "unavailable"].contains(&code.as_str()), "{status} {code}");
    assert!(answer.header("retry-after").is_some(), "{}", answer.text());
}

/// For how long the server is away: five seconds, or as MOSAIC_TEST_OUTAGE_S says.
fn outage() -> Duration {
    let seconds = std::env::var("MOSAIC_TEST_OUTAGE_S").map(|text| text.parse().expect("a number of seconds"));
    Duration::from_secs(seconds.unwrap_or(5))
}

/// A model that says back what it hears, but for who asks it to count: that waits, half said.
fn counting(gate: &Gate) -> Builder {
    StandIn::builder().when_last_user_contains("count", Step::hold_after(gate, "one two", 1))
}

/// People go on sending while the server goes `away` and comes `back`, and one turn is in mid-stream when it goes.
async fn goes_and_comes_back(bed: &Testbed, gate: &Gate, away: impl AsyncFnOnce(), back: impl AsyncFnOnce()) {
    const SESSIONS: usize = 6;
    let api = bed.api();
    let sessions = join_all((0..SESSIONS).map(|_| api.session())).await;
    let (counting, over) = (api.session().await, Cell::new(false));
    api.say(&counting, "count").await;
    soon("the call", gate.arrived(1)).await;
    let outage = async {
        sleep(Duration::from_millis(500)).await;
        away().await;
        let gone = Instant::now();
        sleep(Duration::from_millis(500)).await;
        refused(&api.request("GET", "/readyz", &[], b"").await);
        // The speakers may be told that too many wait; who sends a second message only is told why.
        refused(&api.submit(&counting, "", &[("idempotency-key", "away")], "away").await);
        // Its answer is whole, and cannot be stored.
        gate.open();
        let mut asks = Vec::new();
        while asks.is_empty() || gone.elapsed() < outage() {
            let asked = Instant::now();
            assert_eq!(api.get("/healthz").await["status"], "ok");
            asks.push(asked.elapsed());
            sleep(Duration::from_millis(250)).await;
        }
        mostly_within(Duration::from_secs(1), asks);
        back().await;
        let healed = Instant::now();
        until_accepted(bed, &sessions[0], "after").await;
        assert!(healed.elapsed() <= BACK, "{:?}", healed.elapsed());
        over.set(true);
    };
    let speaker = async |session: &String| {
        let (mut acknowledged, mut longest) = (HashMap::new(), Duration::ZERO);
        let mut number = 0;
        // Past the outage, and until something was acknowledged on a machine however slow.
        while !over.get() || acknowledged.len() < 3 {
            let (key, asked) = (format!("m{number}"), Instant::now());
            let answer = api.submit(session, "", &[("idempotency-key", &key)], &key).await;
            longest = longest.max(asked.elapsed());
            match answer.status() {
                202 => {
                    let turn = answer.json::<Value>()["turn"].as_str().expect("a turn").to_owned();
                    acknowledged.insert(key, turn);
                    number += 1;
                    sleep(Duration::from_millis(20)).await;
                }
                // Too many wait; they are answered when the server is back.
                429 => sleep(Duration::from_millis(50)).await,
                // The same again, under the same key.
                _ => {
                    refused(&answer);
                    sleep(Duration::from_millis(20)).await;
                }
            }
        }
        (acknowledged, longest)
    };
    let ((), spoken): ((), Vec<(HashMap<_, _>, Duration)>) =
        tokio::join!(outage, join_all(sessions.iter().map(speaker)));
    for (session, (acknowledged, longest)) in sessions.iter().zip(spoken) {
        // The patience of one job and what stands before it.
        assert!(longest < Duration::from_secs(20), "somebody waited {longest:?}");
        api.settled(session).await;
        let transcript = api.transcript(session).await;
        let ends: Vec<_> = api.journal(session).await;
        for (key, turn) in acknowledged {
            let said =
                |role: &str, text: &str| transcript.iter().filter(|(of, what)| of == role && what == text).count();
            if transcript.len() < 200 {
                assert_eq!((said("user", &key), said("assistant", &format!("You said: {key}"))), (1, 1), "{key}");
            }
            let ends = ends.iter().filter(|event| event["turn"] == *turn && event["type"] == "turn.finished");
            assert_eq!(ends.count(), 1, "{key} has one end");
        }
    }
    api.settled(&counting).await;
    assert_eq!(api.count(&counting, "turn.finished").await, 1);
    let said = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    assert_eq!(api.transcript(&counting).await, [said("user", "count"), said("assistant", "one two")]);
}

#[tokio::test]
async fn a_server_that_is_away_for_some_seconds_costs_no_message_that_was_acknowledged() {
    let gate = Gate::new();
    let (bed, proxy) = Testbed::behind_a_proxy(counting(&gate)).await;
    goes_and_comes_back(&bed, &gate, async || proxy.gone(), async || proxy.heal()).await;
}

#[tokio::test]
async fn a_server_that_is_killed_or_stopped_and_started_again_costs_no_message_that_was_acknowledged() {
    let server = Server::start().await;
    let gate = Gate::new();
    let bed = Testbed::kept_by(&server, counting(&gate)).await;
    goes_and_comes_back(&bed, &gate, async || server.kill(), async || server.restart().await).await;
    let gate = Gate::new();
    let bed = Testbed::kept_by(&server, counting(&gate)).await;
    goes_and_comes_back(&bed, &gate, async || server.stop().await, async || server.restart().await).await;
}

#[tokio::test]
async fn a_message_whose_commit_was_cut_off_is_taken_once_when_it_is_sent_again() {
    for (way, fate) in
        [(Way::There, Fate::Cut), (Way::Back, Fate::Cut), (Way::There, Fate::Gone), (Way::Back, Fate::Gone)]
    {
        let (bed, proxy) = Testbed::behind_a_proxy(StandIn::builder()).await;
        let api = bed.api();
        let session = api.session().await;
        api.ask(&session, "before").await;
        api.settled(&session).await;
        proxy.trap(way, "COMMIT", fate);
        let answer = api.submit(&session, "", &[("idempotency-key", "k")], "during").await;
        soon("the connection is cut in the commit", proxy.sprung(1)).await;
        if fate == Fate::Cut {
            assert_eq!(answer.status(), 202, "the server was there to be asked: {}", answer.text());
        } else {
            assert_eq!(refusal(&answer), (503, "unavailable".to_owned()), "nobody knows");
        }
        proxy.heal();
        let answer = eventually("it is answered", || async {
            let answer = api.submit(&session, "?wait=true", &[("idempotency-key", "k")], "during").await;
            (answer.status() == 200).then(|| answer.json::<Value>())
        })
        .await;
        assert_eq!(answer["text"], "You said: during", "{way:?} {fate:?}");
        let texts: Vec<String> = api.transcript(&session).await.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["before", "You said: before", "during", "You said: during"], "{way:?} {fate:?}");
        assert_eq!(api.count(&session, "turn.accepted").await, 2, "{way:?} {fate:?}");
    }
}

#[tokio::test]
async fn an_answer_whose_commit_was_cut_off_stands_once_in_the_transcript() {
    // Away for longer than its fate is asked for, the turn is begun again where the end was not stored; else either.
    let long = Duration::from_secs(3);
    for (way, away) in
        [(Way::There, Duration::ZERO), (Way::There, long), (Way::Back, Duration::ZERO), (Way::Back, long)]
    {
        let gate = Gate::new();
        let model = StandIn::builder().script([Step::hold(&gate, "the answer")]);
        let (bed, proxy) = Testbed::behind_a_proxy(model).await;
        let api = bed.api();
        let session = api.session().await;
        api.say(&session, "the question").await;
        soon("the model is asked", gate.arrived(1)).await;
        proxy.trap(way, "COMMIT", Fate::Gone);
        gate.open();
        soon("the connection is cut in the commit", proxy.sprung(1)).await;
        sleep(away).await;
        proxy.heal();
        eventually("the session has found out", || async {
            let answer = api.request("GET", &format!("/api/v1/sessions/{session}"), &[], b"").await;
            (answer.status() == 200 && answer.json::<Value>()["state"] == "idle").then_some(())
        })
        .await;
        let transcript = api.transcript(&session).await;
        let said: Vec<_> = transcript.iter().map(|(role, text)| (role.as_str(), text.as_str())).collect();
        let [("user", "the question"), ("assistant", answer)] = said[..] else { panic!("{way:?} {away:?} {said:?}") };
        // This model says back what it hears when it is asked once more.
        let begun_again = answer == "You said: the question";
        assert!(begun_again || answer == "the answer", "{answer}");
        if way == Way::Back || away == long {
            assert_eq!(begun_again, way == Way::There, "{way:?} {away:?}");
        }
        assert_eq!(api.count(&session, "turn.finished").await, 1, "{way:?}");
        api.ask(&session, "and then?").await;
    }
}

#[tokio::test]
async fn the_command_line_speaks_of_a_server_as_it_does_of_a_file() {
    let (mut bed, proxy) = Testbed::behind_a_proxy(StandIn::builder()).await;
    let session = bed.api().session().await;
    bed.stop().await;
    let again = run(bed.command(&["migrate"]), "").await.good();
    assert!(again.contains("nothing to do: postgres://mosaic@127.0.0.1:"), "{again}");
    let fine = run(bed.command(&["doctor"]), "").await;
    assert!(fine.stdout.contains("opens and takes writes"), "{}", fine.stdout);
    run(bed.command(&["config", "check"]), "").await.good();
    proxy.gone();
    for args in [&["up"][..], &["migrate"], &["sessions", "list"]] {
        let away = run(bed.command(args), "").await;
        assert_eq!((away.code, away.stdout.as_str()), (Some(69), ""), "{args:?}: {}", away.stderr);
        assert!(away.stderr.contains("whether PostgreSQL runs"), "{args:?}: {}", away.stderr);
    }
    let sick = run(bed.command(&["doctor"]), "").await;
    assert_eq!(sick.code, Some(1));
    assert!(sick.stdout.contains("the database server cannot be reached"), "{}", sick.stdout);
    proxy.heal();
    bed.server().ask("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')").await;
    let newer = run(bed.command(&["up"]), "").await;
    assert_eq!((newer.code, newer.stdout.as_str()), (Some(1), ""));
    assert!(newer.stderr.contains("newer Mosaic (migration 29990101000001)"), "{}", newer.stderr);
    bed.server().ask("DELETE FROM __diesel_schema_migrations WHERE version = '29990101000001'").await;
    bed.restart().await;
    assert_eq!(bed.api().get(&format!("/api/v1/sessions/{session}")).await["id"], json!(session), "it was left alone");
}
