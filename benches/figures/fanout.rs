//! What does each way of asking several models add to a direct call?

use std::time::{Duration, Instant};

use mosaic_testkit::http::Client;
use mosaic_testkit::{StandIn, Step};
use serde_json::json;
use tempfile::TempDir;

use crate::bed::{Bed, block_on};
use crate::report::{Report, Tries, ms};

const WARM: usize = 100;
const CALLS: usize = 1_000;

/// Strategies with what they say in the config. Of `fallback`, the first model is asked and answers; of `next`, the first
/// refuses, and so does it again and again, but for the times that it is left alone.
const WAYS: [(&str, &str, &str); 5] = [
    ("fallback", "models = [\"a/m\", \"b/m\", \"c/m\"]", "p50 <= 0.25 ms"),
    ("fallback to the second", "models = [\"down/m\", \"b/m\"]", "none"),
    (
        "race of three at once",
        "models = [\"a/m\", \"b/m\", \"c/m\"]\nstrategy = \"race\"\nrace_after = \"0s\"\nrace_width = 3",
        "none",
    ),
    ("compare, three models", "models = [\"a/m\", \"b/m\", \"c/m\"]\nstrategy = \"compare\"", "none"),
    ("panel of three and a judge", "models = [\"a/m\", \"b/m\", \"c/m\"]\nstrategy = \"panel\"", "none"),
];

fn home(models: &[StandIn; 3], down: &StandIn) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let mut config =
        "default_agent = \"way0\"\n[gateway]\nbind = \"127.0.0.1:0\"\n[log]\nlevel = \"error\"\n".to_owned();
    for (name, model) in ["a", "b", "c", "down"].iter().zip(models.iter().chain([down])) {
        config.push_str(&format!("[providers.{name}]\nbase_url = \"{}\"\n", model.base_url()));
    }
    for (number, (_, way, _)) in WAYS.iter().enumerate() {
        config.push_str(&format!("[agents.way{number}]\n{way}\n"));
    }
    std::fs::write(home.path().join("config.toml"), config).expect("the config is written");
    home
}

async fn call(client: &mut Client, headers: &[(&str, &str)], model: &str) -> Duration {
    let body = json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let began = Instant::now();
    let answer = client.request("POST", "/v1/chat/completions", headers, body.as_bytes()).await.expect("an answer");
    let took = began.elapsed();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    took
}

pub(crate) fn measure(report: &mut Report) {
    let say =
        || StandIn::builder().always(Step::say("one two three four five six seven eight nine ten")).keep(0).start();
    let models = [say(), say(), say()];
    let down = StandIn::builder().always(Step::status(401, "invalid_api_key", "No.")).keep(0).start();
    let bed = Bed::start(home(&models, &down));
    for (number, (name, _, goal)) in WAYS.iter().enumerate() {
        let (mut direct, mut through) = (Tries::default(), Tries::default());
        block_on(async {
            let mut straight = Client::connect(models[0].address()).await.expect("the stand-in accepts");
            let mut mosaic = bed.client().await;
            let bearer = format!("Bearer {}", bed.token);
            let agent = format!("way{number}");
            for call_number in 0..WARM + CALLS {
                let plain = call(&mut straight, &[], "m").await;
                let taken = call(&mut mosaic, &[("authorization", &bearer)], &agent).await;
                if call_number >= WARM {
                    direct.push(plain);
                    through.push(taken);
                }
            }
        });
        let [p50, p99] = [0.5, 0.99].map(|part| through.quantile(part).saturating_sub(direct.quantile(part)));
        let baseline = format!("one direct call p50 {}, p99 {}", ms(direct.quantile(0.5)), ms(direct.quantile(0.99)));
        report.row(&format!("added by {name}"), format!("p50 {}, p99 {}", ms(p50), ms(p99)), baseline, goal);
    }
}
