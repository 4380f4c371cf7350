//! The OpenAI wire, spoken by the official Python library. What its user sees is asserted in `openai_client.py`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::testbed::{Talk, Testbed, refusal, soon};

/// The variable that names a Python which has the library.
const PYTHON: &str = "MOSAIC_TEST_PYTHON";

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(file)
}

/// A Python that has the library: the one that was named, or one that is made here, once for all runs.
pub(crate) async fn python() -> OsString {
    static MADE: OnceCell<PathBuf> = OnceCell::const_new();
    if let Some(named) = std::env::var_os(PYTHON).filter(|named| !named.is_empty()) {
        return named;
    }
    MADE.get_or_init(make_python).await.clone().into_os_string()
}

async fn make_python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-venv");
    let wanted = std::fs::read_to_string(here("requirements.txt")).expect("the list of what is needed");
    let (python, done) = (folder.join("bin/python"), folder.join("has"));
    if std::fs::read_to_string(&done).is_ok_and(|has| has == wanted) {
        return python;
    }
    let run = |mut command: Command| async move {
        let output = command.output().await.expect("Python 3 is installed");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&folder);
    run(venv).await;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(here("requirements.txt"));
    run(install).await;
    std::fs::write(done, wanted).expect("the folder can be written to");
    python
}

/// Starts a scenario against the daemon.
async fn start(bed: &Testbed, scenario: &str) -> Talk {
    let mut command = Command::new(python().await);
    command.arg(here("openai_client.py")).arg(scenario).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("OPENAI_BASE_URL", format!("http://{}/v1", bed.address())).env("OPENAI_API_KEY", bed.token());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Talk::start(command)
}

/// Plays a scenario to its end, which must be good.
async fn play(bed: &Testbed, scenario: &str) {
    start(bed, scenario).await.ended().await.good();
}

#[tokio::test]
async fn models_are_listed_and_found_by_name() {
    play(&Testbed::start().await, "models").await;
}

#[tokio::test]
async fn a_completion_comes_from_an_agent_or_a_model_by_name() {
    let bed = Testbed::start().await;
    play(&bed, "completion").await;
    let calls = bed.model.calls();
    let [poet, model] = calls.as_slice() else { panic!("two calls: {calls:?}") };
    assert_eq!((&poet.body["model"], &model.body["model"]), (&json!("m-2"), &json!("m-9")));
    let hello = json!({"role": "user", "content": "hello"});
    assert_eq!(poet.messages(), [json!({"role": "system", "content": "You answer in verse."}), hello.clone()]);
    assert_eq!(model.messages(), [hello], "a model by its own name is nobody's agent");
    assert!(calls.iter().all(|call| call.body["temperature"] == 0.5 && call.body["stream"] != json!(true)));
    assert_eq!(bed.api().get("/api/v1/sessions").await["items"], json!([]), "nothing is kept");
}

#[tokio::test]
async fn a_stream_comes_in_pieces_and_tells_the_usage_where_asked() {
    play(&Testbed::start().await, "stream").await;
}

#[tokio::test]
async fn what_is_refused_is_an_error_that_the_library_knows() {
    let bed = Testbed::start().await;
    play(&bed, "refusals").await;
    assert_eq!(bed.model.progress().calls, 0);
}

#[tokio::test]
async fn tools_pass_through_both_ways() {
    let call = || Step::call_tool("weather", r#"{"place":"Ulm"}"#);
    let bed = Testbed::with(StandIn::builder().script([call(), Step::say("It rains in Ulm."), call()])).await;
    play(&bed, "tools").await;
    let calls = bed.model.calls();
    assert_eq!(calls[0].body["tools"][0]["function"]["name"], "weather");
    assert_eq!(calls[0].body["tool_choice"], "auto");
    let told = calls[1].messages();
    assert_eq!(told[1]["tool_calls"][0]["id"], told[2]["tool_call_id"]);
    assert_eq!((&told[2]["role"], &told[2]["content"]), (&json!("tool"), &json!("rain")));
}

#[tokio::test]
async fn a_session_named_in_a_header_is_durable_and_to_be_seen() {
    let mut bed = Testbed::start().await;
    play(&bed, "session").await;
    let calls = bed.model.calls();
    let models: Vec<&Value> = calls.iter().map(|call| &call.body["model"]).collect();
    assert_eq!(models, ["m-2", "m-2", "m-7"], "a model by its own name answers that one turn");
    let texts: Vec<&str> = calls[2].messages().iter().filter_map(|message| message["content"].as_str()).collect();
    let expected =
        ["You answer in verse.", "hello", "You said: hello", "and again", "You said: and again", "you there"];
    assert_eq!(texts, expected, "the session knows its dialogue; what the client sent of one is ignored");
    bed.kill9().await;
    bed.restart().await;
    let listed = bed.api().get("/api/v1/sessions").await;
    let row = &listed["items"][0];
    assert_eq!((&row["id"], &row["agent"], &row["title"]), (&json!("talk-1"), &json!("poet"), &json!("hello")));
    let said: Vec<String> = bed.api().transcript("talk-1").await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(said[..4], ["hello", "You said: hello", "and again", "You said: and again"]);
    assert_eq!(said[4..], ["you there", "You said: you there"]);
}

#[tokio::test]
async fn a_model_named_for_one_turn_answers_it_after_a_kill_too() {
    let gate = Gate::new();
    let mut bed = Testbed::with(StandIn::builder().script([Step::hold_after(&gate, "never heard", 1)])).await;
    let wire = json!({"model": "lab/m-9", "messages": [{"role": "user", "content": "hello"}]}).to_string();
    let (api, header) = (bed.api(), [("x-mosaic-session", "talk-1")]);
    let cut_off = api.request("POST", "/v1/chat/completions", &header, wire.as_bytes());
    tokio::select! {
        answer = cut_off => panic!("{}", answer.text()),
        () = soon("the call", gate.arrived(1)) => {}
    }
    bed.kill9().await;
    bed.restart().await;
    let api = bed.api();
    api.settled("talk-1").await;
    assert_eq!(api.transcript("talk-1").await[1].1, "You said: hello");
    api.ask("talk-1", "and you?").await;
    let models: Vec<Value> = bed.model.calls().iter().map(|call| call.body["model"].clone()).collect();
    assert_eq!(models, ["m-9", "m-9", "m-1"]);
}

#[tokio::test]
async fn the_librarys_own_retries_double_nothing() {
    let gate = Gate::new();
    let bed = Testbed::with(StandIn::builder().script([Step::hold(&gate, "worth the wait")])).await;
    let mut talk = start(&bed, "retries").await;
    talk.until("try 0").await;
    soon("the call", bed.model.wait_for_calls(1)).await;
    talk.until("try 1").await;
    gate.open();
    talk.ended().await.good();
    let api = bed.api();
    assert_eq!(api.transcript("talk-1").await.len(), 2);
    assert_eq!(api.count("talk-1", "turn.accepted").await, 1);
    assert_eq!(bed.model.progress().calls, 1);
    // The same words later are a new message: only a repeat says that it is one.
    let wire = json!({"model": "assistant", "messages": [{"role": "user", "content": "hello"}]}).to_string();
    let later = api.request("POST", "/v1/chat/completions", &[("x-mosaic-session", "talk-1")], wire.as_bytes()).await;
    assert_eq!(later.json::<Value>()["choices"][0]["message"]["content"], "You said: hello");
    assert_eq!(api.count("talk-1", "turn.accepted").await, 2);
}

#[tokio::test]
async fn a_picture_goes_through_to_the_model_and_is_kept_by_a_session() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let wish = |url: &str| {
        let image = json!({"type": "image_url", "image_url": {"url": url}});
        json!({"model": "lab/m-1", "messages": [{"role": "user", "content": [{"type": "text", "text": "look"}, image]}]})
    };
    let url = "data:image/png;base64,iVBORw0KGgo=";
    let answer = api.send("POST", "/v1/chat/completions", wish(url)).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(bed.model.last_call().body["messages"][0]["content"][1]["image_url"]["url"], url);
    let elsewhere = api.send("POST", "/v1/chat/completions", wish("http://127.0.0.1:1/cat.png")).await;
    assert_eq!(refusal(&elsewhere), (400, "bad_request".to_owned()));
    let body = wish(url).to_string();
    let kept = api.request("POST", "/v1/chat/completions", &[("x-mosaic-session", "album")], body.as_bytes()).await;
    assert_eq!(kept.status(), 200, "{}", kept.text());
    api.ask("album", "and now?").await;
    let sent = json!(bed.model.last_call().messages()).to_string();
    assert!(sent.contains(url), "{sent}");
    let page = api.get("/api/v1/sessions/album/messages").await;
    assert_eq!(page["items"][0]["attachments"][0]["name"], "picture-1.png");
    // What is said to be a picture and is none is not kept.
    let fake = wish("data:image/png;base64,aGVsbG8=").to_string();
    let refused = api.request("POST", "/v1/chat/completions", &[("x-mosaic-session", "album")], fake.as_bytes()).await;
    assert_eq!(refusal(&refused), (400, "bad_request".to_owned()));
}
