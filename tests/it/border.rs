//! What every request must be before anyone asks who sent it; and who failed too often.

use std::net::IpAddr;

use mosaic::gateway::table;
use mosaic_testkit::http::{Client, Response};
use serde_json::{Value, json};

use crate::testbed::{Testbed, refusal};

/// One request by someone at `source` who calls the daemon `host`.
async fn as_called(
    bed: &Testbed,
    source: &str,
    host: &str,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &Value,
) -> Response {
    let source: IpAddr = source.parse().expect("an address");
    let client = Client::connect_from(source, bed.address()).await.expect("it listens");
    let body = if method == "GET" { String::new() } else { body.to_string() };
    client.calling(host).request(method, path, headers, body.as_bytes()).await.expect("it answers")
}

#[tokio::test]
async fn a_page_whose_name_was_bent_to_this_machine_reaches_no_route() {
    let bed = Testbed::start().await;
    let bearer = format!("Bearer {}", bed.token());
    let headers = [("authorization", bearer.as_str())];
    let port = bed.address().port();
    for row in table() {
        for evil in [format!("evil.example:{port}"), "localhost.evil.example".to_owned(), String::new()] {
            let ask = (row.method.as_str(), row.path);
            let refused = as_called(&bed, "127.0.0.1", &evil, ask, &headers, &json!({})).await;
            assert_eq!(refusal(&refused), (403, "forbidden_host".to_owned()), "{ask:?} as {evil:?}");
        }
    }
    for good in [format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        let me = as_called(&bed, "127.0.0.1", &good, ("GET", "/api/v1/me"), &headers, &json!({})).await;
        assert_eq!(me.status(), 200, "{good}");
    }
    let mut twice = Client::connect(bed.address()).await.expect("it listens");
    let head = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n";
    twice.send_raw(head.as_bytes()).await.expect("it is sent");
    assert_eq!(twice.receive(false).await.expect("it answers").head.status, 400, "two names are none");
    let mut absolute = Client::connect(bed.address()).await.expect("it listens");
    let head = "GET http://evil.example/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    absolute.send_raw(head.as_bytes()).await.expect("it is sent");
    assert_eq!(absolute.receive(false).await.expect("it answers").head.status, 403, "nor one in the request line");
}

#[tokio::test]
async fn a_page_of_another_site_reaches_no_route() {
    let mut bed = Testbed::start().await;
    let origin = format!("http://{}", bed.address());
    for row in table() {
        for evil in ["https://evil.example", "null", "http://127.0.0.1:1"] {
            let headers = [("origin", evil)];
            let ask = (row.method.as_str(), row.path);
            let host = bed.address().to_string();
            let refused = as_called(&bed, "127.0.0.1", &host, ask, &headers, &json!({})).await;
            assert_eq!(refusal(&refused), (403, "forbidden_origin".to_owned()), "{ask:?} from {evil}");
            assert_eq!(refused.header("access-control-allow-origin"), None);
        }
    }
    let api = bed.api();
    assert_eq!(api.request("GET", "/api/v1/me", &[("origin", &origin)], b"").await.status(), 200, "its own page");
    bed.stop().await;
    bed.configure(
        "[gateway]\nbind = \"127.0.0.1:0\"\nhosts = [\"mosaic.example\"]\norigins = [\"https://chat.example\"]\n",
    );
    bed.restart().await;
    let headers = [("origin", "https://chat.example")];
    let named = as_called(&bed, "127.0.0.1", "mosaic.example", ("GET", "/healthz"), &headers, &json!({})).await;
    assert_eq!(named.status(), 200, "what the settings name is let in");
}

#[tokio::test]
async fn every_answer_says_how_it_may_be_used() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let (show, nothing) = (format!("/api/v1/sessions/{session}"), "/nothing".to_owned());
    for path in ["/healthz", "/api/v1/me", "/api/v1/tokens", "/claim", "/claim.js", &show, &nothing, "/api/nothing"] {
        let answer = api.request("GET", path, &[], b"").await;
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("cache-control", "no-store"), ("referrer-policy", "no-referrer")]
        {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
    let stranger = Client::connect(bed.address()).await.expect("it listens");
    let refused = stranger.calling("evil.example").request("GET", "/", &[], b"").await.expect("it answers");
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"), "what is refused at the border too");
}

#[tokio::test]
async fn who_tries_links_without_end_is_locked_out_and_shuts_out_nobody_else() {
    let bed = Testbed::start().await;
    let host = bed.address().to_string();
    let api = bed.api();
    let link: Value = api.send("POST", "/api/v1/links", json!({})).await.json();
    let code = link["url"].as_str().and_then(|url| url.split_once('#')).expect("a code").1.to_owned();
    let claim = async |source: &str, code: &str| {
        as_called(&bed, source, &host, ("POST", "/claim"), &[], &json!({"code": code})).await
    };
    for _ in 0..10 {
        assert_eq!(refusal(&claim("127.0.0.9", "wrong").await), (401, "unauthorized".to_owned()));
    }
    for code in ["wrong", &code] {
        let refused = claim("127.0.0.9", code).await;
        assert_eq!(refusal(&refused), (429, "locked_out".to_owned()), "a good code too");
        let wait: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("a time");
        assert!((50..=60).contains(&wait), "{wait}");
    }
    let bearer = format!("Bearer {}", bed.token());
    let me =
        as_called(&bed, "127.0.0.9", &host, ("GET", "/api/v1/me"), &[("authorization", &bearer)], &json!({})).await;
    assert_eq!(me.status(), 200, "who has a token at the same address goes on");
    assert_eq!(claim("127.0.0.8", &code).await.status(), 200, "and the link is still good elsewhere");
}

#[tokio::test]
async fn a_good_token_passes_however_many_bad_ones_come_from_its_address() {
    let bed = Testbed::start().await;
    let host = bed.address().to_string();
    let token = bed.token();
    let me = async |headers: &[(&str, &str)]| {
        as_called(&bed, "127.0.0.9", &host, ("GET", "/api/v1/me"), headers, &json!({})).await
    };
    let login = async |token: &str| {
        as_called(&bed, "127.0.0.9", &host, ("POST", "/login"), &[], &json!({"token": token})).await
    };
    let good = format!("Bearer {token}");
    for (bad, class) in [(("authorization", "Bearer wrong"), "tokens"), (("cookie", "mosaic_session=wrong"), "cookies")]
    {
        let mut statuses = Vec::new();
        for _ in 0..12 {
            statuses.push(me(&[bad]).await.status());
        }
        assert_eq!(statuses, [[401; 10].as_slice(), &[429; 2]].concat(), "{class}");
        assert_eq!(me(&[("authorization", &good)]).await.status(), 200, "{class}");
    }
    assert_eq!(me(&[]).await.status(), 401, "to send nothing is no failure");
    for _ in 0..10 {
        assert_eq!(refusal(&login("wrong").await), (401, "unauthorized".to_owned()));
    }
    assert_eq!(refusal(&login("wrong").await), (429, "locked_out".to_owned()));
    assert_eq!(login(&token).await.status(), 200);
}

#[tokio::test]
async fn what_a_trusted_proxy_says_of_its_client_counts() {
    let bed = Testbed::asleep(mosaic_testkit::StandIn::builder());
    bed.configure("[gateway]\nbind = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.2\"]\n");
    let mut bed = bed;
    bed.restart().await;
    let host = bed.address().to_string();
    let token = bed.token();
    let login = async |source: &str, token: &str| {
        let headers = [("x-forwarded-for", "192.0.2.1, 198.51.100.7"), ("x-forwarded-proto", "https")];
        as_called(&bed, source, &host, ("POST", "/login"), &headers, &json!({"token": token})).await
    };
    let secure = |answer: &Response| answer.header("set-cookie").expect("a cookie").contains("Secure");
    assert!(secure(&login("127.0.0.2", &token).await), "the proxy ended TLS");
    assert!(!secure(&login("127.0.0.3", &token).await), "anybody can say so");
    for _ in 0..11 {
        login("127.0.0.2", "wrong").await;
    }
    assert_eq!(login("127.0.0.2", "wrong").await.status(), 429);
    let headers = [("x-forwarded-for", "192.0.2.1")];
    let other = as_called(&bed, "127.0.0.2", &host, ("POST", "/login"), &headers, &json!({"token": "wrong"})).await;
    assert_eq!(other.status(), 401, "another client of the same proxy is another address");
}
