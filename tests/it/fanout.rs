//! Agents that ask several models: racing, compared, on a panel; and what that costs.

use std::time::Duration;

use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::testbed::{Testbed, eventually, heard};

/// A daemon whose agent asks model `m` of each of the stand-ins, which are the providers `a`, `b`, `c` …
async fn bed(fanout: &str, models: &[&StandIn]) -> Testbed {
    let mut bed = Testbed::asleep(StandIn::builder());
    let mut config = format!("default_agent = \"assistant\"\n{}", tables(fanout, models));
    config.push_str(&format!("[store]\nurl = {:?}\n", bed.store_url()));
    bed.write_config(&config);
    bed.restart().await;
    bed
}

fn tables(fanout: &str, models: &[&StandIn]) -> String {
    let names = ["a", "b", "c", "d"];
    let mut text = "detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\nworkers = 2\n".to_owned();
    for (name, model) in names.iter().zip(models) {
        let url = model.base_url();
        text.push_str(&format!(
            "[providers.{name}]\nbase_url = \"{url}\"\n\
             models.m = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}\n"
        ));
    }
    // The last one is the judge where there is one.
    let asked = models.len() - usize::from(fanout.contains("judge"));
    let asked: Vec<String> = names[..asked].iter().map(|name| format!("\"{name}/m\"")).collect();
    text.push_str(&format!("[agents.assistant]\nmodels = [{}]\n{fanout}\n", asked.join(", ")));
    text
}

/// The events of parts in a journal: number, name, whether it answered.
fn parts(events: &[Value]) -> Vec<(u64, String, bool)> {
    let parts = events.iter().filter(|event| event["part"].is_object() && event["type"] == "step.finished");
    parts
        .map(|event| {
            let name = event["name"].as_str().expect("a name").to_owned();
            (event["part"]["number"].as_u64().expect("a number"), name, event["ok"] == true)
        })
        .collect()
}

/// Sums of the ledger by model: key, turns, calls, tokens in and out.
async fn ledger(bed: &Testbed) -> Vec<(String, u64, u64, u64, u64)> {
    let page = bed.api().get("/api/v1/usage?by=model").await;
    let number = |value: &Value| value.as_u64().expect("a number");
    let sums = page["items"].as_array().expect("a list").iter().map(|sum| {
        let key = sum["key"].as_str().expect("a key").to_owned();
        let (tokens_in, tokens_out) = (number(&sum["input_tokens"]), number(&sum["output_tokens"]));
        (key, number(&sum["turns"]), number(&sum["calls"]), tokens_in, tokens_out)
    });
    sums.collect()
}

#[tokio::test]
async fn a_race_is_won_by_the_faster_and_the_slower_is_hung_up_on_within_a_tenth_of_a_second() {
    let slow = StandIn::builder().always(Step::Silence).start();
    let fast = StandIn::builder().always(Step::say("here I am")).start();
    let bed = bed("strategy = \"race\"\nrace_after = \"0s\"", &[&slow, &fast]).await;
    // A busy machine may hold up one race; a loser that is forgotten is late in each.
    let (mut races, mut within) = (0_u64, false);
    let (session, answer) = loop {
        races += 1;
        let session = bed.api().session().await;
        let answer = bed.api().ask(&session, "hi").await;
        let answered = Instant::now();
        slow.wait_for_hangups(usize::try_from(races).expect("few")).await;
        within |= answered.elapsed() < Duration::from_millis(100);
        if within || races == 5 {
            break (session, answer);
        }
    };
    assert!(within, "none of {races} losers was hung up on in time");
    assert_eq!((&answer["text"], &answer["provider"]), (&json!("here I am"), &json!("b")));
    assert_eq!(answer["route_reason"], "faster than a/m");
    assert_eq!(parts(&bed.api().journal(&session).await), [(1, "a/m".to_owned(), false)]);
    // What was sent to the slower one is paid for, by an estimate, as soon as the ledger is written.
    let sums = eventually("the loser is in the ledger", || async {
        let sums = ledger(&bed).await;
        (sums.len() == 2 && sums[0].2 == races).then_some(sums)
    })
    .await;
    assert_eq!((sums[0].0.as_str(), sums[0].1, sums[0].4), ("a/m", 0, 0));
    assert!(sums[0].3 > 0, "{sums:?}");
    assert_eq!((sums[1].0.as_str(), sums[1].1, sums[1].2), ("b/m", races, races));
    let total = answer["usage"]["input_tokens"].as_u64();
    assert_eq!(total, Some((sums[0].3 + sums[1].3) / races), "the turn shows what it cost with all that was beside it");
}

#[tokio::test]
async fn a_comparison_shows_three_answers_under_their_names_in_order() {
    let models = ["one", "two", "three"].map(|text| StandIn::builder().always(Step::say(text)).start());
    let bed = bed("strategy = \"compare\"", &models.each_ref()).await;
    let session = bed.api().session().await;
    let events = bed.api().hear(&session, "count").await.rest().await;
    let end = events.last().expect("an end");
    let text = end["text"].as_str().expect("a text");
    assert_eq!(heard(&events), text, "what is shown as it comes is what stands at the end");
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let [a, one, paid, b, two, _, c, three, _] = lines[..] else { panic!("three answers: {text}") };
    assert_eq!([a, one, b, two, c, three], ["### a/m", "one", "### b/m", "two", "### c/m", "three"]);
    assert!(paid.starts_with('_') && paid.contains(" s · $0.0000"), "{paid}");
    assert_eq!(end["route_reason"], "compared: 3 of 3 answered");
    let mut told = parts(&bed.api().journal(&session).await);
    told.sort();
    assert_eq!(told, [(1, "a/m".to_owned(), true), (2, "b/m".to_owned(), true), (3, "c/m".to_owned(), true)]);
    let sums = ledger(&bed).await;
    // Each answer has an entry of its own; the turn's is with the first.
    assert_eq!(sums.iter().map(|sum| sum.3).sum::<u64>(), end["usage"]["input_tokens"].as_u64().expect("a number"));
    assert_eq!(sums.iter().map(|sum| sum.3).collect::<Vec<_>>(), [20, 20, 20]);
    assert_eq!(models.each_ref().map(|model| model.progress().calls), [1, 1, 1]);
}

#[tokio::test]
async fn a_panel_that_a_kill_cut_off_goes_on_and_asks_nobody_again_who_has_answered() {
    let gate = Gate::new();
    let quick = ["yes", "no"].map(|text| StandIn::builder().always(Step::say(text)).start());
    let held = StandIn::start([Step::hold(&gate, "never heard"), Step::say("perhaps")]);
    let judge = StandIn::builder().always(Step::say("It depends. Disagreement: b says no.")).start();
    let mut bed = bed("strategy = \"panel\"\njudge = \"d/m\"", &[&quick[0], &quick[1], &held, &judge]).await;
    let session = bed.api().session().await;
    bed.api().say(&session, "is it so?").await;
    held.wait_for_calls(1).await;
    eventually("two answers are stored", || async {
        (parts(&bed.api().journal(&session).await).len() == 2).then_some(())
    })
    .await;
    bed.kill9().await;
    bed.restart().await;
    bed.api().settled(&session).await;
    let said = bed.api().transcript(&session).await;
    assert_eq!(said.last().expect("an answer").1, "It depends. Disagreement: b says no.");
    let calls = [&quick[0], &quick[1], &held, &judge].map(|model| model.progress().calls);
    assert_eq!(calls, [1, 1, 2, 1], "what was cut off is asked again, and nothing else");
    let charge = judge.last_call();
    let charge = charge.last_user().expect("a text");
    for told in ["yes", "no", "perhaps", "--- b/m ---"] {
        assert!(charge.contains(told), "{told}: {charge}");
    }
    assert_eq!(bed.api().count(&session, "turn.finished").await, 1);
    let sums = ledger(&bed).await;
    let keys: Vec<_> = sums.iter().map(|sum| (sum.0.as_str(), sum.1, sum.2)).collect();
    assert_eq!(keys, [("a/m", 0, 1), ("b/m", 0, 1), ("c/m", 0, 2), ("d/m", 1, 1)]);
}

#[tokio::test]
async fn what_is_cancelled_in_mid_answer_and_what_has_no_session_is_in_the_ledger_too() {
    let model = StandIn::start([Step::mute_after(4), Step::say("one two")]);
    let bed = bed("", &[&model]).await;
    let session = bed.api().session().await;
    let mut events = bed.api().hear(&session, "hi").await;
    events.until("turn.delta").await;
    bed.api().cancel(&session).await;
    let cut =
        eventually("what was cut off is in the ledger", || async { ledger(&bed).await.pop().filter(|sum| sum.4 > 0) })
            .await;
    assert_eq!((cut.0.as_str(), cut.1, cut.2), ("a/m", 0, 1), "no turn was answered");
    assert!(cut.3 > 0 && cut.4 > 0, "what was sent and what was heard: {cut:?}");

    let ask = json!({"model": "a/m", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(bed.api().send("POST", "/v1/chat/completions", ask).await.status(), 200);
    let both = eventually("the stateless call is in the ledger", || async {
        ledger(&bed).await.pop().filter(|sum| sum.2 == 2)
    })
    .await;
    assert_eq!((both.3 - cut.3, both.4 - cut.4), (10, 2), "as the provider says it");
    let sessions = bed.api().get("/api/v1/usage?by=session").await;
    let keys: Vec<_> = sessions["items"].as_array().expect("a list").iter().map(|sum| &sum["key"]).collect();
    assert_eq!(keys, [&json!(""), &json!(session)]);
}
