//! Browsers: signed in by a link or a token, held to their own pages, signed out.

use mosaic::detect::NO_PROVIDER;
use mosaic_testkit::http::{Client, Response};
use mosaic_testkit::{Pty, StandIn};
use serde_json::{Value, json};

use crate::testbed::{Talk, Testbed, refusal, run};

/// A browser, with the cookie it keeps.
struct Browser {
    cookie: String,
    csrf: String,
}

async fn send(bed: &Testbed, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Response {
    let mut client = Client::connect(bed.address()).await.expect("it listens");
    let body = if method == "GET" { String::new() } else { body.to_string() };
    client.request(method, path, headers, body.as_bytes()).await.expect("it answers")
}

impl Browser {
    fn of(answer: &Response) -> Self {
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let set = answer.header("set-cookie").expect("a cookie");
        let (cookie, attributes) = set.split_once(';').expect("attributes");
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"] {
            assert!(attributes.contains(attribute), "{attribute}: {set}");
        }
        assert!(!attributes.contains("Secure") && !attributes.contains("Domain"), "{set}");
        let csrf = answer.json::<Value>()["csrf"].as_str().expect("a text").to_owned();
        Self { cookie: cookie.to_owned(), csrf }
    }

    async fn claim(bed: &Testbed, url: &str) -> Response {
        let (page, code) = url.split_once('#').expect("a code behind the address");
        assert_eq!(page, format!("http://{}/claim", bed.address()));
        send(bed, "POST", "/claim", &[], json!({"code": code})).await
    }

    async fn login(bed: &Testbed, token: &str) -> Response {
        send(bed, "POST", "/login", &[], json!({"token": token})).await
    }

    async fn asks(&self, bed: &Testbed, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut all = vec![("cookie", self.cookie.as_str())];
        all.extend_from_slice(headers);
        send(bed, method, path, &all, json!({})).await
    }

    async fn me(&self, bed: &Testbed) -> u16 {
        self.asks(bed, "GET", "/api/v1/me", &[]).await.status()
    }
}

async fn link(bed: &Testbed) -> String {
    let made = bed.api().send("POST", "/api/v1/links", json!({})).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.json::<Value>()["url"].as_str().expect("a link").to_owned()
}

#[tokio::test]
async fn a_link_signs_one_browser_in_and_is_spent() {
    let mut bed = Testbed::start().await;
    let url = link(&bed).await;
    let page = send(&bed, "GET", "/claim", &[], json!({})).await;
    assert_eq!((page.status(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let html = page.text();
    assert!(html.contains("<script src=\"/claim.js\">") && html.matches("<script").count() == 1, "{html}");
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("script-src 'self'")));
    let ada = Browser::of(&Browser::claim(&bed, &url).await);
    let spent = Browser::claim(&bed, &url).await;
    assert_eq!(refusal(&spent), (401, "unauthorized".to_owned()), "it is spent");
    assert!(spent.header("set-cookie").is_none());
    assert_eq!(ada.me(&bed).await, 200);
    bed.kill9().await;
    bed.restart().await;
    assert_eq!(ada.me(&bed).await, 200, "it is stored before it is told");
    assert_eq!(refusal(&send(&bed, "POST", "/claim", &[], json!({"code": "x"})).await).0, 401);
    let code = url.split_once('#').expect("a code").1;
    assert!(!bed.log().contains(code), "the code is in no log");
    let stored = std::fs::read(bed.database()).expect("the database");
    for secret in [code, ada.cookie.split_once('=').expect("a value").1] {
        assert!(!stored.windows(secret.len()).any(|window| window == secret.as_bytes()), "only hashes are kept");
    }
}

#[tokio::test]
async fn a_newer_link_makes_the_older_one_void() {
    let bed = Testbed::start().await;
    let (older, newer) = (link(&bed).await, link(&bed).await);
    assert_eq!(Browser::claim(&bed, &older).await.status(), 401);
    assert_eq!(Browser::claim(&bed, &newer).await.status(), 200);
}

#[tokio::test]
async fn of_many_who_claim_a_link_at_once_one_is_signed_in() {
    let bed = Testbed::start().await;
    let url = link(&bed).await;
    let claims = futures_util::future::join_all((0..8).map(|_| Browser::claim(&bed, &url))).await;
    let signed_in = claims.iter().filter(|answer| answer.status() == 200).count();
    assert_eq!(signed_in, 1, "{:?}", claims.iter().map(Response::status).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_browser_changes_takes_the_text_of_its_own_pages() {
    let bed = Testbed::start().await;
    let ada = Browser::of(&Browser::login(&bed, &bed.token()).await);
    let bob = Browser::of(&Browser::login(&bed, &bed.token()).await);
    let told: Value = ada.asks(&bed, "GET", "/api/v1/me", &[]).await.json();
    assert_eq!(told["csrf"], ada.csrf);
    assert!(bed.api().get("/api/v1/me").await.get("csrf").is_none(), "a bearer needs none and is told none");
    let make = ("POST", "/api/v1/sessions");
    for bad in [None, Some(""), Some("wrong"), Some(bob.csrf.as_str()), Some(&ada.csrf[..63])] {
        let headers: Vec<_> = bad.iter().map(|text| ("x-csrf-token", *text)).collect();
        for (method, path) in [make, ("DELETE", "/api/v1/tokens/some"), ("POST", "/logout"), ("PUT", "/api/v1/me")] {
            let refused = ada.asks(&bed, method, path, &headers).await;
            assert_eq!(refusal(&refused), (403, "csrf".to_owned()), "{method} {path} {bad:?}");
        }
    }
    assert_eq!(bed.api().get("/api/v1/sessions").await["items"], json!([]), "nothing was done");
    assert_eq!(ada.asks(&bed, make.0, make.1, &[("x-csrf-token", &ada.csrf)]).await.status(), 201);
    let bearer = format!("Bearer {}", bed.token());
    let both = ada.asks(&bed, make.0, make.1, &[("authorization", &bearer)]).await;
    assert_eq!(both.status(), 201, "a bearer counts where both are sent");
    let both = ada.asks(&bed, "GET", "/api/v1/me", &[("authorization", "Bearer wrong")]).await;
    assert_eq!(both.status(), 401, "also a bad one");
    let basic = ada.asks(&bed, "GET", "/api/v1/me", &[("authorization", "Basic YTpi")]).await;
    assert_eq!(basic.status(), 200, "what a proxy asks for is no bearer");
}

#[tokio::test]
async fn a_browser_ends_with_its_token_and_by_signing_out() {
    let mut bed = Testbed::start().await;
    let api = bed.api();
    let made: Value = api.send("POST", "/api/v1/tokens", json!({"role": "viewer"})).await.json();
    let token = made["token"].as_str().expect("a token").to_owned();
    let by_token = Browser::of(&Browser::login(&bed, &token).await);
    let told: Value = by_token.asks(&bed, "GET", "/api/v1/me", &[]).await.json();
    assert_eq!(told["role"], "viewer", "it may do what the token may");
    let by_home = Browser::of(&Browser::login(&bed, &bed.token()).await);
    let leaves = Browser::of(&Browser::login(&bed, &bed.token()).await);
    let revoked = format!("/api/v1/tokens/{}", made["id"].as_str().expect("an id"));
    assert_eq!(api.request("DELETE", &revoked, &[], b"").await.status(), 204);
    assert_eq!(Browser::login(&bed, &token).await.status(), 401);
    let left = leaves.asks(&bed, "POST", "/logout", &[("x-csrf-token", &leaves.csrf)]).await;
    let forgotten = left.header("set-cookie").expect("the cookie is taken back");
    assert!(left.status() == 204 && forgotten.starts_with("mosaic_session=;") && forgotten.contains("Max-Age=0"));
    let all = async |bed: &Testbed| [by_token.me(bed).await, leaves.me(bed).await, by_home.me(bed).await];
    assert_eq!(all(&bed).await, [401, 401, 200]);
    bed.stop().await;
    bed.restart().await;
    assert_eq!(all(&bed).await, [401, 401, 200], "after a restart too");
    assert_eq!(refusal(&bed.api().send("POST", "/logout", json!({})).await), (400, "bad_request".to_owned()));
}

#[tokio::test]
async fn a_stranger_may_send_little() {
    let bed = Testbed::start().await;
    for path in ["/claim", "/login"] {
        for (body, status) in [
            (json!({"code": "x".repeat(5_000)}), 413),
            (json!({"token": "x".repeat(5_000)}), 413),
            (json!({}), 400),
            (json!([]), 400),
            (json!({"code": 1, "token": 1}), 400),
        ] {
            let refused = send(&bed, "POST", path, &[], body.clone()).await;
            assert_eq!(refusal(&refused).0, status, "{path} {body:.20}");
        }
    }
}

#[tokio::test]
async fn the_command_prints_a_link_that_works_and_the_first_start_on_a_terminal_too() {
    let mut bed = Testbed::start().await;
    assert!(!bed.greeting().contains("/claim#"), "not where nobody reads it: {}", bed.greeting());
    let printed = run(bed.command(&["link"]), "").await.good();
    let printed = printed.trim().to_owned();
    bed.stop().await;
    let told = run(bed.command(&["link"]), "").await;
    assert!(told.code == Some(69) && told.stderr.contains("mosaic up"), "{told:?}");

    let first = terminal(&bed).await;
    let url =
        first.lines().find_map(|line| line.trim().strip_prefix("http://").filter(|rest| rest.contains("/claim#")));
    assert!(url.is_some(), "no link was used yet: {first}");
    bed.restart().await;
    let code = url.and_then(|url| url.split_once('#')).expect("a code").1;
    let claim = async |code: &str| send(&bed, "POST", "/claim", &[], json!({"code": code})).await.status();
    assert_eq!(claim(printed.split_once('#').expect("a code").1).await, 401, "the newer one made it void");
    assert_eq!(claim(code.trim()).await, 200);
    bed.stop().await;
    let second = terminal(&bed).await;
    assert!(!second.contains("/claim#"), "one was used: {second}");
}

#[tokio::test]
async fn the_first_start_without_a_model_points_at_the_page_behind_its_link_in_whole_words() {
    let bed = Testbed::asleep(StandIn::builder());
    bed.write_config("detect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n");
    let pty = Pty::start(&bed.command(&["up"]), 60, 40).expect("a terminal");
    let screen = pty.sees("begins the chat.").await;
    assert!(screen.contains("/claim#") && screen.contains("The link above leads to a page"), "{screen}");
    let words: Vec<&str> = screen.split_whitespace().collect();
    let told: Vec<&str> = NO_PROVIDER.split_whitespace().collect();
    assert!(words.windows(told.len()).any(|window| window == told), "no word of it is cut in two: {screen}");
}

/// Starts the daemon on a terminal, stops it when it is ready, and answers what it said.
async fn terminal(bed: &Testbed) -> String {
    let plain = bed.command(&["up"]);
    let plain = plain.as_std();
    let words = std::iter::once(plain.get_program()).chain(plain.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    // Part of every Linux system: runs a command on a terminal of its own.
    let mut command = bed.command(&[]);
    let mut script = tokio::process::Command::new("script");
    script.args(["--quiet", "--return", "--command", &format!("exec {}", words.join(" ")), "/dev/null"]);
    script.env_clear().envs(command.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    script.kill_on_drop(true);
    std::mem::swap(&mut command, &mut script);
    let mut talk = Talk::start(command);
    talk.until("Try it").await;
    let daemon = std::fs::read_to_string(bed.home().join("daemon.json")).expect("it is announced");
    let daemon: Value = serde_json::from_str(&daemon).expect("JSON");
    crate::testbed::signal(u32::try_from(daemon["pid"].as_u64().expect("a pid")).expect("small"), "TERM");
    talk.ended().await.stdout
}
