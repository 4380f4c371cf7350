//! Money: what may be spent, and what was.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Testbed, eventually, refusal};

/// A call of 10 tokens as the stand-in counts them, and 2 that it answers. With caution it is reckoned as 24 and 2, and at
/// the most as 569 and 2.
const SPENT: f64 = 0.0014;
const NEEDED: f64 = 0.0028;

/// An agent whose answers nobody bounds.
const OPEN: &str = "models = [\"lab/dear\"]";

async fn bed(budgets: &str, model: &StandIn, agent: &str) -> Testbed {
    let mut bed = Testbed::asleep(StandIn::builder());
    configure(&bed, budgets, model, agent);
    bed.restart().await;
    bed
}

fn configure(bed: &Testbed, budgets: &str, model: &StandIn, agent: &str) {
    let (store, url) = (bed.store_url(), model.base_url());
    bed.write_config(&format!(
        "default_agent = \"assistant\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\nworkers = 2\n\
         [store]\nurl = {store:?}\n{budgets}\n[providers.lab]\nbase_url = \"{url}\"\n\
         models.dear = {{ input_usd_per_mtok = 100.0, output_usd_per_mtok = 200.0 }}\n\
         [agents.assistant]\n{agent}\n"
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
    let mut bed = bed("[budgets.day]\nusd = 0.01", &model, OPEN).await;
    let api = bed.api();
    let ask = || async { api.send("POST", "/v1/chat/completions", call()).await };
    let answers: Vec<_> = stream::iter(0..1_000).map(|_| ask()).buffer_unordered(100).collect().await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status() == 200);
    for refused in bad {
        assert_eq!(refusal(refused), (402, "budget_exceeded".to_owned()));
    }
    assert_eq!(good.len(), model.progress().calls, "what was refused was not asked for");
    // What was refused since others were under way is let through when they have ended, until no call is paid for.
    let mut left = 0.01 - good.iter().map(|_| SPENT).sum::<f64>();
    loop {
        let answer = ask().await;
        if answer.status() != 200 {
            assert!(answer.text().contains("midnight") && answer.text().contains("0.0028"), "{}", answer.text());
            break;
        }
        left -= SPENT;
    }
    assert!(
        (0.0..NEEDED).contains(&left),
        "{left} are left: as little as does not pay for one more, and not less than none"
    );
    let calls = model.progress().calls;
    let real = 0.01 - left;
    eventually("the ledger holds them all", || async { ((spent(&bed).await - real).abs() < 1e-9).then_some(()) }).await;

    // Another life begins with what the ledger says.
    bed.stop().await;
    bed.restart().await;
    let refused = bed.api().send("POST", "/v1/chat/completions", call()).await;
    assert_eq!(refusal(&refused), (402, "budget_exceeded".to_owned()));
    assert!(refused.text().contains("midnight"), "{}", refused.text());
    assert_eq!(model.progress().calls, calls);
}

/// Asks, in a session of its own, until that is refused: how the last answer ended, and the refusal.
async fn until_refused(bed: &Testbed, text: &str) -> (Value, String) {
    let (api, session) = (bed.api(), bed.api().session().await);
    let mut last = Value::Null;
    for _ in 0..200 {
        let answer = api.submit(&session, "?wait=true", &[], text).await;
        if answer.status() != 200 {
            assert_eq!(refusal(&answer), (502, "budget_exceeded".to_owned()), "{}", answer.text());
            return (last, answer.text());
        }
        last = answer.json();
    }
    panic!("two hundred turns are not refused");
}

#[tokio::test]
async fn a_hard_budget_holds_where_nobody_bounds_an_answer_and_the_model_uses_all_it_may() {
    let model = StandIn::builder().always(Step::Devour { bytes: 3, tokens: 1_000_000 }).start();
    let price = "[budgets.session]\nusd = 2.0";
    let bed = bed(price, &model, OPEN).await;
    let text = "a message of forty letters, or a few more";
    let (last, refused) = until_refused(&bed, text).await;
    assert_eq!(last["stop_reason"], "length", "the last answer is as long as is paid for");
    assert!(refused.contains("budget of $2 for session"), "{refused}");
    let cost = spent(&bed).await;
    assert!(cost > 1.9 && cost <= 2.0, "{cost}: most of it is spent, and nothing beyond");
    eventually("it is said that the answer was cut", || async {
        let log = bed.log();
        log.contains("an answer was cut short by what is left of the budget of $2 for session").then_some(())
    })
    .await;
    for call in model.calls() {
        assert!(call.body["max_completion_tokens"].is_u64() || call.body["max_tokens"].is_u64(), "{}", call.body);
    }
}

#[tokio::test]
async fn a_hard_budget_holds_for_many_streams_at_once_and_for_prompts_of_which_each_byte_is_a_token() {
    let model = StandIn::builder().always(Step::Devour { bytes: 1, tokens: 1_000_000 }).keep(0).start();
    let bed = bed("[budgets.day]\nusd = 1.0", &model, OPEN).await;
    let api = bed.api();
    let ask = |number: usize| {
        let mut body = call();
        let body_of = body.as_object_mut().expect("an object");
        body_of.remove("max_tokens");
        body_of.insert("stream".into(), json!(number.is_multiple_of(2)));
        body_of["messages"][0]["content"] = json!("7".repeat(number % 7 * 100));
        let api = api.clone();
        async move { api.send("POST", "/v1/chat/completions", body).await.status() }
    };
    let ended: Vec<_> = stream::iter(0..300).map(ask).buffer_unordered(32).collect().await;
    assert!(ended.iter().all(|status| [200, 402].contains(status)), "{ended:?}");
    let good = ended.iter().filter(|status| **status == 200).count();
    assert_eq!(good, model.progress().calls);
    let cost = eventually("the ledger holds them all", || async {
        let sum = bed.api().get("/api/v1/usage").await["items"][0].clone();
        (sum["calls"] == json!(good)).then(|| sum["cost_usd"].as_f64().unwrap_or_default())
    })
    .await;
    // The dearest prompt is 602 tokens, which with caution were taken for half.
    assert!(cost > 0.9 && cost <= 1.0 + 301.0 * 1e-4, "{cost}");
}

#[tokio::test]
async fn what_a_provider_does_not_count_is_paid_for_by_an_estimate() {
    let text = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"twelve bytes\"},\"finish_reason\":\"stop\"}]}\n\n\
                data: [DONE]\n\n";
    let model = StandIn::builder().always(Step::Sse(text.to_owned())).start();
    let bed = bed("[budgets.session]\nusd = 0.009", &model, OPEN).await;
    let session = bed.api().session().await;
    let answer = bed.api().ask(&session, "sixteen letters.").await;
    assert_eq!((&answer["usage"]["input_tokens"], &answer["usage"]["output_tokens"]), (&json!(19), &json!(3)));
    let (_, refused) = until_refused(&bed, "sixteen letters.").await;
    assert!(refused.contains("[budgets.session]"), "{refused}");
}

#[tokio::test]
async fn a_session_that_has_spent_its_budget_goes_on_with_a_model_that_costs_nothing_or_says_what_to_do() {
    let model = StandIn::builder().always(Step::say("one two")).start();
    // Two turns cost 0.0068 dollars together, and what is left pays for no third.
    let budgets = "[budgets.session]\nusd = 0.0084";
    let mut bed = bed(budgets, &model, "models = [\"lab/dear\"]\nmax_output_tokens = 2").await;
    let session = bed.api().session().await;
    for text in ["forty letters, which are ten tokens here", "more"] {
        bed.api().ask(&session, text).await;
    }
    let refused = bed.api().submit(&session, "?wait=true", &[], "and more").await;
    assert_eq!(refusal(&refused), (502, "budget_exceeded".to_owned()));
    assert!(refused.text().contains("new session"), "{}", refused.text());
    let other = bed.api().session().await;
    bed.api().ask(&other, "another session has money of its own").await;
    eventually("it is told once that it runs low", || async { bed.log().contains("80 % of the budget").then_some(()) })
        .await;

    bed.stop().await;
    configure(&bed, budgets, &model, "models = [\"lab/dear\", \"lab/free\"]\nmax_output_tokens = 2");
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
    let bed = bed("", &model, OPEN).await;
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
