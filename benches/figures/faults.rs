//! What do neighbours feel of a child that panics all the time? Wants the feature `chaos`.

use std::cell::Cell;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::bed::{Bed, block_on};
use crate::neighbours::{load, post, session, talk};
use crate::report::{Report, ms};

/// Sessions beside the victim, with another agent and another provider.
const NEIGHBOURS: usize = 8;
/// Between two panics. A child that is down hears none.
const EVERY: Duration = Duration::from_millis(20);
/// A child that is down rests for a minute; then it must answer.
const BACK_WITHIN: Duration = Duration::from_secs(75);

pub(crate) fn measure(report: &mut Report) {
    if !cfg!(feature = "chaos") {
        eprintln!("  skipped: faults are planted only in builds for it, with --features chaos");
        return;
    }
    let upstream = StandIn::builder().always(Step::say("one two three four five")).keep(0).start();
    let bed = Bed::start_with(home(&upstream), Stdio::null());
    block_on(async {
        let victim = session(&bed, "victim").await;
        let mut neighbours = Vec::new();
        for _ in 0..NEIGHBOURS {
            neighbours.push(session(&bed, "neighbour").await);
        }
        load(&bed, &neighbours, async |_| ()).await; // warm
        let own = format!("sessions/{victim}");
        // The provider last: while it is down, the others could not be told from it by their callers.
        for (kind, child) in
            [("a session", own.as_str()), ("an agent", "agents/victim"), ("a provider", "providers/shaky")]
        {
            let (mut quiet, ()) = load(&bed, &neighbours, async |_| ()).await;
            let (mut loud, ()) = load(&bed, &neighbours, async |over| trouble(&bed, over, child, &victim).await).await;
            down(&bed, child).await;
            let (p50, p99) = (quiet.quantile(0.5), quiet.quantile(0.99));
            let (loud50, loud99) = (loud.quantile(0.5), loud.quantile(0.99));
            let ratio = |loud: Duration, quiet: Duration| loud.as_secs_f64() / quiet.as_secs_f64();
            let value = format!(
                "p50 {}, p99 {}; {:.2}x and {:.2}x",
                ms(loud50),
                ms(loud99),
                ratio(loud50, p50),
                ratio(loud99, p99)
            );
            let baseline = format!("quiet p50 {}, p99 {}", ms(p50), ms(p99));
            report.row(&format!("turns of 8 neighbours while {kind} panics all the time"), value, baseline, "none");
        }
        let began = Instant::now();
        while !answers(&bed, &victim).await {
            assert!(began.elapsed() < BACK_WITHIN, "session, agent and provider are back after their rest");
            sleep(Duration::from_millis(500)).await;
        }
        let value = format!("{:.0} s after the last loop", began.elapsed().as_secs_f64());
        report.row("session, agent and provider answer again", value, "a rest of 60 s".to_owned(), "none");
    });
}

fn home(upstream: &StandIn) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let url = upstream.base_url();
    let config = format!(
        "default_agent = \"neighbour\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n[log]\nlevel = \"error\"\n\
         [providers.shaky]\nbase_url = \"{url}\"\n[providers.firm]\nbase_url = \"{url}\"\n\
         [agents.victim]\nmodels = [\"shaky/m\"]\n[agents.neighbour]\nmodels = [\"firm/m\"]\n"
    );
    std::fs::write(home.path().join("config.toml"), config).expect("the config is written");
    home
}

/// The child of that path is panicked again and again, and someone goes on asking the session that hangs on it.
async fn trouble(bed: &Bed, over: &Cell<bool>, child: &str, session: &str) {
    let panics = async {
        let mut client = bed.client().await;
        while !over.get() {
            let (status, _) = post(bed, &mut client, "/api/v1/chaos", &json!({"child": child, "order": "panic"})).await;
            assert_eq!(status, 200);
            sleep(EVERY).await;
        }
    };
    let caller = async {
        while !over.get() {
            // Refused, failed or answered: that is the victim's affair.
            answers(bed, session).await;
            sleep(EVERY).await;
        }
    };
    tokio::join!(panics, caller);
}

/// Whether a turn of this session is answered, soon.
async fn answers(bed: &Bed, session: &str) -> bool {
    let asked =
        async { post(bed, &mut bed.client().await, &talk(session), &json!({"text": "are you there?"})).await.0 };
    matches!(timeout(Duration::from_secs(2), asked).await, Ok(200))
}

/// The tree must name the child, and that it is down.
async fn down(bed: &Bed, path: &str) {
    let bearer = format!("Bearer {}", bed.token);
    let mut client = bed.client().await;
    let answer = client.request("GET", "/api/v1/tree", &[("authorization", &bearer)], b"").await.expect("an answer");
    let tree: Value = answer.json();
    let named = |node: &Value, name: &str| {
        let children = node["children"].as_array().cloned().unwrap_or_default();
        children.into_iter().find(|child| child["name"] == name).unwrap_or_default()
    };
    let (family, child) = path.split_once('/').expect("a child of a family");
    let view = named(&named(&tree, family), child);
    assert_eq!(view["state"], "down", "{path} in the tree: {view}");
}
