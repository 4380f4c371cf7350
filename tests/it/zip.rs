//! What goes out in fewer bytes, and what does not.

use std::io::Read;

use serde_json::{Value, json};

use crate::testbed::Testbed;

const GZIP: [(&str, &str); 1] = [("accept-encoding", "gzip, br;q=0.5")];

#[tokio::test]
async fn pages_and_long_lists_go_out_in_fewer_bytes_to_those_who_take_gzip() {
    let bed = Testbed::start().await;
    let api = bed.api();
    for path in ["/", "/openapi.json"] {
        let plain = api.request("GET", path, &[], b"").await;
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")), "{path}");
        for none in ["identity", "gzip;q=0", "br"] {
            let refused = api.request("GET", path, &[("accept-encoding", none)], b"").await;
            assert_eq!((refused.status(), refused.header("content-encoding")), (200, None), "{path}: {none}");
        }
        let mut client = mosaic_testkit::http::Client::connect(api.address).await.expect("the daemon listens");
        let bearer = format!("Bearer {}", bed.token());
        let headers = [("authorization", bearer.as_str()), GZIP[0]];
        let small = client.request("GET", path, &headers, b"").await.expect("an answer");
        assert_eq!(small.header("content-encoding"), Some("gzip"), "{path}");
        assert!(small.body.len() * 2 < plain.body.len(), "{path}: {} of {}", small.body.len(), plain.body.len());
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&small.body[..]).read_to_end(&mut text).expect("it is gzip");
        assert!(text == plain.body, "{path}: the same, byte for byte");
    }
}

#[tokio::test]
async fn streams_small_answers_and_the_openai_wire_are_left_as_they_are() {
    let bed = Testbed::start().await;
    let api = bed.api();
    let session = api.session().await;
    let me = api.request("GET", "/api/v1/me", &GZIP, b"").await;
    assert_eq!(me.header("content-encoding"), None);
    let body = json!({"model": "assistant", "messages": [{"role": "user", "content": "x".repeat(4_000)}]}).to_string();
    let said = api.request("POST", "/v1/chat/completions", &GZIP, body.as_bytes()).await;
    assert_eq!((said.status(), said.header("content-encoding")), (200, None));
    // Its pieces come one by one, as without.
    let events = api.hear_with(&session, &GZIP, "hello").await.rest().await;
    let kinds: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    assert!(kinds.iter().any(|kind| **kind == "turn.delta"), "{kinds:?}");
}
