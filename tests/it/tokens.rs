//! Who may do what: tokens and roles, on every route there is.

use serde_json::{Value, json};

use crate::testbed::{Api, Testbed, refusal};

/// Every route that takes a token, with the method it takes.
const ROUTES: [(&str, &str); 20] = [
    ("GET", "/api/v1/sessions"),
    ("POST", "/api/v1/sessions"),
    ("GET", "/api/v1/sessions/some"),
    ("PATCH", "/api/v1/sessions/some"),
    ("DELETE", "/api/v1/sessions/some"),
    ("GET", "/api/v1/sessions/some/messages"),
    ("POST", "/api/v1/sessions/some/messages"),
    ("POST", "/api/v1/sessions/some/cancel"),
    ("GET", "/api/v1/sessions/some/events"),
    ("GET", "/api/v1/agents"),
    ("GET", "/api/v1/providers"),
    ("GET", "/api/v1/tree"),
    ("GET", "/api/v1/me"),
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens/some"),
    ("POST", "/v1/chat/completions"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/assistant"),
    ("GET", "/api/v1/nothing"),
];

/// A session by the name in [`ROUTES`].
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
    for (method, path) in ROUTES {
        for bearer in &bearers {
            let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
            let mut client = mosaic_testkit::http::Client::connect(bed.address()).await.expect("it listens");
            let refused = client.request(method, path, &headers, b"{}").await.expect("it answers");
            assert_eq!(refusal(&refused), (401, "unauthorized".to_owned()), "{method} {path} {bearer:?}");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        }
        let query = format!("{path}?token={token}&access_token={token}");
        let mut client = mosaic_testkit::http::Client::connect(bed.address()).await.expect("it listens");
        let refused = client.request(method, &query, &[], b"{}").await.expect("it answers");
        assert_eq!(refused.status(), 401, "a token in a URL is none: {method} {path}");
    }
    assert_eq!(api.get("/api/v1/sessions").await["items"].as_array().map(Vec::len), Some(1), "nothing was done");
    assert!(!bed.log().contains(&token), "the token is in no log");
}

#[tokio::test]
async fn health_is_told_to_everyone() {
    let bed = Testbed::start().await;
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let mut client = mosaic_testkit::http::Client::connect(bed.address()).await.expect("it listens");
        let answer = client.request("GET", path, &[], b"").await.expect("it answers");
        assert_eq!((answer.status(), &answer.json::<Value>()["status"]), (200, &status.into()));
    }
}

#[tokio::test]
async fn a_viewer_reads_and_does_nothing_else() {
    let bed = Testbed::start().await;
    let api = bed.api();
    named_session(&api).await;
    let viewer = api.bearing(&token(&api, json!({"role": "viewer"})).await.1);
    for (method, path) in ROUTES {
        let answer = viewer.send(method, path, json!({"text": "hello"})).await;
        if method == "GET" {
            assert!(answer.status() == 200 || path.ends_with("nothing"), "{path}: {}", answer.text());
        } else {
            assert_eq!(refusal(&answer), (403, "forbidden".to_owned()), "{method} {path}");
        }
    }
    assert_eq!(bed.model.progress().calls, 0);
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
async fn a_revoked_token_is_worth_nothing_at_once_and_after_a_restart() {
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
