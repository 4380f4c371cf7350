//! One fault at a time, at the place where it hurts: the process dies at a named point of a message's way, under a
//! thousand turns, in a migration, while it stops. Needs the feature `chaos`, which `tests/run` sets.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use mosaic_testkit::http::Client;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::testbed::{Testbed, eventually, refusal, run, signal, soon};

/// A process that ended itself at a kill point.
const ABORTED: Option<i32> = Some(6);

/// Settings with room for many calls at once.
fn roomy(bed: &Testbed, more: &str) {
    let (url, store) = (bed.model.base_url(), bed.store_url());
    bed.write_config(&format!(
        "default_agent = \"assistant\"\ndetect = false\n{more}\n[gateway]\nbind = \"127.0.0.1:0\"\nworkers = 2\n\
         [store]\nurl = {store:?}\n[providers.lab]\nbase_url = \"{url}\"\nmax_in_flight = 2000\n\
         [agents.assistant]\nmodels = [\"lab/m-1\", \"lab/m-2\"]\n"
    ));
}

/// Makes so many sessions, each with a turn that is acknowledged.
async fn accept(bed: &Testbed, count: usize) {
    let api = bed.api();
    let talks = (0..count).map(|_| async {
        let session = api.session().await;
        api.say(&session, "count").await;
    });
    stream::iter(talks).buffer_unordered(32).collect::<Vec<()>>().await;
}

/// Says a message to a daemon that dies of it; who sent it hears nothing. Then it is started again.
async fn dies_of_a_message(bed: &mut Testbed, point: &str, session: &str) {
    cut_off(bed, point, session).await;
    bed.unset_env("MOSAIC_DIE_AT");
    bed.restart().await;
}

/// The same, and every start from here on dies there too.
async fn cut_off(bed: &mut Testbed, point: &str, session: &str) {
    bed.kill9().await;
    bed.set_env("MOSAIC_DIE_AT", point);
    bed.restart().await;
    let bearer = format!("Bearer {}", bed.token());
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k-1")];
    let mut client = Client::connect(bed.address()).await.expect("the daemon listens");
    let path = format!("/api/v1/sessions/{session}/messages?wait=true");
    let body = json!({"text": "hello"}).to_string();
    let answer = soon("the connection is cut", client.request("POST", &path, &headers, body.as_bytes())).await;
    assert!(answer.is_err(), "{point}: {answer:?}");
    assert_eq!(bed.ended().await.signal(), ABORTED, "{point}");
}

/// The repeat of the message is answered, and all that there is is one turn.
async fn is_one_turn(bed: &Testbed, point: &str, session: &str) {
    let api = bed.api();
    let answer = api.submit(session, "?wait=true", &[("idempotency-key", "k-1")], "hello").await;
    assert_eq!(answer.status(), 200, "{point}: {}", answer.text());
    let said = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    let expected = [said("user", "hello"), said("assistant", "You said: hello")];
    assert_eq!(api.transcript(session).await, expected, "{point}");
    for kind in ["turn.accepted", "turn.started", "turn.finished"] {
        assert_eq!(api.count(session, kind).await, 1, "{point}: {kind}");
    }
    for table in ["inbox", "turns", "usage WHERE turns = 1"] {
        assert_eq!(bed.rows(table).await, 1, "{point}: {table}");
    }
}

#[tokio::test]
pub(crate) async fn a_message_of_which_the_process_died_before_it_was_stored_is_one_turn_when_it_is_sent_again() {
    for point in ["accept.received", "accept.before_commit", "claim.after"] {
        let mut bed = Testbed::start().await;
        let session = bed.api().session().await;
        dies_of_a_message(&mut bed, point, &session).await;
        assert_eq!(bed.rows("inbox").await, 0, "{point}: nothing was stored");
        is_one_turn(&bed, point, &session).await;
        assert_eq!(bed.model.progress().calls, 1, "{point}");
    }
}

#[tokio::test]
pub(crate) async fn a_message_that_was_stored_when_the_process_died_is_answered_unasked_within_five_seconds() {
    let before_the_call = ["batch.after_commit:2", "accept.after_commit", "accept.before_ack", "run.before_call"];
    let in_or_after_it = ["run.mid_stream", "run.after_answer", "finish.before_commit", "finish.after_commit"];
    for (points, again) in [(before_the_call, 0), (in_or_after_it, 1)] {
        for point in points {
            let mut bed = Testbed::start().await;
            let session = bed.api().session().await;
            dies_of_a_message(&mut bed, point, &session).await;
            let began = Instant::now();
            bed.api().settled(&session).await;
            assert!(began.elapsed() < Duration::from_secs(5), "{point}: {:?}", began.elapsed());
            is_one_turn(&bed, point, &session).await;
            let stored = usize::from(point != "finish.after_commit");
            assert_eq!(bed.model.progress().calls, 1 + again * stored, "{point}: calls of the model");
        }
    }
}

#[tokio::test]
async fn a_thousand_turns_in_mid_stream_are_at_work_again_within_ten_seconds_of_the_start() {
    at_work_again(1_000).await;
}

/// Kills the daemon under so many turns in mid-stream and starts it again.
pub(crate) async fn at_work_again(turns: usize) {
    let gate = Gate::new();
    let always = Step::hold_after(&gate, "one two three", 1);
    let mut bed = Testbed::asleep(StandIn::builder().always(always).keep(0));
    roomy(&bed, "");
    bed.restart().await;
    accept(&bed, turns).await;
    soon("every call is in mid-stream", gate.arrived(turns)).await;
    bed.kill9().await;
    let began = Instant::now();
    bed.restart().await;
    soon("every call is made again", gate.arrived(2 * turns)).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    gate.open();
    eventually("every turn has ended", || async { (bed.rows("turns WHERE end_seq IS NULL").await == 0).then_some(()) })
        .await;
    for what in
        ["turns WHERE state = 'finished' AND attempt = 2", "messages WHERE role = 'assistant'", "usage WHERE turns = 1"]
    {
        assert_eq!(bed.rows(what).await, turns as i64, "{what}");
    }
    assert_eq!(bed.model.progress().calls, 2 * turns);
}

#[tokio::test]
pub(crate) async fn of_five_hundred_turns_a_stopping_daemon_finishes_what_it_can_and_the_rest_goes_on_after_the_next_start()
 {
    const TURNS: usize = 500;
    const GRACE: Duration = Duration::from_secs(5);
    let gate = Gate::new();
    let mut bed = Testbed::asleep(StandIn::builder().always(Step::hold_after(&gate, "one two", 1)).keep(0));
    roomy(&bed, "[shutdown]\ngrace = \"5s\"");
    bed.restart().await;
    accept(&bed, TURNS).await;
    let session = bed.api().session().await;
    soon("every call", gate.arrived(TURNS)).await;
    let told = Instant::now();
    bed.terminate();
    let api = bed.api();
    eventually("it says that it stops", || async {
        (api.request("GET", "/readyz", &[], b"").await.status() == 503).then_some(())
    })
    .await;
    let refused = api.submit(&session, "", &[], "too late").await;
    assert_eq!(refusal(&refused), (503, "draining".to_owned()));
    assert!(refused.header("retry-after").is_some());
    gate.release(TURNS / 2);
    assert_eq!(bed.ended().await.code(), Some(0));
    assert!(told.elapsed() >= GRACE && told.elapsed() < GRACE + Duration::from_secs(5), "{:?}", told.elapsed());
    let half = TURNS as i64 / 2;
    assert_eq!(bed.rows("turns WHERE state = 'finished'").await, half, "what could finish did");
    assert_eq!(bed.rows("turns WHERE state = 'running'").await, half, "and the rest was let be");
    gate.open();
    bed.restart().await;
    eventually("every turn has ended", || async { (bed.rows("turns WHERE end_seq IS NULL").await == 0).then_some(()) })
        .await;
    for what in ["turns WHERE state = 'finished'", "messages WHERE role = 'assistant'", "usage WHERE turns = 1"] {
        assert_eq!(bed.rows(what).await, TURNS as i64, "{what}");
    }
    assert_eq!(bed.model.progress().calls, TURNS + TURNS / 2, "what was finished was not asked again");
}

#[tokio::test]
async fn a_second_signal_ends_the_daemon_at_once_and_costs_nothing() {
    let gate = Gate::new();
    let mut bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, "never", 1)])).await;
    let session = bed.api().session().await;
    let turn = bed.api().say(&session, "hello").await;
    soon("the call", gate.arrived(1)).await;
    bed.terminate();
    let api = bed.api();
    eventually("it says that it stops", || async {
        (api.request("GET", "/readyz", &[], b"").await.status() == 503).then_some(())
    })
    .await;
    let told = Instant::now();
    bed.terminate();
    assert_eq!(bed.ended().await.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(10), "the grace is 30 s; it took {:?}", told.elapsed());
    bed.restart().await;
    bed.api().settled(&session).await;
    let journal = bed.api().journal(&session).await;
    let ends: Vec<&Value> = journal.iter().filter(|event| event["type"] == "turn.finished").collect();
    assert_eq!((ends.len(), &ends[0]["turn"], &ends[0]["text"]), (1, &json!(turn), &json!("You said: hello")));
}

#[tokio::test]
pub(crate) async fn wherever_it_dies_while_it_stops_the_next_start_finds_all() {
    for point in ["drain.begun", "drain.over", "drain.stopped"] {
        let gate = Gate::new();
        let mut bed = Testbed::asleep(StandIn::builder().script([Step::hold_after(&gate, "never", 1)]));
        bed.configure("[shutdown]\ngrace = \"100ms\"\n");
        bed.set_env("MOSAIC_DIE_AT", point);
        bed.restart().await;
        let session = bed.api().session().await;
        bed.api().say(&session, "hello").await;
        soon("the call", gate.arrived(1)).await;
        assert_eq!(bed.stop().await.signal(), ABORTED, "{point}");
        bed.unset_env("MOSAIC_DIE_AT");
        bed.restart().await;
        bed.api().settled(&session).await;
        assert_eq!(bed.api().count(&session, "turn.finished").await, 1, "{point}");
        assert_eq!(bed.api().transcript(&session).await.len(), 2, "{point}");
    }
}

#[tokio::test]
async fn a_migration_that_the_process_dies_in_leaves_the_old_state_and_the_next_start_goes_on() {
    for passing in 1..=2 {
        let mut bed = Testbed::asleep(StandIn::builder());
        bed.set_env("MOSAIC_DIE_AT", format!("migrate.between:{passing}"));
        let died = run(bed.command(&["migrate"]), "").await;
        assert_eq!((died.code, died.stdout.as_str()), (None, ""), "{died:?}");
        assert_eq!(bed.rows("sqlite_master").await, 0, "nothing of it is there");
        bed.unset_env("MOSAIC_DIE_AT");
        bed.restart().await;
        bed.api().ask(&bed.api().session().await, "hello").await;
    }
}

#[tokio::test]
async fn a_poison_message_has_three_attempts_and_its_neighbours_do_not_hear_of_it() {
    let gate = Gate::new();
    let model = StandIn::builder()
        .when_last_user_contains("poison", Step::mute_after(1))
        .when_last_user_contains("count", Step::hold_after(&gate, "one two", 1));
    let bed = Testbed::with(model).await;
    let api = bed.api();
    let (poisoned, neighbour) = (api.session().await, api.session().await);
    let mut beside = api.hear(&neighbour, "count").await;
    beside.until("turn.delta").await;
    let mut events = api.hear(&poisoned, "poison").await;
    for death in 1..=3 {
        events.until("turn.delta").await;
        run(bed.command(&["chaos", &format!("sessions/{poisoned}")]), "").await.good();
        if death < 3 {
            assert_eq!(events.until("turn.restarted").await["attempt"], death + 1);
        }
    }
    let end = events.until("turn.failed").await;
    assert_eq!(end["code"], "crashed");
    assert!(end["message"].as_str().is_some_and(|notice| notice.contains("3 times")), "{end}");
    assert_eq!(api.ask(&poisoned, "still there?").await["text"], "You said: still there?");
    gate.open();
    assert_eq!(beside.rest().await.last().expect("an end")["text"], "one two");
    assert_eq!(api.count(&neighbour, "turn.restarted").await, 0);
}

#[tokio::test]
async fn a_message_that_kills_every_run_of_it_has_three_and_fifty_sessions_beside_it_are_answered_at_once() {
    const NEIGHBOURS: usize = 50;
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.set_env("MOSAIC_POISON", "poison");
    bed.restart().await;
    let api = bed.api();
    let poisoned = api.session().await;
    let neighbours = join_all((0..NEIGHBOURS).map(|_| api.session())).await;
    let (failed, answers) = tokio::join!(
        api.submit(&poisoned, "?wait=true", &[], "poison"),
        join_all(neighbours.iter().map(async |session| {
            for _ in 0..3 {
                assert_eq!(api.ask(session, "hello").await["text"], "You said: hello");
            }
            api.count(session, "turn.restarted").await
        }))
    );
    assert_eq!(refusal(&failed), (502, "crashed".to_owned()));
    let notice = "Answering this message crashed 3 times, so it is not tried again.";
    assert!(failed.text().contains(notice), "{}", failed.text());
    assert_eq!(answers, [0; NEIGHBOURS], "nobody else began again");
    let journal = api.journal(&poisoned).await;
    let attempts: Vec<&Value> = journal.iter().filter(|event| event["type"] == "turn.restarted").collect();
    assert_eq!(attempts.iter().map(|event| event["attempt"].clone()).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(bed.log().matches("planted: a message that is poison").count(), 3, "{}", bed.log());
    assert_eq!(api.ask(&poisoned, "still there?").await["text"], "You said: still there?");
    assert_eq!(bed.model.progress().calls, 3 * NEIGHBOURS + 1);
}

#[tokio::test]
async fn a_provider_that_never_answers_costs_its_idle_limit_and_one_that_falls_silent_fails_the_turn() {
    let script = [Step::Silence, Step::say("from the next model"), Step::mute_after(2)];
    let mut bed = Testbed::asleep(StandIn::builder().script(script));
    roomy(&bed, "");
    let limit = "max_in_flight = 2000\nidle_timeout = \"300ms\"";
    let settings = std::fs::read_to_string(bed.home().join("config.toml")).expect("settings");
    bed.write_config(&settings.replace("max_in_flight = 2000", limit));
    bed.restart().await;
    let api = bed.api();
    let session = api.session().await;
    assert_eq!(api.ask(&session, "hello").await["text"], "from the next model");
    let failed = api.submit(&session, "?wait=true", &[], "and now?").await;
    assert_eq!(refusal(&failed).0, 502, "part of it was shown: nothing else may follow");
    assert_eq!(api.ask(&session, "still there?").await["text"], "You said: still there?");
    soon("both were hung up on", bed.model.wait_for_hangups(2)).await;
}

#[tokio::test]
async fn a_process_that_was_stopped_past_its_limits_wakes_without_a_storm() {
    const TURNS: usize = 40;
    const IDLE: Duration = Duration::from_secs(2);
    let gate = Gate::new();
    let mut bed = Testbed::asleep(StandIn::builder().always(Step::hold_after(&gate, "one two", 1)).keep(0));
    roomy(&bed, "");
    let limit = "max_in_flight = 2000\nidle_timeout = \"2s\"";
    let settings = std::fs::read_to_string(bed.home().join("config.toml")).expect("settings");
    bed.write_config(&settings.replace("max_in_flight = 2000", limit));
    bed.restart().await;
    accept(&bed, TURNS).await;
    soon("every call is in mid-stream", gate.arrived(TURNS)).await;
    signal(bed.pid(), "STOP");
    let stopped = Instant::now();
    gate.open();
    // The fault itself: all that the daemon waits for is said, and overdue, when it wakes.
    eventually("its limits are over", || async {
        (bed.model.progress().answered == TURNS && stopped.elapsed() > IDLE).then_some(())
    })
    .await;
    signal(bed.pid(), "CONT");
    eventually("every turn has ended", || async { (bed.rows("turns WHERE end_seq IS NULL").await == 0).then_some(()) })
        .await;
    let api = bed.api();
    let calls = bed.model.progress().calls;
    assert!(calls <= 2 * TURNS, "{calls} calls for {TURNS} turns: a storm");
    let finished = bed.rows("turns WHERE state = 'finished'").await;
    let whole = "messages m JOIN turns t ON t.id = m.turn_id WHERE m.role = 'assistant' AND t.state = 'finished'";
    assert_eq!((bed.rows("usage WHERE turns = 1").await, bed.rows(whole).await), (finished, finished));
    assert_eq!(bed.rows("turns WHERE attempt > 1").await, 0, "nothing was begun again");
    let tree = api.get("/api/v1/tree").await;
    let lives = tree["children"].as_array().expect("a list").iter().map(|child| child["incarnation"].as_u64());
    assert!(lives.into_iter().all(|lives| lives == Some(1)), "nobody was restarted: {tree}");
    let session = api.session().await;
    assert_eq!(api.ask(&session, "still there?").await["text"], "one two");
}

#[tokio::test]
async fn a_turn_under_which_the_process_died_ten_times_begins_alone_and_the_tree_says_so() {
    let mut bed = Testbed::start().await;
    let session = bed.api().session().await;
    // The first death comes with the message, the others at each start.
    cut_off(&mut bed, "run.before_call", &session).await;
    for death in 2..=10 {
        let died = run(bed.command(&["up"]), "").await;
        assert_eq!(died.code, None, "death {death}: {died:?}");
    }
    bed.unset_env("MOSAIC_DIE_AT");
    let began = Instant::now();
    bed.restart().await;
    let api = bed.api();
    let neighbour = api.session().await;
    assert_eq!(api.ask(&neighbour, "and you?").await["text"], "You said: and you?", "others need not wait");
    let tree = run(bed.command(&["tree"]), "").await.good();
    assert!(tree.contains("begins alone") && tree.contains("died 10 times"), "{tree}");
    assert_eq!(bed.model.progress().calls, 1, "the neighbour's");
    bed.api().settled(&session).await;
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(api.transcript(&session).await.len(), 2);
    assert_eq!(bed.rows("turns WHERE attempt = 11 AND charged = 0 AND state = 'finished'").await, 1);
    let tree = run(bed.command(&["tree"]), "").await.good();
    assert!(!tree.contains("begins alone"), "{tree}");
}
