//! What a model has done between its answers: the clock, and tools planted by the feature `chaos` whose effects are
//! counted; with kills in the middle.

use std::os::unix::process::ExitStatusExt;

use mosaic_testkit::provider::{Call, Gate};
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Testbed, eventually, run, soon};

/// What `abort` ends a process with.
const ABORTED: Option<i32> = Some(6);

/// A daemon whose agent may use the clock and the planted tools.
pub(crate) async fn bed(script: impl IntoIterator<Item = Step>) -> Testbed {
    bed_with(script, "").await
}

async fn bed_with(script: impl IntoIterator<Item = Step>, more: &str) -> Testbed {
    let mut bed = Testbed::asleep(StandIn::builder().script(script));
    equip(&bed, more);
    bed.restart().await;
    bed
}

fn equip(bed: &Testbed, more: &str) {
    let tools = "tools = [\"clock\", \"plant_again\", \"plant_once\"]";
    let url = bed.model.base_url();
    bed.write_config(&format!(
        "default_agent = \"assistant\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\nworkers = 2\n\
         [providers.lab]\nbase_url = \"{url}\"\n\
         models.\"m-1\" = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}\n\
         [agents.assistant]\nmodels = [\"lab/m-1\"]\n{tools}\n{more}\n\
         [agents.poet]\nmodels = [\"lab/m-1\"]\n"
    ));
}

fn calls(calls: &[(&str, &str)]) -> Step {
    let calls = calls.iter().map(|(name, arguments)| ((*name).to_owned(), (*arguments).to_owned())).collect();
    Step::CallTools { text: "Let me see.".to_owned(), calls }
}

/// Role, text and call of what the model was sent, without the system prompt.
fn sent(call: &Call) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = |message: &Value| {
        let asked = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        let asked: Vec<_> = asked.iter().map(|call| text(&call["function"]["name"])).collect();
        format!("{}: {} {}", text(&message["role"]), text(&message["content"]), asked.join(" ")).trim_end().to_owned()
    };
    call.messages().iter().skip(1).map(told).collect()
}

/// Every call in a request has one result right behind it (I5, as providers want it).
fn is_paired(call: &Call) {
    let mut waits: Vec<&str> = Vec::new();
    for message in call.messages() {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().expect("a result names its call");
            assert!(waits.first() == Some(&id), "{id} is not what is waited for: {waits:?}");
            waits.remove(0);
            continue;
        }
        assert!(waits.is_empty(), "calls without a result: {waits:?}");
        let asked = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        waits.extend(asked.iter().filter_map(|call| call["id"].as_str()));
    }
    assert!(waits.is_empty(), "calls without a result: {waits:?}");
}

/// Each line that a planted tool left, without its key, and whether all keys differ.
fn effects(bed: &Testbed) -> (Vec<String>, bool) {
    let text = std::fs::read_to_string(bed.home().join("tool-effects")).unwrap_or_default();
    let keys: std::collections::BTreeSet<&str> = text.lines().collect();
    let names = text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    (names, keys.len() == text.lines().count())
}

async fn tool_steps(bed: &Testbed, session: &str) -> Vec<Value> {
    let journal = bed.api().journal(session).await;
    journal.into_iter().filter(|event| event["type"] == "step.finished" && event["kind"] == "tool").collect()
}

#[tokio::test]
async fn a_model_that_asks_for_the_time_is_told_it_and_answers() {
    let script = [calls(&[("clock", "{\"zone\":\"Asia/Tokyo\"}")]), Step::say("It is late.")];
    let mut bed = bed(script).await;
    let api = bed.api();
    let session = api.session().await;
    let end = api.ask(&session, "what time is it?").await;
    assert_eq!((&end["text"], &end["stop_reason"]), (&json!("It is late."), &json!("stop")), "only the last answer");
    let offered = bed.model.calls()[0].body["tools"].clone();
    let names: Vec<_> = offered.as_array().expect("tools").iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(names, ["clock", "plant_again", "plant_once"]);
    let dialogue = sent(&bed.model.last_call());
    assert_eq!(dialogue[..2], ["user: what time is it?", "assistant: Let me see. clock"]);
    assert!(dialogue[2].starts_with("tool: ") && dialogue[2].ends_with("+09:00 (Asia/Tokyo)"), "{dialogue:?}");
    is_paired(&bed.model.last_call());

    let steps = tool_steps(&bed, &session).await;
    assert_eq!(
        (&steps[0]["name"], &steps[0]["ok"], &steps[0]["tool"]["state"]),
        (&json!("clock"), &json!(true), &json!("done"))
    );
    assert_eq!(steps[0]["tool"]["arguments"], "{\"zone\":\"Asia/Tokyo\"}");
    assert!(steps[0]["tool"]["result"].as_str().is_some_and(|told| told.ends_with("(Asia/Tokyo)")));
    let roles: Vec<String> = api.transcript(&session).await.into_iter().map(|(role, _)| role).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
    let page = api.get(&format!("/api/v1/sessions/{session}/messages")).await;
    let (asked, told) = (&page["items"][1]["tool_calls"][0], &page["items"][2]);
    assert_eq!((&asked["name"], &asked["state"], &told["tool"]), (&json!("clock"), &json!("done"), &json!("clock")));
    assert_eq!(asked["id"], told["tool_call_id"]);

    // Both calls are paid for, once.
    let day = api.get("/api/v1/usage").await["items"][0].clone();
    assert_eq!((&day["turns"], &day["calls"]), (&json!(1), &json!(2)));
    assert_eq!((&day["input_tokens"], &day["cost_usd"]), (&end["usage"]["input_tokens"], &end["cost_usd"]));

    // What it was told stays part of the dialogue, also in another life.
    api.ask(&session, "and now?").await;
    let expected = [&dialogue[..], &["assistant: It is late.".to_owned(), "user: and now?".to_owned()]].concat();
    assert_eq!(sent(&bed.model.last_call()), expected);
    bed.kill9().await;
    bed.restart().await;
    bed.api().ask(&session, "and then?").await;
    assert_eq!(sent(&bed.model.last_call())[..expected.len()], expected);
    is_paired(&bed.model.last_call());

    // An agent without tools is told what was said in words: some providers take no calls where none are offered.
    let changed = bed.api().send("PATCH", &format!("/api/v1/sessions/{session}"), json!({"agent": "poet"})).await;
    assert_eq!(changed.status(), 200, "{}", changed.text());
    bed.api().ask(&session, "in verse").await;
    let last = bed.model.last_call();
    assert!(last.body["tools"].is_null() && sent(&last).iter().all(|said| !said.starts_with("tool:")));
    assert!(sent(&last)[1].contains("[clock {\"zone\":\"Asia/Tokyo\"} said: "), "{:?}", sent(&last));
}

#[tokio::test]
async fn chat_in_the_terminal_shows_the_tool_and_the_answer() {
    let bed = bed([calls(&[("clock", "{}")]), Step::say("It is late.")]).await;
    let said = run(bed.command(&["chat", "what time is it?"]), "").await;
    assert!(said.stderr.contains("clock: ") && said.stderr.contains("(UTC)"), "{}", said.stderr);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), "Let me see.\nIt is late.\n"));
}

#[tokio::test]
async fn calls_of_one_answer_run_side_by_side_and_what_is_wrong_is_told_the_model() {
    let wrong = [
        ("plant_again", "{\"wait_ms\":40}"),
        ("clok", "{}"),
        ("clock", "{\"zone\":"),
        ("clock", "[]"),
        ("plant_once", ""),
        ("clock", "{\"zone\":\"Mars\"}"),
    ];
    let bed = bed([calls(&wrong), Step::say("so it is")]).await;
    let api = bed.api();
    let session = api.session().await;
    assert_eq!(api.ask(&session, "go").await["text"], "so it is");
    is_paired(&bed.model.last_call());
    let told = sent(&bed.model.last_call());
    let expected = [
        "tool: It is done.",
        "tool: There is no tool \"clok\". Did you mean clock?",
        "tool: The arguments are no JSON (",
        "tool: The arguments are no JSON object",
        "tool: It is done.",
        "tool: There is no time zone \"Mars\".",
    ];
    for (told, expected) in told[2..].iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}");
    }
    let states: Vec<_> = tool_steps(&bed, &session).await.iter().map(|step| step["ok"].as_bool()).collect();
    assert_eq!(states.iter().filter(|ok| **ok == Some(true)).count(), 2);
    assert_eq!(effects(&bed).0.len(), 2);
    assert_eq!(api.ask(&session, "still there?").await["text"], "You said: still there?", "the session stays usable");
}

#[tokio::test]
async fn a_model_that_asks_for_tools_without_end_is_stopped_with_what_to_do() {
    let circles = (0..9).map(|_| calls(&[("plant_again", "{}")]));
    let bed = bed_with(circles, "max_steps = 3").await;
    let api = bed.api();
    let session = api.session().await;
    let failed = api.submit(&session, "?wait=true", &[], "go").await;
    let body: Value = failed.json();
    assert_eq!((failed.status(), &body["error"]["code"]), (502, &json!("step_limit")));
    assert!(body["error"]["message"].as_str().is_some_and(|told| told.contains("raise max_steps")), "{body}");
    assert_eq!((bed.model.progress().calls, effects(&bed).0.len()), (3, 2));
    let choices: Vec<_> = bed.model.calls().iter().map(|call| call.body["tool_choice"].clone()).collect();
    assert_eq!(choices, [Value::Null, Value::Null, json!("none")], "in the last it was told to answer");
    let spent = api.get("/api/v1/usage").await["items"][0].clone();
    assert_eq!(spent["calls"], 3, "what did not help is paid for all the same");
    assert_eq!(spent["output_tokens"], 3 * 6, "as its provider counts it, not by an estimate");
}

#[tokio::test]
async fn too_many_calls_of_one_answer_are_told_to_the_model() {
    let many: Vec<_> = (0..18).map(|_| ("plant_again", "{}")).collect();
    let bed = bed([calls(&many), Step::say("enough")]).await;
    let api = bed.api();
    let session = api.session().await;
    assert_eq!(api.ask(&session, "go").await["text"], "enough");
    is_paired(&bed.model.last_call());
    let refused = sent(&bed.model.last_call()).iter().filter(|told| told.contains("may call 16 tools")).count();
    assert_eq!((refused, effects(&bed)), (2, (vec!["plant_again".to_owned(); 16], true)));
}

#[tokio::test]
async fn what_is_said_while_a_tool_runs_joins_behind_its_result() {
    let bed = bed([calls(&[("plant_once", "{\"wait_ms\":2000}")])]).await;
    let api = bed.api();
    let session = api.session().await;
    api.say(&session, "count").await;
    eventually("the tool runs", || async { (effects(&bed).0.len() == 1).then_some(()) }).await;
    let said = api
        .request(
            "POST",
            &format!("/api/v1/sessions/{session}/messages?wait=true"),
            &[],
            json!({"text": "in French", "mode": "steer"}).to_string().as_bytes(),
        )
        .await;
    assert_eq!(said.json::<Value>()["text"], "You said: in French");
    is_paired(&bed.model.last_call());
    let expected = ["user: count", "assistant: Let me see. plant_once", "tool: It is done.", "user: in French"];
    assert_eq!(sent(&bed.model.last_call()), expected);
    assert_eq!(api.count(&session, "turn.started").await, 1);
}

#[tokio::test]
async fn a_cancel_in_the_middle_of_a_tool_is_felt_at_once_and_nothing_is_left_open() {
    let bed = bed([calls(&[("plant_once", "{\"wait_ms\":20000}"), ("clock", "{}")])]).await;
    let api = bed.api();
    let session = api.session().await;
    api.say(&session, "count").await;
    eventually("the tool runs and the clock has answered", || async {
        (effects(&bed).0.len() == 1 && tool_steps(&bed, &session).await.len() == 1).then_some(())
    })
    .await;
    let began = tokio::time::Instant::now();
    assert!(api.cancel(&session).await["cancelled"].is_string());
    assert!(began.elapsed().as_secs() < 5, "it was not waited for");
    let steps = tool_steps(&bed, &session).await;
    assert_eq!((steps.len(), &steps[1]["tool"]["state"]), (2, &json!("unknown")));
    assert_eq!(bed.rows("tool_calls WHERE state = 'intended'").await, 0);
    assert_eq!(api.ask(&session, "still there?").await["text"], "You said: still there?");
    assert_eq!(sent(&bed.model.last_call()), ["user: still there?"]);
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_tool_runs_it_again_only_where_that_is_safe() {
    for point in ["tool.before", "tool.during", "tool.after", "tool.before_commit"] {
        for tool in ["plant_again", "plant_once"] {
            let mut bed = bed([calls(&[(tool, "{}")]), Step::say("so it is")]).await;
            let session = bed.api().session().await;
            bed.kill9().await;
            bed.set_env("MOSAIC_DIE_AT", point);
            bed.restart().await;
            // Whether the answer comes before the end is chance.
            let (address, token) = (bed.address(), bed.token());
            let body = json!({"text": "go"}).to_string();
            let mut client = mosaic_testkit::http::Client::connect(address).await.expect("the daemon listens");
            let bearer = format!("Bearer {token}");
            let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k-1")];
            let path = format!("/api/v1/sessions/{session}/messages?wait=true");
            let cut = soon("the connection is cut", client.request("POST", &path, &headers, body.as_bytes())).await;
            assert!(cut.is_err(), "{point}: {cut:?}");
            assert_eq!(bed.ended().await.signal(), ABORTED, "{point}");
            bed.unset_env("MOSAIC_DIE_AT");
            bed.restart().await;
            bed.api().settled(&session).await;
            is_paired(&bed.model.last_call());

            let steps = tool_steps(&bed, &session).await;
            let again = tool == "plant_again";
            let state = if again { "done" } else { "unknown" };
            assert_eq!((steps.len(), &steps[0]["tool"]["state"]), (1, &json!(state)), "{point} {tool}");
            let told = sent(&bed.model.last_call()).pop().unwrap_or_default();
            let honest =
                if again { "tool: It" } else { "tool: This call was cut off before it answered. It is not known" };
            assert!(told.starts_with(honest), "{point} {tool}: {told}");
            let ran = usize::from(again || point != "tool.before");
            assert_eq!(effects(&bed), (vec![tool.to_owned(); ran], true), "{point} {tool}: once, under one key");
            assert_eq!(bed.model.progress().calls, 2, "{point} {tool}: the finished step is not asked for again");
            let journal = bed.api().journal(&session).await;
            let ends = journal.iter().filter(|event| event["type"] == "turn.finished").count();
            assert_eq!((ends, bed.rows("tool_calls WHERE state = 'intended'").await), (1, 0), "{point} {tool}");
        }
    }
}

#[tokio::test]
async fn a_tool_that_finished_before_a_kill_is_never_run_again() {
    let gate = Gate::new();
    let both = [("plant_once", "{}"), ("plant_again", "{\"wait_ms\":20000}")];
    let script =
        [calls(&both), calls(&[("plant_once", "{}")]), Step::hold(&gate, "never heard"), Step::say("so it is")];
    let mut bed = bed(script).await;
    let session = bed.api().session().await;
    bed.api().say(&session, "go").await;
    eventually("one has answered, the other runs", || async {
        (tool_steps(&bed, &session).await.len() == 1 && effects(&bed).0.len() == 2).then_some(())
    })
    .await;
    bed.kill9().await;
    bed.restart().await;
    // The second of the first round runs again, to its end: it knows its key, and does not wait then.
    soon("the third call", gate.arrived(1)).await;
    bed.kill9().await;
    gate.open();
    bed.restart().await;
    bed.api().settled(&session).await;
    is_paired(&bed.model.last_call());
    let (mut names, keys_differ) = effects(&bed);
    names.sort();
    assert_eq!((names, keys_differ), (["plant_again", "plant_once", "plant_once"].map(str::to_owned).into(), true));
    assert_eq!(bed.api().journal(&session).await.last().expect("an end")["text"], "so it is");
}

#[tokio::test]
async fn a_tool_that_nobody_has_is_told_with_the_nearest_name() {
    let bed = Testbed::asleep(StandIn::builder());
    equip(&bed, "");
    let config = std::fs::read_to_string(bed.home().join("config.toml")).expect("there is one");
    bed.write_config(&config.replace("\"plant_once\"", "\"clokc\", \"clock\""));
    let ended = run(bed.command(&["config", "check"]), "").await;
    let told = ended.stderr;
    assert!(
        told.contains("agents.assistant.tools: found \"clokc\"; there is no such tool; did you mean \"clock\"?"),
        "{told}"
    );
    assert!(told.contains("agents.assistant.tools: found \"clock\"; it is listed twice; once is enough"), "{told}");
}
