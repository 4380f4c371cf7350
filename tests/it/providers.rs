//! Providers: how they are, and whether they answer.

use std::time::Duration;

use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Api, Testbed, refusal, run};

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

#[tokio::test]
async fn a_turn_is_answered_on_every_wire_and_one_that_fails_is_followed_by_the_next() {
    let mut bed = Testbed::asleep(StandIn::builder());
    let root = bed.model.base_url();
    let root = root.trim_end_matches("/v1");
    let kinds = ["anthropic", "gemini", "ollama", "openai-responses", "openrouter"];
    let base = |kind: &str| match kind {
        "gemini" => "/v1beta",
        "ollama" => "",
        _ => "/v1",
    };
    let mut more: String = kinds
        .iter()
        .map(|kind| {
            format!(
                "[providers.{kind}]\nkind = {kind:?}\nbase_url = \"{root}{}\"\n\
                 [providers.{kind}.models.\"m-1\"]\ncontext_tokens = 32000\n\
                 input_usd_per_mtok = 1.0\noutput_usd_per_mtok = 10.0\n\
                 [agents.{kind}]\nmodels = [\"{kind}/m-1\"]\n",
                base(kind)
            )
        })
        .collect();
    more += "[agents.chain]\nmodels = [\"anthropic/m-1\", \"gemini/m-1\", \"ollama/m-1\"]\n";
    bed.configure(&more);
    bed.restart().await;
    let api = bed.api();
    for kind in kinds {
        let session = api.send("POST", "/api/v1/sessions", json!({"agent": kind})).await.json::<Value>();
        let session = session["id"].as_str().expect("an id");
        let path = format!("/api/v1/sessions/{session}/messages?wait=true");
        let answer = api.send("POST", &path, json!({"text": format!("hello {kind}")})).await;
        let answer = answer.json::<Value>();
        assert_eq!(answer["text"], format!("You said: hello {kind}"), "{answer}");
        assert_eq!((&answer["provider"], &answer["model"]), (&json!(kind), &json!("m-1")));
        let (read, written) = (&answer["usage"]["input_tokens"], &answer["usage"]["output_tokens"]);
        let cost = (read.as_f64().expect("tokens") + 10.0 * written.as_f64().expect("tokens")) / 1e6;
        assert!(cost > 0.0 && (answer["cost_usd"].as_f64().expect("a price") - cost).abs() < 1e-12, "{answer}");
    }
    // Two that are overloaded in their own words, each asked once, and a third that answers.
    let before = bed.model.progress().calls;
    bed.model.push(Step::status(529, "", "Overloaded"));
    bed.model.push(Step::status(429, "rate_limit_exceeded", "slow down"));
    let session = api.send("POST", "/api/v1/sessions", json!({"agent": "chain"})).await.json::<Value>();
    let path = format!("/api/v1/sessions/{}/messages?wait=true", session["id"].as_str().expect("an id"));
    let answer = api.send("POST", &path, json!({"text": "who is there?"})).await.json::<Value>();
    assert_eq!((&answer["provider"], bed.model.progress().calls - before), (&json!("ollama"), 3), "{answer}");
    let listed = api.get("/v1/models/anthropic/m-1").await;
    assert_eq!((&listed["context_tokens"], &listed["price"]["output_usd_per_mtok"]), (&json!(32000), &json!(10.0)));
    assert_eq!(api.get("/v1/models/lab/m-9").await["price"], Value::Null, "unpriced");
}

#[tokio::test]
async fn tools_are_called_over_every_wire_by_clients_of_openais() {
    let mut bed = Testbed::asleep(StandIn::builder());
    let root = bed.model.base_url().trim_end_matches("/v1").to_owned();
    let tables = [("anthropic", "/v1"), ("gemini", "/v1beta"), ("ollama", ""), ("openai-responses", "/v1")];
    let table =
        |(kind, path): &(&str, &str)| format!("[providers.{kind}]\nkind = {kind:?}\nbase_url = \"{root}{path}\"\n");
    bed.configure(&tables.iter().map(table).collect::<String>());
    bed.restart().await;
    let api = bed.api();
    let tools = json!([{"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}]);
    for (kind, _) in tables {
        bed.model.push(Step::call_tool("clock", r#"{"tz":"UTC"}"#));
        bed.model.push(Step::say("noon"));
        let mut messages = vec![json!({"role": "user", "content": "what time is it?"})];
        let model = format!("{kind}/m-1");
        let wish = json!({"model": model, "messages": messages, "tools": tools});
        let answer = api.send("POST", "/v1/chat/completions", wish).await.json::<Value>();
        let choice = &answer["choices"][0];
        assert_eq!(
            (&choice["finish_reason"], &choice["message"]["tool_calls"][0]["function"]["name"]),
            (&json!("tool_calls"), &json!("clock")),
            "{kind}: {answer}"
        );
        let arguments = choice["message"]["tool_calls"][0]["function"]["arguments"].as_str().expect("a text");
        assert_eq!(serde_json::from_str::<Value>(arguments).expect("JSON"), json!({"tz": "UTC"}));
        messages.push(choice["message"].clone());
        let id = &choice["message"]["tool_calls"][0]["id"];
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": "12:00"}));
        let wish = json!({"model": model, "messages": messages, "tools": tools});
        let answer = api.send("POST", "/v1/chat/completions", wish).await.json::<Value>();
        assert_eq!(answer["choices"][0]["message"]["content"], "noon", "{kind}: {answer}");
        let body = bed.model.last_call().body.to_string();
        assert!(body.contains("12:00") && body.contains("clock"), "{kind}: {body}");
        assert_eq!(body.contains("c2lnbmVk"), kind == "gemini", "what it wants back, it gets back: {body}");
    }
}

#[tokio::test]
async fn a_fresh_daemon_takes_a_key_and_answers_without_a_restart() {
    let mut bed = Testbed::asleep(StandIn::builder().key("sk-good").models(["m-1", "m-2"]));
    bed.write_config("detect = false # none\n[gateway]\nbind = \"127.0.0.1:0\"\nworkers = 2\n");
    bed.restart().await;
    let api = bed.api();
    assert_eq!(api.get("/api/v1/providers").await["items"], json!([]));
    let early = api.send("POST", "/api/v1/sessions", json!({})).await;
    assert_eq!(refusal(&early), (503, "no_provider".to_owned()), "a session in which nobody could answer is not begun");
    assert!(early.text().contains("mosaic providers add") && early.text().contains("mosaic link"), "{}", early.text());

    let add = async |key: &str, more: Value| {
        let mut wish = json!({"kind": "openai", "api_key": key, "base_url": bed.model.base_url(), "name": "lab"});
        wish.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        api.send("POST", "/api/v1/providers", wish).await
    };
    let file = bed.home().join("config.toml");
    let before = std::fs::read_to_string(&file).expect("it is there");
    let wrong = add("sk-wrong-and-secret", json!({})).await;
    assert_eq!(refusal(&wrong), (502, "provider_auth".to_owned()));
    assert!(wrong.text().contains("was not added") && !wrong.text().contains("sk-wrong-and-secret"));
    for (wish, expected) in [
        (json!({"kind": "nothing"}), (400, "bad_request")),
        (json!({"base_url": "ftp://x"}), (400, "bad_request")),
        (json!({"api_key": 7_313_373}), (400, "bad_request")),
        (json!({"name": "../lab"}), (400, "bad_request")),
        (json!({"base_url": StandIn::nobody()}), (502, "provider_unreachable")),
    ] {
        let refused = add("sk-good", wish.clone()).await;
        assert!(!refused.text().contains("7313373"), "{}", refused.text());
        assert_eq!(refusal(&refused), (expected.0, expected.1.to_owned()), "{wish}");
    }
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), before, "nothing was changed");

    let added = add("sk-good", json!({})).await;
    assert_eq!(added.status(), 201, "{}", added.text());
    assert_eq!(added.json::<Value>(), json!({"name": "lab", "models": ["m-1", "m-2"]}));
    let session = api.session().await;
    let finished = api.ask(&session, "and now?").await;
    assert_eq!((&finished["text"], &finished["model"]), (&json!("You said: and now?"), &json!("m-1")));
    assert_eq!(refusal(&add("sk-good", json!({})).await), (409, "exists".to_owned()));
    let tree = api.get("/api/v1/tree").await.to_string();
    assert!(tree.contains("\"lab\""), "it hangs on the tree: {tree}");
    let key = bed.home().join("keys/lab");
    assert_eq!(std::fs::read_to_string(&key).expect("it is kept"), "sk-good");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&key).expect("it exists").permissions().mode() & 0o777, 0o600);
    }
    let kept = std::fs::read_to_string(&file).expect("it is there");
    assert!(kept.starts_with("detect = false # none") && !kept.contains("sk-good"), "{kept}");
    assert!(!bed.log().contains("sk-good") && !bed.log().contains("sk-wrong-and-secret"));

    let member: Value = api.send("POST", "/api/v1/tokens", json!({"role": "member"})).await.json();
    let member = api.bearing(member["token"].as_str().expect("a token"));
    let refused = member.send("POST", "/api/v1/providers", json!({"kind": "openai"})).await;
    assert_eq!(refusal(&refused), (403, "forbidden".to_owned()));
    bed.kill9().await;
    bed.restart().await;
    assert_eq!(bed.api().ask(&session, "still?").await["model"], "m-1", "the next start finds it");
}

#[tokio::test]
async fn where_agents_name_no_model_those_of_the_providers_are_listed() {
    let mut bed = Testbed::asleep(StandIn::builder().models(["m-1", "m-2"]));
    let url = bed.model.base_url();
    bed.write_config(&format!(
        "detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n[providers.lab]\nbase_url = {url:?}\n"
    ));
    bed.restart().await;
    let listed = run(bed.command(&["providers", "list", "--models"]), "").await.good();
    let rows: Vec<_> = listed.lines().skip(1).map(|line| line.split("  ").next().unwrap_or_default()).collect();
    assert_eq!(rows, ["lab/m-1", "lab/m-2"], "{listed}");
    assert!(listed.contains("its provider"), "{listed}");
    let json = run(bed.command(&["providers", "list", "--models", "--json"]), "").await.good();
    let first: Value = serde_json::from_str(json.lines().next().expect("a line")).expect("one JSON value a line");
    assert_eq!((&first["id"], &first["configured"]), (&json!("lab/m-1"), &json!(false)));
}

#[tokio::test]
async fn a_provider_added_beside_a_running_daemon_is_used_at_once() {
    let mut bed = Testbed::asleep(StandIn::builder().key("sk-good").models(["m-1", "m-2"]));
    bed.write_config("detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n");
    bed.restart().await;
    let url = bed.model.base_url();
    let add = ["providers", "add", "openai", "--name", "lab", "--base-url", &url];
    let wrong = run(bed.command(&add), "sk-wrong").await;
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(1), ""), "{wrong:?}");
    assert!(wrong.stderr.contains("was not added. With --no-test it is added"), "{wrong:?}");
    let told = run(bed.command(&add), "sk-good\n").await.good();
    assert!(told.contains("lab answers: 2 models") && told.contains("uses it from now on"), "{told}");
    assert!(told.contains("The agent assistant asks the first model of lab."), "{told}");
    assert!(!told.contains("sk-good") && !told.contains("Restart"), "{told}");
    assert_eq!(run(bed.command(&["chat", "hello"]), "").await.good(), "You said: hello\n");
    assert_eq!(std::fs::read_to_string(bed.home().join("keys/lab")).expect("it is kept"), "sk-good");
    let twice = run(bed.command(&add), "sk-good").await;
    assert!(twice.code == Some(1) && twice.stderr.contains("--replace"), "{twice:?}");
    let unknown = run(bed.command(&["providers", "test", "attic"]), "").await;
    assert!(unknown.stderr.contains("There is no provider attic. Those there are: lab."), "{unknown:?}");
    // Where nobody answers without a key, nobody is asked without one.
    let keyless = run(bed.command(&["providers", "add", "openai"]), "").await;
    assert_eq!((keyless.code, keyless.stdout.as_str()), (Some(2), ""), "{keyless:?}");
    assert!(keyless.stderr.contains("openai wants a key") && !keyless.stderr.contains("http"), "{keyless:?}");
    // What it cannot do while it runs is said.
    let anew = run(bed.command(&[&add[..], &["--replace"]].concat()), "sk-good").await.good();
    assert!(anew.contains("Set anew") && anew.contains("Restart the daemon"), "{anew}");
}

#[tokio::test]
async fn a_key_that_is_refused_or_limited_rests_and_the_next_one_answers() {
    let model = StandIn::start([
        Step::status(401, "invalid_api_key", "No."),
        Step::say("one"),
        Step::say("two"),
        Step::RateLimit(Duration::from_secs(3_600)),
        Step::say("three"),
        Step::say("four"),
    ]);
    let mut bed = Testbed::asleep(StandIn::builder());
    for (name, key) in [("MONEY_A", "sk-aaaa-1"), ("MONEY_B", "sk-bbbb-2"), ("MONEY_C", "sk-cccc-3")] {
        bed.set_env(name, key);
    }
    bed.write_config(&format!(
        "default_agent = \"assistant\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n[store]\nurl = {:?}\n\
         [providers.lab]\nbase_url = \"{}\"\napi_key_env = [\"MONEY_A\", \"MONEY_B\", \"MONEY_C\"]\n\
         [agents.assistant]\nmodels = [\"lab/m\"]\n",
        bed.store_url(),
        model.base_url()
    ));
    bed.restart().await;
    let session = bed.api().session().await;
    for said in ["one", "two", "three", "four"] {
        let answer = bed.api().ask(&session, "hello").await;
        assert_eq!((&answer["text"], &answer["route_reason"]), (&json!(said), &json!("first choice")));
    }
    let used: Vec<_> = model.calls().iter().map(|call| call.header("authorization").map(str::to_owned)).collect();
    let bearer = |key: &str| Some(format!("Bearer {key}"));
    let [a, b, c] = ["sk-aaaa-1", "sk-bbbb-2", "sk-cccc-3"].map(bearer);
    assert_eq!(used, [a, b.clone(), c.clone(), b, c.clone(), c], "each refusal cost one call, and no more than that");

    let told = bed.api().get("/api/v1/providers").await;
    let keys: Vec<_> =
        told["items"][0]["keys"].as_array().expect("keys").iter().map(|key| (&key["name"], &key["code"])).collect();
    let [auth, limited] = ["provider_auth", "provider_rate_limited"].map(|code| json!(code));
    let names = ["MONEY_A", "MONEY_B", "MONEY_C"].map(|name| json!(name));
    assert_eq!(keys, [(&names[0], &auth), (&names[1], &limited), (&names[2], &Value::Null)]);
    let list = run(bed.command(&["providers", "list"]), "").await.good();
    assert!(list.contains("MONEY_A: rests for ") && list.contains("MONEY_C: used"), "{list}");
    let metrics = bed.api().request("GET", "/metrics", &[], b"").await.text().to_owned();
    assert!(
        metrics.contains("decision=\"key_rests\",provider=\"lab\"} 2")
            || metrics.contains("provider=\"lab\",decision=\"key_rests\"} 2"),
        "{metrics}"
    );
    for said in [bed.log(), list, metrics, told.to_string()] {
        assert!(!said.contains("sk-"), "a key is nowhere shown: {said}");
    }
    let ledger = bed.api().get("/api/v1/usage").await;
    assert_eq!(ledger["items"][0]["calls"], 4, "what is refused costs nothing");
}
