//! Money: what may be spent, and what was.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Testbed, eventually, refusal};

/// A call of 14 tokens as they are reckoned, 10 as the stand-in counts them, and 2 that it answers: 0.0018 dollars are set
/// aside, and 0.0014 are spent.
const SPENT: f64 = 0.0014;
const ASIDE: f64 = 0.0018;

async fn bed(budgets: &str, model: &StandIn, more: &str) -> Testbed {
    let mut bed = Testbed::asleep(StandIn::builder());
    configure(&bed, budgets, model, more);
    bed.restart().await;
    bed
}

fn configure(bed: &Testbed, budgets: &str, model: &StandIn, more: &str) {
    let (store, url) = (bed.store_url(), model.base_url());
    bed.write_config(&format!(
        "default_agent = \"assistant\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\nworkers = 2\n\
         [store]\nurl = {store:?}\n{budgets}\n[providers.lab]\nbase_url = \"{url}\"\n\
         models.dear = {{ input_usd_per_mtok = 100.0, output_usd_per_mtok = 200.0 }}\n\
         [agents.assistant]\nmodels = [\"lab/dear\"{more}]\nmax_output_tokens = 2\n"
    ));
}

fn call() -> Value {
    json!({"model": "lab/dear", "max_tokens": 2, "messages": [
        {"role": "user", "content": "forty letters, which are ten tokens here"}]})
}

async fn spent(bed: &Testbed) -> f64 {
    bed.api().get("/api/v1/usage").await["items"][0]["cost_usd"].as_f64().unwrap_or_default()
}

#[tokio::test]
async fn a_thousand_calls_at_the_last_cent_pass_a_budget_by_no_more_than_one_reservation() {
    let model = StandIn::builder().always(Step::say("one two")).keep(0).start();
    let mut bed = bed("[budgets.day]\nusd = 0.01", &model, "").await;
    let api = bed.api();
    let ask = || async { api.send("POST", "/v1/chat/completions", call()).await };
    let answers: Vec<_> = stream::iter(0..1_000).map(|_| ask()).buffer_unordered(100).collect().await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status() == 200);
    for refused in bad {
        assert_eq!(refusal(refused), (402, "budget_exceeded".to_owned()));
    }
    assert_eq!(good.len(), model.progress().calls, "what was refused was not asked for");
    assert_eq!(good.len(), 8, "the eighth begins while there is something left, and none after it");
    let real = 8.0 * SPENT;
    assert!(real < 0.01 + ASIDE);
    eventually("the ledger holds them all", || async { ((spent(&bed).await - real).abs() < 1e-9).then_some(()) }).await;

    // Another life begins with what the ledger says.
    bed.stop().await;
    bed.restart().await;
    let refused = bed.api().send("POST", "/v1/chat/completions", call()).await;
    assert_eq!(refusal(&refused), (402, "budget_exceeded".to_owned()));
    assert!(refused.text().contains("midnight"), "{}", refused.text());
    assert_eq!(model.progress().calls, 8);
}

#[tokio::test]
async fn a_session_that_has_spent_its_budget_goes_on_with_a_model_that_costs_nothing_or_says_what_to_do() {
    let model = StandIn::builder().always(Step::say("one two")).start();
    let budgets = "[budgets.session]\nusd = 0.0001";
    let mut bed = bed(budgets, &model, "").await;
    let session = bed.api().session().await;
    bed.api().ask(&session, "forty letters, which are ten tokens here").await;
    let refused = bed.api().submit(&session, "?wait=true", &[], "more").await;
    assert_eq!(refusal(&refused), (502, "budget_exceeded".to_owned()));
    assert!(refused.text().contains("new session"), "{}", refused.text());
    let other = bed.api().session().await;
    bed.api().ask(&other, "another session has money of its own").await;
    eventually("it is told once that it runs low", || async { bed.log().contains("80 % of the budget").then_some(()) })
        .await;

    bed.stop().await;
    configure(&bed, budgets, &model, ", \"lab/free\"");
    bed.restart().await;
    let answer = bed.api().ask(&session, "and now?").await;
    assert_eq!((&answer["model"], &answer["text"]), (&json!("free"), &json!("one two")));
    assert_eq!(answer["route_reason"], "lab/dear is beyond the budget; lab/free answered", "one line says so");
}

#[tokio::test]
async fn every_call_is_in_the_ledger_however_it_ended() {
    let model = StandIn::builder()
        .when_last_user_contains("mute", Step::mute_after(3))
        .when_last_user_contains("slow", Step::say_in("word ".repeat(400), 400, Duration::from_millis(50)))
        .always(Step::say("one two"))
        .keep(0)
        .start();
    let bed = bed("", &model, "").await;
    let api = bed.api();
    let one = |number: usize| {
        let api = api.clone();
        async move {
            match number % 4 {
                // A turn that is answered.
                0 => {
                    let session = api.session().await;
                    api.ask(&session, "hello").await;
                }
                // A turn that is cancelled in its middle.
                1 => {
                    let session = api.session().await;
                    let mut events = api.hear(&session, "mute").await;
                    events.until("turn.delta").await;
                    api.cancel(&session).await;
                }
                // A call of no session.
                2 => assert_eq!(api.send("POST", "/v1/chat/completions", call()).await.status(), 200),
                // One whose caller hangs up.
                _ => {
                    let mut ask = call();
                    (ask["messages"][0]["content"], ask["stream"]) = (json!("slow"), json!(true));
                    let response =
                        tokio::time::timeout(Duration::from_secs(1), api.send("POST", "/v1/chat/completions", ask));
                    assert!(response.await.is_err(), "it does not end by itself");
                }
            }
        }
    };
    stream::iter(0..200).map(one).buffer_unordered(16).collect::<Vec<()>>().await;
    let sums = eventually("the ledger holds them all", || async {
        let sum = bed.api().get("/api/v1/usage").await["items"][0].clone();
        (sum["calls"] == json!(model.progress().calls)).then_some(sum)
    })
    .await;
    assert_eq!(sums["turns"], 50, "turns that were answered");
    assert!(model.progress().calls > 150);
    // 100 calls as the stand-in counts them; of the others what was sent and heard, by an estimate.
    let input = sums["input_tokens"].as_u64().expect("a number");
    assert!((1_200..9_000).contains(&input), "{sums}");
}
