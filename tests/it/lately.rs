//! How the house says it is, and which models there are to choose from.

use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Testbed, eventually, refusal};

fn sum(house: &Value, kind: &str) -> u64 {
    let minutes = house["turns"]["minutes"].as_array().expect("minutes");
    assert_eq!(minutes.len(), 60);
    minutes.iter().filter_map(|minute| minute[kind].as_u64()).sum()
}

#[tokio::test]
async fn the_house_tells_the_last_hour_and_two_weeks_at_once_and_keeps_the_days_over_a_restart() {
    let script = [Step::say("one"), Step::status(401, "invalid_api_key", "No."), Step::say("three")];
    let mut bed = Testbed::with(StandIn::builder().script(script)).await;
    let api = bed.api();
    let fresh = api.get("/api/v1/observe").await;
    let lab = json!({"name": "lab", "health": "unknown", "last_call": null, "code": null, "in_flight": 0,
        "max_in_flight": 64, "waiting": 0, "calls": 0, "failed": 0, "first_token": null, "whole": null});
    assert_eq!(fresh["providers"], json!([lab]));
    assert_eq!(
        (sum(&fresh, "accepted"), &fresh["outbox"], fresh["days"].as_array().map(Vec::len)),
        (0, &json!([]), Some(14))
    );

    let session = api.session().await;
    for text in ["one", "two", "three"] {
        api.submit(&session, "?wait=true", &[], text).await;
    }
    let counted = |house: &Value| ["accepted", "finished", "failed", "cancelled"].map(|kind| sum(house, kind));
    // Who waits for a turn is told of its end a moment before it is counted.
    let house = eventually("all three are counted", || async {
        let house = api.get("/api/v1/observe").await;
        (counted(&house).iter().sum::<u64>() == 6).then_some(house)
    })
    .await;
    assert_eq!(counted(&house), [3, 2, 1, 0]);
    let lab = &house["providers"][0];
    assert_eq!(
        (&lab["health"], &lab["calls"], &lab["failed"], &lab["code"]),
        (&json!("answers"), &json!(3), &json!(1), &Value::Null)
    );
    let ms = |of: &str, which: &str| lab[of][which].as_f64().unwrap_or_else(|| panic!("no {of} {which}: {lab}"));
    assert!(0.0 < ms("first_token", "p50_ms") && ms("first_token", "p50_ms") <= ms("whole", "p95_ms"), "{lab}");
    let today = |house: &Value| house["days"][13]["cost_usd"].as_f64().expect("a number");
    let spent = api.get("/api/v1/usage?by=day").await["items"][0]["cost_usd"].as_f64().expect("a number");
    assert!(spent > 0.0 && (today(&house) - spent).abs() < 1e-9, "{spent}: {house}");

    bed.kill9().await;
    bed.restart().await;
    let api = bed.api();
    let house = api.get("/api/v1/observe").await;
    assert!((today(&house) - spent).abs() < 1e-9, "what was spent before is in the ledger: {house}");
    api.ask(&session, "four").await;
    let spent = api.get("/api/v1/usage?by=day").await["items"][0]["cost_usd"].as_f64().expect("a number");
    eventually("with it is what was spent since, once", || async {
        ((today(&api.get("/api/v1/observe").await) - spent).abs() < 1e-9).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_day_whose_calls_have_no_price_is_told_as_the_ledger_tells_it() {
    let mut bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    api.send("PATCH", &format!("/api/v1/sessions/{session}"), json!({"agent": "poet"})).await;
    api.ask(&session, "hello").await;
    for life in 1..=2 {
        let days = bed.api().get("/api/v1/observe").await["days"].clone();
        assert_eq!(bed.api().get("/api/v1/usage?by=day").await["items"][0]["cost_usd"], Value::Null);
        assert_eq!((&days[12]["cost_usd"], &days[13]["cost_usd"]), (&json!(0.0), &Value::Null), "life {life}: {days}");
        bed.kill9().await;
        bed.restart().await;
    }
}

#[tokio::test]
async fn models_are_listed_to_choose_from_with_what_is_known_of_each() {
    let mut bed = Testbed::asleep(StandIn::builder().models(["m-1", "b-1", "extra"]));
    let url = bed.model.base_url();
    bed.configure(&format!(
        "[providers.dark]\nbase_url = \"{url}\"\nmodels.\"b-1\" = {{ vision = false, context_tokens = 9000 }}\n\
         [providers.gone]\nbase_url = \"http://127.0.0.1:9/v1\"\n[agents.pair]\nmodels = [\"dark/b-1\", \"lab/m-1\"]\nstrategy = \"race\"\n"
    ));
    bed.restart().await;
    let api = bed.api();
    let named = api.get("/api/v1/models").await["items"].clone();
    let ids = |all: &Value| -> Vec<String> {
        all.as_array().expect("a list").iter().map(|one| one["id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(ids(&named), ["dark/b-1", "lab/m-1", "lab/m-2"]);
    let dark = json!({"id": "dark/b-1", "provider": "dark", "model": "b-1", "configured": true, "agents": ["pair"],
        "context_tokens": 9000, "price": null, "vision": false, "tools": null, "reasoning": null, "health": "unknown"});
    assert_eq!(named[0], dark);
    assert_eq!(
        (&named[1]["agents"], &named[1]["price"]["input_usd_per_mtok"]),
        (&json!(["assistant", "pair"]), &json!(1.0))
    );
    let listed = api.get("/api/v1/models?listed=true").await["items"].clone();
    let more: Vec<_> = listed.as_array().expect("a list").iter().filter(|one| one["configured"] == false).collect();
    assert!(!more.is_empty() && more.iter().all(|one| one["provider"] != "gone"), "{listed}");
    assert!(ids(&named).iter().all(|id| ids(&listed).contains(id)));
    assert_eq!(bed.model.progress().calls, 0, "no model was called");
    assert_eq!(
        refusal(&api.request("GET", "/api/v1/models?listed=maybe", &[], b"").await),
        (400, "bad_request".to_owned())
    );
    let agents = api.get("/api/v1/agents").await["items"].clone();
    let pair = agents.as_array().expect("a list").iter().find(|agent| agent["name"] == "pair").expect("it is there");
    assert_eq!(pair["strategy"], "race");
}
