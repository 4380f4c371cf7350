//! What is planted must not be found again: not in a log at its loudest, a span, a metric, an event, an error or a file.

use std::path::{Path, PathBuf};

use mosaic_testkit::collector::Mood;
use mosaic_testkit::provider::Gate;
use mosaic_testkit::{Collector, StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Testbed, eventually, refusal};

const KEY: &str = "sk-planted-key-of-the-provider-1f0c";
const COLLECTOR: &str = "planted-key-of-the-collector-77ab";
const WRONG: &str = "planted-token-that-is-wrong-93d2";
const TEXT: &str = "planted-words-of-a-person-5e41";
const IDEMPOTENCY: &str = "planted-idempotency-key-c8d8";

/// A place that was searched, and what it held.
struct Place {
    name: String,
    bytes: Vec<u8>,
}

impl Place {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }

    fn holds(&self, planted: &str) -> bool {
        self.bytes.windows(planted.len()).any(|window| window == planted.as_bytes())
    }

    /// Panics with the lines round what was found.
    fn must_not_hold(&self, planted: &[&str]) {
        for planted in planted {
            let text = String::from_utf8_lossy(&self.bytes);
            let lines: Vec<&str> = text.lines().filter(|line| line.contains(planted)).take(3).collect();
            assert!(!self.holds(planted), "{planted} is in {}: {lines:#?}", self.name);
        }
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                std::fs::read_dir(&path).expect("it can be listed").map(|entry| entry.expect("it is there").path()),
            );
        } else {
            files.push(path);
        }
    }
    files
}

#[tokio::test]
async fn what_was_planted_is_found_nowhere_it_does_not_belong() {
    let gate = Gate::new();
    let leaky = format!("Incorrect API key provided: {KEY}. Bearer {KEY}");
    let script = [
        Step::say(format!("You said {TEXT}")),
        Step::say("streamed"),
        Step::say("a turn by its header"),
        Step::say("stateless"),
        Step::status(401, "invalid_api_key", &leaky),
        Step::status(400, "bad", &leaky),
        Step::truncate(TEXT),
        Step::error_event("oops", leaky.clone()),
        Step::Garbage,
        Step::hold_after(&gate, "a b c d", 2),
    ];
    let collector = Collector::start(Mood::Takes);
    let mut bed = Testbed::asleep(StandIn::builder().key(KEY).script(script));
    let url = bed.model.base_url();
    bed.write_config(&format!(
        "detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n[log]\nlevel = \"trace\"\n[providers.lab]\nbase_url = \"{url}\"\n\
         api_key_env = \"LAB_KEY\"\n[agents.assistant]\nmodels = [\"lab/m-1\"]\n"
    ));
    bed.set_env("LAB_KEY", KEY);
    bed.set_env("MOSAIC_LOG", "trace");
    bed.set_env("RUST_BACKTRACE", "1");
    bed.set_env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    bed.set_env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer {COLLECTOR}"));
    bed.set_env("OTEL_BSP_SCHEDULE_DELAY", "20");
    bed.restart().await;
    let owner = bed.api();
    let made: Value = owner.send("POST", "/api/v1/tokens", json!({"name": "phone"})).await.json();
    let token = made["token"].as_str().unwrap_or_else(|| panic!("no token in {made}")).to_owned();
    let api = owner.bearing(&token);
    let session = api.session().await;
    let mut answers = Vec::new();

    let keyed = [("idempotency-key", IDEMPOTENCY)];
    let answer = api.submit(&session, "?wait=true", &keyed, TEXT).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let events = api.hear(&session, TEXT).await.rest().await;
    assert_eq!(events.last().expect("an end")["type"], "turn.finished");
    let body = json!({"model": "assistant", "messages": [{"role": "user", "content": TEXT}]}).to_string();
    for headers in [&[("x-mosaic-session", session.as_str())][..], &[]] {
        let answer = api.request("POST", "/v1/chat/completions", headers, body.as_bytes()).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    for code in
        ["provider_auth", "provider_rejected", "provider_bad_answer", "provider_bad_answer", "provider_bad_answer"]
    {
        let failed = api.submit(&session, "?wait=true", &[], TEXT).await;
        answers.push(failed.text());
        assert_eq!(refusal(&failed), (502, code.to_owned()));
    }
    let mut events = api.hear(&session, TEXT).await;
    events.until("turn.delta").await;
    api.cancel(&session).await;
    events.until("turn.cancelled").await;
    answers.push(api.bearing(WRONG).request("GET", "/api/v1/me", &[], b"").await.text());
    answers.push(api.request("GET", &format!("/api/v1/sessions/{session}/none"), &[], b"").await.text());
    answers.push(api.submit(&session, "", &keyed, "another text").await.text());
    let journal = serde_json::to_string(&api.journal(&session).await).expect("it is JSON");
    let tree = api.get("/api/v1/tree").await.to_string();
    let page = api.request("GET", "/metrics", &[], b"").await.text();
    eventually("spans of the last turn are told", || async {
        collector.spans().iter().any(|span| span.get("turn.state") == "cancelled").then_some(())
    })
    .await;
    let home_token = bed.token();
    assert!(bed.stop().await.success());

    // It was loud, and what it must not say was there to be said.
    let log = bed.log();
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "{log}");
    assert!(bed.model.last_call().header("authorization").is_some_and(|value| value.contains(KEY)));
    assert!(collector.heads().iter().flatten().any(|(_, value)| value.contains(COLLECTOR)));

    let keys = [KEY, COLLECTOR, WRONG, token.as_str(), home_token.as_str()];
    let words = [TEXT, IDEMPOTENCY];
    let silent = [keys.as_slice(), &words].concat();
    Place::new("the log", log).must_not_hold(&silent);
    Place::new("the metrics", page).must_not_hold(&silent);
    Place::new("the tree", tree).must_not_hold(&silent);
    for body in collector.bodies() {
        Place::new("the spans", body.to_vec()).must_not_hold(&silent);
    }
    // Words of a person belong into their own journal and into answers to themselves.
    Place::new("the journal", journal).must_not_hold(&[keys.as_slice(), &[IDEMPOTENCY]].concat());
    Place::new("the errors", answers.concat()).must_not_hold(&keys);
    let mut databases = 0;
    for file in files(bed.home()) {
        let name = file.strip_prefix(bed.home()).expect("it is below").display().to_string();
        let place = Place::new(name.clone(), std::fs::read(&file).expect("it can be read"));
        if name == "token" {
            assert!(place.holds(&home_token));
        } else if name.starts_with("mosaic.db") {
            place.must_not_hold(&keys);
            databases += usize::from(place.holds(TEXT));
        } else {
            place.must_not_hold(&silent);
        }
    }
    assert!(databases > 0, "the search finds what is there");
}
