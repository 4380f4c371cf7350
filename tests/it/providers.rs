//! Providers: how they are, and whether they answer.

use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Api, Testbed, refusal};

async fn tried(api: &Api, wish: Value) -> Value {
    let answer = api.send("POST", "/api/v1/providers/lab/test", wish).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()
}

async fn last_call(api: &Api) -> Value {
    api.get("/api/v1/providers").await["items"][0]["last_call"].clone()
}

#[tokio::test]
async fn a_provider_is_tried_with_one_tiny_call_and_its_last_call_is_told() {
    let bed = Testbed::with(StandIn::builder().script([
        Step::say("OK"),
        Step::status(401, "invalid_api_key", "no such key"),
        Step::say("OK"),
    ]))
    .await;
    let api = bed.api();
    assert_eq!(last_call(&api).await, Value::Null, "nobody is asked without need");

    let good = tried(&api, json!({})).await;
    assert_eq!((&good["ok"], &good["model"], &good["error"]), (&json!(true), &json!("m-1"), &Value::Null));
    assert!(good["latency_ms"].is_u64(), "{good}");
    let call = bed.model.last_call();
    assert_eq!((&call.body["model"], &call.body["max_tokens"]), (&json!("m-1"), &json!(16)), "tiny");
    assert_eq!(last_call(&api).await["ok"], true);

    let refused = tried(&api, json!({"model": "m-9"})).await;
    assert_eq!(
        (&refused["ok"], &refused["model"], &refused["latency_ms"]),
        (&json!(false), &json!("m-9"), &Value::Null)
    );
    assert_eq!(refused["error"]["code"], "provider_auth");
    let last = last_call(&api).await;
    assert_eq!((&last["ok"], &last["code"]), (&json!(false), &json!("provider_auth")));
    assert_eq!(bed.model.progress().calls, 2, "a trial is one call");

    // A turn's call counts as well.
    let session = api.session().await;
    api.ask(&session, "hello").await;
    assert_eq!(last_call(&api).await["ok"], true);

    let nameless = api.send("POST", "/api/v1/providers/lab/test", json!({"model": ""})).await;
    assert_eq!(refusal(&nameless), (400, "bad_request".to_owned()));
    let nobody = api.send("POST", "/api/v1/providers/nobody/test", json!({})).await;
    assert_eq!(refusal(&nobody), (404, "not_found".to_owned()));
}
