//! A database that refuses some rows for good, as a mistake of ours or damage would have it.

use mosaic_testkit::{Gate, StandIn, Step};
use serde_json::json;
use tokio::time::Instant;

use crate::testbed::{PATIENCE, Testbed, eventually, refusal, run, soon};

#[tokio::test]
pub(crate) async fn an_answer_that_the_database_refuses_for_good_fails_its_turn_and_is_asked_for_once() {
    let bed = Testbed::start().await;
    bed.refuse("INSERT ON messages", "NEW.role = 'assistant' AND NEW.text LIKE '%poison%'").await;
    let api = bed.api();
    let (session, neighbour) = (api.session().await, api.session().await);
    let (failed, beside) = tokio::join!(api.submit(&session, "?wait=true", &[], "poison"), async {
        let mut turns = Vec::new();
        for _ in 0..5 {
            turns.push(api.ask(&neighbour, "hello").await["text"].clone());
        }
        turns
    });
    assert_eq!(refusal(&failed), (502, "storage_defect".to_owned()));
    assert!(failed.text().contains("refused 3 times") && failed.text().contains("mosaic doctor"), "{}", failed.text());
    assert_eq!(beside, ["You said: hello"; 5], "a batch that it spoils is done without it");
    assert_eq!(bed.model.progress().calls, 6, "its model is asked once");
    assert_eq!((api.count(&session, "turn.failed").await, api.count(&session, "turn.restarted").await), (1, 0));
    assert_eq!(api.ask(&session, "still there?").await["text"], "You said: still there?");
    eventually("what was asked for is paid for", || async { (bed.rows("usage").await == 7).then_some(()) }).await;
    assert_eq!(bed.rows("usage WHERE turns = 0 AND of_turn IS NOT NULL AND calls = 1 AND cost_usd > 0").await, 1);
    let log = bed.log();
    assert!(log.contains("planted") && log.contains("it is given up"), "the cause is told: {log}");
    assert!(!log.contains("poison"), "and nothing that was said");
}

#[tokio::test]
pub(crate) async fn an_input_and_a_change_that_are_refused_for_good_cost_nothing_that_runs() {
    let gate = Gate::new();
    let model = StandIn::builder().when_last_user_contains("count", Step::hold_after(&gate, "one two", 1));
    let bed = Testbed::with(model).await;
    let api = bed.api();
    let session = api.session().await;
    let events = api.hear(&session, "count").await;
    soon("the call", gate.arrived(1)).await;
    bed.refuse("INSERT ON messages", "NEW.text = 'poison'").await;
    let refused = api.submit(&session, "", &[("idempotency-key", "k-1")], "poison").await;
    assert_eq!(refusal(&refused), (500, "storage_defect".to_owned()));
    bed.refuse_no_more("messages").await;
    let again = api.submit(&session, "", &[("idempotency-key", "k-1")], "poison").await;
    assert_eq!(again.status(), 202, "a refusal is not remembered: {}", again.text());
    bed.refuse("UPDATE ON sessions", "NEW.title = 'poison'").await;
    let path = format!("/api/v1/sessions/{session}");
    let refused = api.send("PATCH", &path, json!({"title": "poison"})).await;
    assert_eq!(refusal(&refused), (500, "storage_defect".to_owned()));
    gate.open();
    assert_eq!(events.rest().await.last().expect("an end")["text"], "one two");
    api.settled(&session).await;
    assert_eq!(api.count(&session, "turn.restarted").await, 0);
    assert_eq!(bed.model.progress().calls, 2, "what ran was not asked again");
}

#[tokio::test]
async fn where_not_even_a_failure_can_be_stored_its_session_goes_down_and_nobody_is_asked_again() {
    let mut bed = Testbed::start().await;
    let api = bed.api();
    let (session, neighbour) = (api.session().await, api.session().await);
    bed.refuse("UPDATE ON turns", &format!("NEW.end_seq IS NOT NULL AND NEW.session_id = '{session}'")).await;
    let began = Instant::now();
    api.say(&session, "victim").await;
    // Of four lives the first has two ends to try, three times each, and the others one.
    let tree = eventually("its session is down", || async {
        let tree = run(bed.command(&["tree"]), "").await.good();
        tree.lines().any(|line| line.contains(&session) && line.contains("down")).then_some(tree)
    });
    let (tree, ()) = tokio::join!(tree, async {
        while began.elapsed() < PATIENCE / 4 {
            assert_eq!(api.ask(&neighbour, "hello").await["text"], "You said: hello");
        }
    });
    assert!(tree.contains("the store refuses the end of its turn"), "{tree}");
    let refused = api.submit(&session, "", &[], "are you there?").await;
    assert_eq!(refusal(&refused), (503, "unavailable".to_owned()));
    assert!(refused.text().contains("mosaic tree"), "{}", refused.text());
    assert_eq!(bed.rows(&format!("turns WHERE session_id = '{session}' AND attempt > 1")).await, 0);
    let asked = bed.model.calls().iter().filter(|call| call.last_user() == Some("victim")).count();
    assert_eq!(asked, 1, "nobody is asked for what cannot be stored");
    bed.refuse_no_more("turns").await;
    bed.stop().await;
    bed.restart().await;
    bed.api().settled(&session).await;
    assert_eq!(bed.api().transcript(&session).await.len(), 2, "nothing of it is lost");
}
