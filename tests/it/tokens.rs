//! Who may do what: tokens and roles, on every route there is.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use mosaic::gateway::{Access, table};
use mosaic_testkit::http::{Client, Response};
use mosaic_types::UserRole;
use serde_json::{Value, json};

use crate::testbed::{Api, Testbed, eventually, refusal, run};

/// A path that the pattern of a route matches; what is named in it is there.
fn filled(pattern: &str) -> String {
    let part = |part: &str| match part {
        "{id:.*}" => "assistant".to_owned(),
        part if part.starts_with('{') => "some".to_owned(),
        part => part.to_owned(),
    };
    pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Every route there is: its method, a path, and who may use it.
fn routes() -> Vec<(String, String, Access)> {
    let rows: Vec<_> = table().into_iter().map(|row| (row.method, filled(row.path), row.access)).collect();
    assert!(rows.len() > 15, "{rows:?}");
    rows
}

/// Every route that asks for a principal.
fn guarded() -> impl Iterator<Item = (String, String, UserRole)> {
    routes().into_iter().filter_map(|(method, path, access)| match access {
        Access::Open => None,
        Access::Least(least) => Some((method, path, least)),
    })
}

/// A request of a stranger. Each comes from an address of its own, since one who fails too often is locked out.
async fn bare(bed: &Testbed, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    static STRANGERS: AtomicU32 = AtomicU32::new(0x7f01_0001);
    let stranger = IpAddr::from(STRANGERS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let mut client = Client::connect_from(stranger, bed.address()).await.expect("it listens");
    client.request(method, path, headers, b"{}").await.expect("it answers")
}

/// A session by the name that [`filled`] gives it.
async fn named_session(api: &Api) {
    let made = api.send("POST", "/api/v1/sessions", json!({"id": "some"})).await;
    assert_eq!(made.status(), 201, "{}", made.text());
}

async fn token(api: &Api, wish: Value) -> (String, String) {
    let made = api.send("POST", "/api/v1/tokens", wish).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let made: Value = made.json();
    let text = |key: &str| made[key].as_str().expect("a text").to_owned();
    (text("id"), text("token"))
}

#[tokio::test]
async fn no_route_is_open_to_one_without_a_good_token() {
    let bed = Testbed::start().await;
    let api = bed.api();
    named_session(&api).await;
    let token = bed.token();
    let garbled = format!("{}x", &token[..token.len() - 1]);
    let bearers = [
        None,
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some("Bearer wrong".to_owned()),
        Some(format!("Bearer {garbled}")),
        Some(format!("Bearer {}", token.to_uppercase())),
        Some(format!("Basic {token}")),
        Some(token.clone()),
        Some("Bearer \u{e4}".to_owned()),
    ];
    for (method, path, _) in guarded() {
        for bearer in &bearers {
            let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
            let refused = bare(&bed, &method, &path, &headers).await;
            assert_eq!(refusal(&refused), (401, "unauthorized".to_owned()), "{method} {path} {bearer:?}");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        }
        let query = format!("{path}?token={token}&access_token={token}");
        assert_eq!(bare(&bed, &method, &query, &[]).await.status(), 401, "a token in a URL is none: {method} {path}");
    }
    assert_eq!(api.get("/api/v1/sessions").await["items"].as_array().map(Vec::len), Some(1), "nothing was done");
    assert!(!bed.log().contains(&token), "the token is in no log");
}

#[tokio::test]
async fn health_is_told_to_everyone() {
    let bed = Testbed::start().await;
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = bare(&bed, "GET", path, &[]).await;
        assert_eq!((answer.status(), &answer.json::<Value>()["status"]), (200, &status.into()));
    }
}

#[tokio::test]
async fn every_route_takes_the_role_that_the_table_names_and_no_less() {
    let bed = Testbed::start().await;
    let api = bed.api();
    named_session(&api).await;
    for role in UserRole::ALL {
        let bearer = api.bearing(&token(&api, json!({"role": role})).await.1);
        for (method, path, least) in guarded() {
            // An empty object is too little for a route that would do something lasting.
            let answer = bearer.send(&method, &path, json!({})).await;
            if role < least {
                assert_eq!(refusal(&answer), (403, "forbidden".to_owned()), "{role}: {method} {path}");
            } else {
                assert!(![401, 403, 405].contains(&answer.status()), "{role}: {method} {path}: {}", answer.text());
                if method == "DELETE" && path == "/api/v1/sessions/some" {
                    named_session(&api).await;
                }
            }
        }
    }
    assert_eq!(bed.model.progress().calls, 0);
}

#[tokio::test]
async fn a_guarded_path_tells_a_stranger_nothing_however_it_is_asked() {
    let bed = Testbed::start().await;
    let api = bed.api();
    for path in ["/api/v1/nothing", "/v1/nothing", "/api/v1/", "/v1/models/a/b"] {
        assert_eq!(bare(&bed, "GET", path, &[]).await.status(), 401, "{path}");
        assert_eq!(api.request("GET", path, &[], b"").await.status(), 404, "{path}");
    }
    for (method, path, _) in guarded() {
        for wrong in ["HEAD", "OPTIONS", "TRACE", "BREW"] {
            assert_eq!(bare(&bed, wrong, &path, &[]).await.status(), 401, "{wrong} {path}");
            let told = api.request(wrong, &path, &[], b"").await;
            assert_eq!(told.status(), 405, "{wrong} {path}");
        }
        // The router takes an encoded letter for the letter.
        let letter = path.as_bytes()[1];
        let encoded = format!("/%{letter:02x}{}", &path[2..]);
        assert_eq!(bare(&bed, &method, &encoded, &[]).await.status(), 401, "{method} {encoded}");
    }
}

#[tokio::test]
async fn a_token_never_makes_or_ends_a_higher_one() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let member = api.bearing(&token(&api, json!({"role": "member", "name": "phone"})).await.1);
    let refused = member.send("POST", "/api/v1/tokens", json!({"role": "owner"})).await;
    assert_eq!(refusal(&refused), (403, "forbidden".to_owned()));
    let own = member.bearing(&token(&member, json!({})).await.1);
    assert_eq!(own.get("/api/v1/me").await["role"], "member");
    let listed = api.get("/api/v1/tokens").await;
    assert!(listed["items"].as_array().expect("a list").iter().all(|token| token.get("token").is_none()));
    let (owners, _) = token(&api, json!({"role": "owner"})).await;
    let (_, members) = token(&api, json!({"role": "member"})).await;
    let refused = api.bearing(&members).request("DELETE", &format!("/api/v1/tokens/{owners}"), &[], b"").await;
    assert_eq!(refusal(&refused), (403, "forbidden".to_owned()), "nor ends one");
}

#[tokio::test]
pub(crate) async fn a_revoked_token_is_worth_nothing_at_once_and_after_a_restart() {
    let mut bed = Testbed::start().await;
    let api = bed.api();
    let (id, text) = token(&api, json!({"role": "member"})).await;
    let (_, kept) = token(&api, json!({"role": "member"})).await;
    let me = |text: &str| {
        let api = bed.api().bearing(text);
        async move { api.request("GET", "/api/v1/me", &[], b"").await.status() }
    };
    assert_eq!((me(&text).await, me(&kept).await), (200, 200));
    let path = format!("/api/v1/tokens/{id}");
    assert_eq!(api.request("DELETE", &path, &[], b"").await.status(), 204);
    assert_eq!((me(&text).await, me(&kept).await), (401, 200));
    assert_eq!(refusal(&api.request("DELETE", &path, &[], b"").await), (404, "not_found".to_owned()));
    bed.stop().await;
    bed.restart().await;
    let me = |text: &str| {
        let api = bed.api().bearing(text);
        async move { api.request("GET", "/api/v1/me", &[], b"").await.status() }
    };
    assert_eq!((me(&text).await, me(&kept).await), (401, 200));
}

#[tokio::test]
pub(crate) async fn a_token_that_expires_is_refused_with_its_own_sentence_and_shown_as_expired() {
    let mut bed = Testbed::start().await;
    let api = bed.api();
    let (_, short) = token(&api, json!({"name": "short", "expires_in_s": 1})).await;
    let (_, long) = token(&api, json!({"expires_at": "2999-01-01T00:00:00Z"})).await;
    let refused = eventually("the short one expires", || async {
        let answer = api.bearing(&short).request("GET", "/api/v1/me", &[], b"").await;
        (answer.status() != 200).then_some(answer)
    })
    .await;
    assert_eq!(refusal(&refused), (401, "unauthorized".to_owned()));
    assert!(refused.text().contains("has expired"), "{}", refused.text());
    let listed = api.get("/api/v1/tokens").await;
    let ends: Vec<_> = listed["items"].as_array().expect("a list").iter().map(|token| &token["expired"]).collect();
    assert_eq!(ends, [&json!(true), &json!(false)], "{listed}");
    for bad in [
        json!({"expires_in_s": 0}),
        json!({"expires_in_s": 1_000_000_000}),
        json!({"expires_at": "2001-01-01T00:00:00Z"}),
        json!({"expires_at": "soon"}),
        json!({"expires_in_s": 5, "expires_at": "2999-01-01T00:00:00Z"}),
    ] {
        let refused = api.send("POST", "/api/v1/tokens", bad.clone()).await;
        assert_eq!(refusal(&refused), (400, "bad_request".to_owned()), "{bad}");
    }
    bed.stop().await;
    bed.restart().await;
    let me = |text: &str| {
        let api = bed.api().bearing(text);
        async move { api.request("GET", "/api/v1/me", &[], b"").await }
    };
    assert!(me(&short).await.text().contains("has expired"), "after a restart too");
    assert_eq!(me(&long).await.status(), 200);
}

#[tokio::test]
async fn a_token_never_makes_one_that_outlasts_it() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let (_, parent) = token(&api, json!({"expires_in_s": 3_600})).await;
    let parent = api.bearing(&parent);
    let refused = parent.send("POST", "/api/v1/tokens", json!({"expires_in_s": 7_200})).await;
    assert_eq!(refusal(&refused), (403, "forbidden".to_owned()));
    let listed = |made: mosaic_testkit::http::Response| made.json::<Value>()["expires_at"].clone();
    let shorter = parent.send("POST", "/api/v1/tokens", json!({"expires_in_s": 60})).await;
    let unsaid = parent.send("POST", "/api/v1/tokens", json!({})).await;
    assert_eq!((shorter.status(), unsaid.status()), (201, 201));
    let ends = api.get("/api/v1/tokens").await["items"].clone();
    assert_eq!(listed(unsaid), ends[0]["expires_at"], "by default it ends with the one it is made with");
    assert_ne!(listed(shorter), ends[0]["expires_at"]);
}

#[tokio::test]
async fn a_token_made_on_the_command_line_can_expire() {
    let mut bed = Testbed::start().await;
    let made = async |bed: &Testbed, span: &str| {
        run(bed.command(&["token", "create", "--name", span, "--expires", span]), "").await
    };
    assert_eq!(made(&bed, "30d").await.code, Some(0));
    let bad = made(&bed, "30").await;
    assert!(bad.code == Some(2) && bad.stderr.contains("add its unit"), "{bad:?}");
    assert!(made(&bed, "0s").await.stderr.contains("from 1s to 3650d"));
    bed.stop().await;
    assert_eq!(made(&bed, "12h").await.code, Some(0));
    let listed = run(bed.command(&["token", "list"]), "").await.good();
    // Whether a whole day is left depends on how long the commands took.
    for shown in [["EXPIRES"; 2], ["in 30 d", "in 29 d"], ["in 12 h", "in 11 h"]] {
        assert!(shown.iter().any(|shown| listed.contains(shown)), "{shown:?}: {listed}");
    }
}

#[tokio::test]
async fn the_command_line_says_what_a_new_token_may_do_and_ends_it_by_its_name() {
    let bed = Testbed::start().await;
    let made = async |args: &[&str]| run(bed.command(&[&["token", "create"], args].concat()), "").await;
    let plain = made(&[]).await;
    assert_eq!(plain.code, Some(0), "{plain:?}");
    assert!(plain.stdout.starts_with("msc_") && plain.stdout.lines().count() == 1, "{plain:?}");
    assert!(plain.stderr.contains("has the role owner and never expires"), "{plain:?}");
    let (_, id) = plain.stderr.trim().rsplit_once("mosaic token revoke ").expect("how to end it");
    let brief = made(&["--name", "phone", "--role", "viewer", "--expires", "30d"]).await;
    assert!(brief.stderr.contains("the role viewer and expires in "), "{brief:?}");

    let revoke = async |which: &str| run(bed.command(&["token", "revoke", which]), "").await;
    assert!(revoke("tablet").await.stderr.contains("`mosaic token list` shows them"));
    made(&["--name", "phone"]).await;
    let twice = revoke("phone").await;
    assert!(twice.code == Some(1) && twice.stderr.contains("several tokens"), "{twice:?}");
    revoke(id).await.good();
    made(&["--name", "laptop"]).await;
    revoke("laptop").await.good();
    let listed = run(bed.command(&["token", "list"]), "").await.good();
    assert!(!listed.contains(id) && !listed.contains("laptop") && listed.contains("phone"), "{listed}");
}
