//! Commands that talk to a daemon elsewhere: a second home, without a daemon, that logs in to the first one's.

use insta::assert_snapshot;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::testbed::{Ended, Testbed, run};

/// A daemon, and a home elsewhere.
async fn two(script: impl IntoIterator<Item = Step>) -> (Testbed, Testbed) {
    (Testbed::with(StandIn::builder().script(script)).await, Testbed::asleep(StandIn::builder()))
}

fn url(bed: &Testbed) -> String {
    format!("http://{}", bed.address())
}

/// Logs `home` in at `daemon`.
async fn log_in(home: &Testbed, daemon: &Testbed) -> Ended {
    run(home.command(&["login", "--url", &url(daemon), "--token", &daemon.token()]), "").await
}

/// Runs a command that must succeed; notes on stderr are allowed.
async fn done(command: Command) -> String {
    let ended = run(command, "").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

/// A text without what differs from run to run.
fn steady(text: &str, daemon: &Testbed) -> String {
    let text = text.replace(&daemon.address().to_string(), "HOST");
    let word = |word: &str| match word {
        word if word.len() == 36 && word.matches('-').count() == 4 => "USER".to_owned(),
        word if word.len() == 38 && word.starts_with('(') && word.matches('-').count() == 4 => "(USER)".to_owned(),
        word if word.len() == 10 && word.starts_with("20") => "DATE".to_owned(),
        word if word.len() == 8 && word.matches(':').count() == 2 => "TIME".to_owned(),
        word => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_home_without_a_daemon_logs_in_elsewhere_and_every_command_works_there() {
    let (there, here) = two([]).await;
    let told = log_in(&here, &there).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.contains("with the role owner"), "{told:?}");
    let file = here.home().join("login.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).expect("it is kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "for its owner alone");
    }
    assert_snapshot!("whoami", steady(&done(here.command(&["whoami"])).await, &there));

    assert_eq!(done(here.command(&["chat", "hello"])).await.trim(), "You said: hello");
    assert_eq!(there.model.progress().calls, 1, "the daemon elsewhere made the turn");
    assert!(!here.database().exists(), "nothing was opened here");
    let sessions = there.api().get("/api/v1/sessions").await;
    let id = sessions["items"][0]["id"].as_str().expect("a session").to_owned();
    assert!(done(here.command(&["sessions", "list"])).await.contains(&id));
    assert!(done(here.command(&["sessions", "show", &id])).await.contains("You said: hello"));
    assert_eq!(done(here.command(&["sessions", "export", &id])).await.lines().count(), 2);
    assert_snapshot!("usage", steady(&done(here.command(&["usage"])).await, &there));
    assert_snapshot!("usage_by_model", done(here.command(&["usage", "--by", "model"])).await);
    assert_snapshot!("providers", done(here.command(&["providers", "list"])).await);
    let tried = done(here.command(&["providers", "test", "lab"])).await;
    assert!(tried.starts_with("lab answers: m-1 in ") && tried.ends_with(" ms\n"), "{tried}");
    assert_eq!(there.model.progress().calls, 2);
    assert!(done(here.command(&["agents", "list"])).await.contains("poet"));
    let tree = done(here.command(&["tree"])).await;
    assert!(tree.contains("└─ ") && tree.contains("sessions"), "{tree}");
    assert_eq!(done(here.command(&["channels", "list", "--json"])).await, "");
    for (command, key) in [
        (&["usage", "--json"][..], "turns"),
        (&["providers", "list", "--json"], "last_call"),
        (&["providers", "test", "lab", "--json"], "latency_ms"),
        (&["tree", "--json"], "incarnation"),
        (&["whoami", "--json"], "version"),
    ] {
        let line = done(here.command(command)).await.lines().next().expect("a line").to_owned();
        let value: Value = serde_json::from_str(&line).expect("one JSON value a line");
        assert!(value.get(key).is_some(), "{command:?}: {value}");
    }
    assert!(done(here.command(&["token", "create", "--name", "x"])).await.starts_with("msc_"));
    assert!(done(here.command(&["sessions", "delete", &id, "--yes"])).await.contains("Removed"));

    let well = done(here.command(&["doctor"])).await;
    assert!(well.contains(&format!("commands talk to {}", url(&there))) && well.contains("is ready"), "{well}");
    assert!(done(here.command(&["logout"])).await.starts_with("Logged out"));
    assert!(!file.exists());
    let nobody = run(here.command(&["whoami"]), "").await;
    assert_eq!(nobody.code, Some(69), "{nobody:?}");
    assert_eq!(done(here.command(&["logout"])).await, "There was no login on this home.\n");
}

#[tokio::test]
async fn a_login_that_is_no_good_is_not_kept() {
    let (there, here) = two([]).await;
    let address = url(&there);
    let wrong = run(here.command(&["login", "--url", &address, "--token", "msc_wrong"]), "").await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.stderr.contains("not known here") && !wrong.stderr.contains("msc_wrong"), "{wrong:?}");
    for (args, code) in [
        (&["login", "--token", "msc_x"][..], 2),
        (&["login", "--url", "mosaic.example.org", "--token", "msc_x"], 2),
        (&["login", "--url", "http://ada:secret@127.0.0.1:1", "--token", "msc_x"], 2),
        (&["login", "--url", "http://127.0.0.1:1", "--token", "msc_x"], 69),
    ] {
        let refused = run(here.command(args), "").await;
        assert_eq!(refused.code, Some(code), "{args:?}: {refused:?}");
        assert!(!refused.stderr.contains("secret"), "{refused:?}");
    }
    for (given, meant) in [
        ("127.0.0.1:14242", "http://127.0.0.1:14242"),
        ("localhost:14242", "http://localhost:14242"),
        ("mosaic.example.org", "https://mosaic.example.org"),
    ] {
        let refused = run(here.command(&["login", "--url", given, "--token", "msc_x"]), "").await;
        assert!(refused.stderr.contains(&format!("did you mean {meant}")), "{given}: {refused:?}");
    }
    let astray = format!("{address}/v1");
    let refused = run(here.command(&["login", "--url", &astray, "--token", &there.token()]), "").await;
    assert!(refused.stderr.contains(&format!("asked {astray}")), "{refused:?}");
    let typed = run(here.command(&["login", "--url", &address]), "msc_wrong\n").await;
    assert!(typed.stderr.contains("was read from stdin") && !typed.stderr.contains("MOSAIC_TOKEN"), "{typed:?}");
    let empty = run(here.command(&["login", "--url", &address]), "\n").await;
    assert_eq!(empty.code, Some(2), "{empty:?}");
    assert!(!here.home().join("login.json").exists());
    // The token may come through a pipe, where no list of processes shows it.
    let piped = run(here.command(&["login", "--url", &address]), &format!("{}\n", there.token())).await;
    assert_eq!(piped.code, Some(0), "{piped:?}");
}

#[tokio::test]
async fn flags_go_before_a_login_and_a_login_before_the_homes_own_daemon() {
    let (first, mut second) = two([]).await;
    second.restart().await;
    let seen = async |home: &Testbed, more: &[&str]| -> Value {
        let args: Vec<_> = ["whoami", "--json"].into_iter().chain(more.iter().copied()).collect();
        serde_json::from_str(&done(home.command(&args)).await).expect("JSON")
    };
    let own = seen(&second, &[]).await;
    assert_eq!(
        (&own["url"], &own["url_from"], &own["token_from"]),
        (&json!(url(&second)), &json!("home"), &json!("home"))
    );
    log_in(&second, &first).await;
    let login = seen(&second, &[]).await;
    assert_eq!((&login["url"], &login["url_from"]), (&json!(url(&first)), &json!("login")));
    let (address, token) = (url(&second), second.token());
    let flags = seen(&second, &["--url", &address, "--token", &token]).await;
    assert_eq!(
        (&flags["url"], &flags["url_from"], &flags["token_from"]),
        (&json!(address), &json!("given"), &json!("given"))
    );
    let mut by_variable = second.command(&["whoami", "--json"]);
    by_variable.env("MOSAIC_URL", &address).env("MOSAIC_TOKEN", &token);
    let variable: Value = serde_json::from_str(&done(by_variable).await).expect("JSON");
    assert_eq!(variable["url"], json!(address));
    // The login's token is for its own address only: another is told that it wants one.
    let elsewhere = run(second.command(&["whoami", "--url", &address]), "").await;
    assert_eq!(elsewhere.code, Some(1), "{elsewhere:?}");
    assert!(elsewhere.stderr.contains("A token is needed"), "{elsewhere:?}");
}

#[tokio::test]
async fn turns_that_failed_or_were_cancelled_are_shown_with_the_session() {
    let gate = mosaic_testkit::provider::Gate::new();
    let refused = Step::status(401, "invalid_api_key", "no such key");
    let (there, here) = two([refused, Step::hold(&gate, "never heard")]).await;
    let api = there.api();
    let session = api.session().await;
    assert_eq!(api.submit(&session, "?wait=true", &[], "one").await.status(), 502);
    api.say(&session, "two").await;
    crate::testbed::soon("the call", gate.arrived(1)).await;
    api.cancel(&session).await;
    api.ask(&session, "three").await;
    log_in(&here, &there).await;
    let shown = done(here.command(&["sessions", "show", &session])).await;
    assert_snapshot!("show", steady(&shown.replace(&session, "SESSION"), &there));
    let lines = done(here.command(&["sessions", "show", &session, "--json"])).await;
    let kinds: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|value| value.get("type").or(value.get("role")).cloned().unwrap_or_default())
        .collect();
    assert_eq!(kinds, ["user", "turn.failed", "user", "turn.cancelled", "user", "assistant"]);
    let exported = done(here.command(&["sessions", "export", &session])).await;
    assert_eq!(exported.lines().count(), 4, "the transcript alone");
}
