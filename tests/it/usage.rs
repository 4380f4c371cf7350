//! What was spent, as people and programs are told it.

use serde_json::{Value, json};

use crate::testbed::Testbed;

#[tokio::test]
pub(crate) async fn what_was_spent_is_told_by_day_agent_model_and_session() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let answer = api.ask(&session, "hello").await;
    let spent = answer["usage"].clone();
    api.send("PATCH", &format!("/api/v1/sessions/{session}"), json!({"agent": "poet"})).await;
    api.ask(&session, "and in verse").await;
    for (by, keys) in [("agent", vec!["assistant", "poet"]), ("model", vec!["lab/m-1", "lab/m-2"])] {
        let sums = api.get(&format!("/api/v1/usage?by={by}")).await;
        let told: Vec<&Value> = sums["items"].as_array().expect("a list").iter().map(|sum| &sum["key"]).collect();
        assert_eq!(told, keys);
        let first = &sums["items"][0];
        assert_eq!(
            (&first["input_tokens"], &first["output_tokens"]),
            (&spent["input_tokens"], &spent["output_tokens"])
        );
        assert_eq!((&first["turns"], &first["unpriced_turns"]), (&json!(1), &json!(0)));
        assert_eq!(first["cost_usd"], answer["cost_usd"]);
        let second = &sums["items"][1];
        assert_eq!((&second["cost_usd"], &second["unpriced_turns"]), (&Value::Null, &json!(1)), "no price, no guess");
    }
    let day = api.get("/api/v1/usage").await["items"][0].clone();
    assert_eq!(day["turns"], 2);
    let day = day["key"].as_str().expect("a day").to_owned();
    assert_eq!(api.get(&format!("/api/v1/usage?since={day}")).await["items"][0]["turns"], 2);
    assert_eq!(api.get(&format!("/api/v1/usage?until={day}")).await["items"], json!([]));
    api.request("DELETE", &format!("/api/v1/sessions/{session}"), &[], b"").await;
    let kept = api.get("/api/v1/usage?by=session").await;
    assert_eq!(kept["items"][0]["key"], json!(session), "what was spent stays spent");
    let first = api.get("/api/v1/usage?by=agent&limit=1").await;
    let next = first["next"].as_str().expect("there is more");
    let second = api.get(&format!("/api/v1/usage?by=agent&limit=1&cursor={next}")).await;
    assert_eq!((&second["items"][0]["key"], &second["next"]), (&json!("poet"), &Value::Null));
}

#[tokio::test]
async fn no_channel_is_made_up() {
    let bed = Testbed::start().await;
    assert_eq!(bed.api().get("/api/v1/channels").await, json!({"items": [], "next": null}));
}
