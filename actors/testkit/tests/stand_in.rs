//! The stand-in does what its steps say, seen through the raw client.

use std::time::Duration;

use mosaic_testkit::http::{Client, Response};
use mosaic_testkit::provider::End;
use mosaic_testkit::{Gate, StandIn, Step};
use serde_json::{Value, json};

async fn connect(to: &StandIn) -> Client {
    Client::connect(to.address()).await.expect("the stand-in listens")
}

fn body(text: &str, stream: bool) -> Vec<u8> {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
    if stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    body.to_string().into_bytes()
}

async fn ask(client: &mut Client, text: &str, stream: bool) -> Response {
    let headers = [("content-type", "application/json"), ("X-Probe", "7")];
    client.request("POST", "/v1/chat/completions", &headers, &body(text, stream)).await.expect("an answer")
}

fn said(response: &Response) -> String {
    let text = response.text();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let events = events.map(|data| serde_json::from_str::<Value>(data).expect("an event is JSON"));
    events.filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn it_says_back_what_it_hears_and_records_it() {
    let stand_in = StandIn::start([]);
    let mut client = connect(&stand_in).await;
    let streamed = ask(&mut client, "hi there", true).await;
    assert_eq!(said(&streamed), "You said: hi there");
    assert!(streamed.text().contains(r#""usage":{"completion_tokens":4,"prompt_tokens":10,"total_tokens":14}"#));
    assert!(streamed.text().ends_with("data: [DONE]\n\n"));
    let whole: Value = ask(&mut client, "again", false).await.json();
    assert_eq!(whole["choices"][0]["message"]["content"], "You said: again");

    let calls = stand_in.wait_for_calls(2).await;
    assert_eq!((calls[0].last_user(), calls[1].last_user()), (Some("hi there"), Some("again")));
    assert_eq!((calls[0].number, calls[0].header("x-probe")), (1, Some("7")));
    stand_in.wait_for_answers(2).await;
    assert!(stand_in.calls().iter().all(|call| call.end == End::Answered));
    assert_eq!((stand_in.progress().connections, stand_in.progress().open), (1, 0), "one kept-alive connection");
}

#[tokio::test]
async fn rules_come_before_the_script_and_the_script_before_the_default() {
    let stand_in =
        StandIn::builder().script([Step::say("one")]).when_last_user_contains("rule", Step::say("ruled")).start();
    let mut client = connect(&stand_in).await;
    for (text, answer) in [("a rule", "ruled"), ("x", "one"), ("a rule", "ruled"), ("y", "You said: y")] {
        assert_eq!(said(&ask(&mut client, text, true).await), answer);
    }
    assert_eq!(stand_in.steps_left(), 0);
}

#[tokio::test]
async fn a_held_call_is_answered_when_the_gate_opens() {
    let gate = Gate::new();
    let stand_in = StandIn::start([Step::hold(&gate, "late"), Step::hold_after(&gate, "one two three", 1)]);
    let mut client = connect(&stand_in).await;
    client.send("POST", "/v1/chat/completions", &[], &body("x", true)).await.expect("sent");
    stand_in.wait_for_calls(1).await;
    gate.arrived(1).await;
    assert_eq!((stand_in.progress().open, stand_in.calls()[0].end), (1, End::Open));
    gate.release(1);
    let rest = client.receive(false).await.expect("a head").rest().await.expect("a body");
    assert!(String::from_utf8_lossy(&rest).contains("late"));

    let asked = body("x", true);
    let mut streaming = client.stream("POST", "/v1/chat/completions", &[], &asked).await.expect("a head");
    streaming.read_until("one ").await.expect("the first word");
    gate.open();
    streaming.read_until("[DONE]").await.expect("the rest");
}

#[tokio::test]
async fn hanging_up_is_noticed_while_nothing_is_sent() {
    let gate = Gate::new();
    let script = [Step::mute_after(2), Step::Silence, Step::Stall, Step::hold(&gate, "never")];
    let stand_in = StandIn::start(script.clone());
    for (at, step) in script.iter().enumerate() {
        let mut client = connect(&stand_in).await;
        client.send("POST", "/v1/chat/completions", &[], &body("x", true)).await.expect("sent");
        if matches!(step, Step::Mute { .. }) {
            client.receive(false).await.expect("a head").read_until("two ").await.expect("two words");
        }
        stand_in.wait_for_calls(at + 1).await;
        drop(client);
        stand_in.wait_for_hangups(at + 1).await;
    }
    assert!(stand_in.calls().iter().all(mosaic_testkit::provider::Call::hung_up));
}

#[tokio::test]
async fn closing_early_is_seen_by_the_client() {
    let script = [Step::Drop, Step::DropAfter { text: "one two".into(), after: 1 }];
    let stand_in = StandIn::start(script);
    let asked = body("x", true);
    let mut client = connect(&stand_in).await;
    assert!(client.request("POST", "/v1/chat/completions", &[], &asked).await.is_err());
    let mut client = connect(&stand_in).await;
    let mut streaming = client.stream("POST", "/v1/chat/completions", &[], &asked).await.expect("a head");
    assert!(streaming.read_until("[DONE]").await.is_err());
    stand_in.wait_until(|progress| progress.calls == 2 && progress.open == 0).await;
    assert!(stand_in.calls().iter().all(|call| call.end == End::Cut));
}

#[tokio::test]
async fn a_key_is_demanded_and_models_are_listed() {
    let stand_in = StandIn::builder().key("sk-1").models(["a", "b"]).start();
    let mut client = connect(&stand_in).await;
    assert_eq!(ask(&mut client, "x", true).await.status(), 401);
    let headers = [("authorization", "Bearer sk-1")];
    let models: Value = client.request("GET", "/v1/models", &headers, b"").await.expect("an answer").json();
    assert_eq!((&models["data"][0]["id"], &models["data"][1]["id"]), (&json!("a"), &json!("b")));
    assert_eq!((stand_in.progress().calls, stand_in.progress().listed), (1, 1));
}

#[tokio::test]
async fn plain_answers_suffer_the_same_misfortunes() {
    let script = [
        Step::RateLimit(Duration::from_millis(1500)),
        Step::WrongType,
        Step::call_tool("clock", "{\"tz\":\"UTC\"}"),
        Step::truncate("a b c"),
        Step::error_event("server_error", "oops"),
    ];
    let stand_in = StandIn::start(script);
    let mut client = connect(&stand_in).await;
    let limited = ask(&mut client, "x", false).await;
    let waits = (limited.header("retry-after"), limited.header("Retry-After-Ms"));
    assert_eq!((limited.status(), waits), (429, (Some("2"), Some("1500"))));
    assert_eq!(ask(&mut client, "x", false).await.header("content-type"), Some("text/html; charset=utf-8"));
    let called: Value = ask(&mut client, "x", false).await.json();
    assert_eq!(called["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "clock");
    assert!(serde_json::from_slice::<Value>(&ask(&mut client, "x", false).await.body).is_err());
    assert_eq!(ask(&mut client, "x", false).await.json::<Value>()["error"]["code"], "server_error");
}

#[test]
fn it_can_be_awaited_without_a_runtime_and_stops_when_dropped() {
    let stand_in = StandIn::start([]);
    assert!(!stand_in.wait_for_calls_blocking(1, Duration::from_millis(1)));
    assert!(stand_in.wait_for_calls_blocking(0, Duration::from_secs(5)));
    let address = stand_in.address();
    drop(stand_in);
    assert!(std::net::TcpStream::connect(address).is_err());
    let again = StandIn::builder().port(address.port()).start();
    assert_eq!(again.address(), address);
}
