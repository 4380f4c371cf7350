//! The document of the API, and that what is served keeps to it. Every other test here proves it too: `Api` and `Sse`
//! hold each answer against it.

use std::path::Path;
use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::openai::python;
use crate::testbed::{Testbed, refusal};

/// How many requests an operation gets at the most beside those that cover its parameters one by one.
const CASES: &str = "MOSAIC_SCHEMATHESIS_CASES";

#[tokio::test]
async fn the_document_that_is_served_is_that_of_the_handlers() {
    let bed = Testbed::start().await;
    let served = bed.api().get("/openapi.json").await;
    assert_eq!(served, serde_json::to_value(mosaic::gateway::document()).expect("it serialises"));
    assert!(served["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", served["openapi"]);
    let stranger = bed.api().bearing("nobody").request("GET", "/openapi.json", &[], b"").await;
    assert_eq!(refusal(&stranger), (401, "unauthorized".to_owned()));
}

#[test]
fn the_list_of_operations_is_the_contract() {
    let document = serde_json::to_value(mosaic::gateway::document()).expect("it serialises");
    let mut lines = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            let statuses: Vec<_> = operation["responses"].as_object().expect("responses").keys().cloned().collect();
            let id = operation["operationId"].as_str().expect("an id");
            lines.push(format!("{path} {} {id}: {}", method.to_uppercase(), statuses.join(" ")));
        }
    }
    assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = serde_json::to_value(mosaic::gateway::document()).expect("it serialises");
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for reference in found {
        let place = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn a_parameter_that_is_sent_twice_is_refused_with_a_type() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    for path in [
        "/api/v1/sessions?limit=1&limit=2".to_owned(),
        format!("/api/v1/sessions/{session}/events?after=1&after=2"),
        "/api/v1/usage?by=week".to_owned(),
        "/api/v1/usage?since=yesterday".to_owned(),
    ] {
        let refused = api.request("GET", &path, &[], b"").await;
        assert_eq!(refusal(&refused), (400, "bad_request".to_owned()), "{path}");
    }
    let refused = api.submit(&session, "?wait=perhaps", &[], "hello").await;
    assert_eq!(refusal(&refused), (400, "bad_request".to_owned()));
    assert_eq!(api.get(&format!("/api/v1/sessions/{session}/messages")).await["items"], json!([]));
}

#[tokio::test]
async fn a_key_in_any_alphabet_names_its_turn() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let key = [("idempotency-key", "petit-déjeuner-朝食")];
    let first: Value = api.submit(&session, "?wait=true", &key, "hello").await.json();
    let again: Value = api.submit(&session, "?wait=true", &key, "hello").await.json();
    assert_eq!(first["turn"], again["turn"]);
    assert_eq!(bed.model.progress().calls, 1);
}

/// Some 1,500 requests, in half a minute on an idle machine; MOSAIC_SCHEMATHESIS_CASES=100 makes about ten times as many.
#[tokio::test]
async fn requests_made_from_the_document_are_answered_as_it_says() {
    let bed = Testbed::start().await;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    // Not by its script, which knows the folder that it was installed in.
    let mut command = Command::new(python().await);
    command.args(["-m", "schemathesis.cli", "--config-file"]).arg(tests.join("schemathesis.toml"));
    command.arg("run").arg(format!("http://{}/openapi.json", bed.address()));
    command.args(["--header", &format!("Authorization: Bearer {}", bed.token())]);
    command.args(["--max-examples", &std::env::var(CASES).unwrap_or_else(|_| "10".to_owned())]);
    command.args(["--seed", "1", "--workers", "1", "--request-timeout", "20", "--no-color"]);
    // It keeps what it found in the folder it runs in.
    command.current_dir(bed.home()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", bed.home()).env("PYTHONDONTWRITEBYTECODE", "1");
    let ended = command.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("schemathesis is installed");
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{told}\n{}", String::from_utf8_lossy(&ended.stderr));
    let cases = told.lines().find_map(|line| line.trim().split_once(" generated, ")?.0.parse::<u32>().ok());
    assert!(cases.is_some_and(|cases| cases > 500), "{told}");
    // It was the daemon under test that answered, and it lives.
    assert!(bed.model.progress().calls > 0, "{told}");
    assert_eq!(bed.api().get("/healthz").await["status"], "ok");
    if std::env::var_os(CASES).is_some() {
        println!("{told}");
    }
}
